"""What holds up the deletion of an object: its finalizers, and whose they are. Pure."""

from __future__ import annotations

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
_TELLING = ("NamespaceFinalizersRemaining", "NamespaceDeletionDiscoveryFailure")
_SILENT = "NamespaceDeletionContentFailure"


def holders(obj: Object) -> str:
    """Each finalizer with what it waits for, or with who has set it; empty where there is none."""
    named = obj["metadata"].get("finalizers") or ()
    return ", ".join(f"`{name}`{_whose(obj, name)}" for name in named)


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
