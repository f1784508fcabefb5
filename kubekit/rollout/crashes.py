"""Finders about containers that exit, again and again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from kubekit.rollout.hits import Finder, Hit, container_hit
from kubekit.rollout.reading import Container, epoch
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.wants import log_of

_QUICK_SECONDS = 5.0
_NOISE = re.compile(r"0x[0-9a-f]+|\d+")


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
            match = pattern.search(snapshot.log(log_of(container)))
            if log and match is None and log_of(container) in snapshot.facts:
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
    last = log_of(container)
    wants = frozenset({last, *((log_of(container, 0),) if container.attempt == 0 else ())})
    words = {
        "code": end.get("exitCode"),
        "restarts": container.restarts,
        "last": _last_words(snapshot.facts.get(last)),
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
    first = snapshot.facts.get(log_of(container, container.attempt - 1))
    second = snapshot.facts.get(log_of(container))
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


def last_line(log: str) -> str:
    """The line that says most of a log: a traceback's exception, else the last one."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for line in reversed(lines):
        if re.match(r"^([\w.]+(Error|Exception|Exit|Interrupt|Warning)\b|[\w.]+: )", line):
            return line
    return lines[-1] if lines else ""


def _memory(container: Container) -> dict[str, object]:
    """What a container that was killed for its memory could have had, and how to give it more."""
    limit = ((container.spec.get("resources") or {}).get("limits") or {}).get("memory")
    if limit is None:
        return {"allowed": "the node has left", "more": "give Minikube more memory"}
    return {"allowed": f"its limit of {limit}", "more": "raise `resources.limits.memory`"}
