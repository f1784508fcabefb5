"""Finders about containers that are made and cannot be started, and pods that get no network."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

from kubekit.model import Object
from kubekit.rollout.finders.crashes import is_being_tried_anew
from kubekit.rollout.finders.hits import Finder, Hit, brief, container_hit
from kubekit.rollout.reading import (
    Container,
    condition,
    containers_of,
    event_count,
    event_start,
    event_time,
    is_about,
)
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.wants import log_of

_WAITS = ("RunContainerError", "CreateContainerError", "StartError")
_ENDS = ("ContainerCannotRun", "StartError")
_HOOK_FAILURES = 2
# The runtime's own words for what a command can be short of, as runc and crun say it.
_COMMAND = (
    (r"exec: \"(?P<it>[^\"]+)\": executable file not found", "`{it}` is not in the image's $PATH"),
    (r"executable file [`'\"](?P<it>[^`'\"]+)[`'\"] not found", "`{it}` is not in the image"),
    (r"exec: \"(?P<it>[^\"]+)\": stat [^:]*: no such file", "`{it}` is not in the image"),
    (r"exec: \"(?P<it>[^\"]+)\": (?:is a directory|.*not a directory)", "`{it}` is no program"),
    (r"exec: \"(?P<it>[^\"]+)\":.*permission denied", "`{it}` is not executable, or not for it"),
    (r"exec (?P<it>[^\s\"]+): no such file", "`{it}`, or the interpreter it names, is missing"),
    (r"exec (?P<it>[^\s\"]+): permission denied", "`{it}` is not executable"),
)


def start_error(text: str = "", *, field: str = "command") -> Finder:
    """Containers the runtime cannot start; its message is in the wait, or in the end before it."""
    pattern = re.compile(text, re.IGNORECASE | re.DOTALL)

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for container in snapshot.containers:
            message = _refusal(container)
            match = pattern.search(message) if message is not None else None
            if match:
                words = {"message": brief(message or "no reason is given"), **match.groupdict()}
                yield container_hit(snapshot, container, now, words=words, field=field)

    return find


def no_command(snapshot: Snapshot, now: float) -> Iterator[Hit]:
    """Containers whose command is not in the image, or cannot be executed."""
    for text, problem in _COMMAND:
        for hit in start_error(text)(snapshot, now):
            words = {**hit.words, "problem": problem.format_map(hit.words)}
            yield replace(hit, words=words)


def hook_fails(snapshot: Snapshot, now: float) -> Iterator[Hit]:
    """Containers that are killed because what they are to run after their start fails."""
    for container in snapshot.containers:
        events = [
            event
            for event in snapshot.events_of(container.pod_uid, "FailedPostStartHook")
            if is_about(event, container)
        ]
        if not events or container.ready:
            continue
        times = sum(event_count(event) for event in events)
        words = {"asks": _hook(container), "times": times}
        hit = container_hit(snapshot, container, now, words=words, field="lifecycle.postStart")
        failed = max(event_time(event) for event in events)
        enough = times >= math.ceil(_HOOK_FAILURES * snapshot.patience)
        enough = enough and not is_being_tried_anew(snapshot, container, failed)
        since = failed if enough else float("inf")
        log = log_of(container) if container.attempt >= 0 else None
        yield replace(hit, since=since, log=log, wants=frozenset({log} if log else ()))


def no_sandbox(snapshot: Snapshot, _now: float) -> Iterator[Hit]:
    """Pods whose network or sandbox the node cannot make, and has not made since."""
    for pod in snapshot.new_pods:
        uid = pod["metadata"]["uid"]
        failures = snapshot.events_of(uid, "FailedCreatePodSandBox")
        if not failures or _has_sandbox(snapshot, pod, event_time(failures[-1])):
            continue
        newest = max(failures, key=lambda it: (event_time(it), it.get("message") or ""))
        yield Hit(
            where=f"Pod/{pod['metadata']['name']}",
            since=min(event_start(event) for event in failures),
            words={"message": brief(newest.get("message") or "")},
        )


def _refusal(container: Container) -> str | None:
    """What the runtime says of a start that failed; None where none did."""
    if container.running is not None or container.ready:
        return None
    end, state = container.exited or {}, container.waiting or {}
    reason = state.get("reason")
    if reason in _WAITS:
        return state.get("message") or ""
    if end.get("reason") in _ENDS:
        return end.get("message") or ""
    return None


def _hook(container: Container) -> str:
    hook = (container.spec.get("lifecycle") or {}).get("postStart") or {}
    if hook.get("exec"):
        return f"`{brief(shlex.join(hook['exec'].get('command') or ()))}`"
    http = hook.get("httpGet") or {}
    return f"`{http.get('path') or '/'}` on port {http.get('port')}" if http else "its hook"


def _has_sandbox(snapshot: Snapshot, pod: Object, failed: float) -> bool:
    if condition(pod, "PodReadyToStartContainers").get("status") == "True":
        return True
    if any(item.running or item.exited for item in containers_of(pod)):
        return True
    later = snapshot.events_of(pod["metadata"]["uid"], "Pulling", "Pulled", "Created", "Started")
    return any(event_time(event) >= failed for event in later)
