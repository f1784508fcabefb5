"""Rows 45 to 53: nodes and volumes."""

from __future__ import annotations

from tests.cluster.conftest import PROFILE, Project
from tests.cluster.scenarios.actions import with_objects
from tests.cluster.scenarios.evidence import condition, on, told, twice, unschedulable
from tests.cluster.scenarios.scenario import FILE, Scenario, pod, replaced, volume

TAINT = "kubekit.test/broken=yes"
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec:
  storageClassName: quick
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Mi}}
"""
# A node that nobody runs: no kubelet ever says that it is ready.
NODE = """\
apiVersion: v1
kind: Node
metadata: {name: NAME, labels: {scenario: NAME}}
"""
# A pod that has a port of the node.
HOLDER = """\
apiVersion: v1
kind: Pod
metadata: {name: holder}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: app
      image: python:3.13-slim
      imagePullPolicy: Never
      command: [sleep, "3600"]
      ports: [{containerPort: 8000, hostPort: 32452}]
"""


def most_of_the_memory(project: Project) -> None:
    """Each pod asks for 60 % of what the node has."""
    found = project.kubectl("get", "nodes", "-o", "jsonpath={.items[0].status.allocatable.memory}")
    wanted = int(found.removesuffix("Ki")) * 6 // 10
    for asked in ("memory: 24Mi", "memory: 128Mi"):
        project.edit(FILE, asked, f"memory: {wanted}Ki")


SCENARIOS = {
    "insufficient-cpu": Scenario(
        title="No node has the processors that the pod asks for.",
        rows=(45,),
        cause="insufficient-resources",
        says=("64 CPU", "resources.requests"),
        at="resources:",
        edits=(
            ("requests: {cpu: 10m", 'requests: {cpu: "64"'),
            ('limits: {cpu: "1"', 'limits: {cpu: "64"'),
        ),
        tier="before",
    ),
    "volume-claim-missing": Scenario(
        title="A PersistentVolumeClaim that is not there.",
        rows=(48,),
        cause="volume-claim-missing",
        says=("`disk` does not exist",),
        at="claimName",
        edits=volume("persistentVolumeClaim: {claimName: disk}"),
        tier="A",
        evidence=unschedulable("not found"),
    ),
    "insufficient-memory": Scenario(
        title="The node has the memory that the pod asks for, but another pod has taken it.",
        rows=(45,),
        cause="insufficient-resources",
        says=("memory",),
        at="requests:",
        edits=replaced("  replicas: 1\n", "  replicas: 2\n"),
        prepare=most_of_the_memory,
        tier="B",
        evidence=unschedulable("Insufficient memory"),
    ),
    "node-tainted": Scenario(
        title="The node has a taint that the pod does not tolerate.",
        rows=(46,),
        cause="node-tainted",
        says=("kubekit.test/broken",),
        at="    spec:",
        prepare=lambda project: (
            project.kubectl("taint", "node", PROFILE, f"{TAINT}:NoSchedule") and None
        ),
        cleanup=lambda project: (
            project.kubectl("taint", "node", PROFILE, f"{TAINT.partition('=')[0]}-") and None
        ),
        alone=True,
        tier="before",
    ),
    "node-selector": Scenario(
        title="No node has the label that the pod wants.",
        rows=(47,),
        cause="node-selector",
        says=("disktype=ssd",),
        at="nodeSelector",
        edits=pod("nodeSelector: {disktype: ssd}"),
        tier="before",
    ),
    "host-port-taken": Scenario(
        title="Another pod has the port of the node.",
        rows=(47,),
        cause="host-port-taken",
        says=("32452",),
        at="hostPort",
        edits=replaced("containerPort: 8000}", "containerPort: 8000, hostPort: 32452}"),
        prepare=with_objects(HOLDER),
        tier="B",
        evidence=unschedulable("free ports"),
    ),
    "volume-claim-unbound": Scenario(
        title="A PersistentVolumeClaim of a storage class that is not there.",
        rows=(48,),
        cause="volume-claim-unbound",
        says=("`disk`", '"quick" not found'),
        at="claimName",
        edits=(
            *volume("persistentVolumeClaim: {claimName: disk}"),
            ("apiVersion: apps/v1\n", f"{CLAIM}---\napiVersion: apps/v1\n"),
        ),
        within=60,
        tier="B",
        evidence=unschedulable("unbound|not bound"),
    ),
    "volume-mount-failed": Scenario(
        title="A folder of the node that is a file.",
        rows=(50,),
        cause="volume-mount-failed",
        says=("/etc/hostname",),
        at="hostPath",
        edits=volume("hostPath: {path: /etc/hostname, type: Directory}"),
        within=90,
        tier="B",
        evidence=told("FailedMount"),
    ),
    "pod-evicted": Scenario(
        title="The app fills its volume beyond its limit, and is evicted again and again.",
        rows=(51,),
        cause="pod-evicted",
        says=("exceeds the limit",),
        at="apiVersion:",
        edits=volume("emptyDir: {sizeLimit: 8Mi}"),
        mode="hoard",
        flags=("--timeout", "220s"),
        within=215,
        tier="B",
        evidence=twice(on("Pod", "status", "reason", value="Evicted")),
    ),
    "kubelet-rejects": Scenario(
        title="A pod that was bound without a scheduler, to a node that has no memory left.",
        rows=(51,),
        cause="pod-evicted",
        says=("OutOfmemory",),
        at="apiVersion:",
        edits=(
            *replaced("  replicas: 1\n", "  replicas: 2\n"),
            *pod(f"nodeName: {PROFILE}"),
        ),
        prepare=most_of_the_memory,
        tier="B",
        evidence=on("Pod", "status", "reason", value="OutOfmemory"),
    ),
    "node-not-ready": Scenario(
        title="The pod is bound to a node that does not answer.",
        rows=(52,),
        code=8,
        cause="node-not-ready",
        says=("is not ready",),
        at="apiVersion:",
        edits=pod('nodeName: "{{ namespace }}"'),
        prepare=with_objects(NODE),
        leaves="nodes",
        alone=True,
        within=60,
        tier="B",
        evidence=on("Pod", "spec", "nodeName"),
    ),
    "scheduling-gated": Scenario(
        title="A gate holds the pod back, for longer than `--timeout`.",
        rows=(53,),
        code=7,
        cause="scheduling-gated",
        says=("example.com/paid",),
        at="schedulingGates",
        edits=pod("schedulingGates: [{name: example.com/paid}]"),
        flags=("--timeout", "5s"),
        tier="C",
        evidence=condition("Pod", "PodScheduled", reason="SchedulingGated"),
    ),
}
