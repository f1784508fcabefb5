"""Facts the judge asks for before it decides, beside what is followed anyway. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kubekit.rollout.reading import Container


@dataclass(frozen=True, kw_only=True)
class LogOf:
    """The log of one finished or running attempt of a container; attempts count from 0.

    The fact is its text, None where it could not be read.
    """

    pod: str
    container: str
    attempt: int


@dataclass(frozen=True, kw_only=True)
class KeysOf:
    """The keys of a Secret or ConfigMap, sorted; the fact is None where there is no such object."""

    kind: str
    name: str


@dataclass(frozen=True, kw_only=True)
class NamespaceOf:
    """Whether a namespace is there to stay, or is being deleted."""

    name: str


@dataclass(frozen=True, kw_only=True)
class NodesOf:
    """The nodes as objects; the fact is None where they may not be read."""


@dataclass(frozen=True, kw_only=True)
class ClaimOf:
    """A PersistentVolumeClaim; the fact is None where there is no such object."""

    name: str


@dataclass(frozen=True, kw_only=True)
class OpenPorts:
    """Which of these ports are answered on loopback inside a pod; None where that can't be known.

    The fact is each open port with the server time since which it was found open at every look.
    `restarts` makes the question new when a container has started again.
    """

    pod: str
    ports: tuple[int, ...]
    restarts: int = 0


@dataclass(frozen=True, kw_only=True)
class ReplyOf:
    """What a pod's own address answers on a port, asked from outside the pod.

    The fact is the server time at which it was asked, and an answer as that of `AnswerOf`.
    """

    pod: str
    port: int
    path: str = "/"
    scheme: str = "http"
    restarts: int = 0


@dataclass(frozen=True, kw_only=True)
class AnswerOf:
    """What a Service's port leads to: an HTTP status, words why nothing is reached, or None."""

    service: str
    port: int


@dataclass(frozen=True, kw_only=True)
class BalancerOf:
    """Whether a Service of type LoadBalancer has an address outside the cluster."""

    service: str


@dataclass(frozen=True, kw_only=True)
class OnHost:
    """Whether this machine's own Docker has an image that the node lacks."""

    image: str


Want = (
    LogOf
    | KeysOf
    | NamespaceOf
    | NodesOf
    | ClaimOf
    | OpenPorts
    | ReplyOf
    | AnswerOf
    | BalancerOf
    | OnHost
)
"""A fact the judge asks for before it decides; the watcher fetches it."""


def log_of(container: Container, attempt: int | None = None) -> LogOf:
    """The name of the log of an attempt, by default of the last finished one."""
    number = container.attempt if attempt is None else attempt
    return LogOf(pod=container.pod_name, container=container.name, attempt=number)
