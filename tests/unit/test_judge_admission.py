"""Pods that the API server refuses: each cause, and what is near to it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from kubekit.model import Object
from kubekit.rollout.judge import judge
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.verdict import FAILED, WAITING
from tests.unit.rollouts import LISTED, NOW, at, deployment, event, replica_set, snapshot

CAUSES = {
    "quota": ('pods "web-" is forbidden: exceeded quota: small, requested: cpu=1', 20),
    "limit-range": ('pods "web-" is forbidden: maximum cpu usage per Container is 1', 0),
    "pod-security": ('pods "web-" is forbidden: violates PodSecurity "restricted:latest": x', 0),
    "service-account-missing": (
        'pods "web-" is forbidden: error looking up service account web/robot: not found',
        5,
    ),
    "priority-class-missing": (
        'pods "web-" is forbidden: no PriorityClass with name high was found',
        0,
    ),
    "webhook-denied": ('admission webhook "a.b" denied the request: not on a Friday', 0),
    "webhook-unreachable": (
        'Internal error occurred: failed calling webhook "a.b": failed to call webhook: Post "x"',
        20,
    ),
    "pod-refused": ('Pod "web-" is invalid: spec.containers[0].image: Required value', 20),
}


def failing(message: str) -> Object:
    state = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    state |= {"message": message, "lastTransitionTime": at(0)}
    return replica_set(status={"conditions": [state]})


def refused(message: str, *events: Object) -> Snapshot:
    return snapshot(replica_sets=(failing(message),), events=events)


def creation(message: str, *, uid: str = "web-2", when: float = 0, **fields: object) -> Object:
    reason = str(fields.pop("reason", "FailedCreate"))
    return event(reason, message, uid=uid, when=when) | {"firstTimestamp": at(when), **fields}


def told(snap: Snapshot, after: float) -> str:
    verdict = judge(snap, NOW + after)
    assert verdict.finding is not None
    assert (verdict.state, verdict.finding.exit_code) == (FAILED, 5), verdict
    return verdict.finding.id


@pytest.mark.parametrize("cause", CAUSES)
def test_the_condition_of_the_set_tells_the_cause_once_it_has_stood(cause: str) -> None:
    message, after = CAUSES[cause]
    snap = refused(message)
    assert told(snap, after + 1) == cause
    if after:
        verdict = judge(snap, NOW + after - 1)
        assert verdict.state == WAITING
        assert verdict.finding is not None
        assert verdict.finding.id == cause


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Job"])
def test_other_controllers_only_make_events(kind: str, cause: str) -> None:
    message, after = CAUSES[cause]
    live = deployment(kind=kind, spec={"template": {"spec": {"containers": []}}})
    live["status"] |= {"desiredNumberScheduled": 1}
    events = (creation(f"Error creating: {message}", uid="dep"),)
    snap = snapshot(deployment=live, events=events, replica_sets=(), listed=LISTED | {kind})
    snap = replace(snap, target=replace(snap.target, kind=kind, template=live["spec"]["template"]))
    assert told(snap, after + 1) == cause
    made = creation("Created pod: web-0", uid="dep", when=2, reason="SuccessfulCreate")
    well = replace(snap, events=(*events, made))
    assert judge(well, NOW + after + 1).finding is None
    earlier = replace(snap, target=replace(snap.target, since=NOW + 5))
    assert judge(earlier, NOW + after + 6).finding is None, "the refusal is of an earlier run"


def test_a_claim_that_was_made_is_no_pod_that_was_made() -> None:
    live = deployment(kind="StatefulSet")
    claim = "create Claim data-web-0 Pod web-0 in StatefulSet web success"
    events = (
        creation("create Pod web-0 in StatefulSet web failed error: no", uid="dep", when=1),
        creation(claim, uid="dep", when=1, reason="SuccessfulCreate"),
    )
    listed = LISTED | {"StatefulSet"}
    snap = snapshot(deployment=live, events=events, replica_sets=(), listed=listed)
    snap = replace(snap, target=replace(snap.target, kind="StatefulSet"))
    assert told(snap, 30) == "pod-refused"


def test_the_newest_event_is_fresher_than_the_condition() -> None:
    quota, security = CAUSES["quota"][0], CAUSES["pod-security"][0]
    newer = creation(f"(combined from similar events): Error creating: {security}", when=30)
    assert told(refused(quota, newer), 31) == "pod-security"
    older = creation(f"Error creating: {security}", when=-30)
    assert told(refused(quota, older), 31) == "quota"


def test_a_refusal_of_another_kind_begins_a_window_of_its_own() -> None:
    later = creation(CAUSES["quota"][0], when=30)
    snap = refused(CAUSES["webhook-unreachable"][0], later)
    assert judge(snap, NOW + 35).state == WAITING
    assert told(snap, 51) == "quota"


def test_the_order_of_refusals_of_the_same_second_changes_nothing() -> None:
    events = [
        creation(CAUSES[cause][0], when=3) for cause in ("quota", "limit-range", "pod-refused")
    ]
    found = {judge(refused("x", *order), NOW + 40).text for order in itertools.permutations(events)}
    assert len(found) == 1


def test_a_set_that_recovered_is_not_refused() -> None:
    fine = replica_set()
    events = (creation(CAUSES["pod-security"][0], when=1),)
    assert judge(snapshot(replica_sets=(fine,), events=events), NOW + 60).finding is None


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("maximum memory usage per Pod is 1Gi, but limit is 2Gi", "limit-range"),
        ("cpu max limit to request ratio per Container is 2, but provided", "limit-range"),
        ("failed quota: small: must specify limits.cpu for: app", "quota"),
        (
            "ValidatingAdmissionPolicy 'tags' with binding 'all' denied request: no tag",
            "webhook-denied",
        ),
        ('admission webhook "x" denied the request without explanation', "webhook-denied"),
    ],
)
def test_the_words_each_of_them_has(message: str, cause: str) -> None:
    assert told(refused(f'pods "web-" is forbidden: {message}'), 60) == cause


def test_a_policy_is_named_with_its_reason() -> None:
    said = "ValidatingAdmissionPolicy 'tags' with binding 'all' denied request: no tag"
    finding = judge(refused(f'pods "web-" is forbidden: {said}'), NOW).finding
    assert finding is not None
    assert finding.cause == "policy `tags` denies the pod: no tag"


def test_a_policy_without_a_reason() -> None:
    finding = judge(refused('admission webhook "no.x" denied the request'), NOW).finding
    assert finding is not None
    assert finding.cause == "policy `no.x` denies the pod"


def progressing(when: float, reason: str = "ReplicaSetCreateError") -> Snapshot:
    said = (
        'Failed to create new replica set "web-5": replicasets.apps "web-5" is forbidden: '
        "exceeded quota: few, requested: count/replicasets.apps=1"
    )
    state = {"type": "Progressing", "status": "False", "reason": reason, "message": said}
    # The controller writes the condition, and not that it has seen the change.
    status = {"observedGeneration": 1, "conditions": [{**state, "lastUpdateTime": at(when)}]}
    return snapshot(deployment=deployment(status=status), replica_sets=())


def test_a_set_that_cannot_be_made() -> None:
    assert told(progressing(0), 1) == "replica-set-refused"
    assert judge(progressing(-5), NOW + 1).state == WAITING, "of an earlier run"
    assert judge(progressing(0, "ReplicaSetUpdated"), NOW + 1).state == WAITING
