"""What is known of a rollout at one moment, as plain data, and how to read it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from kubekit.model import Object

REVISION = "deployment.kubernetes.io/revision"


@dataclass(frozen=True, kw_only=True)
class LogOf:
    """The log of one finished or running attempt of a container; attempts count from 0."""

    pod: str
    container: str
    attempt: int


@dataclass(frozen=True, kw_only=True)
class KeysOf:
    """The keys of a Secret or ConfigMap."""

    kind: str
    name: str


@dataclass(frozen=True, kw_only=True)
class NamespaceOf:
    """Whether a namespace is there to stay, or is being deleted."""

    name: str


Want = LogOf | KeysOf | NamespaceOf
"""A fact the judge asks for before it decides; the watcher fetches it."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The Deployment as this very apply left it; only its own pods are judged."""

    name: str
    namespace: str
    uid: str
    generation: int
    template: Object
    since: float


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything known at one moment.

    Attributes:
        deployment: the live Deployment, None once it is gone.
        listed: kinds whose first list has arrived; before that, absence means nothing.
        logs: log text by attempt; None where it could not be read.
        configs: keys of Secrets and ConfigMaps; None where there is no such object.
        namespaces: whether each namespace asked for stays.
        seen: when a container was first seen waiting for a reason, server time.
    """

    target: Target
    deployment: Object | None
    replica_sets: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    events: tuple[Object, ...] = ()
    listed: frozenset[str] = frozenset()
    logs: Mapping[LogOf, str | None] = field(default_factory=dict)
    configs: Mapping[KeysOf, tuple[str, ...] | None] = field(default_factory=dict)
    namespaces: Mapping[NamespaceOf, bool] = field(default_factory=dict)
    seen: Mapping[tuple[str, str, str], float] = field(default_factory=dict)

    @cached_property
    def new_set(self) -> Object | None:
        """The ReplicaSet of the Deployment's present revision."""
        if self.deployment is None:
            return None
        revision = _annotations(self.deployment).get(REVISION)
        for item in self.replica_sets:
            if is_owned(item, self.target.uid) and _annotations(item).get(REVISION) == revision:
                return item
        return None

    @cached_property
    def new_pods(self) -> tuple[Object, ...]:
        """The pods of that ReplicaSet that are not on their way out."""
        if self.new_set is None:
            return ()
        uid = self.new_set["metadata"]["uid"]
        return tuple(
            pod
            for pod in self.pods
            if is_owned(pod, uid) and not pod["metadata"].get("deletionTimestamp")
        )

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """All containers of the new pods, init containers first."""
        return tuple(container for pod in self.new_pods for container in containers_of(pod))

    def events_of(self, uid: str, *reasons: str) -> list[Object]:
        """Events about one object with one of these reasons, newest last."""
        found = [
            event
            for event in self.events
            if (event.get("involvedObject") or {}).get("uid") == uid
            and event.get("reason") in reasons
        ]
        return sorted(found, key=event_time)


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
    def waiting(self) -> Object | None:
        """Why it does not run, if it waits."""
        return (self.status.get("state") or {}).get("waiting")

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

    def log(self, attempt: int | None = None) -> LogOf:
        """The name of the log of an attempt, by default of the last finished one."""
        number = self.attempt if attempt is None else attempt
        return LogOf(pod=self.pod_name, container=self.name, attempt=number)


def is_owned(obj: Object, uid: str) -> bool:
    """Whether an ownerReference of the object names this uid."""
    return any(owner["uid"] == uid for owner in obj["metadata"].get("ownerReferences") or ())


def epoch(value: str | None) -> float:
    """An RFC 3339 time of the API in seconds since the epoch; 0 where there is none."""
    if not value:
        return 0.0
    return dt.datetime.fromisoformat(value).timestamp()


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


def _annotations(obj: Object) -> Mapping[str, str]:
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
