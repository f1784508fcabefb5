"""How the API's objects are read: containers of a pod, times, counts, conditions. Pure."""

from __future__ import annotations

import datetime as dt
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kubekit.model import Object

_SIGNALLED = 128
"""A shell's, and so a container's, exit code for a signal is its number and this."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of a new pod: what was asked for and what became of it."""

    pod: Object
    spec: Object
    status: Object
    init: bool

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.spec["name"])

    @property
    def pod_name(self) -> str:
        """The name of its pod."""
        return str(self.pod["metadata"]["name"])

    @property
    def pod_uid(self) -> str:
        """The uid of its pod."""
        return str(self.pod["metadata"]["uid"])

    @property
    def sidecar(self) -> bool:
        """Whether it is an init container that is to run for as long as the pod does."""
        return self.init and self.spec.get("restartPolicy") == "Always"

    @property
    def called(self) -> str:
        """What people call it, with its name."""
        kind = "sidecar container" if self.sidecar else "init container"
        return f"{kind if self.init else 'container'} `{self.name}`"

    @property
    def waiting(self) -> Object | None:
        """Why it does not run, if it waits."""
        return (self.status.get("state") or {}).get("waiting")

    @property
    def waits_for(self) -> str:
        """The reason it waits for, the same for a try and for the back-off after it; or empty."""
        reason = str((self.waiting or {}).get("reason") or "")
        return "ErrImagePull" if reason == "ImagePullBackOff" else reason

    @property
    def running(self) -> Object | None:
        """Since when it runs, if it does."""
        return (self.status.get("state") or {}).get("running")

    @property
    def exited(self) -> Object | None:
        """How its last finished attempt ended."""
        state = self.status.get("state") or {}
        return state.get("terminated") or (self.status.get("lastState") or {}).get("terminated")

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return int(self.status.get("restartCount") or 0)

    @property
    def ready(self) -> bool:
        """Whether its readiness probe passes."""
        return bool(self.status.get("ready"))

    @property
    def attempt(self) -> int:
        """The number of its last finished attempt, from 0; -1 before the first one ended."""
        return self.restarts - 1 if self.running else self.restarts


def exit_words(code: int | None) -> str:
    """An exit code as people know it: ``exit code 139 (SIGSEGV)``."""
    try:
        return f"exit code {code} ({signal.Signals((code or 0) - _SIGNALLED).name})"
    except ValueError:
        return f"exit code {code}"


def is_owned(obj: Object, uid: str) -> bool:
    """Whether an ownerReference of the object names this uid."""
    return any(owner["uid"] == uid for owner in obj["metadata"].get("ownerReferences") or ())


def epoch(value: str | None) -> float:
    """An RFC 3339 time of the API in seconds since the epoch; 0 where there is none."""
    if not value:
        return 0.0
    return dt.datetime.fromisoformat(value).timestamp()


def is_ready(obj: Object) -> bool:
    """Whether the condition Ready of a pod or a node is True."""
    return bool(condition(obj, "Ready").get("status") == "True")


def declared_ports(container: Object) -> list[int]:
    """The `containerPort` of each port in a container's spec."""
    return [int(port["containerPort"]) for port in container.get("ports") or ()]


def is_about(event: Object, container: Container) -> bool:
    """Whether an event of a pod is about this container of it."""
    field = (event.get("involvedObject") or {}).get("fieldPath") or ""
    return f"{{{container.name}}}" in field


def event_time(event: Object) -> float:
    """When the event happened last, in the API server's time."""
    series = event.get("series") or {}
    return epoch(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or (event.get("metadata") or {}).get("creationTimestamp")
    )


def event_start(event: Object) -> float:
    """When the event happened first."""
    return epoch(
        event.get("firstTimestamp")
        or event.get("eventTime")
        or (event.get("metadata") or {}).get("creationTimestamp")
    ) or event_time(event)


def event_count(event: Object) -> int:
    """How often it happened."""
    return int((event.get("series") or {}).get("count") or event.get("count") or 1)


def condition(obj: Object | None, kind: str) -> Object:
    """The condition of this type, empty where there is none."""
    for item in ((obj or {}).get("status") or {}).get("conditions") or ():
        if item["type"] == kind:
            return dict(item)
    return {}


def annotations_of(obj: Object) -> Mapping[str, str]:
    """The object's annotations, empty where it has none."""
    return obj["metadata"].get("annotations") or {}


def containers_of(pod: Object) -> Iterator[Container]:
    """The containers of a pod, init containers first, each with what became of it so far."""
    status = pod.get("status") or {}
    for field_name, statuses, init in (
        ("initContainers", "initContainerStatuses", True),
        ("containers", "containerStatuses", False),
    ):
        by_name = {item["name"]: item for item in status.get(statuses) or ()}
        for spec in pod["spec"].get(field_name) or ():
            yield Container(pod=pod, spec=spec, status=by_name.get(spec["name"], {}), init=init)
