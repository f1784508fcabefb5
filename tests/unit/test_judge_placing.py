"""Pods that find no node, or whose volumes or node fail: each cause, and what is near to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kubekit.model import Object
from kubekit.rollout.judge import judge
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.verdict import FAILED, WAITING, Finding
from kubekit.rollout.wants import ClaimOf, NodesOf
from tests.unit.rollouts import NOW, at, event, pod, running, snapshot, waiting

BIG = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No."
TAINTED = "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: only}."
SELECTED = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
PORTS = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
UNBOUND = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
ABSENT = '0/1 nodes are available: persistentvolumeclaim "data" not found. not found'
PRESSURE = {"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"}


def node(*taints: Object, ready: str = "True", since: float = -100, **spec: Any) -> Object:
    state = {"type": "Ready", "status": ready, "lastTransitionTime": at(since), "message": "asleep"}
    return {
        "metadata": {"name": "mini", "labels": {"disk": "hdd"}},
        "spec": {"taints": list(taints), **spec},
        "status": {
            "allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"},
            "conditions": [state],
        },
    }


def placing(
    message: str, *nodes: Object, spec: Object | None = None, reason: str = "Unschedulable"
) -> Snapshot:
    """A rollout whose pod the scheduler says this of, with the nodes there are."""
    state = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    one = pod(conditions=[{**state, "lastTransitionTime": at(0)}], state=waiting(""))
    one["status"]["containerStatuses"] = []
    one["spec"] |= spec or {}
    return snapshot(one, facts={NodesOf(): nodes or (node(),)})


def asking(cpu: str) -> Object:
    return {"containers": [{"name": "app", "resources": {"requests": {"cpu": cpu}}}]}


def told(snap: Snapshot, after: float) -> Finding:
    verdict = judge(snap, NOW + after)
    assert verdict.state == FAILED, verdict
    assert verdict.finding is not None
    return verdict.finding


def likely(snap: Snapshot, after: float) -> Finding | None:
    verdict = judge(snap, NOW + after)
    assert verdict.state == WAITING, verdict
    return verdict.finding


def claimed(claim: Object | None, *events: Object, message: str = UNBOUND) -> Snapshot:
    volumes = [{"name": "disk", "persistentVolumeClaim": {"claimName": "data"}}]
    snap = placing(message, spec={"volumes": volumes})
    return replace(snap, facts={**snap.facts, ClaimOf(name="data"): claim}, events=events)


def of_claim(reason: str, message: str) -> Object:
    found = event(reason, message, uid="claim")
    found["involvedObject"] |= {"kind": "PersistentVolumeClaim", "name": "data"}
    return found


def claim(phase: str) -> Object:
    return {"metadata": {"name": "data", "uid": "claim"}, "status": {"phase": phase}}


def test_nodes_are_asked_for_before_a_pod_without_one_is_judged() -> None:
    snap = replace(placing(BIG), facts={})
    assert judge(snap, NOW + 60).wants == {NodesOf()}
    unreadable = replace(snap, facts={NodesOf(): None})
    assert told(unreadable, 21).id == "insufficient-resources"


def test_more_than_any_node_has_is_told_at_once() -> None:
    finding = told(placing(BIG, spec=asking("64")), 0)
    assert finding.id == "insufficient-resources"
    assert "asks for 64 CPU" in finding.cause
    assert "`mini`, has 2 CPU" in finding.cause
    assert finding.field[-3:] == ("containers", 0, "resources")


def test_more_than_is_free_gets_its_time() -> None:
    snap = placing(BIG, spec=asking("1500m"))
    assert likely(snap, 19) is not None
    finding = told(snap, 21)
    assert finding.id == "insufficient-resources"
    assert "it asks for cpu 1500m" in finding.cause
    assert "the node's 2 CPU and 4 GiB memory" in finding.cause
    assert finding.cause.endswith("1 Insufficient cpu"), "no afterthoughts of the scheduler"


def test_where_nodes_are_made_on_demand_nothing_is_certain() -> None:
    snap = placing(BIG, node(providerID="aws:///eu/i-1"), spec=asking("64"))
    assert likely(snap, 19) is not None
    assert told(snap, 21).id == "insufficient-resources"


def test_a_taint_that_people_set_is_told_at_once_with_its_name() -> None:
    taint = {"key": "gpu", "value": "only", "effect": "NoSchedule"}
    finding = told(placing(TAINTED, node(taint)), 0)
    assert finding.id == "node-tainted"
    assert "does not tolerate the taint of node `mini`: `gpu=only:NoSchedule`" in finding.cause
    assert "kubectl taint node mini gpu-" in finding.fix


@pytest.mark.parametrize("nodes", [None, (), "tolerated"])
def test_where_no_taint_is_known_the_scheduler_is_quoted(nodes: Any) -> None:
    snap = placing(TAINTED)
    if nodes == "tolerated":
        nodes = (node({"key": "gpu", "effect": "NoSchedule"}),)
        snap.pods[0]["spec"]["tolerations"] = [{"operator": "Exists"}]
    finding = told(replace(snap, facts={NodesOf(): nodes}), 46)
    assert finding.id == "node-tainted"
    assert "no node takes the pod: 0/1 nodes are available: 1 node(s) had unt" in finding.cause
    assert "``" not in finding.cause + finding.fix
    assert "node  " not in finding.fix


def test_a_cordoned_node_is_told_before_one_that_is_for_others() -> None:
    cordon = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    plane = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    first = node(plane)
    first["metadata"]["name"] = "plane"
    finding = told(placing(TAINTED, first, node(cordon)), 46)
    assert "node `mini` has the taint `node.kubernetes.io/unschedulable:" in finding.cause
    assert "if it is yours, `kubectl uncordon mini`, or" in finding.fix


def test_more_for_minikube_is_advised_only_there() -> None:
    assert "minikube" not in told(placing(BIG), 21).fix
    mini = node()
    mini["metadata"]["labels"]["minikube.k8s.io/name"] = "minikube"
    assert "deletes all that is in it" in told(placing(BIG, mini), 21).fix


def test_a_taint_that_kubernetes_clears_again_gets_its_time() -> None:
    snap = placing(TAINTED, node(PRESSURE))
    explained = likely(snap, 44)
    assert explained is not None
    assert "memory-pressure:NoSchedule" in explained.cause
    assert told(snap, 46).id == "node-tainted"


def test_a_taint_that_does_not_keep_pods_off_is_no_cause() -> None:
    soft = {"key": "gpu", "effect": "PreferNoSchedule"}
    assert told(placing(BIG, node(soft)), 21).id == "insufficient-resources"


def test_a_label_no_node_has() -> None:
    finding = told(placing(SELECTED, spec={"nodeSelector": {"disk": "ssd"}}), 0)
    assert finding.id == "node-selector"
    assert "disk=ssd" in finding.cause
    assert finding.field[:4] == ("spec", "template", "spec", "nodeSelector")
    # A node that has it is there, so that the scheduler may only not know it yet.
    assert likely(placing(SELECTED, spec={"nodeSelector": {"disk": "hdd"}}), 19) is not None


def test_a_port_of_the_node_that_is_taken() -> None:
    ports = {"containers": [{"name": "app", "ports": [{"containerPort": 1, "hostPort": 8080}]}]}
    snap = placing(PORTS, spec=ports)
    assert likely(snap, 19) is not None
    finding = told(snap, 21)
    assert (finding.id, "port 8080" in finding.cause) == ("host-port-taken", True)


def test_of_several_nodes_the_nearest_one_tells_the_cause() -> None:
    said = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {a: b}."
    assert told(placing(said), 21).id == "insufficient-resources"


@pytest.mark.parametrize(
    "why", ["didn't match pod anti-affinity rules", "had volume node affinity conflict"]
)
def test_another_reason_is_told_in_the_schedulers_words(why: str) -> None:
    finding = told(placing(f"0/1 nodes are available: 1 node(s) {why}."), 21)
    assert finding.id == "unschedulable"
    assert why in finding.cause


def test_a_pod_that_has_a_node_is_not_judged_by_what_was_said_before() -> None:
    snap = placing(BIG)
    placed = {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(0)}
    snap.pods[0]["status"]["conditions"] = [placed]
    snap.pods[0]["status"]["startTime"] = at(0)
    assert likely(snap, 60) is None


def test_a_claim_that_is_not_there() -> None:
    finding = told(claimed(None, message=ABSENT), 0)
    assert finding.id == "volume-claim-missing"
    assert finding.field[-2:] == ("persistentVolumeClaim", "claimName")


def test_a_claim_that_has_come_meanwhile_is_not_missing() -> None:
    assert likely(claimed(claim("Bound"), message=ABSENT), 60) is None
    explained = likely(claimed(claim("Pending"), message=ABSENT), 5)
    assert explained is not None
    assert explained.cause == "PersistentVolumeClaim `data` is being bound"


def test_a_claim_is_looked_at_before_it_is_missing() -> None:
    snap = claimed(None, message=ABSENT)
    unread = replace(snap, facts={NodesOf(): (node(),)})
    assert judge(unread, NOW + 60).wants == {ClaimOf(name="data")}


def test_the_first_second_of_a_new_claim_is_no_trouble() -> None:
    explained = likely(claimed(claim("Pending")), 1)
    assert explained is not None
    assert explained.cause == "PersistentVolumeClaim `data` is being bound"
    assert likely(claimed(claim("Bound")), 60) is None


def test_a_claim_nobody_binds_tells_its_reason() -> None:
    trouble = of_claim("ProvisioningFailed", 'storageclass.storage.k8s.io "nope" not found')
    snap = claimed(claim("Pending"), trouble)
    assert likely(snap, 29) is not None
    finding = told(snap, 31)
    assert finding.id == "volume-claim-unbound"
    assert 'is not bound: storageclass.storage.k8s.io "nope" not found' in finding.cause
    assert finding.where == "PersistentVolumeClaim/data"
    assert "no event says why" in told(claimed(claim("Pending")), 31).cause


def test_a_claim_of_which_the_first_pod_decides_where_it_is_waits() -> None:
    waits = of_claim("WaitForFirstConsumer", "waiting for first consumer to be created")
    snap = claimed(claim("Pending"), waits)
    snap.pods[0]["status"]["conditions"] = []  # the scheduler has chosen and waits for the volume
    assert likely(snap, 60) is None
    trouble = of_claim("ProvisioningFailed", "no space")
    assert told(replace(snap, events=(waits, trouble)), 61).id == "volume-claim-unbound"


def mounting(*events: Object, state: Object | None = None) -> Snapshot:
    one = pod(state=state or waiting("ContainerCreating"))
    one["spec"]["volumes"] = [{"name": "code"}, {"name": "data"}]
    return snapshot(one, events=events)


BAD_MOUNT = 'MountVolume.SetUp failed for volume "data" : hostPath type check failed: /x is no dir'


def test_a_volume_that_cannot_be_mounted() -> None:
    snap = mounting(event("FailedMount", BAD_MOUNT, when=1, count=4))
    assert likely(snap, 59) is not None
    finding = told(snap, 62)
    assert finding.id == "volume-mount-failed"
    assert finding.cause.endswith(
        "`data` cannot be mounted: hostPath type check failed: /x is no dir"
    )
    assert finding.field[-2:] == ("volumes", 1)


@pytest.mark.parametrize(
    "snap",
    [
        mounting(event("FailedMount", BAD_MOUNT, when=1), event("Pulling", "image", when=2)),
        mounting(event("FailedMount", BAD_MOUNT, when=1), event("Pulling", "image", when=1)),
        mounting(event("FailedMount", BAD_MOUNT), state=running(2)),
        mounting(event("FailedMount", 'volume "data" : secret "keys" not found')),
        mounting(event("FailedMount", 'volume "kube-api" : failed to sync configmap cache')),
    ],
)
def test_a_mount_that_went_well_later_or_has_a_cause_of_its_own(snap: Snapshot) -> None:
    found = judge(snap, NOW + 200).finding
    assert found is None or found.id != "volume-mount-failed"


def put_out(name: str, reason: str = "Evicted", when: float = 1) -> Object:
    one = pod(name=name)
    one["metadata"]["creationTimestamp"] = at(when)
    one["status"] |= {"phase": "Failed", "reason": reason, "message": "low on resource: memory"}
    one["status"]["containerStatuses"] = []
    return one


def test_a_second_pod_that_is_put_out_decides() -> None:
    fresh = pod(name="web-2-c", state=waiting("ContainerCreating"))
    fresh["metadata"]["creationTimestamp"] = at(4)
    once = likely(snapshot(put_out("web-2-a"), fresh), 100)
    assert once is not None
    assert once.id == "pod-evicted"
    finding = told(snapshot(put_out("web-2-a"), put_out("web-2-b", "OutOfcpu", 3), fresh), 5)
    assert finding.id == "pod-evicted"
    assert "(OutOfcpu): low on resource: memory" in finding.cause


def test_pods_that_are_put_out_again_and_again_do_not_put_off_the_verdict() -> None:
    out = [put_out(f"web-2-{number}", "OutOfmemory", number / 10) for number in range(50)]
    assert told(snapshot(*out), 5).id == "pod-evicted"


def test_pods_put_out_before_this_run_say_nothing() -> None:
    old = [put_out("web-2-a", when=-900), put_out("web-2-b", when=-800)]
    fresh = pod(name="web-2-c", state=waiting("ContainerCreating"))
    fresh["metadata"]["creationTimestamp"] = at(1)
    snap = snapshot(*old, fresh)
    assert likely(snap, 100) is None
    unchanged = replace(snap, target=replace(snap.target, since=0.0))
    assert likely(unchanged, 100) is None


def test_a_pod_that_failed_by_itself_was_not_put_out() -> None:
    assert likely(snapshot(put_out("web-2-a", ""), put_out("web-2-b", "")), 100) is None


def lost(ready: str, since: float = 0, **status: Any) -> Snapshot:
    """A pod that has a node, of which its kubelet says nothing."""
    placed = {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(0)}
    one = pod(conditions=[placed])
    one["spec"]["nodeName"] = "mini"
    one["status"] |= {"containerStatuses": [], **status}
    return snapshot(one, facts={NodesOf(): (node(ready=ready, since=since),)})


def test_a_node_that_is_not_ready() -> None:
    assert likely(lost("Unknown"), 29) is not None
    finding = told(lost("Unknown"), 31)
    assert (finding.id, finding.exit_code) == ("node-not-ready", 8)
    assert "node `mini` is not ready" in finding.cause


def test_a_pod_without_a_node_where_no_node_is_ready() -> None:
    away = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    snap = placing(TAINTED, node(away, ready="False", since=0))
    assert likely(snap, 29) is not None
    assert told(snap, 31).id == "node-not-ready"
    tolerated = judge(snap, NOW + 31, frozenset({"node-not-ready"}))
    assert tolerated.state == WAITING, "its taint says the same once more"


def test_a_slow_pod_of_a_node_that_is_well() -> None:
    assert likely(lost("True"), 100) is None
    begun = lost("Unknown", startTime=at(1))
    assert likely(begun, 100) is None, "the kubelet has it"


def test_a_scheduling_gate_only_explains() -> None:
    gates = {"schedulingGates": [{"name": "example.com/quota"}]}
    snap = placing("Scheduling is blocked", spec=gates, reason="SchedulingGated")
    explained = likely(snap, 9000)
    assert explained is not None
    assert explained.id == "scheduling-gated"
    assert "`example.com/quota`" in explained.cause
