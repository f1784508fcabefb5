"""Pods that find no node, or whose volumes or node fail (rows 45 to 53)."""

from __future__ import annotations

from kubekit.rollout.cause import EXPLAINS, Cause
from kubekit.rollout.finders.eviction import evicted
from kubekit.rollout.finders.placement import gated, not_ready, unschedulable
from kubekit.rollout.finders.volumes import BIND_SECONDS, claim_missing, claim_unbound, mount_failed

_ROOM = 20.0
"""Seconds in which other pods may end."""

_CLEARED = 45.0
"""Seconds in which Kubernetes may clear a taint of its own: a start, or a short pressure."""

_FULL = "Insufficient|Too many pods"
_PORTS = "free ports"
_LABELS = "Pod's node affinity|node selector"
_TAINTS = "untolerated taint|were unschedulable"
_OTHER = rf"^(?!.*(?:{_FULL}|{_PORTS}|{_LABELS}|{_TAINTS}))"

PLACING: tuple[Cause, ...] = (
    Cause(
        id="node-not-ready",
        rows=(52,),
        signals="the condition `Ready` of the pod's node, or of every node, is not True, and the "
        "kubelet does not take the pod up",
        find=not_ready,
        cause="node `{node}` is not ready, so nothing starts on it: {message}",
        fix="see `minikube status`; `minikube start` starts it again",
        after=30.0,
        exit_code=8,
    ),
    Cause(
        id="volume-claim-missing",
        rows=(48,),
        signals="the pod's condition `PodScheduled` says `persistentvolumeclaim ... not found`, "
        "and there is none",
        find=claim_missing,
        cause="PersistentVolumeClaim `{name}` does not exist",
        fix="add it to the manifests, or correct `claimName`",
    ),
    Cause(
        id="volume-claim-unbound",
        rows=(48,),
        signals="`PodScheduled` says `pod has unbound immediate PersistentVolumeClaims`; an event "
        "of the claim says why: ProvisioningFailed, FailedBinding",
        find=claim_unbound,
        cause="PersistentVolumeClaim `{name}` {state}",
        fix="see `kubectl get storageclass`: name one of these in the claim's `storageClassName`, "
        "or leave it out to take the default",
        after=BIND_SECONDS,
    ),
    Cause(
        id="volume-mount-failed",
        rows=(50,),
        signals="events FailedMount or FailedAttachVolume of the pod, and its containers stay in "
        "ContainerCreating",
        find=mount_failed,
        cause="volume `{volume}` cannot be mounted: {message}",
        fix="correct what it names; if the pod before still holds the volume (Multi-Attach), set "
        "`strategy: {{type: Recreate}}`",
        after=60.0,
    ),
    Cause(
        id="pod-evicted",
        rows=(51,),
        signals="`status.phase` Failed with the reason Evicted, OutOfcpu, OutOfmemory, OutOfpods, "
        "NodeAffinity, UnexpectedAdmissionError or Preempting, for the second pod",
        find=evicted,
        cause="the node puts the pods out ({reason}): {message}",
        fix="free what it lacks, such as disk with `minikube ssh -- docker system prune`, ask for "
        "less under `resources.requests`, or give Minikube more",
        after=1.0,
    ),
    Cause(
        id="scheduling-gated",
        rows=(53,),
        signals="`PodScheduled` has the reason SchedulingGated",
        find=gated,
        cause="the pod is held back by its scheduling gate {gates}",
        fix="whoever set the gate takes it away; without such a controller, leave "
        "`schedulingGates` out",
        after=EXPLAINS,
    ),
    Cause(
        id="insufficient-resources",
        rows=(45,),
        signals="`PodScheduled` is False with the reason Unschedulable, `Insufficient cpu`, "
        "`Insufficient memory` or `Too many pods`; decided at once where `status.allocatable` of "
        "every node is less",
        find=unschedulable(_FULL, kind="resources", field="containers.0.resources.requests"),
        cause="no node has room for the pod: {room}",
        fix="ask for less under `resources.requests`{more}",
        after=_ROOM,
    ),
    Cause(
        id="host-port-taken",
        rows=(47,),
        signals="`PodScheduled` is False, `didn't have free ports for the requested pod ports`",
        find=unschedulable(_PORTS, field="containers.0.ports"),
        cause="another pod has port {ports} of the node, which this one asks for as `hostPort`",
        fix="leave `hostPort` out and use a Service; if the pod before has it, set "
        "`strategy: {{type: Recreate}}`",
        after=_ROOM,
    ),
    Cause(
        id="node-selector",
        rows=(47,),
        signals="`PodScheduled` is False, `didn't match Pod's node affinity/selector`; decided at "
        "once where no node has the labels",
        find=unschedulable(_LABELS, kind="selector", field="nodeSelector"),
        cause="no node is one that the pod may run on: {message}",
        fix="correct `nodeSelector` or `affinity`, or label a node: `kubectl label node ...`",
        after=_ROOM,
    ),
    Cause(
        id="node-tainted",
        rows=(46,),
        signals="`PodScheduled` is False, `had untolerated taint`, and `spec.taints` of the node; "
        "decided at once where people have set the taint, while Kubernetes clears its own "
        "(`node.kubernetes.io/...`) again",
        find=unschedulable(_TAINTS, kind="taint"),
        cause="no node takes the pod: {taint}",
        fix="see the nodes' taints with `kubectl describe nodes`: {advice}, or give the pod a "
        "`toleration`",
        after=_CLEARED,
    ),
    Cause(
        id="unschedulable",
        rows=(45, 46, 47, 48),
        signals="`PodScheduled` is False with the reason Unschedulable, for none of the reasons "
        "above",
        find=unschedulable(_OTHER),
        cause="no node takes the pod: {message}",
        fix="correct what it names",
        after=_ROOM,
    ),
)
