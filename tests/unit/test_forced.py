"""Which old pods of a StatefulSet are deleted, as it would wait for them for ever."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from kubekit.api.kube import ApiError
from kubekit.errors import Place
from kubekit.events import Event, ObjectChanged, Progress, Warned
from kubekit.model import Applied, AppliedObject, Cancel, Clock, Manifest, Object
from kubekit.rollout import forced
from kubekit.rollout.forced import unblock
from kubekit.rollout.reading import epoch
from kubekit.rollout.revisions import READY_ANNOTATION


def stateful(
    policy: str = "OrderedReady", *, seen: int = 2, kind: str = "StatefulSet", **strategy: Any
) -> Object:
    return {
        "kind": kind,
        "metadata": {"name": "db", "uid": "u", "generation": 2},
        "spec": {"podManagementPolicy": policy, "updateStrategy": strategy},
        "status": {"observedGeneration": seen, "updateRevision": "good"},
    }


STARTED = "2026-11-22T08:00:00Z"
NOW = epoch(STARTED) + 20
"""Within what any start may take."""
SHORT = 9.0
"""Too short to see whether those that have just started are late."""
LOOPS = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 3}


def runs(seconds: float = 20.0, **more: Any) -> Object:
    """A container that was started so long ago."""
    started = dt.datetime.fromtimestamp(NOW - seconds, tz=dt.UTC).isoformat()
    return {"state": {"running": {"startedAt": started}}, **more}


def pod(
    name: str,
    revision: str,
    *,
    ready: bool = False,
    owner: str = "u",
    ends: str = "",
    app: Object | None = None,
    before: Object | None = None,
    made: str = STARTED,
    **scheduled: str,
) -> Object:
    """One whose container `app` is so; by default, in a crash loop; and one that ran `before`."""
    labels = {"controller-revision-hash": revision}
    metadata = {"name": name, "uid": name, "labels": labels, "ownerReferences": [{"uid": owner}]}
    conditions = [
        {"type": "Ready", "status": str(ready)},
        {"type": "PodScheduled", **scheduled},
    ]
    first = [] if before is None else [{"name": "first", **before}]
    return {
        "metadata": {
            **metadata,
            "creationTimestamp": made,
            **({"deletionTimestamp": ends} if ends else {}),
        },
        "spec": {
            "containers": [{"name": "app"}],
            "initContainers": [{"name": one["name"]} for one in first],
        },
        "status": {
            "conditions": conditions,
            "initContainerStatuses": first,
            "containerStatuses": [
                {"name": "app", "ready": ready, **(LOOPS if app is None else app)}
            ],
        },
    }


def revision(name: str, ready_at: str = "") -> Object:
    return {
        "metadata": {
            "name": name,
            "annotations": {READY_ANNOTATION: ready_at} if ready_at else {},
            "ownerReferences": [{"uid": "u"}],
        },
        "revision": 1,
        "data": {"spec": {"template": {"spec": {}}}},
    }


class Cluster:
    """An API that has these pods.

    Attributes:
        looks: how the StatefulSet is at each look; as at the last one from then on.
        refuses: it lets nobody delete a pod.
        kept: the revisions it has.
        ready_at_look: at which look at its pods they are ready.
    """

    context = "lab"

    def __init__(
        self,
        *pods: Object,
        looks: tuple[Object | None, ...],
        refuses: bool,
        kept: tuple[Object, ...],
    ) -> None:
        self.kept = kept
        self.ready_at_look = 0
        self.seen = 0
        self.cancel = Cancel()
        self.pods = pods
        self.looks = list(looks)
        self.refuses = refuses
        self.deleted: list[str] = []

    def get(self, _path: str) -> Object | None:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def list(self, path: str) -> tuple[Object, ...]:
        assert len(self.looks) == 1, "the controller has not seen it yet"
        if path.endswith("controllerrevisions"):
            return self.kept
        self.seen += 1
        if self.seen == self.ready_at_look:
            for one in self.pods:
                one["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
        return self.pods

    def server_now(self) -> float:
        """Two seconds pass from look to look."""
        return NOW + 2 * (self.seen - 1)

    def delete(self, _path: str, *, uid: str) -> bool:
        if self.refuses:
            raise ApiError(status=403, reason="Forbidden", message="no", causes=())
        self.deleted.append(uid)
        return True


def applied(live: Object, action: str = "configured") -> Applied:
    manifest = Manifest(
        data={**live, "apiVersion": "apps/v1"}, origin=Place(file=Path("/p/x.yaml"))
    )
    item = AppliedObject(manifest=manifest, action=action, live=live)
    return Applied(objects=(item,), since=0.0)


def unblocked(
    *pods: Object,
    live: Object,
    looks: tuple[Object | None, ...] = (),
    action: str = "configured",
    refuses: bool = False,
    kept: tuple[Object, ...] = (),
) -> tuple[list[str], list[Event]]:
    """What was deleted, and what was said."""
    kube: Any = Cluster(*pods, looks=looks or (live,), refuses=refuses, kept=kept)
    said: list[Event] = []
    unblock(
        kube,
        applied(live, action),
        namespace="x",
        emit=said.append,
        clock=Clock(),
        timeout=SHORT,
    )
    return kube.deleted, said


BLOCKING = pod("db-1", "bad")


def test_only_what_it_would_wait_for_goes() -> None:
    others = (
        pod("db-0", "good", ready=True),
        pod("db-2", "bad", ready=True),
        pod("db-3", "good"),
        pod("db-4", "bad", ends="T1"),
        pod("web-0", "bad", owner="another"),
    )
    deleted, said = unblocked(*others, BLOCKING, live=stateful())
    assert deleted == ["db-1"]
    (told,) = said
    assert isinstance(told, ObjectChanged)
    assert (told.ref, told.action) == ("Pod/db-1", "deleted")


@pytest.mark.parametrize("action", ["configured", "unchanged"])
def test_those_that_are_only_starting_are_left_to_it(action: str) -> None:
    """A database recovers, a broker joins: deleted, each would begin anew, all of them at once."""
    pods = [pod(f"db-{number}", "bad", app=runs()) for number in range(3)]
    assert unblocked(*pods, live=stateful(), action=action) == ([], [])


def ended(code: int) -> Object:
    return {"state": {"terminated": {"exitCode": code}}, "ready": code == 0}


def waits(reason: str) -> Object:
    return {"state": {"waiting": {"reason": reason}}}


LATE = runs(31.0)
STUCK = {
    "crash loop": pod("db-0", "bad"),
    "no image": pod("db-0", "bad", app=waits("ImagePullBackOff")),
    "asks for its image": pod("db-0", "bad", app=waits("ErrImagePull")),
    "no Secret": pod("db-0", "bad", app=waits("CreateContainerConfigError")),
    "just crashed": pod("db-0", "bad", app=ended(1)),
    "just ended": pod("db-0", "bad", app=ended(0)),
    "nothing before it": pod("db-0", "bad", app=waits("PodInitializing"), before=ended(1)),
    "no node": pod("db-0", "bad", app={}, reason="Unschedulable"),
    "crashes and runs": pod("db-0", "bad", app=runs(restartCount=1)),
    "late": pod("db-0", "bad", app=LATE),
    "late to be made": pod(
        "db-0", "bad", app=waits("ContainerCreating"), made="2026-11-22T07:59:00Z"
    ),
}
STARTS = {
    "runs": pod("db-0", "bad", app=runs()),
    "is made": pod("db-0", "bad", app=waits("ContainerCreating")),
    "looks for a node": pod("db-0", "bad", app={}),
    "migrates for long": pod(
        "db-0", "bad", app=waits("PodInitializing"), before=LATE, made="2026-11-22T07:00:00Z"
    ),
    "after what came before": pod("db-0", "bad", app=runs(), before=ended(0)),
}


@pytest.mark.parametrize("stuck", STUCK.values(), ids=STUCK)
def test_what_stays_unready_goes(stuck: Object) -> None:
    assert unblocked(stuck, live=stateful())[0] == ["db-0"]


@pytest.mark.parametrize("starting", STARTS.values(), ids=STARTS)
def test_what_only_starts_stays(starting: Object) -> None:
    assert unblocked(starting, live=stateful()) == ([], [])


def test_a_start_takes_what_its_probes_let_it_take() -> None:
    slow = pod("db-0", "bad", app=runs(99.0))
    (container,) = slow["spec"]["containers"]
    container["startupProbe"] = {"periodSeconds": 10, "failureThreshold": 30}
    assert unblocked(slow, live=stateful()) == ([], [])


def test_one_of_a_revision_that_was_once_ready_is_never_late() -> None:
    late = pod("db-0", "bad", app=LATE)
    proven = revision("bad", "T1"), revision("good")
    assert unblocked(late, live=stateful(), kept=proven) == ([], [])
    unproven = revision("bad"), revision("good", "T1")
    assert unblocked(late, live=stateful(), kept=unproven)[0] == ["db-0"]


@pytest.mark.parametrize(("ready_at_look", "goes"), [(0, ["db-0"]), (3, [])], ids=["no", "yes"])
def test_it_is_waited_whether_one_becomes_ready_that_never_was(
    ready_at_look: int, goes: list[str]
) -> None:
    """The release before may just have failed at a probe that asks the wrong path."""
    kube: Any = Cluster(
        pod("db-0", "bad", app=runs(20.0)), looks=(stateful(),), refuses=False, kept=()
    )
    kube.ready_at_look = ready_at_look
    said: list[Event] = []
    unblock(kube, applied(stateful()), namespace="x", emit=said.append, clock=Clock())
    assert kube.deleted == goes
    assert kube.seen == (ready_at_look or 7)
    assert isinstance(said[0], Progress)
    assert "Pod/db-0, which is to be replaced" in said[0].text


def test_all_that_are_down_go_and_of_those_that_run_the_first() -> None:
    """It makes them anew in order, each once the one before it is ready; what runs it may need."""
    hung = [pod(f"db-{number}", "bad", app=LATE) for number in (10, 9, 2)]
    down = [pod("db-3", "bad"), pod("db-1", "bad")]
    assert set(unblocked(*hung, *down, live=stateful())[0]) == {"db-1", "db-2", "db-3"}


def test_it_waits_no_longer_than_the_rollout_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    class Over:
        is_over = True

        def __init__(self, seconds: float, **_: object) -> None:
            waited.append(seconds)

    monkeypatch.setattr(forced, "Wait", Over)
    kube: Any = Cluster(looks=(stateful(seen=1),), refuses=False, kept=())
    for timeout in (10.0, 600.0):
        unblock(
            kube,
            applied(stateful()),
            namespace="x",
            emit=lambda _: None,
            clock=Clock(),
            timeout=timeout,
        )
    assert waited == [10.0, 60.0]


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
