"""What holds up the deletion of an object: its finalizers, and whose they are. Pure."""

from __future__ import annotations

from kubekit.api.resources import KNOWN
from kubekit.model import Object

# What Kubernetes itself puts on objects, and what each of them waits for.
_OWN = {
    "foregroundDeletion": "what it owns goes first",
    "orphan": "what it owns is let go first",
    "kubernetes": "what is in it goes first",
    "kubernetes.io/pvc-protection": "a pod still uses it",
    "kubernetes.io/pv-protection": "a claim still uses it",
    "batch.kubernetes.io/job-tracking": "the Job controller counts it first",
    "service.kubernetes.io/load-balancer-cleanup": "the cloud takes its address back first",
}
_GRACE_SECONDS = 30
"""What a pod may take to end where it does not say."""

_TELLING = ("NamespaceFinalizersRemaining", "NamespaceDeletionDiscoveryFailure")
_SILENT = "NamespaceDeletionContentFailure"


def holders(obj: Object) -> str:
    """Each finalizer with what it waits for, or with who has set it; empty where there is none."""
    named = obj["metadata"].get("finalizers") or ()
    return ", ".join(f"`{name}`{_whose(obj, name)}" for name in named)


def is_held(obj: Object) -> bool:
    """Whether a finalizer holds it up that is none of Kubernetes' own: those end by themselves."""
    return any(name not in _OWN for name in obj["metadata"].get("finalizers") or ())


def grace(obj: Object) -> int:
    """How long the pods of this object may take to end, in seconds."""
    spec = obj.get("spec") or {}
    # Of a kind that is no usual one it may be anything.
    if (obj.get("apiVersion"), obj.get("kind")) not in KNOWN:
        return 0
    if obj["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    pod = spec if obj["kind"] == "Pod" else (spec.get("template") or {}).get("spec")
    if not isinstance(pod, dict):
        return 0
    return int(pod.get("terminationGracePeriodSeconds", _GRACE_SECONDS))


def why_namespace(live: Object) -> str:
    """What the namespace's own conditions say still holds it, empty where they say nothing."""
    held = {
        item["type"]: item["message"]
        for item in (live.get("status") or {}).get("conditions") or ()
        if item["status"] == "True" and item["type"] != _SILENT
    }
    exact = [held[kind] for kind in _TELLING if kind in held]
    return next(iter((*exact, *held.values())), "")


def _whose(obj: Object, finalizer: str) -> str:
    if finalizer in _OWN:
        return f" ({_OWN[finalizer]})"
    for entry in obj["metadata"].get("managedFields") or ():
        fields = ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:finalizers") or {}
        if f'v:"{finalizer}"' in fields:
            return f" (set by `{entry.get('manager')}`)"
    return ""
