"""Which old pods of a StatefulSet are deleted, as it would wait for them for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubekit.api.kube import ApiError
from kubekit.errors import Place
from kubekit.events import Event, ObjectChanged, Warned
from kubekit.model import Applied, AppliedObject, Cancel, Clock, Manifest, Object
from kubekit.rollout.forced import unblock


def stateful(
    policy: str = "OrderedReady", *, seen: int = 2, kind: str = "StatefulSet", **strategy: Any
) -> Object:
    return {
        "kind": kind,
        "metadata": {"name": "db", "uid": "u", "generation": 2},
        "spec": {"podManagementPolicy": policy, "updateStrategy": strategy},
        "status": {"observedGeneration": seen, "updateRevision": "good"},
    }


def pod(name: str, revision: str, *, ready: bool, owner: str = "u", ends: str = "") -> Object:
    labels = {"controller-revision-hash": revision}
    metadata = {"name": name, "uid": name, "labels": labels, "ownerReferences": [{"uid": owner}]}
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": {**metadata, **({"deletionTimestamp": ends} if ends else {})},
        "status": {"conditions": conditions},
    }


class Cluster:
    """An API that has these pods.

    Attributes:
        looks: how the StatefulSet is at each look; as at the last one from then on.
        refuses: it lets nobody delete a pod.
    """

    context = "lab"

    def __init__(self, *pods: Object, looks: tuple[Object | None, ...], refuses: bool) -> None:
        self.cancel = Cancel()
        self.pods = pods
        self.looks = list(looks)
        self.refuses = refuses
        self.deleted: list[str] = []

    def get(self, _path: str) -> Object | None:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def list(self, _path: str) -> tuple[Object, ...]:
        assert len(self.looks) == 1, "the controller has not seen it yet"
        return self.pods

    def delete(self, _path: str, *, uid: str) -> bool:
        if self.refuses:
            raise ApiError(status=403, reason="Forbidden", message="no", causes=())
        self.deleted.append(uid)
        return True


def unblocked(
    *pods: Object,
    live: Object,
    looks: tuple[Object | None, ...] = (),
    action: str = "configured",
    refuses: bool = False,
) -> tuple[list[str], list[Event]]:
    """What was deleted, and what was said."""
    kube: Any = Cluster(*pods, looks=looks or (live,), refuses=refuses)
    manifest = Manifest(
        data={**live, "apiVersion": "apps/v1"}, origin=Place(file=Path("/p/x.yaml"))
    )
    item = AppliedObject(manifest=manifest, action=action, live=live)
    said: list[Event] = []
    applied = Applied(objects=(item,), since=0.0)
    unblock(kube, applied, namespace="x", emit=said.append, clock=Clock())
    return kube.deleted, said


BLOCKING = pod("db-1", "bad", ready=False)


def test_only_what_it_would_wait_for_goes() -> None:
    others = (
        pod("db-0", "good", ready=True),
        pod("db-2", "bad", ready=True),
        pod("db-3", "good", ready=False),
        pod("db-4", "bad", ready=False, ends="T1"),
        pod("web-0", "bad", ready=False, owner="another"),
    )
    deleted, said = unblocked(*others, BLOCKING, live=stateful())
    assert deleted == ["db-1"]
    (told,) = said
    assert isinstance(told, ObjectChanged)
    assert (told.ref, told.action) == ("Pod/db-1", "deleted")


@pytest.mark.parametrize(
    "live",
    [
        stateful("Parallel"),
        stateful(kind="DaemonSet"),
        stateful(kind="Deployment"),
        stateful(type="OnDelete"),
        stateful(rollingUpdate={"partition": 2}),
    ],
    ids=["Parallel", "DaemonSet", "Deployment", "OnDelete", "partition"],
)
def test_the_others_replace_such_a_pod_by_themselves_or_are_to_keep_it(live: Object) -> None:
    assert unblocked(BLOCKING, live=live) == ([], [])


def test_one_that_is_new_is_not_waited_for() -> None:
    assert unblocked(live=stateful(), looks=(stateful(seen=0), None), action="created") == ([], [])


def test_its_controller_must_have_seen_that_it_goes_back() -> None:
    """Until then it would make the pod again as it was."""
    looks = (stateful(seen=1), stateful(seen=1), stateful())
    deleted, said = unblocked(BLOCKING, live=stateful(), looks=looks)
    assert deleted == ["db-1"]
    assert isinstance(said[-1], ObjectChanged)


def test_one_that_has_gone_meanwhile_is_left_to_the_judge() -> None:
    assert unblocked(BLOCKING, live=stateful(), looks=(None,)) == ([], [])


def test_who_may_not_delete_pods_is_told_what_to_run() -> None:
    deleted, (told,) = unblocked(BLOCKING, live=stateful(), refuses=True)
    assert deleted == []
    assert isinstance(told, Warned)
    assert "waits for Pod/db-1" in told.text
    assert told.hints == ("`kubectl --context lab -n x delete pod db-1`",)
