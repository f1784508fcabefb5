"""Jobs that are there already: whether anything of one runs that could be cut off."""

from __future__ import annotations

from kubekit.api.kube import ApiError, Kube
from kubekit.api.resources import PODS, ref
from kubekit.api.waiting import Wait
from kubekit.events import Emit
from kubekit.model import Clock, Object

WAITED_SECONDS = 60.0
"""How long a Job that runs may take to its end."""

_OF_JOB = "batch.kubernetes.io/controller-uid"


def end_of(live: Object) -> str:
    """How a Job has ended, ``Complete`` or ``Failed``; empty before that, and for what is none."""
    if live["kind"] != "Job":
        return ""
    conditions = (live.get("status") or {}).get("conditions") or ()
    held = (one["type"] for one in conditions if one.get("status") == "True")
    return next((one for one in held if one in ("Complete", "Failed")), "")


def is_at_rest(kube: Kube, live: Object) -> bool:
    """Whether nothing of a Job runs now."""
    return bool(end_of(live)) or not _runs(kube, live)


def at_rest(
    kube: Kube,
    path: str,
    live: Object,
    *,
    emit: Emit,
    clock: Clock = Clock(),  # noqa: B008 - frozen
) -> bool:
    """Whether nothing of a Job runs, which may take a minute to be so."""
    wait = Wait(WAITED_SECONDS, emit=emit, clock=clock, cancel=kube.cancel, stage="apply")
    while not wait.is_over:
        now = kube.get(path)
        if now is None or now["metadata"]["uid"] != live["metadata"]["uid"]:
            return False
        if is_at_rest(kube, now):
            return True
        wait.on(f"waiting for `{ref(live)}` to end, of which the manifest has another one")
    return False


def _runs(kube: Kube, job: Object) -> bool:
    """Whether a container of it does, as far as this user may see."""
    metadata = job["metadata"]
    try:
        pods = kube.list(PODS.path(metadata["namespace"]), selector=f"{_OF_JOB}={metadata['uid']}")
    except ApiError:
        return True
    return any(
        "running" in (item.get("state") or {})
        for pod in pods
        for kind in ("containerStatuses", "initContainerStatuses")
        for item in (pod.get("status") or {}).get(kind) or ()
    )
