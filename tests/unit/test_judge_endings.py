"""What a rollout waits for at its end: told while it lasts, and near to it nothing of the kind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubekit.model import Object
from kubekit.rollout.judge import judge
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.verdict import FAILED, WAITING, Finding
from tests.unit.rollouts import NOW, at, deployment, pod, running, snapshot

RECREATE = {"spec": {"strategy": {"type": "Recreate"}}}


def likely(snap: Snapshot, after: float) -> Finding | None:
    verdict = judge(snap, NOW + after)
    assert verdict.state == WAITING, verdict
    return verdict.finding


def leaving(*finalizers: str, grace: int = 20) -> Object:
    old = pod(owner="web-1", name="web-1-a", state=running(-50))
    old["metadata"] |= {
        "deletionTimestamp": at(grace),
        "deletionGracePeriodSeconds": grace,
        "finalizers": list(finalizers),
        "managedFields": [
            {
                "manager": "keeper",
                "fieldsV1": {"f:metadata": {"f:finalizers": {'v:"example.com/held"': {}}}},
            }
        ],
    }
    return old


def test_an_old_pod_that_ends_slowly_is_told_with_its_time() -> None:
    old = leaving()
    old["spec"]["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 9}}}
    found = likely(snapshot(old, deployment=deployment(**RECREATE)), 19)
    assert found is not None
    assert found.id == "old-pod-ending"
    assert "`web-1-a` must end before" in found.cause
    assert "it has 20 s for it; its `preStop` hook runs first" in found.cause


def test_an_old_pod_that_ends_beside_the_new_one_holds_nothing_up() -> None:
    assert likely(snapshot(leaving("example.com/held")), 100) is None
    beside = snapshot(leaving("example.com/held"), pod(state=running()))
    assert likely(replace(beside, workload=deployment(**RECREATE)), 100) is None


def test_an_old_pod_that_a_finalizer_holds_up() -> None:
    snap = snapshot(leaving("example.com/held"), deployment=deployment(**RECREATE))
    within, beyond = likely(snap, 19), likely(snap, 34)
    assert within is not None
    assert beyond is not None
    assert (within.id, beyond.id) == ("old-pod-ending", "deletion-blocked")
    verdict = judge(snap, NOW + 36)
    assert (verdict.state, verdict.finding and verdict.finding.id) == (FAILED, "deletion-blocked")
    assert verdict.text.endswith("`example.com/held` (set by `keeper`)")


def fresh(**ready: str) -> Object:
    return pod(
        state=running(1, ready=ready["status"] == "True"),
        conditions=[{"type": "Ready", "lastTransitionTime": at(2), **ready}],
    )


@pytest.mark.parametrize(("after", "left"), [(2.5, 60), (8, 55), (57, 5), (63, 0)])
def test_min_ready_seconds_are_counted_down_in_steps(after: float, left: int) -> None:
    live = deployment(spec={"minReadySeconds": 60})
    found = likely(snapshot(fresh(status="True"), deployment=live), after)
    assert found is not None
    assert found.id == "min-ready-seconds"
    assert f"stay so for 60 s (`minReadySeconds`), {left} s more" in found.cause


def test_without_min_ready_seconds_or_without_the_pod_there_is_no_countdown() -> None:
    assert likely(snapshot(fresh(status="True")), 5) is None
    live = deployment(spec={"minReadySeconds": 60, "replicas": 2})
    assert likely(snapshot(fresh(status="True"), deployment=live), 5) is None


def test_a_container_that_was_ready_and_is_not_any_more() -> None:
    found = likely(snapshot(fresh(status="False")), 5)
    assert found is not None
    assert found.id == "flapping"
    first = fresh(status="False")
    first["status"]["conditions"][0]["lastTransitionTime"] = at(0)
    assert likely(snapshot(first), 5) is None, "it was never ready"


def test_another_number_of_replicas_is_adopted_and_told() -> None:
    live = deployment(
        metadata={"generation": 3}, spec={"replicas": 2}, status={"observedGeneration": 3}
    )
    one = pod(state=running(ready=True))
    assert "another number of replicas" in judge(snapshot(one, deployment=live), NOW).text
    mine = deployment(spec={"replicas": 2})
    assert "another number" not in judge(snapshot(one, deployment=mine), NOW).text
