"""The judge decides from a snapshot alone: each ending, and what must not be one."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.api.follow import Changed, Listed
from kubekit.model import Cancel, Clock, Object
from kubekit.rollout.catalogue import CATALOGUE
from kubekit.rollout.judge import foremost, judge
from kubekit.rollout.kinds import settled
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.verdict import FAILED, READY, WAITING, Finding, Verdict
from kubekit.rollout.wants import KeysOf, LogOf, NamespaceOf, OpenPorts
from kubekit.rollout.watcher import Watcher
from tests.unit.rollouts import (
    NOW,
    at,
    container,
    crashed,
    deployment,
    event,
    pod,
    running,
    snapshot,
    waiting,
)

REFUSED = (
    'Readiness probe failed: Get "http://10.0.0.9:8000/": dial tcp: connect: connection refused'
)
NOT_FOUND = "Readiness probe failed: HTTP probe failed with statuscode: 404"
TRACEBACK = "Traceback (most recent call last):\n  File \"main.py\", line 1\nKeyError: 'TOKEN'\n"


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


@pytest.mark.parametrize(
    ("state", "cause", "after"),
    [
        (
            waiting(
                "CreateContainerConfigError",
                "container has runAsNonRoot and image will run as root",
            ),
            "runs-as-root",
            0,
        ),
        (waiting("CreateContainerConfigError", "something else"), "container-config", 11),
        (
            waiting("RunContainerError", 'exec: "nope": executable file not found in $PATH'),
            "command-not-found",
            0,
        ),
    ],
)
def test_a_container_that_waits(state: Object, cause: str, after: float) -> None:
    seen = {("web-2-a", "app", state["state"]["waiting"]["reason"]): NOW}
    assert failed(snapshot(pod(state=state), seen=seen), after) == cause


def test_a_missing_secret_is_looked_for_first() -> None:
    state = waiting("CreateContainerConfigError", 'secret "keys" not found')
    wanted = KeysOf(kind="Secret", name="keys")
    snap = snapshot(pod(state=state), seen={("web-2-a", "app", "CreateContainerConfigError"): NOW})
    assert is_waiting(snap, 5).wants == {wanted}
    gone = snapshot(pod(state=state), seen=snap.seen, configs={wanted: None})
    likely = is_waiting(gone, 11).finding
    assert likely is not None, "somebody else may be making it, but one is told"
    assert failed(gone, 13) == likely.id == "secret-missing"
    arrived = snapshot(pod(state=state), seen=snap.seen, configs={wanted: ("A",)})
    is_waiting(arrived, 5)


def test_a_missing_key_names_the_keys_there_are() -> None:
    state = waiting("CreateContainerConfigError", "couldn't find key B in Secret web/keys")
    wanted = KeysOf(kind="Secret", name="keys")
    verdict = judge(snapshot(pod(state=state), configs={wanted: ("A", "C")}), NOW)
    assert verdict.finding is not None
    assert verdict.finding.id == "secret-key-missing"
    assert "`B` (it has: A, C)" in verdict.finding.cause


def test_a_secret_that_a_volume_misses() -> None:
    mount = event(
        "FailedMount", 'MountVolume.SetUp failed for volume "x" : secret "keys" not found'
    )
    configs = {KeysOf(kind="Secret", name="keys"): None}
    snap = snapshot(pod(state=waiting("ContainerCreating")), events=(mount,), configs=configs)
    assert failed(snap, 14) == "secret-missing"


def template(**fields: object) -> Object:
    return {"metadata": {}, "spec": {"containers": [container(**fields)]}}


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        (
            {"envFrom": [{"configMapRef": {"name": "keys"}}, {"secretRef": {"name": "keys"}}]},
            'secret "keys" not found',
            ("envFrom", 1, "secretRef", "name"),
        ),
        (
            {
                "env": [
                    {"name": "A", "value": "keys"},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "K"}}},
                ]
            },
            "couldn't find key K in Secret web/keys",
            ("env", 1, "valueFrom", "secretKeyRef", "key"),
        ),
        ({"env": [{"name": "A", "value": "b"}]}, 'secret "keys" not found', ()),
    ],
)
def test_the_place_is_where_the_missing_one_is_named(
    fields: Object, message: str, path: tuple[str | int, ...]
) -> None:
    snap = snapshot(
        pod(state=waiting("CreateContainerConfigError", message)),
        configs={KeysOf(kind="Secret", name="keys"): None},
    )
    snap = replace(snap, target=replace(snap.target, template=template(**fields)))
    finding = judge(snap, NOW).finding
    assert finding is not None
    assert finding.field == ("spec", "template", "spec", "containers", 0, *path)


def test_a_variable_that_nobody_sets_is_named() -> None:
    text = (
        'Traceback (most recent call last):\n  File "/app/main.py", line 3, in <module>\n'
        "    token = os.environ['API_TOKEN']\n            ~~~~~~~~~~^^^^^^^^^^^^^\n"
        "  File \"<frozen os>\", line 717, in __getitem__\nKeyError: 'API_TOKEN'\n"
    )
    assert failed(snapshot(pod(state=crashed(1, restarts=1)), logs=log(text, 0, 1)), 3) == (
        "variable-missing"
    )


def test_two_quick_crashes_that_end_alike_decide() -> None:
    logs = log(TRACEBACK, 0, 1)
    verdict = judge(snapshot(pod(state=crashed(1, restarts=1)), logs=logs), NOW + 3)
    assert verdict.finding is not None
    assert verdict.finding.id == "crash-loop"
    assert "exit code 1: KeyError: 'TOKEN'" in verdict.finding.cause


def test_one_crash_decides_nothing() -> None:
    state = crashed(1, restarts=0)
    state["state"] = {"terminated": state.pop("lastState")["terminated"]}
    is_waiting(snapshot(pod(state=state), logs=log(TRACEBACK, 0)), 100)


def test_one_crash_and_running_again_decides_nothing() -> None:
    state = crashed(1, restarts=1) | running(3)
    is_waiting(snapshot(pod(state=state), logs=log(TRACEBACK, 0)), 100)


def test_two_different_crashes_get_a_third_try() -> None:
    logs = log("boom\n", 0) | log("bang\n", 1)
    is_waiting(snapshot(pod(state=crashed(1, restarts=1)), logs=logs), 100)
    assert failed(snapshot(pod(state=crashed(1, restarts=2)), logs=log("x", 2)), 3) == "crash-loop"


def test_an_app_whose_database_is_away_gets_more_tries() -> None:
    logs = log("OperationalError: Connection refused\n", 0, 1, 2)
    is_waiting(
        snapshot(pod(state=crashed(1, restarts=2)), logs=log("psycopg: Connection refused", 1)), 2
    )
    snap = snapshot(pod(state=crashed(1, restarts=3)), logs=logs | log("Connection refused", 3))
    assert failed(snap, 3) == "dependency-unreachable"


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        (crashed(137, restarts=2, reason="OOMKilled"), "out-of-memory"),
        (crashed(0, restarts=2, reason="Completed"), "exits-at-once"),
    ],
)
def test_ends_with_a_name_of_their_own(state: Object, cause: str) -> None:
    assert failed(snapshot(pod(state=state), logs=log("", 2)), 3) == cause


def test_the_log_is_asked_for_before_a_crash_is_called() -> None:
    verdict = is_waiting(snapshot(pod(state=crashed(1, restarts=2))), 3)
    assert LogOf(pod="web-2-a", container="app", attempt=2) in verdict.wants


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        (crashed(1, restarts=1), None),
        (crashed(1, restarts=9), "crash-loop"),
        (crashed(0, restarts=9, reason="Completed"), "exits-at-once"),
        (crashed(137, restarts=9, reason="OOMKilled"), "out-of-memory"),
        (running(), "probe-refused"),
    ],
)
def test_a_log_that_cannot_be_read_is_no_evidence(state: Object, cause: str | None) -> None:
    unread = {LogOf(pod="web-2-a", container="app", attempt=number): None for number in range(10)}
    events = (event("Unhealthy", REFUSED, count=9),)
    snap = snapshot(pod(state=state), events=events, logs=unread)
    ports = {want: None for want in judge(snap, NOW + 60).wants if isinstance(want, OpenPorts)}
    snap = replace(snap, facts={**snap.facts, **ports})
    shown = [
        (entry.id, entry.cause.format_map(hit.words), entry.fix.format_map(hit.words))
        for entry in CATALOGUE
        for hit in entry.find(snap, NOW + 60)
    ]
    of_a_log = {"wrong-architecture", "dependency-unreachable", "variable-missing"}
    of_a_log |= {"listens-on-loopback", "probe-wrong-port"}
    assert not of_a_log & {name for name, _, _ in shown}
    if cause is None:
        is_waiting(snap, 60)
    else:
        assert failed(snap, 60) == cause


def test_a_try_and_its_back_off_are_told_alike() -> None:
    said = "dial tcp: i/o timeout"
    states = (
        waiting("ErrImagePull", said),
        waiting("ImagePullBackOff", f'Back-off pulling image "a:b": ErrImagePull: {said}'),
    )
    causes = {str(is_waiting(snapshot(pod(state=state))).finding) for state in states}
    assert len(causes) == 1


@pytest.mark.parametrize(
    ("limits", "cause", "fix"),
    [
        ({"memory": "64Mi"}, "than its limit of 64Mi", "raise `resources.limits.memory`"),
        ({}, "than the node has left", "give Minikube more memory"),
    ],
)
def test_memory_that_ran_out_with_and_without_a_limit(limits: Object, cause: str, fix: str) -> None:
    state = crashed(137, restarts=2, reason="OOMKilled")
    resources = {"resources": {"limits": limits}}
    finding = judge(
        snapshot(pod(state=state, container=resources), logs=log("", 2)), NOW + 3
    ).finding
    assert finding is not None
    assert cause in finding.cause
    assert fix in finding.fix


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
        return snapshot(pod(state=running()), deployment=deployment(status={"conditions": [state]}))

    is_waiting(past(-5), 100)
    assert failed(past(5), 100) == "deadline"


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
        assert judge(snap, NOW + early + later).state == FAILED


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
    kube: Any = None
    clock = Clock(now=lambda: 0.0)
    return Watcher(
        kube,
        "web",
        emit=lambda _event: None,
        clock=clock,
        cancel=Cancel(),
        on_host=lambda _image: False,
    )
