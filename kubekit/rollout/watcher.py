"""Following a namespace: keeps what is known of it up to date, over drops and restarts."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator

from kubekit.api.feed import Feed
from kubekit.api.follow import Changed, Found, Listed, Lost, Update
from kubekit.api.kube import PATIENCE_SECONDS, ApiError, Kube
from kubekit.api.resources import EVENTS, KNOWN, NAMESPACE, PODS, REPLICA_SETS, SLICES, Resource
from kubekit.errors import CancelledError, UnreachableError
from kubekit.events import Emit, Progress
from kubekit.model import Cancel, Clock, Object
from kubekit.rollout.facts import Facts
from kubekit.rollout.reading import containers_of
from kubekit.rollout.snapshot import Snapshot, Target
from kubekit.rollout.wants import LogOf, log_of

_TICK_SECONDS = 0.25
_BELOW = {
    "ReplicaSet": REPLICA_SETS,
    "Pod": PODS,
    "Event": EVENTS,
    "EndpointSlice": SLICES,
}
# Without these the judge still decides, and says what it could not see.
_HELPFUL = {
    "Event": "events",
    "EndpointSlice": "EndpointSlices",
    "Namespace": "the namespace itself",
}


class Watcher:
    """Keeps what is known of one namespace up to date on one queue.

    Attributes:
        facts: what the judge has asked for.
        unseen: what this user may not read here, in words.

    Args:
        kube: whose clock counts, and where facts are asked for.
        namespace: what is watched.
        feed: of that namespace.
        patience: by how much each waiting window is longer than usual.
    """

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        *,
        feed: Feed,
        emit: Emit,
        clock: Clock,
        cancel: Cancel,
        on_host: Callable[[str], bool],
        patience: float = 1.0,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._feed = feed
        self._emit = emit
        self._clock = clock
        self._cancel = cancel
        self._patience = patience
        self._updates: queue.SimpleQueue[Update] = queue.SimpleQueue()
        self._objects: dict[str, dict[str, Object]] = {}
        self._listed: set[str] = set()
        self._lost: dict[str, float] = {}
        self._seen: dict[tuple[str, str, str], float] = {}
        self._start = clock.now()
        self.facts = Facts(kube, namespace, clock, on_host, kube.server_now, cancel=cancel)

    @contextlib.contextmanager
    def following(self, kinds: frozenset[str]) -> Iterator[None]:
        """Follow these kinds of workloads and all that belongs to them.

        The workloads and the namespace are listed anew: a feed may not have heard yet of what was
        just written.
        """
        written = {kind: _resource(kind) for kind in kinds} | {"Namespace": NAMESPACE}
        below = {kind: resource for kind, resource in _BELOW.items() if kind not in written}
        with (
            contextlib.closing(Feed(self._kube, self._namespace)) as fresh,
            fresh.following(written, self._updates.put),
            self._feed.following(below, self._updates.put),
        ):
            yield

    def elapsed(self) -> float:
        """Seconds since the watcher was made."""
        return self._clock.now() - self._start

    def server_now(self) -> float:
        """The API server's time, seconds since the epoch."""
        return self._kube.server_now()

    def objects(self, kind: str) -> tuple[Object, ...]:
        """All that is known of one kind."""
        return tuple(self._objects.get(kind, {}).values())

    def listed(self, kind: str) -> bool:
        """Whether the first list of the kind has arrived."""
        return kind in self._listed

    def snapshot(self, target: Target) -> Snapshot:
        """What is known at this moment of one workload."""
        named = (obj for obj in self.objects(target.kind) if obj["metadata"]["name"] == target.name)
        return Snapshot(
            target=target,
            workload=next(named, None),
            namespace=next(iter(self.objects("Namespace")), None),
            replica_sets=self.objects("ReplicaSet"),
            pods=self.objects("Pod"),
            events=self.objects("Event"),
            listed=frozenset(self._listed),
            facts=dict(self.facts.known),
            seen=dict(self._seen),
            patience=self._patience,
        )

    def refresh(self) -> None:
        """Forget the facts that may be others by now."""
        self.facts.forget(self._running())

    def take_updates(self) -> None:
        """Take what has come, waiting for the first of it at most a tick.

        Raises:
            CancelledError: the run is to stop.
            UnreachableError: the API server was gone for longer than half a minute.
        """
        if self._cancel.is_set():
            raise CancelledError("interrupted")
        timeout = _TICK_SECONDS
        while True:
            try:
                update = self._updates.get(timeout=timeout)
            except queue.Empty:
                break
            self.take(update)
            timeout = 0.0
        for kind, since in list(self._lost.items()):
            if self._clock.now() - since > PATIENCE_SECONDS:
                self._give_up(kind)

    def _give_up(self, kind: str) -> None:
        if kind not in _HELPFUL:
            raise UnreachableError(
                f"the API server did not answer for {PATIENCE_SECONDS:.0f} s during the rollout",
                hints=("see `minikube status`; when it runs again, the same command goes on",),
                id="api-lost",
            )
        self._lost.pop(kind, None)
        self._listed.add(kind)
        self.facts.unseen.add(_HELPFUL[kind])

    def take(self, update: Update) -> None:
        """Take one update."""
        match update:
            case Listed(kind=kind, items=items):
                # The items of a list do not say their kind.
                self._objects[kind] = {
                    item["metadata"]["uid"]: item | {"kind": kind} for item in items
                }
                self._listed.add(kind)
            case Changed(kind=kind, item=item, gone=gone):
                self._change(kind, item, gone=gone)
            case Found():
                pass
            case Lost():
                self._lose(update)
                return
        self._lost.pop(update.kind, None)
        if update.kind == "Pod":
            self._note_waiting()

    def _change(self, kind: str, item: Object, *, gone: bool) -> None:
        known = self._objects.setdefault(kind, {})
        if gone and kind == "Job":
            # How it ended is in its last state, which a time to live may take away at once.
            ended = {
                "deletionTimestamp": item["metadata"].get("creationTimestamp"),
                **item["metadata"],
            }
            known[item["metadata"]["uid"]] = {**item, "metadata": ended}
        elif gone:
            known.pop(item["metadata"]["uid"], None)
        else:
            known[item["metadata"]["uid"]] = item

    def _lose(self, update: Lost) -> None:
        if not update.fatal:
            if not self._lost:
                self._emit(
                    Progress(stage="rollout", text="the API server does not answer; waiting")
                )
            self._lost.setdefault(update.kind, self._clock.now())
        elif update.kind in _HELPFUL and isinstance(update.error, ApiError):
            self._give_up(update.kind)
        else:
            raise update.error

    def _running(self) -> frozenset[LogOf]:
        """The attempts that go on."""
        return frozenset(
            log_of(container, container.restarts)
            for pod in self.objects("Pod")
            for container in containers_of(pod)
            if container.running is not None
        )

    def _note_waiting(self) -> None:
        """When each container was first seen waiting for its reason; the API does not say.

        Reasons take turns, such as a missing key and a start that fails, so that only a start
        makes them forgotten.
        """
        now = self.server_now()
        seen: dict[tuple[str, str, str], float] = {}
        for pod in self.objects("Pod"):
            for container in containers_of(pod):
                if container.running is not None:
                    continue
                here = (container.pod_uid, container.name)
                seen |= {key: when for key, when in self._seen.items() if key[:2] == here}
                if container.waits_for:
                    seen.setdefault((*here, container.waits_for), now)
        self._seen = seen


def _resource(kind: str) -> Resource:
    known = {name: resource for (_, name), resource in KNOWN.items()} | _BELOW
    return known[kind]
