"""Finders about pods that wait, that no node takes, or that the API server refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubekit.model import Object
from kubekit.rollout.hits import Finder, Hit, brief, container_hit, pod_field
from kubekit.rollout.reading import condition, epoch
from kubekit.rollout.snapshot import Snapshot


def waiting(*reasons: str, text: str = "", field: str = "image") -> Finder:
    """Containers that wait for one of these reasons, their message matching `text`."""
    pattern = re.compile(text, re.IGNORECASE | re.DOTALL)

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for container in snapshot.containers:
            state = container.waiting or {}
            match = pattern.search(state.get("message") or "")
            if state.get("reason") in reasons and match:
                words = {"message": brief(state.get("message") or ""), **match.groupdict()}
                yield container_hit(snapshot, container, now, words=words, field=field)

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
                    words={"message": brief(message), "asked": _asked(pod), **match.groupdict()},
                    field=pod_field(field),
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
                field=pod_field(field),
            )

    return find


def _asked(pod: Object) -> str:
    requests = [
        f"{key} {value}"
        for container in pod["spec"]["containers"]
        for key, value in ((container.get("resources") or {}).get("requests") or {}).items()
    ]
    return ", ".join(requests) or "nothing in particular"


def _refusal(message: str) -> str:
    _, _, reason = message.partition("is forbidden: ")
    return brief(reason or message)
