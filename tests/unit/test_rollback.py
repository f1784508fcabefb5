"""Which revision a rollback goes back to, and of which Deployments: by when each became ready."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubekit import rollback
from kubekit.api.kube import ApiError
from kubekit.api.ownership import OwnedSet
from kubekit.api.resources import DEPLOYMENTS
from kubekit.errors import Place, RefusedError, UsageError
from kubekit.model import Applied, AppliedObject, Manifest, Object, Settings
from kubekit.rollback import Back, choose
from kubekit.rollout.kinds import REVISION
from kubekit.rollout.revisions import DEV_VOLUME, READY_ANNOTATION, remember, revisions
from kubekit.session import Run

FILE = Path("/p/kubekit.yaml")
OWNED = OwnedSet(project="x", namespace="x")


def deployment(name: str) -> Object:
    metadata = {"name": name, "namespace": "x", "uid": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {}}


def replica_set(owner: str, number: int, ready_at: str = "") -> Object:
    ready = {READY_ANNOTATION: ready_at} if ready_at else {}
    return {
        "metadata": {
            "name": f"{owner}-{number}",
            "annotations": {REVISION: str(number), **ready},
            "ownerReferences": [{"uid": owner, "controller": True}],
        },
        "spec": {"template": {"spec": {"containers": [{"name": "app", "image": f"i:{number}"}]}}},
    }


class Cluster:
    """An API that lists these ReplicaSets and notes what is asked to be changed.

    Attributes:
        refuses: a Deployment whose trial ends in a conflict.
    """

    context = "x"

    def __init__(self, *sets: Object, refuses: str = "") -> None:
        self.sets = list(sets)
        self.refuses = refuses
        self.changed: list[str] = []

    def server_now(self) -> float:
        return 0.0

    def list(self, _path: str) -> list[Object]:
        return self.sets

    def request(self, _method: str, path: str, **_: object) -> None:
        self.changed.append(path.rpartition("/")[2])

    def apply(self, path: str, obj: Object, *, dry_run: bool = False) -> Any:
        name = path.rpartition("/")[2]
        if dry_run and name == self.refuses:
            said = {"message": 'conflict with "kubectl-set"', "field": ".spec.template"}
            cause = {"reason": "FieldManagerConflict", **said}
            raise ApiError(status=409, reason="Conflict", message="no", causes=(cause,))
        if not dry_run:
            self.changed.append(name)

        class Answer:
            data = obj
            date = 1.0

        return Answer


def chosen(monkeypatch: pytest.MonkeyPatch, *sets: Object) -> dict[str, int]:
    """What goes back, and to which revision."""
    owners = dict.fromkeys(str(one["metadata"]["ownerReferences"][0]["uid"]) for one in sets)
    live = [(DEPLOYMENTS, deployment(name)) for name in owners]
    monkeypatch.setattr(rollback, "members", lambda *_: live)
    kube: Any = Cluster(*sets)
    return {
        back.deployment["metadata"]["name"]: back.revision.number for back in choose(kube, OWNED)
    }


def test_those_of_the_last_release_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    old = (replica_set("a", 1, "T1"), replica_set("b", 1, "T1"), replica_set("b", 2, "T2"))
    assert chosen(monkeypatch, *old, replica_set("a", 2, "T3")) == {"a": 1}
    assert chosen(monkeypatch, *old, replica_set("a", 2)) == {"a": 1}, "it was never ready"
    broken = (replica_set("a", 2), replica_set("a", 3))
    assert chosen(monkeypatch, *old, *broken) == {"a": 1}, "nor was the one before it"
    with pytest.raises(UsageError, match="no earlier revision"):
        chosen(monkeypatch, replica_set("a", 1, "T1"))


def of_dev(one: Object) -> Object:
    one["spec"]["template"]["spec"]["volumes"] = [{"name": "data"}, {"name": DEV_VOLUME}]
    return one


def test_a_revision_of_dev_is_nowhere_to_go_back_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ran in it was synced, and nobody syncs any more."""
    first, present = replica_set("a", 1, "T1"), replica_set("a", 3, "T3")
    dev = of_dev(replica_set("a", 2, "T2"))  # an earlier kubekit took it for a good one
    assert chosen(monkeypatch, first, dev, present) == {"a": 1}
    assert chosen(monkeypatch, first, dev) == {"a": 1}, "what `dev --keep` has left goes back"
    with pytest.raises(UsageError, match="no earlier revision") as error:
        chosen(monkeypatch, dev, present)
    assert "of `kubekit dev`" in error.value.details[1]


def test_what_dev_has_made_ready_is_not_noted() -> None:
    live = deployment("a")
    item = AppliedObject(
        manifest=Manifest(data=live, origin=Place(file=FILE)), action="configured", live=live
    )
    kube: Any = Cluster(replica_set("a", 1, "T1"), of_dev(replica_set("a", 2)))
    remember(kube, Applied(objects=(item,), since=0.0), namespace="x")
    assert kube.changed == []


@pytest.mark.parametrize(
    ("present", "before", "action", "noted"),
    [
        ("", "T1", "configured", True),
        ("", "", "unchanged", True),
        ("T1", "T2", "configured", True),
        ("T2", "T1", "unchanged", False),
        ("T2", "T1", "configured", False),
    ],
    ids=["new", "seen late", "an old one again", "nothing to do", "another number of replicas"],
)
def test_only_what_became_ready_just_now_is_noted_to_be(
    present: str, before: str, action: str, noted: bool
) -> None:
    live = deployment("a")
    item = AppliedObject(
        manifest=Manifest(data=live, origin=Place(file=FILE)), action=action, live=live
    )
    kube: Any = Cluster(replica_set("a", 1, before), replica_set("a", 2, present))
    remember(kube, Applied(objects=(item,), since=0.0), namespace="x")
    assert kube.changed == (["a-2"] if noted else [])


def test_one_that_is_refused_leaves_the_others_as_they_are() -> None:
    sets = [replica_set(name, 1, "T1") for name in "ab"]
    backs = [
        Back(deployment=deployment(name), revision=revisions(sets, deployment(name))[0])
        for name in "ab"
    ]
    settings = Settings(file=FILE, name="x", namespace="x", profile="x", manifests=())
    kube: Any = Cluster(refuses="b")
    run = Run(emit=lambda _: None)
    with pytest.raises(RefusedError, match="is managed by `kubectl-set`") as caught:
        rollback._apply(settings, backs, kube, run)
    assert kube.changed == []
    assert "--take-ownership" in caught.value.hints[0]
    kube.refuses = ""
    rollback._apply(settings, backs, kube, run)
    assert kube.changed == ["a", "b"]
