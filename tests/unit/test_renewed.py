"""Which pods are made anew, as they would crash for ever with what `dev` has left in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kubekit.api.kube import ApiError
from kubekit.errors import Place
from kubekit.events import Event, ObjectChanged, Warned
from kubekit.model import Applied, AppliedObject, Manifest, Object
from kubekit.rollout.renewed import renew
from kubekit.rollout.revisions import DEV_VOLUME
from tests.unit.rollouts import crashed, deployment, pod, running, snapshot

NAME = "web-2-a"


class Cluster:
    """An API that has these pods, and may let nobody list or delete them."""

    context = "lab"

    def __init__(self, *pods: Object, refuses: str = "", gone: bool = False) -> None:
        self.pods = pods
        self.refuses = refuses
        self.gone = gone
        self.listed = 0
        self.deleted: list[str] = []

    def list(self, _path: str) -> tuple[Object, ...]:
        self._ask("list")
        self.listed += 1
        return self.pods

    def delete(self, path: str, *, uid: str) -> bool:
        self._ask("delete")
        if self.gone:
            return False
        self.deleted.append(f"{path} {uid}")
        return True

    def _ask(self, verb: str) -> None:
        if self.refuses == verb:
            raise ApiError(status=403, reason="Forbidden", message="no", causes=())


def live(volume: str = DEV_VOLUME, **status: Any) -> Object:
    spec = {"template": {"spec": {"containers": [], "volumes": [{"name": volume}]}}}
    return {**deployment(spec=spec, status=status), "apiVersion": "apps/v1"}


def crashing(state: Object | None = None, owner: str = "web-78", **metadata: Any) -> Object:
    """A pod of the Deployment whose container is so; by default, in a crash loop."""
    mounts = [{"name": DEV_VOLUME, "mountPath": "/k"}]
    made = pod(
        state=crashed(3, restarts=2) if state is None else state, container={"volumeMounts": mounts}
    )
    reference = {"kind": "ReplicaSet", "name": owner, "uid": "rs", "controller": True}
    metadata |= {"namespace": "x", "labels": {"pod-template-hash": "78"}}
    return {**made, "metadata": {**made["metadata"], "ownerReferences": [reference], **metadata}}


def renewed(
    *pods: Object,
    of: Object | None = None,
    action: str = "unchanged",
    refuses: str = "",
    gone: bool = False,
) -> tuple[Cluster, frozenset[str], list[Event]]:
    obj = of or live()
    item = AppliedObject(
        manifest=Manifest(data=obj, origin=Place(file=Path("/p/x.yaml"))), action=action, live=obj
    )
    kube: Any = Cluster(*pods, refuses=refuses, gone=gone)
    said: list[Event] = []
    going = renew(kube, Applied(objects=(item,), since=0.0), namespace="x", emit=said.append)
    return kube, going, said


def test_a_pod_that_crashes_with_what_dev_left_is_made_anew() -> None:
    kube, gone, said = renewed(crashing())
    assert kube.deleted == [f"/api/v1/namespaces/x/pods/{NAME} {NAME}"]
    assert gone == {NAME}
    (told,) = said
    assert isinstance(told, ObjectChanged)
    assert "made anew" in told.detail


@pytest.mark.parametrize(
    "other",
    [
        crashing({**running(), "restartCount": 0}),  # starts for the first time
        crashing({**crashed(3, restarts=2), **running()}),  # is tried anew: it may succeed
        crashing(crashed(0, restarts=2)),
        crashing(crashed(137, restarts=2)),  # none of these was ended by its files
        crashing(crashed(1, restarts=2, reason="OOMKilled")),
        crashing(crashed(255, restarts=2, reason="Unknown")),
        crashing(crashed(137, restarts=2, reason="ContainerStatusUnknown")),
        crashing(crashed(128, restarts=2, reason="StartError")),
        crashing(owner="other-78"),
    ],
)
def test_what_has_not_crashed_or_is_of_another_workload_stays(other: Object) -> None:
    kube, gone, said = renewed(other)
    assert (kube.deleted, gone, said) == ([], frozenset(), [])


@pytest.mark.parametrize(
    ("of", "action"),
    [
        (live(), "configured"),  # makes new pods by itself
        (live("data"), "unchanged"),  # its pods have what is in the image
        (live(availableReplicas=1), "unchanged"),
    ],
)
def test_nothing_is_asked_where_nothing_needs_it(of: Object, action: str) -> None:
    kube, gone, _ = renewed(crashing(), of=of, action=action)
    assert (kube.listed, gone) == (0, frozenset())


def test_what_goes_already_is_not_told_and_what_cannot_go_is() -> None:
    kube, gone, said = renewed(crashing(deletionTimestamp="T"))
    assert (kube.deleted, gone, said) == ([], {NAME}, [])
    _, gone, said = renewed(crashing(), gone=True)
    assert (gone, said) == ({NAME}, [])
    _, gone, said = renewed(crashing(), refuses="delete")
    assert gone == frozenset()
    assert isinstance(said[0], Warned)
    assert said[0].hints == (f"`kubectl --context lab -n x delete pod {NAME}`",)


def test_a_container_that_dev_does_not_run_may_crash_as_it_likes() -> None:
    both = crashing({**running(), "ready": True})
    both["spec"]["containers"].append({"name": "metrics", "image": "other"})
    both["status"]["containerStatuses"].append({**crashed(1, restarts=2), "name": "metrics"})
    assert renewed(both)[1:] == (frozenset(), [])


def test_who_may_not_list_pods_is_told_so_and_goes_on() -> None:
    _, gone, said = renewed(crashing(), refuses="list")
    assert gone == frozenset()
    assert isinstance(said[0], Warned)
    assert said[0].text.endswith("is not known: no")


def test_the_crash_of_a_pod_that_was_deleted_is_never_judged() -> None:
    """Its deletion may be heard of only later."""
    before = snapshot(pod(state=crashed(3, restarts=4)))
    assert before.new_pods
    target = replace(before.target, gone=frozenset({NAME}))
    after = replace(before, target=target)
    assert not after.new_pods
    assert after.old_pods
