"""The judge decides from a snapshot alone: each ending, and what must not be one."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.api.feed import Feed
from kubekit.api.follow import Changed, Listed
from kubekit.model import Cancel, Clock, Object
from kubekit.rollout.catalogue import CATALOGUE
from kubekit.rollout.judge import foremost, judge
from kubekit.rollout.kinds import settled
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.verdict import FAILED, READY, WAITING, Finding, Verdict
from kubekit.rollout.wants import KeysOf, LogOf, NamespaceOf
from kubekit.rollout.watcher import Watcher
from tests.unit.rollouts import (
    NOW,
    at,
    crashed,
    deployment,
    event,
    pod,
    running,
    snapshot,
    waiting,
)

if TYPE_CHECKING:
    from kubekit.api.kube import Kube

REFUSED = (
    'Readiness probe failed: Get "http://10.0.0.9:8000/": dial tcp: connect: connection refused'
)
NOT_FOUND = "Readiness probe failed: HTTP probe failed with statuscode: 404"


def log(text: str, *attempts: int) -> dict[LogOf, str | None]:
    return {LogOf(pod="web-2-a", container="app", attempt=number): text for number in attempts}


def failed(snap: Snapshot, after: float = 0.0) -> str:
    verdict = judge(snap, NOW + after)
    assert verdict.state == FAILED, verdict
    assert verdict.finding is not None
    return verdict.finding.id


def is_waiting(snap: Snapshot, after: float = 0.0) -> Verdict:
    verdict = judge(snap, NOW + after)
    assert verdict.state == WAITING, verdict
    return verdict


def test_ready() -> None:
    live = deployment(status={"availableReplicas": 1})
    assert judge(snapshot(deployment=live), NOW).state == READY


@pytest.mark.parametrize(
    "status",
    [
        {"observedGeneration": 1, "availableReplicas": 1},
        {"availableReplicas": 1, "updatedReplicas": 0},
        {"availableReplicas": 1, "replicas": 2},
        {"availableReplicas": 0},
    ],
)
def test_not_settled(status: Object) -> None:
    assert settled(deployment(status=status)) is None


def test_scaled_to_zero_is_settled() -> None:
    live = deployment(spec={"replicas": 0}, status={"replicas": 0, "updatedReplicas": 0})
    assert settled(live) == "scaled to 0: nothing runs"


def test_old_pods_are_not_judged() -> None:
    old = pod(state=crashed(1, restarts=9), owner="web-1", name="web-1-a")
    is_waiting(snapshot(old, pod(state=running())), 100)


def test_a_pod_on_its_way_out_is_not_judged() -> None:
    gone = pod(state=crashed(1, restarts=9))
    gone["metadata"]["deletionTimestamp"] = at(1)
    is_waiting(snapshot(gone, logs=log("", 9)), 100)


def test_a_deadline_of_an_earlier_rollout_is_stale() -> None:
    def past(when: float) -> Snapshot:
        state = {
            "type": "Progressing",
            "status": "False",
            "reason": "ProgressDeadlineExceeded",
            "lastUpdateTime": at(when),
        }
        live = deployment(status={"conditions": [state]}, spec={"progressDeadlineSeconds": 6})
        return snapshot(pod(state=running()), deployment=live)

    is_waiting(past(-5), 100)
    is_waiting(past(0), 100)  # of the second of the apply: too soon to be its own
    assert failed(past(6), 100) == "deadline"


def test_a_try_and_the_back_off_after_it_are_one_wait() -> None:
    one = watcher()
    for seconds, reason in ((0, "ErrImagePull"), (10, "ImagePullBackOff"), (20, "ErrImagePull")):
        one._kube = cast("Kube", SimpleNamespace(server_now=partial(float, NOW + seconds)))
        one.take(Changed(kind="Pod", item=pod(state=waiting(reason, "i/o timeout")), gone=False))
    assert one._seen == {("web-2-a", "app", "ErrImagePull"): NOW}


def test_a_container_without_probes_is_watched_for_a_moment() -> None:
    """It is Ready as soon as it runs, also if it ends a moment later."""
    live = deployment(status={"availableReplicas": 1})
    bare = pod(state=running(10, ready=True), container={"readinessProbe": None})
    for seconds in (9.5, 12):  # the node's clock and the server's differ a little
        text = is_waiting(snapshot(bare, deployment=live), seconds).text
        assert "no readiness probe" in text
    assert judge(snapshot(bare, deployment=live), NOW + 14).state == READY
    probed = pod(state=running(10, ready=True))
    assert judge(snapshot(probed, deployment=live), NOW + 10).state == READY


def test_a_namespace_that_is_being_deleted_ends_it_at_once() -> None:
    gone = {"kind": "Namespace", "metadata": {"name": "web", "deletionTimestamp": at(1)}}
    assert failed(snapshot(pod(state=running()), namespace=gone)) == "namespace-terminating"
    there = {"kind": "Namespace", "metadata": {"name": "web"}}
    is_waiting(snapshot(pod(state=running()), namespace=there))


def test_a_job_that_its_time_to_live_takes_away_has_ended_well() -> None:
    metadata = {"name": "web", "uid": "dep", "generation": 1, "creationTimestamp": at(0)}
    done = {"type": "Complete", "status": "True"}
    job = {"kind": "Job", "metadata": metadata, "spec": {"template": {}}, "status": {}}
    complete = job | {"status": {"conditions": [done]}}
    target = replace(snapshot().target, kind="Job")
    for last, state in ((complete, READY), (job, WAITING)):
        one = watcher()
        one.take(Listed(kind="Job", items=(job,)))
        one.take(Changed(kind="Job", item=last, gone=True))
        assert judge(one.snapshot(target), NOW).state == state
    assert judge(one.snapshot(target), NOW).wants == {NamespaceOf(name="web")}


def test_an_exact_cause_learns_what_it_needs_before_a_general_one_decides() -> None:
    state = waiting("ErrImagePull", "pull access denied for web, repository does not exist")
    verdict = is_waiting(snapshot(pod(state=state)), 100)
    assert verdict.wants


def test_events_are_waited_for_as_pods_are() -> None:
    state = waiting("InvalidImageName")
    listed = frozenset({"Deployment", "ReplicaSet", "Pod"})
    is_waiting(snapshot(pod(state=state), listed=listed))
    assert failed(snapshot(pod(state=state))) == "image-invalid-name"


def test_nothing_is_judged_before_everything_was_listed() -> None:
    state = waiting("InvalidImageName")
    is_waiting(snapshot(pod(state=state), listed=frozenset({"Deployment", "Pod"})))


@pytest.mark.parametrize(
    ("live", "cause", "code"),
    [
        (deployment(metadata={"uid": "other"}), "replaced", 10),
        (
            deployment(metadata={"generation": 3}, spec={"template": {"spec": {"containers": []}}}),
            "superseded",
            10,
        ),
        (deployment(spec={"paused": True}), "paused", 6),
    ],
)
def test_endings_that_others_cause(live: Object | None, cause: str, code: int) -> None:
    verdict = judge(snapshot(deployment=live), NOW)
    assert verdict.finding is not None
    assert (verdict.finding.id, verdict.finding.exit_code) == (cause, code)


@pytest.mark.parametrize(("stays", "cause"), [(True, "deleted"), (False, "namespace-terminating")])
@pytest.mark.parametrize("live", [None, deployment(metadata={"deletionTimestamp": at(1)})])
def test_a_deletion_is_told_apart_from_that_of_the_namespace(
    live: Object | None, stays: bool, cause: str
) -> None:
    wanted = NamespaceOf(name="web")
    assert is_waiting(snapshot(deployment=live)).wants == {wanted}
    assert failed(snapshot(deployment=live, facts={wanted: stays})) == cause


def test_of_several_rollouts_the_failed_one_is_told_then_the_one_with_a_cause() -> None:
    finding = Finding(id="x", exit_code=6, cause="", fix="", where="")
    api, web = (Verdict(state=WAITING, text=name) for name in ("api", "web"))
    worker = replace(web, finding=finding)
    job = replace(worker, state=FAILED)
    assert foremost({"api": api, "web": web}) == "api"
    assert foremost({"api": api, "web": web, "worker": worker}) == "worker"
    assert foremost({"api": api, "worker": worker, "job": job, "last": job}) == "job"


def test_scaling_by_others_is_no_ending() -> None:
    live = deployment(
        metadata={"generation": 3}, status={"observedGeneration": 3}, spec={"replicas": 2}
    )
    is_waiting(snapshot(pod(state=running()), deployment=live))


def test_the_order_of_events_changes_nothing() -> None:
    events = (
        event("Unhealthy", REFUSED, count=3, when=1),
        event("Unhealthy", NOT_FOUND, count=3, when=2),
        event("Pulled", "done", when=0),
    )
    verdicts = {
        failed(snapshot(pod(state=running()), events=order, logs=log("", 0)), 60)
        for order in itertools.permutations(events)
    }
    assert len(verdicts) == 1


def test_every_cause_has_an_id_of_its_own_and_both_texts() -> None:
    assert len({cause.id for cause in CATALOGUE}) == len(CATALOGUE)
    for cause in CATALOGUE:
        assert cause.cause
        assert cause.fix
        assert not cause.cause.endswith(".")


MESSAGES = st.sampled_from([NOT_FOUND, REFUSED, NOT_FOUND.replace("404", "503")])
STATES = st.one_of(
    st.just(waiting("InvalidImageName")),
    st.just(waiting("ImagePullBackOff", "manifest unknown")),
    st.just(waiting("CreateContainerConfigError", 'secret "keys" not found')),
    st.builds(running, st.floats(0, 20), ready=st.booleans(), restartCount=st.integers(0, 2)),
    st.builds(crashed, st.integers(0, 3), restarts=st.integers(0, 3)),
)


@st.composite
def rollouts(draw: st.DrawFn) -> Snapshot:
    """Any mixture of pods, new and old, of events about them and of facts that were read."""
    names = [f"web-2-{letter}" for letter in "abc"[: draw(st.integers(0, 3))]]
    pods = [pod(state=draw(STATES), name=name) for name in names]
    pods += [pod(state=draw(STATES), name="web-1-a", owner="web-1")]
    events = [
        event(
            "Unhealthy",
            draw(MESSAGES),
            count=draw(st.integers(1, 5)),
            when=draw(st.integers(0, 30)),
            uid=draw(st.sampled_from(["web-1-a", *names])),
        )
        for _ in range(draw(st.integers(0, 5)))
    ]
    read = [LogOf(pod=name, container="app", attempt=number) for name in names for number in (0, 1)]
    texts = st.sampled_from(["", "boom\n", "listening on http://127.0.0.1:8000\n", None])
    logs = {want: draw(texts) for want in read if draw(st.booleans())}
    configs = {KeysOf(kind="Secret", name="keys"): draw(st.sampled_from([None, ("A",)]))}
    return snapshot(*pods, events=tuple(events), logs=logs, configs=configs)


def essence(verdict: Verdict) -> tuple[object, ...]:
    """The verdict but for which of several like pods stands for them."""
    finding = verdict.finding
    return verdict.state, finding and (finding.id, finding.exit_code), verdict.wants


@given(snap=rollouts(), after=st.floats(0, 60), data=st.data())
def test_the_order_in_which_objects_are_listed_changes_no_verdict(
    snap: Snapshot, after: float, data: st.DataObject
) -> None:
    other = replace(
        snap,
        pods=tuple(data.draw(st.permutations(snap.pods))),
        events=tuple(data.draw(st.permutations(snap.events))),
        replica_sets=tuple(data.draw(st.permutations(snap.replica_sets))),
    )
    assert essence(judge(other, NOW + after)) == essence(judge(snap, NOW + after))


@given(snap=rollouts(), after=st.floats(0, 60))
def test_a_verdict_of_the_same_facts_is_the_same_again(snap: Snapshot, after: float) -> None:
    """As after a list that starts over: objects of the same content, other identities in memory."""
    assert judge(copy.deepcopy(snap), NOW + after) == judge(snap, NOW + after)


@given(snap=rollouts(), early=st.floats(0, 30), later=st.floats(0, 30))
def test_time_alone_takes_no_failure_back(snap: Snapshot, early: float, later: float) -> None:
    if judge(snap, NOW + early).state == FAILED:
        again = judge(snap, NOW + early + later)
        # A more exact cause may be due by then, and ask for a fact; a wait has ended long before.
        assert again.state == FAILED or again.wants


@given(data=st.data(), count=st.integers(1, 8))
def test_a_list_that_starts_over_leaves_the_same_snapshot(data: st.DataObject, count: int) -> None:
    """Some changes, with the list of what they led to at any point among them, or without it."""
    changes = [
        Changed(
            kind="Pod",
            item=pod(state=data.draw(STATES), name=data.draw(st.sampled_from(["a", "b"]))),
            gone=data.draw(st.booleans()),
        )
        for _ in range(count)
    ]
    steady, relisted = watcher(), watcher()
    at_last = data.draw(st.integers(0, count))
    for number, change in enumerate(changes):
        if number == at_last:
            items = steady.objects("Pod")
            relisted.take(Listed(kind="Pod", items=copy.deepcopy(items)))
        steady.take(change)
        relisted.take(change)
    assert relisted._objects == steady._objects
    assert relisted._seen == steady._seen


def watcher() -> Watcher:
    """One that asks nobody: its updates are handed to it."""
    kube: Any = SimpleNamespace(server_now=lambda: NOW)
    clock = Clock(now=lambda: 0.0)
    return Watcher(
        kube,
        "web",
        feed=Feed(kube, "web"),
        emit=lambda _event: None,
        clock=clock,
        cancel=Cancel(),
        on_host=lambda _image: False,
    )
