"""What counts as evidence of a failure: predicates on one change of one object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.cluster.scenarios.recorder import Evidence, Record


def waits(*reasons: str, text: str = "") -> Evidence:
    """A container waits for one of these reasons."""

    def evidence(record: Record) -> bool:
        for status in containers(record):
            state = status["state"].get("waiting") or {}
            said = state.get("message") or ""
            if state.get("reason") in reasons and re.search(text, said, re.IGNORECASE):
                return True
        return False

    return evidence


def ended(name: str = "app", times: int = 2) -> Evidence:
    """This container has ended so many times."""

    def evidence(record: Record) -> bool:
        return any(_ends(item) >= times for item in containers(record) if item["name"] == name)

    return evidence


def told(reason: str, text: str = "", count: int = 1) -> Evidence:
    """An event of this reason, that happened so often."""

    def evidence(record: Record) -> bool:
        event = record.obj
        return (
            record.kind == "Event"
            and event.get("reason") == reason
            and re.search(text, event.get("message") or "", re.IGNORECASE | re.DOTALL) is not None
            and _count(event) >= count
        )

    return evidence


def unhealthy(text: str, count: int = 1) -> Evidence:
    """The kubelet says that a probe failed in this way."""
    return told("Unhealthy", text, count)


def killed(probe: str, count: int = 1) -> Evidence:
    """The kubelet killed a container for this probe, so often."""
    return told("Killing", f"failed {probe} probe", count)


def condition(kind: str, name: str, *, reason: str = "", text: str = "") -> Evidence:
    """An object of this kind has this condition, for this reason and with this message."""

    def evidence(record: Record) -> bool:
        return record.kind == kind and any(
            state["type"] == name
            and reason in (state.get("reason") or "")
            and re.search(text, state.get("message") or "", re.IGNORECASE | re.DOTALL)
            for state in (record.obj.get("status") or {}).get("conditions") or ()
        )

    return evidence


def unschedulable(text: str = "") -> Evidence:
    """The scheduler finds no node for a pod."""
    return condition("Pod", "PodScheduled", reason="Unschedulable", text=text)


def refused(text: str) -> Evidence:
    """A ReplicaSet could not create its pods."""
    return condition("ReplicaSet", "ReplicaFailure", text=text)


def on(kind: str, *path: str, value: Any = None) -> Evidence:
    """An object of this kind has something in this field, or exactly this."""

    def evidence(record: Record) -> bool:
        if record.kind != kind:
            return False
        found: Any = record.obj
        for step in path:
            found = (found or {}).get(step)
        return found == value if value is not None else bool(found)

    return evidence


def twice(evidence: Evidence) -> Evidence:
    """The same of two objects of a namespace."""
    seen: dict[str, set[str]] = {}

    def both(record: Record) -> bool:
        metadata = record.obj["metadata"]
        found = seen.setdefault(metadata.get("namespace", ""), set())
        if not evidence(record):
            return False
        found.add(metadata["name"])
        return len(found) > 1

    return both


def held() -> Evidence:
    """A pod that is being deleted has ended, and is still there."""

    def evidence(record: Record) -> bool:
        statuses = list(containers(record))
        ended = all(item["state"].get("terminated") for item in statuses)
        leaving = "deletionTimestamp" in record.obj["metadata"] and not record.gone
        return record.kind == "Pod" and leaving and bool(statuses) and ended

    return evidence


def gone(kind: str) -> Evidence:
    """An object of this kind is being deleted, or is gone."""

    def evidence(record: Record) -> bool:
        leaving = record.gone or "deletionTimestamp" in record.obj["metadata"]
        return record.kind == kind and leaving

    return evidence


def either(*all_of_them: Evidence) -> Evidence:
    """One of these."""
    return lambda record: any(one(record) for one in all_of_them)


def ready(count: int = 1) -> Evidence:
    """So many pods of a Deployment, StatefulSet or DaemonSet are ready."""

    def evidence(record: Record) -> bool:
        status = record.obj.get("status") or {}
        seen = max(int(status.get(key) or 0) for key in ("readyReplicas", "numberReady"))
        return record.kind in ("Deployment", "StatefulSet", "DaemonSet") and seen >= count

    return evidence


def containers(record: Record) -> Iterator[dict[str, Any]]:
    """The statuses of a pod's containers, those that run first included."""
    if record.kind == "Pod":
        status = record.obj.get("status") or {}
        yield from status.get("initContainerStatuses") or ()
        yield from status.get("containerStatuses") or ()


def _ends(status: dict[str, Any]) -> int:
    state = status["state"]
    resting = (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff"
    return int(status["restartCount"]) + bool(state.get("terminated") or resting)


def _count(event: dict[str, Any]) -> int:
    series = (event.get("series") or {}).get("count")
    return int(series or event.get("count") or 1)
