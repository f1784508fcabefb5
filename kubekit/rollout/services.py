"""Whether a Service leads to the pods that are ready: a proof of its own after the rollout. Pure.

A Deployment can be Ready while its Service selects nothing, names a port that no container has, or
sends to a port where nothing listens; no wait that looks at the Deployment alone sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from kubekit.model import Object
from kubekit.rollout.catalogue import CAUSES
from kubekit.rollout.reading import containers_of
from kubekit.rollout.verdict import FAILED, READY, WAITING, Finding, Verdict
from kubekit.rollout.wants import AnswerOf, Want

_NAME = "kubernetes.io/service-name"
_PROBES = ("readinessProbe", "startupProbe", "livenessProbe")


@dataclass(frozen=True, kw_only=True)
class Way:
    """A Service and all that tells where it leads to, once the workloads are ready.

    Attributes:
        slices: the EndpointSlices of its namespace.
        pods: the ready pods of this apply.
        ready_since: server time since which all workloads of the apply are ready.
        facts: answers to what was asked for; see `wants`.
    """

    service: Object
    slices: tuple[Object, ...]
    pods: tuple[Object, ...]
    ready_since: float
    facts: Mapping[Want, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The Service's name."""
        return str(self.service["metadata"]["name"])

    @property
    def own_slices(self) -> tuple[Object, ...]:
        """The EndpointSlices of this Service."""
        return tuple(
            item
            for item in self.slices
            if (item["metadata"].get("labels") or {}).get(_NAME) == self.name
        )


@dataclass(frozen=True, kw_only=True)
class _Bar:
    """What a doubt is measured by: the time, how patient, and what may be as it is."""

    now: float
    patience: float
    tolerate: AbstractSet[str]


def leads(
    way: Way, now: float, patience: float = 1.0, tolerate: AbstractSet[str] = frozenset()
) -> Verdict:
    """Whether the Service leads anywhere, at `now` in the API server's time, seconds."""
    bar = _Bar(now=now, patience=patience, tolerate=tolerate)
    spec = way.service["spec"]
    if not spec.get("selector") or spec.get("type") == "ExternalName":
        return Verdict(state=READY, text="it selects no pods by itself")
    endpoints = [item for one in way.own_slices for item in one.get("endpoints") or ()]
    if not any((item.get("conditions") or {}).get("ready") is not False for item in endpoints):
        if not way.pods:  # scaled to 0, or a Job that is over
            return Verdict(state=READY, text="there is no pod to lead to")
        words = {"selector": _written(spec["selector"]), "nearest": _nearest(way)}
        return _late(way, bar, "service-selects-nothing", ("spec", "selector"), words)
    for number, port in enumerate(spec.get("ports") or ()):
        verdict = _port(way, port, number, bar)
        if verdict is not None:
            return verdict
    count = len(endpoints)
    return Verdict(state=READY, text=f"leads to {count} pod{'' if count == 1 else 's'}")


def strangers(way: Way) -> tuple[str, ...]:
    """Pods of others that the Service leads to beside those of this apply, as people write them."""
    ours = {pod["metadata"]["uid"] for pod in way.pods}
    found = {
        f"Pod/{target['name']}"
        for one in way.own_slices
        for item in one.get("endpoints") or ()
        if (target := item.get("targetRef") or {}).get("kind") == "Pod"
        and target.get("uid") not in ours
        and (item.get("conditions") or {}).get("ready") is not False
    }
    return tuple(sorted(found)) if ours else ()


def _port(way: Way, port: Object, index: int, bar: _Bar) -> Verdict | None:
    """Why this port of the Service leads nowhere; None if it does."""
    wanted = port.get("targetPort", port["port"])
    words = {"port": port["port"], "target": wanted}
    place = ("spec", "ports", index, "targetPort")
    numbers = {
        slot["port"]
        for one in way.own_slices
        for slot in one.get("ports") or ()
        if (slot.get("name") or "") == (port.get("name") or "") and slot.get("port")
    }
    if not numbers:
        said = f"no container has a port of the name `{wanted}`"
        return _late(way, bar, "service-wrong-port", place, {**words, "said": said})
    if port.get("protocol", "TCP") != "TCP" or numbers <= set(_probed(way)):
        return None
    asked = AnswerOf(service=way.name, port=port["port"])
    if asked not in way.facts:
        text = f"asking whether port {port['port']} leads to the app"
        return Verdict(state=WAITING, text=text, wants=frozenset({asked}))
    answer = way.facts[asked]
    if not isinstance(answer, str):
        return None
    return _late(way, bar, "service-wrong-port", place, {**words, "said": answer})


def _probed(way: Way) -> Iterator[int]:
    """Ports of the ready pods that a passing probe has reached from outside the pod."""
    for pod in way.pods:
        for container in containers_of(pod):
            names = {port.get("name"): port["containerPort"] for port in _ports(container.spec)}
            for probe in (container.spec.get(key) or {} for key in _PROBES):
                asks = probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}
                port = names.get(asks.get("port"), asks.get("port"))
                if isinstance(port, int):
                    yield port


def _ports(container: Object) -> list[Object]:
    return list(container.get("ports") or ())


def _late(
    way: Way,
    bar: _Bar,
    cause_id: str,
    place: tuple[str | int, ...],
    words: Mapping[str, object],
) -> Verdict:
    """Told at once and decided a little later: endpoints follow the pods, but not at once."""
    cause = CAUSES[cause_id]
    known = {"name": way.name, **words}
    finding = Finding(
        id=cause.id,
        exit_code=cause.exit_code,
        cause=cause.cause.format_map(known),
        fix=cause.fix.format_map(known),
        where=f"Service/{way.name}",
        field=place,
    )
    if cause.id in bar.tolerate:
        return Verdict(state=READY, text=finding.cause)
    due = bar.now - way.ready_since >= cause.after * bar.patience
    return Verdict(state=FAILED if due else WAITING, text=finding.cause, finding=finding)


def _written(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _nearest(way: Way) -> str:
    """The labels of the pod that comes nearest to the selector, as far as it asks for them."""
    selector = way.service["spec"]["selector"]

    def matching(pod: Object) -> int:
        labels = pod["metadata"].get("labels") or {}
        return sum(labels.get(key) == value for key, value in selector.items())

    pod = max(way.pods, key=matching)
    labels = pod["metadata"].get("labels") or {}
    has = {key: labels[key] for key in selector if key in labels} or labels
    return f"Pod/{pod['metadata']['name']} has {_written(has)}"
