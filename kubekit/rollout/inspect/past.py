"""What one look tells from the objects' own times: since when it stands, what is over. Pure.

A wait has seen with its own eyes when a trouble began and when it ended; one look has not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kubekit.api.lineage import controller
from kubekit.model import Object
from kubekit.rollout.reading import (
    Container,
    condition,
    containers_of,
    epoch,
    event_start,
)

OUTLIVED_SECONDS = 600.0
"""After so long a run the kubelet's back-off begins anew (its rule): earlier exits are over."""

_JITTER_SECONDS = 2.0
_LOOP_RESTARTS = 2
_KEEPERS = ("ReplicaSet", "StatefulSet", "DaemonSet")
_STATUSES = ("initContainerStatuses", "containerStatuses")


def still_crashing(container: Container, now: float) -> bool:
    """Whether a container that runs has ended again and again and not yet outlived its last run.

    Without a readiness probe it counts as ready in each of its short lives.
    """
    end = (container.status.get("lastState") or {}).get("terminated")
    if container.running is None or end is None or container.restarts < _LOOP_RESTARTS:
        return False
    lasted = epoch(end.get("finishedAt")) - epoch(end.get("startedAt"))
    runs = now - epoch(container.running.get("startedAt"))
    return lasted < OUTLIVED_SECONDS and runs <= lasted + _JITTER_SECONDS


def current(pods: Iterable[Object], now: float) -> tuple[Object, ...]:
    """The pods without what is over: exits long ago, and ended pods that others have replaced."""
    kept = list(pods)
    newest: dict[str, str] = {}
    for pod in kept:
        owner = controller(pod)
        if owner is not None:
            made = str(pod["metadata"].get("creationTimestamp") or "")
            newest[owner["uid"]] = max(made, newest.get(owner["uid"], ""))
    return tuple(_without_past(pod, now) for pod in kept if not _replaced(pod, newest))


def seen(pods: Iterable[Object], events: Iterable[Object]) -> dict[tuple[str, str, str], float]:
    """Since when each container waits for its present reason, as a `Snapshot` has it."""
    failures: dict[str, list[Object]] = {}
    for event in events:
        if event.get("reason") in ("Failed", "BackOff"):
            uid = (event.get("involvedObject") or {}).get("uid") or ""
            failures.setdefault(uid, []).append(event)
    return {
        (container.pod_uid, container.name, reason): _since(container, failures)
        for pod in pods
        for container in containers_of(pod)
        if (reason := container.waits_for)
    }


def unready_since(pods: Iterable[Object], workload: Object, now: float) -> float:
    """Since when something of the workload is not ready, in the API server's time; else `now`."""
    times = [
        epoch(ready.get("lastTransitionTime")) or epoch(pod["metadata"].get("creationTimestamp"))
        for pod in pods
        if (ready := condition(pod, "Ready")).get("status") != "True"
    ]
    available = condition(workload, "Available")
    if not times and available.get("status") == "False":
        times = [epoch(available.get("lastTransitionTime"))]
    return min([now, *filter(None, times)])


def changed_at(workload: Object) -> float:
    """When somebody last wrote more of the object than its status."""
    writes = [
        epoch(entry.get("time"))
        for entry in workload["metadata"].get("managedFields") or ()
        if entry.get("subresource") != "status"
    ]
    return max([epoch(workload["metadata"].get("creationTimestamp")), *writes])


def _since(container: Container, failures: Mapping[str, list[Object]]) -> float:
    """When it could begin to run at the earliest, or when the first try after that failed."""
    end = (container.status.get("lastState") or {}).get("terminated") or {}
    begun = max(
        epoch(container.pod["metadata"].get("creationTimestamp")),
        epoch(_when_true(container.pod, "PodScheduled")),
        0.0 if container.init else epoch(_when_true(container.pod, "Initialized")),
        epoch(end.get("finishedAt")),
    )
    tries = [
        event_start(event)
        for event in failures.get(container.pod_uid, ())
        if f"{{{container.name}}}" in ((event.get("involvedObject") or {}).get("fieldPath") or "")
    ]
    return min([when for when in tries if when >= begun], default=begun)


def _when_true(pod: Object, kind: str) -> str | None:
    state = condition(pod, kind)
    return state.get("lastTransitionTime") if state.get("status") == "True" else None


def _replaced(pod: Object, newest: Mapping[str, str]) -> bool:
    """Whether it has ended and its controller, which keeps pods running, has made another since."""
    owner = controller(pod)
    ended = (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")
    if owner is None or owner["kind"] not in _KEEPERS or not ended:
        return False
    return str(pod["metadata"].get("creationTimestamp") or "") < newest[owner["uid"]]


def _without_past(pod: Object, now: float) -> Object:
    status = pod.get("status") or {}
    crashing = {item.name for item in containers_of(pod) if still_crashing(item, now)}
    changed = {
        key: [_judged_now(item, crashing, now) for item in status[key]]
        for key in _STATUSES
        if status.get(key)
    }
    return {**pod, "status": {**status, **changed}}


def _judged_now(status: Object, crashing: Iterable[str], now: float) -> dict[str, Any]:
    running = (status.get("state") or {}).get("running")
    if status["name"] in crashing:
        return {**status, "ready": False}
    if running and now - epoch(running.get("startedAt")) >= OUTLIVED_SECONDS:
        return {key: value for key, value in status.items() if key != "lastState"}
    return dict(status)


def restarted(pods: Iterable[Object]) -> Iterator[Container]:
    """Containers that run again after an exit that is not over yet."""
    for pod in pods:
        for container in containers_of(pod):
            if container.running and (container.status.get("lastState") or {}).get("terminated"):
                yield container
