"""What is known of revisions, and noted on them, where rights are missing or pods stay old."""

from __future__ import annotations

from typing import Any

import pytest

from kubekit import rollback, status
from kubekit.api.kube import ApiError
from kubekit.api.ownership import KINDS_ANNOTATION
from kubekit.api.resources import Resource
from kubekit.errors import Place, UsageError
from kubekit.events import Event, Warned
from kubekit.model import Applied, AppliedObject, Manifest, Object
from kubekit.rollback import choose
from kubekit.rollout.revisions import history, remember
from tests.unit.test_rollback import (
    FILE,
    OWNED,
    Cluster,
    controller_revision,
    deployment,
    member,
    replica_set,
)


class Narrow(Cluster):
    """One that lets nobody list ControllerRevisions, as a Role made for an older kubekit."""

    why = "Forbidden"

    def get(self, _path: str) -> Object:
        return {"metadata": {"annotations": {KINDS_ANNOTATION: "Deployment.apps,StatefulSet.apps"}}}

    def list(self, path: str) -> list[Object]:
        if path.endswith("controllerrevisions"):
            raise ApiError(status=403, reason=self.why, message="no", causes=())
        return super().list(path) if path.endswith("replicasets") else []


SETS = (
    *(replica_set("web", number, f"T{number}") for number in (1, 2)),
    *(controller_revision("db", number) for number in (1, 2)),
)


def members(*_: object) -> list[tuple[Resource, Object]]:
    """One of each kind that has revisions."""
    names = {"db": "StatefulSet", "log": "DaemonSet", "web": "Deployment"}
    found = [member(name, kind) for name, kind in names.items()]
    for _resource, obj in found:
        obj["spec"] = {"template": {"spec": {"containers": []}}}
    return found


def applied(*live: Object) -> Applied:
    """An apply that has changed these."""
    items = (
        AppliedObject(
            manifest=Manifest(data=one, origin=Place(file=FILE)), action="configured", live=one
        )
        for one in live
    )
    return Applied(objects=tuple(items), since=0.0)


def test_who_may_not_list_controller_revisions_can_take_deployments_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kube: Any = Narrow(*SETS, replica_set("web", 3))
    remember(kube, applied(*(obj for _, obj in members())), namespace="x")
    assert kube.changed == ["web-3"]
    monkeypatch.setattr(rollback, "members", members)
    said: list[Event] = []
    (back,) = choose(kube, OWNED, emit=said.append)
    assert back.told == "Deployment/web to revision 2, image i:2, ready at T2"
    (warned,) = said
    assert isinstance(warned, Warned)
    assert warned.text == "the revisions of StatefulSet/db, DaemonSet/log are not known: no"
    assert "`controllerrevisions`" in warned.hints[0]


def test_status_shows_what_it_may_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "members", members)
    said: list[Event] = []
    kube: Any = Narrow(*SETS)
    text, data = status.describe(kube, OWNED, emit=said.append)
    assert "earlier: revision 1, image i:1, ready at T1" in text
    assert [len(row["revisions"]) for row in data["objects"]] == [0, 0, 2]
    assert [type(one) for one in said] == [Warned]


def test_what_is_no_want_of_a_right_is_an_error() -> None:
    kube: Any = Narrow()
    kube.why = "InternalError"
    with pytest.raises(ApiError):
        history(kube, "x", [deployment("db", "StatefulSet")], emit=lambda _: None)


@pytest.mark.parametrize(
    ("strategy", "stays"),
    [
        ({"type": "RollingUpdate"}, False),
        ({"type": "OnDelete"}, True),
        ({"rollingUpdate": {"partition": 1}}, False),
        ({"rollingUpdate": {"partition": 2}}, True),
    ],
    ids=["rolling", "by hand", "a part of it", "held back"],
)
def test_what_no_pod_runs_is_no_good_revision_and_does_not_go_back(
    strategy: Object, stays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All may be well with it while no pod runs its new template yet."""
    kube: Any = Cluster(controller_revision("db", 1, "T1"), controller_revision("db", 2))
    resource, live = member("db", "StatefulSet")
    live["spec"] = {"updateStrategy": strategy, "replicas": 2}
    remember(kube, applied(live), namespace="x")
    assert kube.changed == ([] if stays else ["db-2"])
    monkeypatch.setattr(rollback, "members", lambda *_: [(resource, live)])
    if stays:
        with pytest.raises(UsageError, match="no workload of `x` that can go back"):
            choose(kube, OWNED, emit=lambda _: None)
    else:
        assert [back.revision.number for back in choose(kube, OWNED, emit=lambda _: None)] == [1]


def test_one_that_is_to_have_no_pods_is_not_held_back() -> None:
    kube: Any = Cluster(controller_revision("db", 1))
    _, live = member("db", "StatefulSet")
    live["spec"] = {"replicas": 0}
    remember(kube, applied(live), namespace="x")
    assert kube.changed == ["db-1"]
