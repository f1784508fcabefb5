"""Finders about containers that run, and whose probes do not pass.

The kubelet writes an event for every failure, not only when the threshold is reached, and merges
those of the same text into one with a count. It writes 25 about a pod and is then silent for
minutes (the burst of client-go's event filter; seen with 1.34): what a probe said last may be long
over, so nothing is decided by how fresh an event is.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from kubekit.model import Object
from kubekit.rollout.finders.hits import Finder, Hit, brief, container_hit
from kubekit.rollout.reading import Container, epoch, event_count, event_start, event_time, is_about
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.wants import log_of

PROBES = {"Readiness": "readinessProbe", "Liveness": "livenessProbe", "Startup": "startupProbe"}
WINDOW_SECONDS = 30.0
"""How long any start may take, whatever the fields of its probes add up to."""

DEFAULT_WINDOW = 31.0
"""What the fields of a readiness probe add up to where none of them is given."""

NEVER = float("inf")
"""`since` of evidence that does not count yet: it only explains."""

_PROBE_EVENT = re.compile(
    r"^(Readiness|Liveness|Startup) probe (?:failed|errored)[^:]*: (?P<text>.*)", re.DOTALL
)
_REDIRECTED = re.compile(r"^(?P<kind>Readiness|Liveness|Startup) probe warning: .*redirect")
_STATUS = re.compile(r"statuscode: (\d+)")
_NO_ANSWER = re.compile(r"Client\.Timeout|deadline exceeded|timed? ?out", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Lately:
    """What a probe says by now, if it is of a certain kind.

    Attributes:
        times: how often it was said since the container started.
        since: server time since which nothing else was said.
        last: when it was said last.
    """

    text: str
    groups: Mapping[str, str | None]
    times: int
    since: float
    last: float


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one probe of a running container has said since the container started."""

    container: Container
    kind: str
    events: tuple[tuple[Object, str], ...]

    @property
    def spec(self) -> Object:
        """The probe as the pod has it."""
        return dict(self.container.spec.get(PROBES[self.kind]) or {})

    @property
    def started(self) -> float:
        """Server time at which the container started, in whole seconds."""
        return epoch((self.container.running or {}).get("startedAt"))

    def lately(self, pattern: re.Pattern[str]) -> Lately | None:
        """What it says by now, if that matches; what it said before is over.

        Times are whole seconds, so that two texts may be the newest.
        """
        newest = max(event_time(event) for event, _ in self.events)
        fitting = [(event, text) for event, text in self.events if pattern.search(text)]
        by_now = [text for event, text in fitting if event_time(event) == newest]
        match = pattern.search(max(by_now)) if by_now else None
        if match is None:
            return None
        others = (event_time(event) for event, text in self.events if not pattern.search(text))
        first = min(event_start(event) for event, _ in fitting)
        return Lately(
            text=max(by_now),
            groups=match.groupdict(),
            times=sum(self._times(event) for event, _ in fitting),
            since=max(first, self.started, *others),
            last=newest,
        )

    def _times(self, event: Object) -> int:
        """How often at most since the container started: an event goes on over a restart."""
        if event_start(event) >= self.started:
            return event_count(event)
        period = float(self.spec.get("periodSeconds", 10))
        return min(event_count(event), 1 + int((event_time(event) - self.started) / period))


def probe(
    text: str,
    *,
    times: int,
    window: float | None = None,
    asked: float | None = None,
    network: bool = False,
    command: bool = False,
    field: str = "",
) -> Finder:
    """Running containers whose probe fails with this text.

    Args:
        text: what the kubelet says of the failure; its groups fill the words.
        times: how often it must have failed.
        window: if given, the start is let run for as long as the probes' fields allow; so much of
            that is the catalogue's own `after`.
        asked: likewise, but only where these fields ask for a longer start than by default.
        network: leave out probes that run a command, which may tell of any connection.
        command: only probes that run a command.
        field: which field of what the probe asks is wrong.
    """
    pattern = re.compile(text, re.IGNORECASE)

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for said in all_said(snapshot):
            lately = said.lately(pattern)
            if lately is None or lately.times < min(times, 2):
                continue  # a single refusal is what every start looks like
            if "exec" in said.spec if network else command and "exec" not in said.spec:
                continue
            since = NEVER
            if lately.times >= times:
                since = min(lately.since, now)
                if window is not None:
                    since = patiently(snapshot, said, window)
                elif asked is not None and start_window(said.container) > DEFAULT_WINDOW:
                    since = max(since, patiently(snapshot, said, asked))
            yield probe_hit(snapshot, said, lately, now, since=since, field=field)

    return find


def probe_hit(
    snapshot: Snapshot, said: Said, lately: Lately, now: float, *, since: float, field: str
) -> Hit:
    """A hit at a probe, with what is told of any of them, and the log of the app."""
    asks = next((key for key in ("httpGet", "tcpSocket", "grpc", "exec") if key in said.spec), "")
    words = {
        **probe_words(said.kind, said.container, said.spec),
        "said": brief(lately.text),
        "running": _running(now - said.started),
        **lately.groups,
    }
    path = ".".join(filter(None, (PROBES[said.kind], *((asks, field) if field else ()))))
    wanted = log_of(said.container, said.container.restarts)
    return replace(
        container_hit(snapshot, said.container, now, words=words, field=path),
        since=since,
        log=wanted,
        wants=frozenset({wanted}),
    )


def patiently(snapshot: Snapshot, said: Said, window: float) -> float:
    """Since when evidence stands that is let stand for the whole of a start.

    As it must stand for `window` by the catalogue, what a start may take beyond that is added.
    """
    return said.started + (start_window(said.container) - window) * snapshot.patience


def worded(finder: Finder, more: Mapping[str, str]) -> Finder:
    """What the finder finds, with more words, which may name those it has."""

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for hit in finder(snapshot, now):
            told = {key: text.format_map(hit.words) for key, text in more.items()}
            yield replace(hit, words={**hit.words, **told})

    return find


def killed(kind: str, *, times: int) -> Finder:
    """Containers that the kubelet restarts because this probe fails; once is enough if it gets 404.

    Only a startup probe: to a liveness probe the app may have answered before. And only one whose
    fields ask for no long start: a server may say 404 until it has loaded its routes.
    """

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for container in snapshot.containers:
            text = f"Container {container.name} failed {kind.lower()} probe"
            events = [
                event
                for event in snapshot.events_of(container.pod_uid, "Killing")
                if text in (event.get("message") or "")
            ]
            if not events or container.ready:
                continue
            kills, last = sum(event_count(event) for event in events), event_time(events[-1])
            heard = _heard(snapshot, container, kind, last)
            spec = container.spec.get(PROBES[kind]) or {}
            short = kind == "Startup" and _budget(spec) <= DEFAULT_WINDOW
            words = {
                **probe_words(kind, container, spec),
                "kills": "once" if kills == 1 else f"{kills} times",
                "lived": _lived(container, last),
                "heard": f" gives {heard}" if heard else "",
                "budget": f"{_budget(spec):.0f} s",
            }
            hit = container_hit(snapshot, container, now, words=words, field=PROBES[kind])
            log = log_of(container, max(container.attempt, 0))
            # Our idea of the server's time may be behind, so that an event seems yet to come.
            enough = kills >= times or (short and heard == "404")
            since = min(last, now) if enough else NEVER
            yield replace(hit, since=since, log=log, wants=frozenset({log}))

    return find


def redirected(snapshot: Snapshot) -> Iterator[Mapping[str, object]]:
    """Probes answered by a redirect to another host: to the kubelet they pass."""
    told = set()
    for container in snapshot.containers:
        for event in snapshot.events_of(container.pod_uid, "ProbeWarning"):
            match = _REDIRECTED.match(event.get("message") or "")
            here = (container.name, match["kind"]) if match else None
            if match and here not in told and is_about(event, container):
                told.add(here)
                spec = container.spec.get(PROBES[match["kind"]]) or {}
                yield {
                    "container": container.name,
                    **probe_words(match["kind"], container, spec),
                }


def all_said(snapshot: Snapshot) -> Iterator[Said]:
    """What the probes of running containers that are not ready have said, if anything."""
    for container in snapshot.containers:
        if not container.running or container.ready:
            continue
        started = epoch(container.running.get("startedAt"))
        found: dict[str, list[tuple[Object, str]]] = {}
        for event in snapshot.events_of(container.pod_uid, "Unhealthy"):
            match = _PROBE_EVENT.match(event.get("message") or "")
            if match and is_about(event, container) and event_time(event) >= started:
                found.setdefault(match.group(1), []).append((event, match["text"]))
        for kind, events in found.items():
            yield Said(container=container, kind=kind, events=tuple(events))


def probe_words(kind: str, container: Container, spec: Object) -> dict[str, object]:
    """What is told of a probe; `asks` is what it asks, whatever kind it is of."""
    asked = spec.get("httpGet") or spec.get("tcpSocket") or spec.get("grpc") or {}
    port = number_of(container, asked.get("port"))
    path = (asked.get("path") or "/") if spec.get("httpGet") else ""
    if spec.get("exec"):
        asks = f"`{brief(shlex.join(spec['exec'].get('command') or ()))}`"
    else:
        asks = f"`{path}` on port {port}" if path else f"port {port}"
    if asked.get("host"):
        asks += f" of host `{asked['host']}`"
    names = [f"`{item['name']}`" for item in container.spec.get("ports") or () if "name" in item]
    return {
        "probe": kind.lower(),
        "path": path,
        "port": port,
        "asks": asks,
        "scheme": asked.get("scheme") or "HTTP",
        "names": ", ".join(names) or "no port with a name",
    }


def number_of(container: Container, port: object) -> object:
    """The number of a port that may be given by its name in the container."""
    for declared in container.spec.get("ports") or ():
        if declared.get("name") == port:
            return declared["containerPort"]
    return port


def start_window(container: Container) -> float:
    """How long a start may take by the probes' own fields, seconds; at least half a minute."""
    specs = (container.spec.get(name) for name in ("startupProbe", "readinessProbe"))
    return max(WINDOW_SECONDS, sum(_budget(spec) for spec in specs if spec))


def _budget(spec: Object) -> float:
    tries = spec.get("failureThreshold", 3) * spec.get("periodSeconds", 10)
    return float(spec.get("initialDelaySeconds", 0) + tries + spec.get("timeoutSeconds", 1))


def _running(seconds: float) -> str:
    """In steps, so that what is told while waiting does not change all the time."""
    return f"{int(seconds // 5 * 5)} s" if seconds >= 5 else "a few seconds"  # noqa: PLR2004


def _heard(snapshot: Snapshot, container: Container, kind: str, until: float) -> str:
    """What the probe got last before a kill, in short; empty where no event tells."""
    said = [
        (event_time(event), match["text"])
        for event in snapshot.events_of(container.pod_uid, "Unhealthy")
        if (match := _PROBE_EVENT.match(event.get("message") or ""))
        and match.group(1) == kind
        and is_about(event, container)
        and event_time(event) <= until
    ]
    text = max(said)[1] if said else ""
    status = _STATUS.search(text)
    if status:
        return status[1]
    if "connection refused" in text:
        return "connection refused"
    return "no answer in time" if _NO_ANSWER.search(text) else brief(text)


def _lived(container: Container, kill: float) -> str:
    """How long the attempt that was killed last had been running, in words; empty if unknown."""
    for state in (container.running or {}, container.exited or {}):
        started = epoch(state.get("startedAt"))
        if started and started < kill:
            return f", last {kill - started:.0f} s after its start"
    return ""
