"""Objects that are being deleted, waited for until their names are free."""

from __future__ import annotations

from kubekit.api.deleting import grace, holders, is_held, why_namespace
from kubekit.api.kube import Kube
from kubekit.api.waiting import Wait
from kubekit.errors import KubekitError, RefusedError, UnreachableError, WorkloadError
from kubekit.events import Emit
from kubekit.model import Clock, Object

DELETION_SECONDS = 60.0


def settled(
    kube: Kube,
    path: str,
    what: str,
    *,
    emit: Emit,
    clock: Clock = Clock(),  # noqa: B008 - frozen
) -> Object | None:
    """The live object or None, once it is not one that is being deleted.

    Raises:
        KubekitError: it is still being deleted a minute after its pods had to be gone.
    """
    live = kube.get(path)
    limit = DELETION_SECONDS + (grace(live) if live else 0)
    wait = Wait(limit, emit=emit, clock=clock, cancel=kube.cancel, stage="apply")
    while live is not None and live["metadata"].get("deletionTimestamp"):
        if wait.is_over:
            raise _still_there(live, what, limit)
        held = holders(live)
        text = f"waiting for {what} to be deleted"
        wait.on(f"{text}: it has the finalizer {held}" if held else text)
        live = kube.get(path)
    return live


def _still_there(live: Object, what: str, seconds: float) -> KubekitError:
    why = why_namespace(live) if live.get("kind") == "Namespace" else ""
    if why:
        return RefusedError(
            f"{what} is being deleted, and after {seconds:.0f} s still there: {why}",
            hints=("see what it names; what has set a finalizer must take it away",),
            id="namespace-terminating",
        )
    held = holders(live)
    if is_held(live):
        return WorkloadError(
            f"{what} is being deleted, and its finalizer holds it up: {held}",
            hints=("what has set the finalizer must take it away: see whether it runs",),
            id="deletion-blocked",
        )
    return UnreachableError(
        f"{what} is still being deleted after {seconds:.0f} s{f': {held}' if held else ''}",
        hints=("wait for it, and run kubekit again",),
        id="still-deleting",
    )
