"""The order of a release; what its parts do on a cluster is in tests/cluster/test_phases.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubekit import release
from kubekit.ahead import Ahead
from kubekit.api import removal
from kubekit.api.apply import Step, write
from kubekit.api.kube import ApiError
from kubekit.api.ownership import OwnedSet
from kubekit.api.resources import KNOWN, Resource
from kubekit.errors import KubekitError, Place, RefusedError, UnreachableError
from kubekit.events import Event, Warned
from kubekit.manifests.phases import ANNOTATION
from kubekit.model import Applied, AppliedObject, Cancel, Manifest, Manifests, Object, Settings
from kubekit.rollout.wait import Rollout
from kubekit.session import Run

FILE = Path("/p/kubekit.yaml")


def step(kind: str, api: str, *, before: bool = False) -> Step:
    annotations = {ANNOTATION: "before"} if before else {}
    data = {"apiVersion": api, "kind": kind, "metadata": {"name": "x", "annotations": annotations}}
    return Step(
        manifest=Manifest(data=data, origin=Place(file=FILE)),
        resource=KNOWN[api, kind],
        action="created",
        sent=data,
        live=data,
        date=0.0,
    )


@pytest.mark.parametrize("beside", [[], [step("Deployment", "apps/v1")]])
def test_what_runs_before_is_waited_for_also_where_nothing_comes_after(
    beside: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def write(_kube: object, steps: list[Step], **_: object) -> Applied:
        done.extend(one.manifest.kind for one in steps)
        objects = (AppliedObject(manifest=it.manifest, action="created", live={}) for it in steps)
        return Applied(objects=tuple(objects), since=0.0)

    def waits(applied: Applied) -> Rollout:
        done.append(f"wait for {' '.join(item.manifest.kind for item in applied.objects)}")
        return Rollout(workloads={})

    steps = [step("ConfigMap", "v1"), step("Job", "batch/v1", before=True), *beside]
    monkeypatch.setattr(release, "_tried", lambda *_: steps)
    monkeypatch.setattr(release, "write", write)
    settings = Settings(file=FILE, name="x", namespace="x", profile="x", manifests=())
    owned = OwnedSet(project="x", namespace="x")

    class Kube:
        def server_now(self) -> float:
            return 1.0

    kube: Any = Kube()
    run = Run(emit=lambda _: None)
    rendered, ahead = Manifests(items=()), Ahead(None, lambda *_: None, run.cancel)
    applied = release._apply(
        settings, kube, rendered, owned, waits, run, lambda: done.append("accepted"), ahead
    )
    assert done == [
        "accepted",
        "ConfigMap",
        "Job",
        "wait for Job",
        *(one.manifest.kind for one in beside),
    ]
    assert [item.manifest.kind for item in applied.objects] == [one.manifest.kind for one in steps]


class Namespace:
    """One in which nothing may be written; what is in it is as it is sent."""

    context = "x"

    def __init__(self, metadata: Object) -> None:
        self.cancel = Cancel()
        self.metadata = {"name": "x", **metadata}
        self.live = OWNED.own(step("ConfigMap", "v1").manifest.data)

    def until(self, _: object) -> Namespace:
        return self

    def server_now(self) -> float:
        return 1.0

    def get(self, path: str) -> Object | None:
        if path == "/api/v1/namespaces/x":
            return {"kind": "Namespace", "metadata": self.metadata}
        return self.live if path.endswith("/x") else None

    def apply(self, *_: object) -> None:
        raise ApiError(status=404, reason="NotFound", message="no namespace `x`", causes=())


OWNED = OwnedSet(project="x", namespace="x")


@pytest.mark.parametrize(
    ("metadata", "actions"), [({}, ["unchanged"]), ({"deletionTimestamp": "now"}, None)]
)
def test_in_a_namespace_that_is_being_deleted_nothing_is_asked_ahead(
    metadata: Object, actions: list[str] | None
) -> None:
    kube: Any = Namespace(metadata)
    settings = Settings(file=FILE, name="x", namespace="x", profile="x", manifests=())
    expected = Manifests(items=(step("ConfigMap", "v1").manifest,))
    steps = release._asked_ahead(settings, kube, OWNED, expected, lambda _: None, Cancel())
    assert (None if steps is None else [one.action for one in steps]) == actions


@pytest.mark.parametrize("first", [[], [step("Secret", "v1")]])
def test_a_refusal_of_kubekits_own_list_says_what_was_written(first: list[Step]) -> None:
    kube: Any = Namespace({})
    earlier = [AppliedObject(manifest=one.manifest, action="created", live={}) for one in first]
    steps = [step("ConfigMap", "v1")]
    with pytest.raises(KubekitError, match="refuses `ConfigMap/kubekit-x`") as error:
        write(kube, steps, owned=OWNED, emit=lambda _: None, earlier=earlier)
    assert error.value.hints == ("run kubekit again: it makes the namespace anew",)
    written, missing = error.value.details
    assert written == ("written before it: Secret/x" if first else "nothing was written")
    assert missing.startswith("not written: ConfigMap/x")


@pytest.mark.parametrize("sees", [True, False])
def test_of_a_refused_run_a_namespace_stays_that_may_be_used_by_now(
    sees: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has put something into it since; or that cannot be told."""
    deleted: list[str] = []

    class Used:
        context = "x"

        def list(self, _path: str, **_: object) -> list[Object]:
            return [{"metadata": {"name": "data-of-another"}}]

        def delete(self, path: str, **_: object) -> bool:
            deleted.append(path)
            return True

    def listable(_: object) -> list[Resource]:
        if not sees:
            raise UnreachableError("the API server is away")
        return [KNOWN["v1", "PersistentVolumeClaim"]]

    def refused(*_: object) -> list[Step]:
        raise RefusedError("no")

    monkeypatch.setattr(removal, "listable", listable)
    monkeypatch.setattr(release, "Kube", lambda **_: Used())
    monkeypatch.setattr(release, "prepare_namespace", lambda *_, **__: "u")
    monkeypatch.setattr(release, "_asked", refused)
    said: list[Event] = []
    nothing: Any = None
    kube: Any = Used()
    with pytest.raises(RefusedError, match="no"):
        release._tried(nothing, kube, Manifests(items=()), OWNED, Run(emit=said.append))
    assert deleted == []
    (told,) = said
    assert isinstance(told, Warned)
    why = "PersistentVolumeClaim/data-of-another" if sees else "the API server is away"
    assert told.text.startswith("namespace `x` stays, though this run made it: ")
    assert why in told.text
