"""What is pruned, that the parent names the kinds that have members, and the empty namespace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubekit.api import removal
from kubekit.api.ownership import MANAGED_BY_LABEL, OwnedSet
from kubekit.api.resources import KNOWN, LEASES, Resource
from kubekit.errors import Place
from kubekit.events import Event, ObjectChanged, Warned
from kubekit.model import Applied, AppliedObject, Manifest, Object

OWNED = OwnedSet(project="x", namespace="x")
CONFIG: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "uid": "a"}}


@pytest.mark.parametrize(
    ("named", "written"),
    [
        ({"ConfigMap"}, []),
        ({"ConfigMap", "Service"}, [{"ConfigMap"}]),
        ({"ConfigMap", "Thing.of.a.crd.that.was.deleted"}, [{"ConfigMap"}]),
        (None, []),
    ],
)
def test_a_run_that_prunes_nothing_shrinks_what_the_one_before_did_not(
    named: set[str] | None, written: list[set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrote: list[set[str]] = []
    there = [(KNOWN["v1", "ConfigMap"], CONFIG)] if named else []
    monkeypatch.setattr(removal, "read_kinds", lambda *_: named and frozenset(named))
    monkeypatch.setattr(removal, "members", lambda *_: there)
    monkeypatch.setattr(removal, "write_kinds", lambda *given: wrote.append(set(given[2])))
    manifest = Manifest(data=CONFIG, origin=Place(file=Path("/app.yaml")))
    done = AppliedObject(manifest=manifest, action="unchanged", live=CONFIG)
    kube: Any = None
    applied = Applied(objects=(done,), since=0)
    assert removal.prune(kube, applied, owned=OWNED, emit=lambda _: None) == 0
    assert wrote == written


def test_claims_that_are_not_yet_there_are_named_still(monkeypatch: pytest.MonkeyPatch) -> None:
    wrote: list[set[str]] = []
    stateful: Object = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "uid": "db"},
        "spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]},
    }
    kinds = frozenset({"StatefulSet.apps", "PersistentVolumeClaim"})
    there = [(KNOWN["apps/v1", "StatefulSet"], stateful)]
    monkeypatch.setattr(removal, "read_kinds", lambda *_: kinds)
    monkeypatch.setattr(removal, "members", lambda *_: there)
    monkeypatch.setattr(removal, "write_kinds", lambda *given: wrote.append(set(given[2])))
    manifest = Manifest(data=stateful, origin=Place(file=Path("/db.yaml")))
    done = AppliedObject(manifest=manifest, action="unchanged", live=stateful)
    kube: Any = None
    removal.prune(kube, Applied(objects=(done,), since=0), owned=OWNED, emit=lambda _: None)
    assert wrote == []


KNATIVE = Resource(api_version="serving.knative.dev/v1", kind="Service", plural="services")


class Deleting:
    """An API where everything can be deleted but what is `replaced`."""

    def __init__(self, *replaced: str) -> None:
        self.replaced = replaced
        self.deleted: list[str] = []

    def list(self, _path: str) -> list[Object]:
        return []

    def delete(self, _path: str, *, uid: str) -> bool:
        if uid in self.replaced:
            return False
        self.deleted.append(uid)
        return True


def run(
    kube: Any,
    members: list[tuple[Resource, Object]],
    *applied: tuple[Object, str],
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[int, list[set[str]]]:
    """Prune of these members after these were applied with these uids; what the parent names."""
    wrote: list[set[str]] = []
    kinds = frozenset(resource.group_kind for resource, _ in members)
    monkeypatch.setattr(removal, "read_kinds", lambda *_: kinds)
    monkeypatch.setattr(removal, "members", lambda *_: members)
    monkeypatch.setattr(removal, "write_kinds", lambda *given: wrote.append(set(given[2])))
    done = tuple(
        AppliedObject(
            manifest=Manifest(data=data, origin=Place(file=Path("/app.yaml"))),
            action="unchanged",
            live={"metadata": {"uid": uid}},
        )
        for data, uid in applied
    )
    count = removal.prune(kube, Applied(objects=done, since=0), owned=OWNED, emit=lambda _: None)
    return count, wrote


def of(resource: Resource, name: str, **metadata: object) -> tuple[Resource, Object]:
    uid = f"{resource.group_kind}/{name}"
    kind = {"apiVersion": resource.api_version, "kind": resource.kind}
    return resource, {**kind, "metadata": {"name": name, "uid": uid, **metadata}}


def test_another_groups_kind_of_the_same_name_is_another_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kube = Deleting()
    service = of(KNOWN["v1", "Service"], "web")
    there = [of(KNATIVE, "web"), service]
    count, _ = run(kube, there, (service[1], "s"), monkeypatch=monkeypatch)
    assert (count, kube.deleted) == (1, ["Service.serving.knative.dev/web"])


def test_what_was_applied_is_not_pruned_where_another_group_serves_it_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kube = Deleting()
    seen = of(Resource(api_version="old/v1", kind="Ingress", plural="ingresses"), "web")
    now = of(KNOWN["networking.k8s.io/v1", "Ingress"], "web")[1]
    count, _ = run(kube, [seen], (now, seen[1]["metadata"]["uid"]), monkeypatch=monkeypatch)
    assert (count, kube.deleted) == (0, [])


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        (of(KNOWN["v1", "Service"], "a"), {"ConfigMap"}),
        (of(KNOWN["v1", "Service"], "a", finalizers=["example.com/hold"]), None),
        (of(KNATIVE, "a"), None),
    ],
    ids=["usual", "held", "unusual"],
)
def test_a_kind_is_named_while_what_was_pruned_of_it_may_be_there(
    gone: tuple[Resource, Object], left: set[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = of(KNOWN["v1", "ConfigMap"], "a")
    there = [gone, config]
    count, wrote = run(Deleting(), there, (config[1], "c"), monkeypatch=monkeypatch)
    assert (count, wrote) == (1, [left] if left else [])


def test_what_was_replaced_meanwhile_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [of(KNOWN["v1", "Service"], name) for name in ("a", "b")]
    count, _ = run(Deleting("Service/a"), there, monkeypatch=monkeypatch)
    assert count == 1


def lease(project: str) -> Object:
    labels = {MANAGED_BY_LABEL: "kubekit"}
    return {"metadata": {"name": f"kubekit-{project}", "uid": "l", "labels": labels}}


class Shared:
    """A namespace with these objects, by their plural."""

    def __init__(self, found: dict[str, list[Object]]) -> None:
        self.found = found
        self.deleted: list[str] = []

    def list(self, path: str, **_: object) -> list[Object]:
        return self.found.get(path.rpartition("/")[2], [])

    def delete(self, path: str, **_: object) -> bool:
        self.deleted.append(path)
        return True


@pytest.mark.parametrize(
    ("found", "stays"),
    [
        ({}, ""),
        ({"configmaps": [{"metadata": {"name": "kube-root-ca.crt"}}]}, ""),
        ({"leases": [lease("x")]}, ""),
        ({"leases": [lease("other")]}, "Lease/kubekit-other"),
        ({"configmaps": [{"metadata": {"name": "kubekit-x"}}]}, "ConfigMap/kubekit-x"),
    ],
    ids=["empty", "native", "own lease", "another's lease", "another's object"],
)
def test_a_new_namespace_is_taken_back_only_if_nobody_uses_it_yet(
    found: dict[str, list[Object]], stays: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = [KNOWN["v1", "ConfigMap"], LEASES]
    monkeypatch.setattr(removal, "listable", lambda _: kinds)
    said: list[Event] = []
    kube: Any = Shared(found)
    removal.take_back_namespace(kube, OWNED, uid="u", emit=said.append)
    assert kube.deleted == ([] if stays else ["/api/v1/namespaces/x"])
    (told,) = said
    if stays:
        assert isinstance(told, Warned)
        assert stays in told.text
    else:
        assert told == ObjectChanged(ref="Namespace/x", action="deleted")
