"""What is known of a rollout at one moment, as plain data. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kubekit.model import Object
from kubekit.rollout import kinds
from kubekit.rollout.reading import Container, containers_of, event_time, is_owned
from kubekit.rollout.wants import LogOf, Want


@dataclass(frozen=True, kw_only=True)
class Target:
    """A workload as this very apply left it; only its own pods are judged.

    Attributes:
        template: its pod template, ``metadata`` and ``spec``; of a Pod, the Pod itself.
        since: server time of the apply; a condition that is older is stale.
        images: reference -> IDs that a pod may report of the image this run has provided.
        gone: uids of pods that this run has deleted, though they were of the present revision.
    """

    kind: str = "Deployment"
    name: str
    namespace: str
    uid: str
    generation: int
    template: Object
    since: float
    images: Mapping[str, frozenset[str]] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()

    @property
    def ref(self) -> str:
        """The workload as people write it."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything known at one moment.

    Attributes:
        workload: the live object, None once it is gone.
        namespace: its Namespace, None where that is not known.
        listed: kinds whose first list has arrived; before that, absence means nothing.
        facts: what the judge has asked for, each as its class in `wants` says.
        seen: when a container was first seen waiting for a reason, server time.
        patience: by how much all waiting is longer than usual.
    """

    target: Target
    workload: Object | None
    namespace: Object | None = None
    replica_sets: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    events: tuple[Object, ...] = ()
    listed: frozenset[str] = frozenset()
    facts: Mapping[Want, Any] = field(default_factory=dict)
    seen: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    patience: float = 1.0

    @cached_property
    def new_set(self) -> Object | None:
        """The ReplicaSet of a Deployment's present revision."""
        return kinds.present_set(self.workload, self.replica_sets)

    @cached_property
    def new_pods(self) -> tuple[Object, ...]:
        """The pods of the present revision that are not on their way out."""
        live = self.new_set if self.target.kind == "Deployment" else self.workload
        if live is None:
            return ()
        present = (
            pod
            for pod in self.pods
            if kinds.is_present(pod, live)
            and not pod["metadata"].get("deletionTimestamp")
            and pod["metadata"]["uid"] not in self.target.gone
        )
        # By name: what is asked for first must not depend on the order of a list.
        return tuple(sorted(present, key=lambda pod: str(pod["metadata"]["name"])))

    @cached_property
    def old_pods(self) -> tuple[Object, ...]:
        """The pods of its earlier revisions."""
        if self.workload is None:
            return ()
        owners = {self.target.uid} | {
            item["metadata"]["uid"] for item in self.replica_sets if is_owned(item, self.target.uid)
        }
        new = {pod["metadata"]["uid"] for pod in self.new_pods}
        return tuple(
            pod
            for pod in self.pods
            if pod["metadata"]["uid"] not in new and any(is_owned(pod, uid) for uid in owners)
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

    def log(self, wanted: LogOf) -> str:
        """The text of a log, empty where it was not read or cannot be."""
        return self.facts.get(wanted) or ""
