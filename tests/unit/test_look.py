"""One look at a namespace: what stands for itself, what is over, and what is to be said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kubekit.errors import UsageError
from kubekit.model import Object
from kubekit.rollout.inspect import past
from kubekit.rollout.inspect.present import final, overdue, present, standing_since
from kubekit.rollout.inspect.reach import reaches
from kubekit.rollout.inspect.roster import Asked, chosen, nearest, parse, standing, title
from kubekit.rollout.reading import containers_of
from kubekit.rollout.telling import duration, field_in
from kubekit.rollout.verdict import FAILED, READY, WAITING
from tests.unit.rollouts import (
    NOW,
    at,
    crashed,
    deployment,
    event,
    pod,
    replica_set,
    running,
    snapshot,
    waiting,
)

READY_NOW = {"type": "Ready", "status": "True", "lastTransitionTime": at(0)}
REFUSED = "ConnectionRefusedError: [Errno 111] Connect call failed ('10.1.2.3', 5432)\n"
SERVES = {"status": {"availableReplicas": 1}}


def owned(obj: Object, kind: str, uid: str) -> Object:
    owner = {"kind": kind, "uid": uid, "name": uid, "controller": True}
    return {**obj, "metadata": {**obj["metadata"], "ownerReferences": [owner]}}


def thing(kind: str, name: str, *, owner: tuple[str, str] | None = None, **changes: Any) -> Object:
    made = {"name": name, "uid": name, "namespace": "n", **changes.pop("metadata", {})}
    obj = {"kind": kind, "metadata": made, "spec": {}, **changes}
    return owned(obj, *owner) if owner else obj


def lived(started: float, *, lasted: float, restarts: int, ready: bool = True) -> Object:
    """Runs since `started`, after an attempt that lasted so long."""
    end = {"exitCode": 1, "startedAt": at(started - lasted), "finishedAt": at(started)}
    return running(started, lastState={"terminated": end}, restartCount=restarts, ready=ready)


# What is over.


@pytest.mark.parametrize(
    ("state", "now", "loops"),
    [
        (lived(100, lasted=3, restarts=2), 102, True),
        (lived(100, lasted=3, restarts=2), 106, False),
        (lived(100, lasted=3, restarts=1), 102, False),
        (lived(10_000, lasted=7200, restarts=9), 10_001, False),
        (crashed(1, restarts=3), 102, False),
    ],
    ids=["as short as before", "outlived it", "once is no loop", "hours each time", "in back-off"],
)
def test_a_crash_loop_goes_on_until_the_container_outlives_its_last_run(
    state: Object, now: float, loops: bool
) -> None:
    (container,) = containers_of(pod(state=state))
    assert past.still_crashing(container, NOW + now) is loops


def test_an_exit_is_forgotten_once_the_back_off_is() -> None:
    state = lived(0, lasted=3, restarts=5, ready=False)
    (young,) = past.current([pod(state=state)], NOW + 500)
    (old,) = past.current([pod(state=state)], NOW + 700)
    assert next(containers_of(young)).exited is not None
    assert next(containers_of(old)).exited is None


def test_a_container_that_crashes_on_is_not_ready_in_between() -> None:
    (seen,) = past.current([pod(state=lived(100, lasted=3, restarts=4))], NOW + 101)
    assert not next(containers_of(seen)).ready


@pytest.mark.parametrize(("kind", "kept"), [("ReplicaSet", ["new"]), ("Job", ["new", "old"])])
def test_ended_pods_that_others_replaced_are_over(kind: str, kept: list[str]) -> None:
    def made(name: str, phase: str, when: float) -> Object:
        status = {"phase": phase}
        born = {"creationTimestamp": at(when)}
        return thing("Pod", name, owner=(kind, "set"), metadata=born, status=status)

    pods = [made("new", "Running", 60), made("old", "Failed", 0)]
    assert [one["metadata"]["name"] for one in past.current(pods, NOW + 90)] == kept


# Since when.


def test_waiting_stands_since_the_first_try_failed() -> None:
    one = pod(state=waiting("ImagePullBackOff"))
    one["metadata"]["creationTimestamp"] = at(10)
    tried = [event("Failed", "no", when=40), event("Failed", "no", when=25)]
    key = (one["metadata"]["uid"], "app", "ErrImagePull")
    assert past.seen([one], tried) == {key: NOW + 25}
    assert past.seen([one], []) == {key: NOW + 10}


def test_a_failure_before_the_last_run_is_not_this_one() -> None:
    one = pod(state={**waiting("ErrImagePull"), "lastState": {}})
    status = one["status"]["containerStatuses"][0]
    status["lastState"] = {"terminated": {"finishedAt": at(100)}}
    assert list(past.seen([one], [event("Failed", "no", when=50)]).values()) == [NOW + 100]


def test_unready_stands_since_the_oldest_condition() -> None:
    no = {"type": "Ready", "status": "False"}
    pods = [
        pod(conditions=[{**no, "lastTransitionTime": at(30)}]),
        pod(conditions=[{**no, "lastTransitionTime": at(20)}]),
        pod(conditions=[READY_NOW]),
    ]
    assert past.unready_since(pods, deployment(), NOW + 50) == NOW + 20
    assert past.unready_since([], deployment(), NOW + 50) == NOW + 50


# What is to be said.


def test_what_serves_is_ready() -> None:
    verdict = present(
        snapshot(pod(state=running(ready=True)), deployment=deployment(**SERVES)), NOW
    )
    assert (verdict.state, verdict.text) == (READY, "1 of 1 ready")


def test_a_restart_that_is_over_is_told() -> None:
    state = lived(0, lasted=3, restarts=1)
    verdict = present(snapshot(pod(state=state), deployment=deployment(**SERVES)), NOW + 65)
    assert verdict.state == READY
    assert verdict.text.endswith("ended 1 m 5 s ago with exit code 1, and runs again")


def test_ready_between_two_crashes_is_not_well() -> None:
    pods = past.current([pod(state=lived(100, lasted=3, restarts=4))], NOW + 101)
    shown = snapshot(*pods, deployment=deployment(**SERVES))
    first = present(shown, NOW + 101)
    assert first.state == WAITING
    told = snapshot(
        *pods, deployment=deployment(**SERVES), facts=dict.fromkeys(first.wants, "no table\n")
    )
    verdict = present(told, NOW + 101)
    assert verdict.finding is not None
    assert verdict.finding.id == "crash-loop"
    assert standing_since(shown, NOW + 101) == NOW + 97


@pytest.mark.parametrize(
    ("state", "log", "found", "verdict"),
    [
        (crashed(1, restarts=1), "no table\n", "crash-loop", FAILED),
        (crashed(1, restarts=0), "no table\n", "crash-loop", WAITING),
        (lived(2, lasted=3, restarts=2, ready=False), "no table\n", "crash-loop", FAILED),
        (lived(-60, lasted=3, restarts=2, ready=False), "no table\n", "crash-loop", WAITING),
        (crashed(1, restarts=1), REFUSED, "dependency-unreachable", WAITING),
        (crashed(1, restarts=2), REFUSED, "dependency-unreachable", FAILED),
    ],
    ids=["twice", "once", "and runs", "and runs on", "peer late", "peer away"],
)
def test_a_container_in_a_crash_loop_is_a_finding(
    state: Object, log: str, found: str, verdict: str
) -> None:
    first = present(snapshot(pod(state=state)), NOW + 3)
    told = snapshot(pod(state=state), facts=dict.fromkeys(first.wants, log))
    seen = present(told, NOW + 3)
    assert (seen.state, seen.finding and seen.finding.id) == (verdict, found)


def test_how_often_its_pods_may_fail_is_left_to_a_job() -> None:
    live = thing("Job", "once", spec={"template": {}})
    one = owned(pod(state=crashed(1, restarts=1)), "Job", "once")
    target = replace(snapshot().target, kind="Job", name="once", uid="once")
    listed = frozenset({"Job", "Pod", "Event"})
    shown = replace(snapshot(one, deployment=live, listed=listed), target=target)
    facts = dict.fromkeys(present(shown, NOW + 3).wants, "no table\n")
    seen = present(replace(shown, facts=facts), NOW + 3)
    assert (seen.state, seen.finding and seen.finding.id) == (WAITING, "crash-loop")


def test_paused_is_well_if_nothing_is_held_back() -> None:
    live = deployment(spec={"paused": True}, **SERVES)
    verdict = present(snapshot(pod(state=running(ready=True)), deployment=live), NOW)
    assert verdict.state == READY
    assert "paused" in verdict.text
    held = present(snapshot(pod(), deployment=deployment(spec={"paused": True})), NOW)
    assert held.finding is not None
    assert held.finding.id == "paused"


def test_what_is_being_deleted_is_no_failure() -> None:
    gone = deployment(metadata={"deletionTimestamp": at(0), "finalizers": ["example.com/hold"]})
    verdict = present(snapshot(pod(), deployment=gone), NOW + 5)
    assert verdict.state == WAITING
    assert verdict.text == "is being deleted, held by its finalizer `example.com/hold`"
    assert standing_since(snapshot(deployment=gone), NOW + 5) == NOW


def test_without_its_pods_nothing_is_decided() -> None:
    blind = snapshot(listed=frozenset({"Deployment", "ReplicaSet"}))
    assert present(blind, NOW).text == "why cannot be seen without its pods"


def test_what_has_failed_for_good_is_not_waited_for() -> None:
    over = {"conditions": [{"type": "Failed", "status": "True", "message": "too many tries"}]}
    live = {**thing("Job", "web", status=over)}
    verdict = final(snapshot(deployment=live), present(snapshot(pod()), NOW))
    assert (verdict.state, verdict.text) == (FAILED, "has failed: too many tries")


def test_a_pod_that_is_ended_to_be_deleted_has_not_failed() -> None:
    gone = {"deletionTimestamp": at(0), "finalizers": ["example.com/hold"]}
    live = thing("Pod", "web", metadata=gone, status={"phase": "Failed"})
    shown = snapshot(deployment=live)
    verdict = final(shown, present(shown, NOW + 5))
    assert verdict.state == WAITING
    assert "held by its finalizer" in verdict.text


def test_what_goes_with_its_namespace_is_no_failure() -> None:
    shown = snapshot(pod(), namespace={"metadata": {"deletionTimestamp": at(0)}})
    verdict = final(shown, present(shown, NOW + 5))
    assert (verdict.state, verdict.text) == (WAITING, "is being deleted with its namespace")


def test_waiting_too_long_is_not_well() -> None:
    assert not overdue(deployment(), 599)
    assert overdue(deployment(), 601)
    assert overdue(deployment(spec={"progressDeadlineSeconds": 20}), 21)
    assert not overdue(thing("Job", "long"), 90_000)


# Services.


def service(**selector: str) -> Object:
    made = {"name": "web", "creationTimestamp": at(0)}
    return {"metadata": made, "spec": {"selector": selector, "ports": []}}


def labelled(ready: bool, **labels: str) -> Object:
    state = {**READY_NOW, "status": str(ready)}
    one = pod(conditions=[state])
    one["metadata"]["labels"] = labels
    return one


@pytest.mark.parametrize(
    ("pods", "workloads", "state", "text"),
    [
        ([labelled(False, app="web")], [], WAITING, "the pod it selects is not ready"),
        ([labelled(False, app="web")] * 2, [], WAITING, "none of its 2 pods is ready"),
        ([labelled(True, app="other")], [], FAILED, "selects no ready pod"),
        ([], [], READY, "no pod to lead to"),
    ],
)
def test_a_service_is_judged_by_all_there_is(
    pods: list[Object], workloads: list[Object], state: str, text: str
) -> None:
    verdict = reaches(
        service(app="web"), pods=pods, workloads=workloads, slices=[], facts={}, now=NOW + 60
    )
    assert verdict.state == state
    assert text in verdict.text


def test_a_service_of_what_is_scaled_to_0_is_well() -> None:
    template = {"metadata": {"labels": {"app": "web"}}}
    idle = thing("Deployment", "web", spec={"replicas": 0, "template": template})
    verdict = reaches(
        service(app="web"),
        pods=[labelled(True, app="other")],
        workloads=[idle],
        slices=[],
        facts={},
        now=NOW + 60,
    )
    assert verdict.state == READY


# Which objects.

CRON = thing("CronJob", "nightly")
OBJECTS = {
    "Deployment": [thing("Deployment", "web")],
    "ReplicaSet": [thing("ReplicaSet", "web-1", owner=("Deployment", "web"))],
    "Pod": [
        thing("Pod", "web-1-a", owner=("ReplicaSet", "web-1")),
        thing("Pod", "alone"),
        thing("Pod", "etcd", owner=("Node", "node")),
    ],
    "Job": [
        thing("Job", "once"),
        *(
            thing(
                "Job",
                f"nightly-{day}",
                owner=("CronJob", "nightly"),
                metadata={"creationTimestamp": at(day)},
            )
            for day in (2, 3, 1)
        ),
    ],
    "CronJob": [CRON, thing("CronJob", "idle")],
    "Service": [thing("Service", "web")],
}


def refs(found: list[Object]) -> set[str]:
    return {f"{obj['kind']}/{obj['metadata']['name']}" for obj in found}


def test_what_stands_for_itself() -> None:
    assert refs(standing(OBJECTS)) == {
        "Deployment/web",
        "Pod/alone",
        "Pod/etcd",
        "Job/once",
        "Job/nightly-3",
        "CronJob/idle",
        "Service/web",
    }


def test_pods_alone_stand_for_themselves() -> None:
    only = {"Pod": OBJECTS["Pod"]}
    assert refs(standing(only)) == {"Pod/web-1-a", "Pod/alone", "Pod/etcd"}


def test_revisions_of_what_may_not_be_read_stand_if_they_have_pods() -> None:
    kept = {"ReplicaSet": [replica_set(), {**replica_set("web-1"), "spec": {"replicas": 0}}]}
    for one in kept["ReplicaSet"]:
        one["metadata"]["ownerReferences"][0]["controller"] = True
    assert refs(standing(kept)) == {"ReplicaSet/web-2"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("web", {"Deployment/web", "Service/web"}),
        ("svc/web", {"Service/web"}),
        ("rs/web-1", {"ReplicaSet/web-1"}),
        ("web-1-a", {"Pod/web-1-a"}),
        ("cj/nightly", {"Job/nightly-3"}),
        ("nightly", {"Job/nightly-3"}),
        ("job/nightly-1", {"Job/nightly-1"}),
        ("idle", {"CronJob/idle"}),
        ("sts/web", set()),
    ],
)
def test_what_a_person_means(text: str, found: set[str]) -> None:
    assert refs(chosen(OBJECTS, parse(text))) == found


@pytest.mark.parametrize(
    "text", ["deploy/web", "deployment/web", "Deployments/web", "deployment.apps/web"]
)
def test_kinds_are_written_in_kubectls_ways(text: str) -> None:
    assert parse(text) == Asked(kind="Deployment", name="web")


@pytest.mark.parametrize("text", ["", "/web", "deploy/", "a/b/c", "ingress/web"])
def test_what_names_nothing_that_is_judged(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_a_kind_that_comes_near_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        parse("deplyment/web")
    assert caught.value.hints == ("did you mean `deployment/web`?",)


def test_the_nearest_names() -> None:
    assert nearest(OBJECTS, parse("sts/web"))[:2] == ["Deployment/web", "Service/web"]
    assert nearest(OBJECTS, parse("po/alon")) == ["Pod/alone"]
    assert nearest(OBJECTS, parse("zzzzzzz")) == []


def test_a_job_is_called_after_its_cronjob() -> None:
    assert title(OBJECTS["Job"][1]) == "Job/nightly-2 of CronJob/nightly"
    assert title(OBJECTS["Job"][0]) == "Job/once"


# Words and places.


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (65, "1 m 5 s"), (3600, "1 h"), (200_000, "2 d 7 h"), (-3, "0 s")],
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_field_of_the_template_as_each_kind_has_it() -> None:
    field = ("spec", "template", "spec", "containers", 0)
    assert field_in("Deployment", field) == field
    assert field_in("Pod", field) == ("spec", "containers", 0)
    assert field_in("CronJob", field) == ("spec", "jobTemplate", *field)
    assert field_in("Service", ("spec", "selector")) == ("spec", "selector")
