"""Claims are let go before the StatefulSet that owns them is deleted; what it takes, step by step.

With the real controller: tests/cluster/test_teardown.py.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kubekit.api import claims, waiting
from kubekit.api.kube import Answer, ApiError
from kubekit.api.resources import KNOWN
from kubekit.errors import UnreachableError
from kubekit.events import Event, ObjectChanged
from kubekit.model import Cancel, Object

SET = KNOWN["apps/v1", "StatefulSet"]


class Clock:
    """Time passes by being asked for."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        self.seconds += 10
        return self.seconds


class Cluster:
    """A StatefulSet with claims, and a controller that is a step behind.

    Attributes:
        blind: it sees nothing of what is written.
        refuses: so many patches to come are refused, as somebody else was quicker.
    """

    def __init__(self, policy: str, *, blind: bool = False, refuses: int = 0) -> None:
        self.blind = blind
        self.refuses = refuses
        self.done: list[str] = []
        spec = {
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
        }
        self.set: Object = {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "db", "uid": "s", "generation": 1},
            "spec": spec,
            "status": {"observedGeneration": 1},
        }
        mine, other = {"uid": "s"}, {"uid": "o"}
        self.claims = {
            name: {"metadata": {"name": name, "uid": name, "resourceVersion": "1", **owners}}
            for name, owners in (
                ("a", {"ownerReferences": [mine]}),
                ("b", {"ownerReferences": [other, mine]}),
                ("c", {"ownerReferences": [other]}),
                ("d", {}),
            )
        }

    def get(self, path: str) -> Object:
        assert path.endswith("/statefulsets/db")
        seen = copy.deepcopy(self.set)
        if not self.blind:
            self.set["status"]["observedGeneration"] = self.set["metadata"]["generation"]
        return seen

    def list(self, path: str) -> list[Object]:
        assert path.endswith("/persistentvolumeclaims")
        return copy.deepcopy(list(self.claims.values()))

    def request(self, method: str, path: str, *, body: Object, **_: object) -> Answer:
        assert method == "PATCH"
        if self.refuses:
            self.refuses -= 1
            raise ApiError(status=409, reason="Conflict", message="no", causes=())
        name = path.rpartition("/")[2]
        self.done.append(name)
        if name == "db":
            assert body["metadata"]["uid"] == "s"
            self.set["spec"]["persistentVolumeClaimRetentionPolicy"].update(
                body["spec"]["persistentVolumeClaimRetentionPolicy"]
            )
            self.set["metadata"]["generation"] += 1
        else:
            assert self.set["status"]["observedGeneration"] == self.set["metadata"]["generation"]
            self.claims[name]["metadata"].update(body["metadata"])
        return Answer(data={}, warnings=(), date=0.0)

    def owners(self) -> dict[str, list[str]]:
        return {
            name: [one["uid"] for one in claim["metadata"].get("ownerReferences", ())]
            for name, claim in self.claims.items()
        }


def let_go(cluster: Any, said: list[Event]) -> None:
    claims.let_go(
        cluster,
        "x",
        [(SET, copy.deepcopy(cluster.set))],
        emit=said.append,
        clock=Clock(),
        cancel=Cancel(),
    )


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_STEP_SECONDS", 0)


@pytest.mark.parametrize("refuses", [0, 1, 2])
def test_the_policy_goes_first_then_the_owner(refuses: int) -> None:
    cluster, said = Cluster("Delete", refuses=refuses), []
    let_go(cluster, said)
    assert cluster.done[0] == "db"
    assert cluster.set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Retain"
    assert cluster.owners() == {"a": [], "b": ["o"], "c": ["o"], "d": []}
    (told,) = [one for one in said if isinstance(one, ObjectChanged)]
    assert (told.ref, told.action) == ("StatefulSet/db", "configured")


def test_a_policy_that_was_changed_may_have_left_owners() -> None:
    cluster = Cluster("Retain")
    let_go(cluster, [])
    assert cluster.done == ["a", "b"]


def test_nothing_is_written_where_nothing_would_go() -> None:
    cluster = Cluster("Retain")
    cluster.claims = {}
    let_go(cluster, [])
    assert cluster.done == []


def test_without_its_controller_nothing_may_be_deleted() -> None:
    cluster = Cluster("Delete", blind=True)
    with pytest.raises(UnreachableError, match=r"controller of StatefulSet/db .* nothing was del"):
        let_go(cluster, [])
    assert cluster.owners()["a"] == ["s"]


@pytest.mark.parametrize("spec", [{}, [], None])
def test_what_has_no_claims_is_not_asked_about(spec: Any) -> None:
    obj = {"kind": "StatefulSet", "metadata": {"name": "db", "uid": "s"}, "spec": spec}
    nothing: Any = None
    claims.let_go(nothing, "x", [(SET, obj)], emit=lambda _: None, clock=Clock(), cancel=Cancel())
