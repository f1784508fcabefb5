"""Whether a pod that is not ready will stay so. Pure.

A pod that is only starting gets ready: a database that recovers may take its time for that, and
would begin anew in a pod that is made anew.
"""

from __future__ import annotations

from kubekit.model import Object
from kubekit.rollout.finders.probes import start_window
from kubekit.rollout.reading import Container, condition, containers_of, epoch

_STARTING = ("", "ContainerCreating", "PodInitializing")


def is_down(pod: Object) -> bool:
    """Whether something of it does not run and is not being started: nothing is lost with it.

    It fits on no node, or a container crashes, has ended or cannot be made.
    """
    if condition(pod, "PodScheduled").get("reason") == "Unschedulable":
        return True
    return any(_is_down(container) for container in containers_of(pod))


def is_hung(pod: Object, now: float, *, proven: bool) -> bool:
    """Whether it runs, but was started again, or is late.

    Args:
        pod: one that is not ready, and not down.
        now: in server time.
        proven: whether a pod of its revision is known to have become ready: then it is not late,
            however long it takes.
    """
    late = None if proven else late_at(pod)
    restarted = any(one.restarts for one in containers_of(pod) if not one.ready)
    return restarted or (late is not None and now > late)


def late_at(pod: Object) -> float | None:
    """The server time at which its start has taken too long; None where there is no such time."""
    awaited = [container for container in containers_of(pod) if not container.ready]
    # What comes before the others, such as a migration, has no time by which it should end.
    if any(container.init and not container.sidecar for container in awaited):
        return None
    return min((_since(one) + start_window(one) for one in awaited), default=None)


def _is_down(container: Container) -> bool:
    if container.waiting is not None:
        return container.waits_for not in _STARTING
    ended = (container.status.get("state") or {}).get("terminated")
    # An init container that ended well is what the others have waited for.
    return ended is not None and not (container.init and ended.get("exitCode") == 0)


def _since(container: Container) -> float:
    """When it started; where it is still being made, when its pod was."""
    started = (container.running or {}).get("startedAt")
    return epoch(started or container.pod["metadata"].get("creationTimestamp"))
