"""How evidence for a cause is looked for in a snapshot: the building blocks of the catalogue.

A finder takes the snapshot and the server's time and yields a hit for each place it finds evidence
in. What a hit found is put into the words of the cause and its fix.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from kubekit.model import Object
from kubekit.rollout.snapshot import (
    Container,
    KeysOf,
    LogOf,
    Snapshot,
    Want,
    condition,
    epoch,
    event_count,
    event_start,
    event_time,
)

PROBES = {"Readiness": "readinessProbe", "Liveness": "livenessProbe", "Startup": "startupProbe"}
_PROBE_EVENT = re.compile(
    r"^(Readiness|Liveness|Startup) probe (?:failed|errored)[^:]*: (?P<text>.*)", re.DOTALL
)
_QUICK_SECONDS = 5.0
_LONGEST = 600
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*": ErrImagePull: ')
_NOISE = re.compile(r"0x[0-9a-f]+|\d+")


@dataclass(frozen=True, kw_only=True)
class Hit:
    """Evidence for a cause.

    Attributes:
        where: the object, as people write it.
        since: server time since which the evidence stands.
        words: what fills the texts of the cause.
        log: the log that shows it, if one does.
        wants: facts to fetch before the verdict.
        field: where in the Deployment the fix belongs.
    """

    where: str
    since: float
    words: Mapping[str, object] = field(default_factory=dict)
    log: LogOf | None = None
    wants: frozenset[Want] = frozenset()
    field: tuple[str | int, ...] = ()


Finder = Callable[[Snapshot, float], Iterator[Hit]]


def waiting(*reasons: str, text: str = "", field: str = "image") -> Finder:
    """Containers that wait for one of these reasons, their message matching `text`."""
    pattern = re.compile(text, re.IGNORECASE | re.DOTALL)

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for container in snapshot.containers:
            state = container.waiting or {}
            match = pattern.search(state.get("message") or "")
            if state.get("reason") in reasons and match:
                words = {"message": _brief(state.get("message") or ""), **match.groupdict()}
                yield container_hit(snapshot, container, now, words=words, field=field)

    return find


def config_missing(kind: str, *, text: str) -> Finder:
    """Containers that wait for a Secret or ConfigMap (or a key of one) that is really not there.

    `text` has the groups ``name`` and, for a missing key, ``key``. Whether the object exists is a
    fact of its own: the kubelet's word may be older than an object this very run has made.
    """
    base = waiting("CreateContainerConfigError", text=text, field="")

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for found in (*base(snapshot, now), *_mounts(snapshot, text)):
            wanted = KeysOf(kind=kind, name=str(found.words["name"]).rpartition("/")[2])
            key = found.words.get("key")
            hit = replace(found, field=_reference(snapshot, found.field, kind, wanted.name, key))
            if wanted in snapshot.configs:
                keys = snapshot.configs[wanted]
                if (keys is not None and key is None) or (keys and key in keys):
                    continue  # it has arrived meanwhile; the kubelet will try again
            keys = snapshot.configs.get(wanted) or ()
            words = {**hit.words, "name": wanted.name, "keys": ", ".join(keys) or "none"}
            yield replace(hit, words=words, wants=frozenset({wanted}))

    return find


_REFERENCES = {
    "Secret": ("secretRef", "secretKeyRef", "secretName"),
    "ConfigMap": ("configMapRef", "configMapKeyRef", "configMap"),
}


def _reference(
    snapshot: Snapshot, start: tuple[str | int, ...], kind: str, name: str, key: object
) -> tuple[str | int, ...]:
    """Where below `start` the Deployment names this Secret or ConfigMap (and this key of it)."""
    for path, node in _walk(snapshot.target.template, ("spec", "template")):
        if path[: len(start)] != start or not any(step in _REFERENCES[kind] for step in path):
            continue
        if key is None and node == name:
            return path
        if key is not None and path[-1] == "key" and node == key:
            return path
    return start


def _walk(
    node: object, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], object]]:
    yield path, node
    if isinstance(node, Mapping):
        for step, value in node.items():
            yield from _walk(value, (*path, step))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _walk(value, (*path, index))


def _mounts(snapshot: Snapshot, text: str) -> Iterator[Hit]:
    pattern = re.compile(text, re.IGNORECASE)
    for pod in snapshot.new_pods:
        for event in snapshot.events_of(pod["metadata"]["uid"], "FailedMount"):
            match = pattern.search(event.get("message") or "")
            if match and not _has_started(pod):
                yield Hit(
                    where=f"Pod/{pod['metadata']['name']}",
                    since=event_start(event),
                    words={"container": "", **match.groupdict()},
                    field=("spec", "template", "spec", "volumes"),
                )


def _has_started(pod: Object) -> bool:
    return any(
        "running" in (status.get("state") or {})
        for status in (pod.get("status") or {}).get("containerStatuses") or ()
    )


def crashed(
    *,
    restarts: int,
    code: Iterable[int] = (),
    reason: str = "",
    log: str = "",
    quick: bool = True,
    field: str = "command",
) -> Finder:
    """Containers that exited so often; with `quick`, twice alike within seconds is enough.

    Args:
        restarts: how many restarts must have happened.
        code: exit codes that count, all when empty.
        reason: the runtime's reason for the end, such as OOMKilled.
        log: a pattern the last attempt's log must match; its groups fill the words.
        quick: two quick exits with the same code and the same last line decide at once.
        field: which field of the container is to be looked at.
    """
    codes = frozenset(code)
    pattern = re.compile(log, re.IGNORECASE | re.MULTILINE)

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for container in snapshot.containers:
            end = container.exited
            if end is None or container.ready or _was_killed_by_probe(snapshot, container):
                continue
            if container.init and end.get("exitCode") == 0:
                continue
            if (codes and end.get("exitCode") not in codes) or reason not in (
                end.get("reason") or ""
            ):
                continue
            match = pattern.search(snapshot.logs.get(container.log()) or "")
            if log and match is None and container.log() in snapshot.logs:
                continue  # read, or not to be read: no evidence either way
            yield _crash_hit(
                snapshot,
                container,
                now,
                due=restarts,
                quick=quick,
                field=field,
                groups=match.groupdict() if match else {},
            )

    return find


def _crash_hit(
    snapshot: Snapshot,
    container: Container,
    now: float,
    *,
    due: int,
    quick: bool,
    field: str,
    groups: Mapping[str, str],
) -> Hit:
    end = container.exited or {}
    enough = container.restarts >= due or (quick and _alike_twice(snapshot, container))
    last = container.log()
    wants = frozenset({last, *((container.log(0),) if container.attempt == 0 else ())})
    words = {
        "code": end.get("exitCode"),
        "restarts": container.restarts,
        "last": _last_words(snapshot.logs.get(last)),
        **_memory(container),
        **groups,
    }
    since = epoch(end.get("finishedAt")) if enough else float("inf")
    hit = container_hit(snapshot, container, now, words=words, field=field)
    return replace(hit, since=since, log=last, wants=wants)


def _last_words(log: str | None) -> str:
    if log is None:
        return "its log could not be read"
    return last_line(log) or "it wrote no log"


def _alike_twice(snapshot: Snapshot, container: Container) -> bool:
    if container.attempt < 1:
        return False
    first = snapshot.logs.get(container.log(container.attempt - 1))
    second = snapshot.logs.get(container.log())
    if first is None or second is None:
        return False
    end = container.exited or {}
    lasted = epoch(end.get("finishedAt")) - epoch(end.get("startedAt"))
    same = _NOISE.sub("#", last_line(first)) == _NOISE.sub("#", last_line(second))
    return same and lasted < _QUICK_SECONDS


def _was_killed_by_probe(snapshot: Snapshot, container: Container) -> bool:
    return any(
        f"Container {container.name} failed" in (event.get("message") or "")
        for event in snapshot.events_of(container.pod_uid, "Killing")
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
                "said": _brief(said),
                **match.groupdict(),
            }
            hit = container_hit(
                snapshot, container, now, words=words, field=f"{PROBES[kind]}.{field}".strip(".")
            )
            wanted = container.log(container.restarts)
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
            match = listening.search(snapshot.logs.get(hit.log) or "") if hit.log else None
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
                yield replace(hit, since=since, log=container.log())

    return find


def unschedulable(text: str, *, field: str = "containers.0.resources.requests") -> Finder:
    """Pods no node takes, the scheduler's message matching `text`."""
    pattern = re.compile(text, re.IGNORECASE)

    def find(snapshot: Snapshot, _now: float) -> Iterator[Hit]:
        for pod in snapshot.new_pods:
            state = condition(pod, "PodScheduled")
            message = state.get("message") or ""
            match = pattern.search(message)
            if state.get("reason") == "Unschedulable" and match:
                yield Hit(
                    where=f"Pod/{pod['metadata']['name']}",
                    since=epoch(state.get("lastTransitionTime")),
                    words={"message": _brief(message), "asked": _asked(pod), **match.groupdict()},
                    field=_pod_field(field),
                )

    return find


def not_created(text: str, *, field: str = "") -> Finder:
    """ReplicaSets whose pods the API server refuses, the refusal matching `text`."""
    pattern = re.compile(text, re.IGNORECASE | re.DOTALL)

    def find(snapshot: Snapshot, _now: float) -> Iterator[Hit]:
        state = condition(snapshot.new_set, "ReplicaFailure")
        match = pattern.search(state.get("message") or "")
        if snapshot.new_set and state.get("status") == "True" and match:
            yield Hit(
                where=f"ReplicaSet/{snapshot.new_set['metadata']['name']}",
                since=epoch(state.get("lastTransitionTime")),
                words={"message": _refusal(state["message"]), **match.groupdict()},
                field=_pod_field(field),
            )

    return find


def container_hit(
    snapshot: Snapshot, container: Container, now: float, *, words: Mapping[str, object], field: str
) -> Hit:
    """A hit at a container, since it was first seen waiting for its present reason."""
    reason = (container.waiting or {}).get("reason") or ""
    group = "initContainers" if container.init else "containers"
    index = [spec["name"] for spec in container.pod["spec"][group]].index(container.name)
    return Hit(
        where=f"Pod/{container.pod_name}",
        since=snapshot.seen.get((container.pod_uid, container.name, reason), now),
        words={"container": container.name, "image": container.spec.get("image"), **words},
        field=_pod_field(f"{group}.{index}.{field}"),
    )


def _pod_field(path: str) -> tuple[str | int, ...]:
    """A field of the pod's template, its steps divided by dots."""
    steps = [int(step) if step.isdigit() else step for step in path.split(".") if step]
    return ("spec", "template", "spec", *steps)


def last_line(log: str) -> str:
    """The line that says most of a log: a traceback's exception, else the last one."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for line in reversed(lines):
        if re.match(r"^([\w.]+(Error|Exception|Exit|Interrupt|Warning)\b|[\w.]+: )", line):
            return line
    return lines[-1] if lines else ""


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
        asks = f"`{_brief(shlex.join(spec['exec'].get('command') or ()))}`"
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


def _memory(container: Container) -> dict[str, object]:
    """What a container that was killed for its memory could have had, and how to give it more."""
    limit = ((container.spec.get("resources") or {}).get("limits") or {}).get("memory")
    if limit is None:
        return {"allowed": "the node has left", "more": "give Minikube more memory"}
    return {"allowed": f"its limit of {limit}", "more": "raise `resources.limits.memory`"}


def _asked(pod: Object) -> str:
    requests = [
        f"{key} {value}"
        for container in pod["spec"]["containers"]
        for key, value in ((container.get("resources") or {}).get("requests") or {}).items()
    ]
    return ", ".join(requests) or "nothing in particular"


def _refusal(message: str) -> str:
    _, _, reason = message.partition("is forbidden: ")
    return _brief(reason or message)


def _brief(text: str) -> str:
    """One line of it, the same for a try and for the back-off after it."""
    line = _BACK_OFF.sub("", " ".join(text.split()))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."
