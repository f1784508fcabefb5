"""Finders about ports: where an app listens, proved by asking inside the pod and from outside.

A port that answers on the pod's loopback while the pod's own address refuses it is bound to
loopback; one that is refused on both while another is open is the wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from kubekit.rollout.finders.hits import Finder, Hit
from kubekit.rollout.finders.probes import (
    DEFAULT_WINDOW,
    NEVER,
    WINDOW_SECONDS,
    Lately,
    Said,
    all_said,
    number_of,
    patiently,
    probe_hit,
    start_window,
)
from kubekit.rollout.reading import containers_of, declared_ports
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.wants import LogOf, OpenPorts, ReplyOf, Want, log_of

OTHER_SECONDS = 5.0
"""How long the app's own word for another port must stand while the probe's port is closed."""
QUIET_SECONDS = 15.0
"""How long if only an open port speaks for it: apps open one for metrics well before the main."""
USUAL = (80, 3000, 5000, 8000, 8001, 8080, 8443, 8888, 9000)

_REFUSED = re.compile(r"connection refused|^timeout: failed to connect service", re.IGNORECASE)
_BROKEN_OFF = re.compile(r"reset by peer|\bEOF$|malformed HTTP")
_LISTENING = re.compile(
    r"(?:running on|listening (?:on|at|for):?|serving on|started (?:server )?on):? (?:https?://)?"
    r"(?P<host>[\w.*-]*|\[[\da-f:]+\]):(?P<listens>\d{2,5})\b",
    re.IGNORECASE,
)
_ON_PORT = re.compile(
    r"(?:running|listening|serving|started)\b[^\n]*?\bport(?:\(s\))?:? (?P<listens>\d{2,5})\b",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"metric|prometheus|admin|debug|pprof|management|actuator|health|\bjmx\b|inspect",
    re.IGNORECASE,
)
_EVERYWHERE = ("", "0.0.0.0", "*", "[::]", "::")  # noqa: S104
_LOCAL = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, kw_only=True)
class _Refusal:
    """A container that refuses its probe, and what is known of its ports."""

    snapshot: Snapshot
    said: Said
    lately: Lately
    port: int

    @property
    def provable(self) -> bool:
        """Whether it is the pod that the probe asks, and the pod's own loopback."""
        asked = self.said.spec.get("httpGet") or self.said.spec.get("tcpSocket") or {}
        return not asked.get("host") and not self.said.container.pod["spec"].get("hostNetwork")

    @cached_property
    def lines(self) -> tuple[tuple[str | None, int, bool], ...]:
        """Host, port, and whether it serves something aside, of each line about listening."""
        found = []
        for line in self.snapshot.log(self.log).splitlines():
            match = _LISTENING.search(line) or _ON_PORT.search(line)
            if match:
                host = match.groupdict().get("host")
                found.append((host, int(match["listens"]), bool(_ASIDE.search(line))))
        return tuple(found)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where the app says it listens on the port the probe asks."""
        return tuple(host for host, port, _ in self.lines if host and port == self.port)

    @property
    def names_loopback(self) -> bool:
        """Whether the app itself says that it listens where the probe cannot reach it."""
        return self.provable and bool(self.hosts) and self.hosts[-1] in _LOCAL

    @property
    def ours(self) -> bool:
        """Whether this run built the image."""
        return self.said.container.spec.get("image") in self.snapshot.target.images

    @property
    def log(self) -> LogOf:
        """The log of the running attempt."""
        return log_of(self.said.container, self.said.container.restarts)

    @property
    def question(self) -> OpenPorts:
        """The ports to ask for; the probe's own, those the pod declares, and those apps like."""
        ports = {self.port, *USUAL, *(port for _, port, _ in self.lines)}
        for container in containers_of(self.said.container.pod):
            ports.update(declared_ports(container.spec))
        return OpenPorts(
            pod=self.said.container.pod_name,
            ports=tuple(sorted(ports)),
            restarts=self.said.container.restarts,
        )

    @property
    def wants(self) -> frozenset[Want]:
        """What must be known before anything is said of it."""
        # Which ports to ask for stands in the log, too.
        if not self.provable or self.names_loopback or self.log not in self.snapshot.facts:
            return frozenset({self.log})
        return frozenset({self.log, self.question})

    @property
    def opened(self) -> Mapping[int, float] | None:
        """Open port -> server time since which it is; None where that cannot be known."""
        known: Any = self.snapshot.facts.get(self.question)
        return known if self.provable else None

    def hit(self, now: float, *, since: float, field: str = "", **words: object) -> Hit:
        """A hit at its probe."""
        found = probe_hit(self.snapshot, self.said, self.lately, now, since=since, field=field)
        return replace(found, words={**found.words, **words})


def on_loopback(snapshot: Snapshot, now: float) -> Iterator[Hit]:
    """Containers whose port answers inside the pod and is refused from outside it.

    An image of others may begin with a first server on loopback alone while it fills an empty
    database (mongo, clickhouse), and its log names that place: it gets the time of a whole start.
    """
    for item in _refusals(snapshot):
        since = item.said.started + 1 if item.ours else patiently(snapshot, item.said, 0)
        if item.names_loopback:
            yield item.hit(now, since=since, host=item.hosts[-1])
        elif not item.wants <= snapshot.facts.keys():
            continue
        elif item.port in (item.opened or ()) and (reply := _refusal(item)) is not None:
            hit = item.hit(now, since=since, host=_LOCAL[0])
            yield replace(hit, wants=hit.wants | reply)


def on_another_port(snapshot: Snapshot, now: float) -> Iterator[Hit]:
    """Containers that refuse the probe's port and listen on another one."""
    for item in _refusals(snapshot):
        # Of gRPC there is often one port beside those of HTTP, and later than they are.
        if item.lately.times < 2 or not item.provable or "grpc" in item.said.spec:  # noqa: PLR2004
            continue
        if item.names_loopback or not item.wants <= snapshot.facts.keys():
            continue
        said, opened = _named(item), item.opened
        if opened is None:
            # The log may tell of others' servers, too, but not of such addresses.
            sure = [port for host, port in said if host in _EVERYWHERE]
        else:
            sure = [port for _, port in said if port in opened]
        if sure and item.port not in (opened or ()):
            since = item.lately.since
            if start_window(item.said.container) > DEFAULT_WINDOW:
                since = max(since, patiently(snapshot, item.said, OTHER_SECONDS))
            yield item.hit(now, since=since, field="port", listens=sure[-1])
        elif opened and item.port not in opened and (others := _guessed(item)):
            since = max(opened[others[-1]], item.said.started) + _longer(item)
            yield item.hit(now, since=since, field="port", listens=others[-1])


def refused(snapshot: Snapshot, now: float) -> Iterator[Hit]:
    """Containers that refuse the probe for longer than a start may take."""
    for item in _refusals(snapshot):
        # One is what every start looks like, but reason enough to look at the ports of an app that
        # is not so young any more.
        looking = item.lately.last > item.said.started and not item.wants <= snapshot.facts.keys()
        if item.port in (item.opened or ()) or (item.lately.times < 2 and not looking):  # noqa: PLR2004
            continue  # an open port: it was closed some time ago
        enough = item.lately.times > 2  # noqa: PLR2004
        since = patiently(snapshot, item.said, WINDOW_SECONDS) if enough else NEVER
        hit = item.hit(now, since=since, field="port")
        yield replace(hit, wants=hit.wants | item.wants)


def speaks_tls(times: int) -> Finder:
    """Containers that break off a plain request, and answer one over TLS."""

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for said in all_said(snapshot):
            lately = said.lately(_BROKEN_OFF)
            asked = said.spec.get("httpGet") or {}
            if lately is None or lately.times < times or not asked or asked.get("host"):
                continue
            if (asked.get("scheme") or "HTTP") != "HTTP":
                continue
            question = _reply_of(said, scheme="https")
            _, answer = snapshot.facts.get(question) or (0.0, None)
            if question in snapshot.facts and not (isinstance(answer, int) and answer):
                continue
            hit = probe_hit(snapshot, said, lately, now, since=lately.since, field="scheme")
            yield replace(hit, wants=hit.wants | {question})

    return find


def _refusals(snapshot: Snapshot) -> Iterator[_Refusal]:
    """One for each container of the template: its pods are alike, and asking takes time."""
    asked = set()
    for said in sorted(
        all_said(snapshot), key=lambda it: (it.started, it.container.pod_name, it.kind)
    ):
        spec = said.spec
        where = spec.get("httpGet") or spec.get("tcpSocket") or spec.get("grpc") or {}
        port = number_of(said.container, where.get("port"))
        lately = said.lately(_REFUSED)
        here = (said.container.name, said.kind)
        if lately and isinstance(port, int) and here not in asked:
            asked.add(here)
            yield _Refusal(snapshot=snapshot, said=said, lately=lately, port=port)


def _refusal(item: _Refusal) -> frozenset[Want] | None:
    """What proves that the port, open on loopback, is refused from outside; None if it is not.

    A refusal proves it only if it is younger than the open port: apps open their port while they
    are asked. A GET is sent only where the probe sends one, as other servers may not like it.
    """
    opened = (item.opened or {})[item.port]
    if "grpc" in item.said.spec:
        return None  # what it says is the same if the port is open and something else speaks
    if "httpGet" in item.said.spec:
        question = _reply_of(item.said)
        if question not in item.snapshot.facts:
            return frozenset({question})
        at, answer = item.snapshot.facts[question] or (0.0, None)
        if answer is not None:
            refused_now = isinstance(answer, str) and "refused" in answer and at >= opened
            return frozenset({question}) if refused_now else None
    return frozenset() if item.lately.last > opened + 1 else None


def _reply_of(said: Said, scheme: str = "") -> ReplyOf:
    asked = said.spec.get("httpGet") or {}
    return ReplyOf(
        pod=said.container.pod_name,
        port=int(str(number_of(said.container, asked.get("port")))),
        path=asked.get("path") or "/",
        scheme=scheme or (asked.get("scheme") or "HTTP").lower(),
        restarts=said.container.restarts,
    )


def _named(item: _Refusal) -> list[tuple[str | None, int]]:
    """Other ports the app says it listens on; not one it declares beside that of the probe."""
    declared = set(declared_ports(item.said.container.spec))
    beside = declared if item.port in declared else set()
    if item.port in {port for _, port, _ in item.lines}:
        return []
    return [(host, port) for host, port, aside in item.lines if port not in beside and not aside]


def _guessed(item: _Refusal) -> list[int]:
    """Open ports that may be meant: declared in place of the probe's, or by nobody.

    Not in a pod where another container can have opened them.
    """
    container, opened = item.said.container, sorted(item.opened or ())
    others = [it for it in containers_of(container.pod) if it.name != container.name]
    declared = set(declared_ports(container.spec))
    theirs = {port for other in others for port in declared_ports(other.spec)}
    aside = theirs | {port for _, port, aside in item.lines if aside}
    if item.port not in declared and (instead := [it for it in opened if it in declared - aside]):
        return instead
    if any(not it.init or it.spec.get("restartPolicy") for it in others):
        return []
    return [port for port in opened if port not in declared | aside]


def _longer(item: _Refusal) -> float:
    """By how much longer a guess must stand; where a slow start was asked for, all of that."""
    window = start_window(item.said.container)
    seconds = window if window > DEFAULT_WINDOW else QUIET_SECONDS
    return (seconds - OTHER_SECONDS) * item.snapshot.patience
