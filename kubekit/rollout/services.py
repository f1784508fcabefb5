"""Whether a Service leads to the pods that are ready: a proof of its own after the rollout. Pure.

A Deployment can be Ready while its Service selects nothing, names a port that no container has, or
sends to a port where nothing listens; no wait that looks at the Deployment alone sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from kubekit.model import Object
from kubekit.rollout.catalogue import CAUSES
from kubekit.rollout.finders.hits import Hit
from kubekit.rollout.finders.ports import QUIET_SECONDS, USUAL
from kubekit.rollout.finders.probes import WINDOW_SECONDS, number_of
from kubekit.rollout.reading import containers_of, declared_ports
from kubekit.rollout.verdict import FAILED, READY, WAITING, Verdict
from kubekit.rollout.wants import AnswerOf, OpenPorts, Want

_NAME = "kubernetes.io/service-name"
_PROBES = ("readinessProbe", "startupProbe")
# Of no answer at all nothing follows: an app may take its time, or wait for the client to speak.
_REFUSED = re.compile(r"(?:connection )?refused|no endpoints available|no route to host")
_HTTP = re.compile(r"(?:http|web|www)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Way:
    """A Service and all that tells where it leads to, once the workloads are ready.

    Attributes:
        slices: the EndpointSlices of its namespace.
        pods: the ready pods of this apply.
        labels: those of the pods of every workload of this apply, Jobs included.
        ours: uids of all pods of these workloads.
        foreign: whether the apply brings kinds that are not Kubernetes' own, so that an operator
            may make pods which no workload of it tells of.
        ready_since: server time since which all workloads of the apply are ready.
        facts: answers to what was asked for; see `wants`.
    """

    service: Object
    slices: tuple[Object, ...]
    pods: tuple[Object, ...]
    labels: tuple[Mapping[str, str], ...] = ()
    ours: frozenset[str] = frozenset()
    foreign: bool = False
    ready_since: float
    facts: Mapping[Want, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The Service's name."""
        return str(self.service["metadata"]["name"])

    @property
    def selector(self) -> Mapping[str, str]:
        """The labels it asks for."""
        return self.service["spec"].get("selector") or {}

    @property
    def own_slices(self) -> tuple[Object, ...]:
        """The EndpointSlices of this Service."""
        return tuple(
            item
            for item in self.slices
            if (item["metadata"].get("labels") or {}).get(_NAME) == self.name
        )

    @property
    def endpoints(self) -> tuple[Object, ...]:
        """The endpoints of this Service, ready or not."""
        return tuple(item for one in self.own_slices for item in one.get("endpoints") or ())

    @property
    def selected(self) -> tuple[Object, ...]:
        """Those of our ready pods that it asks for, by name."""
        found = (pod for pod in self.pods if self.asks_for(pod["metadata"].get("labels") or {}))
        return tuple(sorted(found, key=lambda pod: str(pod["metadata"]["name"])))

    def asks_for(self, labels: Mapping[str, str]) -> bool:
        """Whether a pod with these labels is one of those it selects."""
        return self.selector.items() <= labels.items()


@dataclass(frozen=True, kw_only=True)
class _Bar:
    """What a doubt is measured by: the time, how patient, and what may be as it is."""

    now: float
    patience: float
    tolerate: AbstractSet[str]


def leads(
    way: Way, now: float, patience: float = 1.0, tolerate: AbstractSet[str] = frozenset()
) -> Verdict:
    """Whether the Service leads anywhere, at `now` in the API server's time, seconds.

    A verdict that is ready and has a finding is to be told of, and no failure.
    """
    bar = _Bar(now=now, patience=patience, tolerate=tolerate)
    spec = way.service["spec"]
    if not way.selector or spec.get("type") == "ExternalName":
        return Verdict(state=READY, text="it selects no pods by itself")
    if not any(_is_ready(item) for item in way.endpoints):
        return _nowhere(way, bar)
    # What has no address of its own tells its pods' addresses; the port is for others to know.
    ports = () if spec.get("clusterIP") == "None" else spec.get("ports") or ()
    count = sum(map(_is_ready, way.endpoints))
    found = [_port(way, port, number, bar) for number, port in enumerate(ports)]
    doubts = [verdict for verdict in found if verdict is not None]
    told = Verdict(state=READY, text=f"leads to {count} pod{'' if count == 1 else 's'}")
    waiting = [verdict for verdict in doubts if verdict.state == WAITING]
    if waiting:
        return max(waiting, key=lambda verdict: bool(verdict.wants))
    if None in found and doubts:
        # What it leads to by another port is in use: this one, of a debugger or so, may not be.
        return replace(doubts[0], state=READY)
    return min((told, *doubts), key=lambda verdict: (verdict.state != FAILED, not verdict.finding))


def strangers(way: Way) -> tuple[str, ...]:
    """Pods of others that the Service leads to beside those of this apply, as people write them."""
    ready = [
        item.get("targetRef") or {}
        for item in way.endpoints
        if _is_ready(item) and (item.get("targetRef") or {}).get("kind") == "Pod"
    ]
    others = {f"Pod/{target['name']}" for target in ready if target.get("uid") not in way.ours}
    return tuple(sorted(others)) if len(others) < len(ready) else ()


def labels_of(live: Object) -> Mapping[str, str]:
    """The labels of the pods that a workload makes, empty where it makes none."""
    if live.get("kind") == "Pod":
        return live["metadata"].get("labels") or {}
    spec = live.get("spec") or {}
    spec = (spec.get("jobTemplate") or {}).get("spec") or spec
    return ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}


def is_foreign(live: Object) -> bool:
    """Whether the kind is not Kubernetes' own, by its API group."""
    group = str(live.get("apiVersion")).rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


def _is_ready(endpoint: Object) -> bool:
    return (endpoint.get("conditions") or {}).get("ready") is not False


def _nowhere(way: Way, bar: _Bar) -> Verdict:
    """Why no endpoint is ready, though all workloads are."""
    if way.selected:
        return Verdict(state=WAITING, text="its endpoints have not followed the pods yet")
    if not way.pods or way.endpoints or any(way.asks_for(labels) for labels in way.labels):
        # Scaled to 0, a Job, or pods of others that are not ready.
        return Verdict(state=READY, text="there is no pod to lead to now")
    words = {"selector": _written(way.selector), "nearest": _nearest(way)}
    verdict = _late(way, bar, "service-selects-nothing", ("spec", "selector"), words)
    if _is_meant(way):
        return verdict
    return Verdict(state=READY, text=verdict.text, finding=verdict.finding)


def _is_meant(way: Way) -> bool:
    """Whether a selector that matches nothing is meant for our pods, and not for those of others.

    A key such as `app` alone tells nothing where an operator may bring pods of its own.
    """
    values = {value for labels in way.labels for value in labels.values()}
    keys = {key for labels in way.labels for key in labels}
    if not values.isdisjoint(way.selector.values()):
        return True
    return not way.foreign and not keys.isdisjoint(way.selector)


def _port(way: Way, port: Object, index: int, bar: _Bar) -> Verdict | None:
    """Why this port of the Service leads nowhere; None if it does."""
    wanted, protocol = port.get("targetPort", port["port"]), port.get("protocol", "TCP")
    place = ("spec", "ports", index, "targetPort")
    numbers = {
        slot["port"]
        for one in way.own_slices
        if any(_is_ready(item) for item in one.get("endpoints") or ())
        for slot in one.get("ports") or ()
        if (slot.get("name") or "") == (port.get("name") or "") and slot.get("port")
    }
    if not numbers:
        said = f"no container has a {protocol} port of the name `{wanted}`"
        words = {"port": port["port"], "target": wanted, "said": said}
        return _late(way, bar, "service-wrong-port", place, words)
    if protocol != "TCP" or not way.selected or numbers <= set(_reached(way.selected)):
        return None
    return _unreached(way, port, numbers, place, bar)


def _unreached(
    way: Way,
    port: Object,
    numbers: AbstractSet[int],
    place: tuple[str | int, ...],
    bar: _Bar,
) -> Verdict | None:
    """Why this port, which no probe has reached, leads nowhere; None if it does."""
    asked = AnswerOf(service=way.name, port=port["port"])
    look = _look(way, min(numbers))
    if not _speaks_http(way, port, numbers):
        # A server of another protocol may not like a GET: it is sent where nothing listens.
        if look not in way.facts:
            return _asking(f"where the app behind port {port['port']} listens", look)
        if way.facts[look] is None or min(numbers) in way.facts[look]:
            return None
    if asked not in way.facts:
        return _asking(f"whether port {port['port']} leads to the app", asked)
    refusal = _REFUSED.search(str(way.facts[asked]))
    if refusal is None:
        return None
    target = port.get("targetPort", port["port"])
    words = {"port": port["port"], "target": target, "said": refusal[0]}
    return _refused(way, bar, place, min(numbers), words)


def _asking(what: str, want: Want) -> Verdict:
    return Verdict(state=WAITING, text=f"asking {what}", wants=frozenset({want}))


def _look(way: Way, number: int) -> OpenPorts:
    """The ports to ask for: the Service's own, those the pod declares, and those apps like."""
    containers = (it.spec for it in containers_of(way.selected[0]) if not it.init)
    slots = (port for spec in containers for port in declared_ports(spec))
    return OpenPorts(
        pod=str(way.selected[0]["metadata"]["name"]),
        ports=tuple(sorted({number, *USUAL, *slots})),
    )


def _speaks_http(way: Way, port: Object, numbers: AbstractSet[int]) -> bool:
    """Whether the port is one of HTTP, as its Service, the pod or a probe of it says."""
    if port.get("appProtocol"):
        return bool(_HTTP.match(port["appProtocol"]))
    names = [port.get("name") or ""]
    for container in containers_of(way.selected[0]):
        slots = container.spec.get("ports") or ()
        names += [slot.get("name") or "" for slot in slots if slot["containerPort"] in numbers]
        for key in (*_PROBES, "livenessProbe"):
            asks = (container.spec.get(key) or {}).get("httpGet") or {}
            if number_of(container, asks.get("port")) in numbers:
                return True
    return any(map(_HTTP.match, names))


def _refused(
    way: Way, bar: _Bar, place: tuple[str | int, ...], number: int, words: Mapping[str, object]
) -> Verdict:
    """What follows from a refusal: of an app that never said it is ready, only what is proved."""
    containers = [it for it in containers_of(way.selected[0]) if not it.init]
    asked = _look(way, number)
    if asked not in way.facts:
        return _asking(f"where the app behind port {words['port']} listens", asked)
    opened: Mapping[int, float] = way.facts[asked] or {}
    ready = any(key in it.spec for it in containers for key in _PROBES)
    since, said = 0.0, str(words["said"])
    if number in opened:
        found = {"container": containers[0].spec["name"], "host": "127.0.0.1"}
        stands = opened[number] + CAUSES["service-wrong-port"].after * bar.patience
        return _late(way, bar, "listens-on-loopback", place, found, stands)
    if opened:
        said = f"the app listens on {', '.join(str(port) for port in sorted(opened))}"
        since = 0.0 if ready else max(opened.values()) + _longer(bar)
    late = _late(way, bar, "service-wrong-port", place, {**words, "said": said}, since)
    if opened or ready:
        return late
    # It may be starting still: no probe tells when it is up.
    over = bar.now - way.ready_since >= WINDOW_SECONDS * bar.patience
    return Verdict(state=READY if over else WAITING, text=late.text, finding=late.finding)


def _longer(bar: _Bar) -> float:
    """By how much longer an open port must stand that alone speaks for it."""
    return (QUIET_SECONDS - CAUSES["service-wrong-port"].after) * bar.patience


def _reached(pods: tuple[Object, ...]) -> Iterator[int]:
    """Ports of the ready pods that a passing probe has reached from outside the pod."""
    for container in (it for pod in pods for it in containers_of(pod)):
        for probe in (container.spec.get(key) or {} for key in _PROBES):
            asks = probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}
            port = number_of(container, asks.get("port"))
            if isinstance(port, int) and not asks.get("host"):
                yield port


def _late(
    way: Way,
    bar: _Bar,
    cause_id: str,
    place: tuple[str | int, ...],
    words: Mapping[str, object],
    since: float = 0.0,
) -> Verdict:
    """Told at once and decided a little later: endpoints follow the pods, but not at once."""
    cause = CAUSES[cause_id]
    known = {"name": way.name, **words}
    finding = cause.finding(Hit(where=f"Service/{way.name}", since=since, words=known, field=place))
    if cause.id in bar.tolerate:
        return Verdict(state=READY, text=finding.cause, finding=finding)
    due = bar.now - max(way.ready_since, since) >= cause.after * bar.patience
    return Verdict(state=FAILED if due else WAITING, text=finding.cause, finding=finding)


def _written(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _nearest(way: Way) -> str:
    """The labels of the pod that comes nearest to the selector, as far as it asks for them."""

    def nearness(pod: Object) -> tuple[int, str]:
        labels = pod["metadata"].get("labels") or {}
        matching = sum(labels.get(key) == value for key, value in way.selector.items())
        return -matching, str(pod["metadata"]["name"])

    pod = min(way.pods, key=nearness)
    labels = pod["metadata"].get("labels") or {}
    has = {key: labels[key] for key in way.selector if key in labels} or labels
    return f"Pod/{pod['metadata']['name']} has {_written(has)}"
