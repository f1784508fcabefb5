"""Pods that find no node, or whose volumes or node fail (rows 45 to 53)."""

from __future__ import annotations

from kubekit.rollout.cause import Cause
from kubekit.rollout.findings import unschedulable

PLACING: tuple[Cause, ...] = (
    Cause(
        id="volume-claim-missing",
        rows=(48,),
        signals="",
        find=unschedulable(r'persistentvolumeclaim "(?P<name>[^"]+)" not found', field="volumes"),
        cause="PersistentVolumeClaim `{name}` does not exist",
        fix="add it to the manifests",
    ),
    Cause(
        id="unschedulable",
        rows=(45, 46, 47, 48),
        signals="",
        find=unschedulable(""),
        cause="no node takes the pod, which asks for {asked}: {message}",
        fix="ask for less under `resources.requests`, or give Minikube more",
        after=20.0,
    ),
)
