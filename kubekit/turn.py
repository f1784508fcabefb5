"""One run at a time for a project in a namespace: on this machine by a lock, elsewhere by a Lease.

The lock is held from the start, the Lease only once something is written, or one that was left
behind is to be cleared.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from kubekit.api.kube import Kube
from kubekit.api.lease import Lease, Signature
from kubekit.api.ownership import OwnedSet
from kubekit.cluster.target import minikube_home
from kubekit.errors import CancelledError, UsageError
from kubekit.events import Emit, Progress
from kubekit.model import Cancel, ClusterTarget
from kubekit.runfile import Holder, RunFile

DEV = "dev"
"""The command that a teardown asks to end; any other one ends by itself."""

_STEP_SECONDS = 0.05
_DEV_SECONDS = 600.0
"""How long `dev` may take to end: it tears down itself, and its pods and the namespace may each be
waited for some minutes."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """It is this run's turn, until the end of `its_turn`."""

    owned: OwnedSet
    lease: Lease


@contextlib.contextmanager
def its_turn(
    target: ClusterTarget,
    kube: Kube,
    owned: OwnedSet,
    *,
    command: str,
    emit: Emit,
    cancel: Cancel,
) -> Iterator[Turn]:
    """Be the only run for this project there.

    Args:
        target: the cluster.
        kube: its API.
        owned: the project and the namespace.
        command: of this run; ``teardown`` asks a `dev` to end and waits for it.
        emit: gets Progress.
        cancel: ends the wait.

    Raises:
        UsageError: another run is at work, with what it is.
    """
    with alone_here(
        target, owned, command=command, emit=emit, cancel=cancel, host=kube.host
    ) as lock:
        lease = Lease(kube, owned, Signature(command=command, mark=lock.mark or uuid.uuid4().hex))
        with contextlib.closing(lease):
            yield Turn(owned=owned, lease=lease)


@contextlib.contextmanager
def alone_here(
    target: ClusterTarget,
    owned: OwnedSet,
    *,
    command: str,
    emit: Emit,
    cancel: Cancel,
    host: str = "",
) -> Iterator[RunFile]:
    """The same on this machine alone, for a cluster that need not answer.

    Args:
        host: of a cluster that is no Minikube.

    Raises:
        UsageError: another run is at work, with what it is.
    """
    lock = RunFile(lock_key(target, owned, host=host))
    if not lock.take(command):
        holder = lock.holder()
        if command != "teardown" or holder is None or holder.command != DEV or not holder.alive():
            raise _busy(owned, holder)
        _end(lock, holder, command, emit=emit, cancel=cancel)
    with contextlib.closing(lock):
        yield lock


def lock_key(target: ClusterTarget, owned: OwnedSet, *, host: str = "") -> str:
    """A name for the project there; two Minikubes may have profiles of one name."""
    # A Minikube comes back on another port, so its address does not name it.
    cluster = f"{minikube_home()}\0{target.profile}" if target.profile else host
    seed = f"{cluster}\0{owned.namespace}\0{owned.project}"
    return f"{owned.project}-{hashlib.sha256(seed.encode()).hexdigest()[:16]}"


def _end(lock: RunFile, holder: Holder, command: str, *, emit: Emit, cancel: Cancel) -> None:
    """Ask `dev` to end, and take its place."""
    emit(Progress(stage="teardown", text=f"asking `kubekit dev` (pid {holder.pid}) to end"))
    deadline = time.monotonic() + _DEV_SECONDS
    try:
        os.kill(holder.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise UsageError(
            f"`kubekit dev` (pid {holder.pid}) runs as another user and cannot be ended",
            hints=("end it there with Ctrl-C, then run `kubekit teardown` again",),
            id="busy",
        ) from None
    while not lock.take(command):
        if time.monotonic() > deadline:
            raise UsageError(
                f"`kubekit dev` (pid {holder.pid}) was asked to end, and runs still",
                hints=(f"end it with `kill -9 {holder.pid}`, then run `kubekit teardown` again",),
                id="busy",
            )
        if cancel.wait(_STEP_SECONDS):
            raise CancelledError("interrupted")


def _busy(owned: OwnedSet, holder: Holder | None) -> UsageError:
    which = f"for `{owned.project}` in namespace `{owned.namespace}`"
    if holder is None or not holder.alive():
        return UsageError(
            f"another run of kubekit is at work {which}",
            hints=("wait for its end, or use a namespace of your own: `--namespace`",),
            id="busy",
        )
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder.since))
    return UsageError(
        f"`kubekit {holder.command}` is at work {which}: pid {holder.pid}, since {since}",
        hints=(
            f"wait for its end, or end it: `kill {holder.pid}`",
            "or use a namespace of your own: `--namespace`",
        ),
        id="busy",
    )
