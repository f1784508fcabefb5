"""Finders about containers that run, and whose probes do not pass."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

from kubekit.model import Object
from kubekit.rollout.hits import Finder, Hit, brief, container_hit
from kubekit.rollout.reading import Container, epoch, event_count, event_time
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.wants import log_of

PROBES = {"Readiness": "readinessProbe", "Liveness": "livenessProbe", "Startup": "startupProbe"}
_PROBE_EVENT = re.compile(
    r"^(Readiness|Liveness|Startup) probe (?:failed|errored)[^:]*: (?P<text>.*)", re.DOTALL
)


def probe(
    text: str,
    *,
    times: int,
    seconds: float,
    window: bool = False,
    network: bool = False,
    field: str = "",
) -> Finder:
    """Running containers whose probe fails with this text.

    Args:
        text: what the kubelet says of the failure; its groups fill the words.
        times: how often it must have failed.
        seconds: how long the container must have run.
        window: also let the probe's own patience pass, computed from its fields.
        network: leave out probes that run a command, which may tell of any connection.
        field: which field of the probe is wrong.
    """
    pattern = re.compile(text, re.IGNORECASE)

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for container, kind, event, said in _probe_events(snapshot):
            match = pattern.search(said)
            if match is None or event_count(event) < min(times, 2):
                continue  # a single refusal is what every start looks like
            started = epoch((container.running or {}).get("startedAt"))
            spec = container.spec.get(PROBES[kind]) or {}
            if network and spec.get("exec"):
                continue
            patience = max(seconds, _window(container) if window else 0.0)
            enough = event_count(event) >= times and now - started >= patience
            words = {
                **_probe_words(kind, container, spec),
                "said": brief(said),
                **match.groupdict(),
            }
            hit = container_hit(
                snapshot, container, now, words=words, field=f"{PROBES[kind]}.{field}".strip(".")
            )
            wanted = log_of(container, container.restarts)
            yield replace(
                hit,
                since=started + patience if enough else float("inf"),
                log=wanted,
                wants=frozenset({wanted}),
            )

    return find


def refused_but_listening(pattern: str, *, loopback: bool) -> Finder:
    """Containers that refuse the probe while their log names where they listen instead.

    `pattern` has the groups ``host`` and ``listens``, the port.
    """
    listening = re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    refused = probe(
        "connection refused",
        times=2,
        seconds=2.0,
        network=True,
        field="" if loopback else "httpGet.port",
    )

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for hit in refused(snapshot, now):
            match = listening.search(snapshot.log(hit.log)) if hit.log else None
            if match is None:
                continue
            local = match["host"] in ("127.0.0.1", "localhost", "[::1]")
            port = match["listens"] != str(hit.words["port"])
            if (local and loopback) or (port and not loopback):
                yield replace(hit, words={**hit.words, **match.groupdict()})

    return find


def killed(kind: str, *, times: int) -> Finder:
    """Containers that the kubelet restarts because this probe fails."""

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for container in snapshot.containers:
            said = f"Container {container.name} failed {kind.lower()} probe"
            events = [
                event
                for event in snapshot.events_of(container.pod_uid, "Killing")
                if said in (event.get("message") or "")
            ]
            kills = sum(event_count(event) for event in events)
            if kills and not container.ready:
                spec = container.spec.get(PROBES[kind]) or {}
                words = {**_probe_words(kind, container, spec), "kills": kills}
                hit = container_hit(snapshot, container, now, words=words, field=PROBES[kind])
                since = event_time(events[-1]) if kills >= times else float("inf")
                yield replace(hit, since=since, log=log_of(container))

    return find


def _probe_events(snapshot: Snapshot) -> Iterator[tuple[Container, str, Object, str]]:
    """What each probe of a running container said last: what it said before is over."""
    for container in snapshot.containers:
        if not container.running or container.ready:
            continue
        started = epoch(container.running.get("startedAt"))
        said = [
            (match.group(1), event, match["text"])
            for event in snapshot.events_of(container.pod_uid, "Unhealthy")
            if (match := _PROBE_EVENT.match(event.get("message") or ""))
            and f"{{{container.name}}}"
            in ((event.get("involvedObject") or {}).get("fieldPath") or "")
            and event_time(event) >= started
        ]
        newest = {kind: event_time(event) for kind, event, _ in said}
        for kind, event, text in said:
            if event_time(event) == newest[kind]:  # whole seconds: there may be two
                yield container, kind, event, text


def _probe_words(kind: str, container: Container, spec: Object) -> dict[str, object]:
    """What is told of a probe; `asks` is what it asks, whatever kind it is of."""
    http = spec.get("httpGet") or spec.get("tcpSocket") or spec.get("grpc") or {}
    port = http.get("port")
    for declared in container.spec.get("ports") or ():
        if declared.get("name") == port:
            port = declared["containerPort"]
    path = (http.get("path") or "/") if spec.get("httpGet") else ""
    if spec.get("exec"):
        asks = f"`{brief(shlex.join(spec['exec'].get('command') or ()))}`"
    else:
        asks = f"`{path}` on port {port}" if path else f"port {port}"
    return {"probe": kind.lower(), "path": path, "port": port, "asks": asks}


def _window(container: Container) -> float:
    """How long a start may take by the probes' own fields, seconds; at least 30."""
    total = 0.0
    for name in ("startupProbe", "readinessProbe"):
        spec = container.spec.get(name)
        if spec:
            tries = spec.get("failureThreshold", 3) * spec.get("periodSeconds", 10)
            total += spec.get("initialDelaySeconds", 0) + tries + spec.get("timeoutSeconds", 1)
    return max(30.0, total)
