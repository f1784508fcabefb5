"""The finder for workloads whose pods the API server refuses, and what a refusal says. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kubekit.model import Object
from kubekit.rollout import kinds
from kubekit.rollout.finders.hits import Hit, brief, pod_field
from kubekit.rollout.reading import condition, epoch, event_start, event_time
from kubekit.rollout.snapshot import Snapshot

_FAILED, _MADE = "FailedCreate", "SuccessfulCreate"
_OF_A_CLAIM = "create Claim"
_PREFIX = re.compile(r"^(?:\(combined from similar events\): )?(?:Error creating: )?", re.DOTALL)


@dataclass(frozen=True)
class Refused:
    """A finder of pods that cannot be made, the refusal matching `text`.

    Attributes:
        field: where in the pod's template the fix belongs.
        unless: refusals that have a cause of their own.
    """

    text: str
    field: str = ""
    unless: tuple[Refused, ...] = ()

    def words(self, message: str) -> Mapping[str, object] | None:
        """What fills the texts of the cause, if it is the one of this refusal."""
        match = re.search(self.text, message, re.IGNORECASE | re.DOTALL)
        if match is None or any(other.words(message) is not None for other in self.unless):
            return None
        said = {key: brief(text or "") for key, text in match.groupdict().items()}
        because = f": {said['why']}" if said.get("why") else ""
        return {"message": reason_of(message), "because": because, **said}

    def __call__(self, snapshot: Snapshot, _now: float) -> Iterator[Hit]:
        """The hit of the object whose controller is refused."""
        owner = _maker(snapshot)
        said = list(_said(snapshot, owner)) if owner else []
        words = self.words(said[0][0]) if said else None
        if owner and words is not None:
            alike = [since for message, since in said if self.words(message) is not None]
            yield Hit(
                where=f"{owner['kind']}/{owner['metadata']['name']}",
                since=min(alike),
                words=words,
                field=pod_field(self.field),
            )


def set_refused(snapshot: Snapshot, _now: float) -> Iterator[Hit]:
    """A Deployment whose ReplicaSet the API server refuses."""
    state = condition(snapshot.workload, "Progressing")
    fresh = epoch(state.get("lastUpdateTime")) >= snapshot.target.since
    if state.get("reason") == "ReplicaSetCreateError" and fresh:
        yield Hit(
            where=snapshot.target.ref,
            since=epoch(state.get("lastUpdateTime")),
            words={"message": reason_of(state.get("message") or "")},
        )


def reason_of(message: str) -> str:
    """Why, in one line, without what was tried."""
    _, _, reason = message.partition("is forbidden: ")
    return brief(reason or _PREFIX.sub("", message))


def _maker(snapshot: Snapshot) -> Object | None:
    """The object whose controller makes the pods."""
    return snapshot.new_set if snapshot.target.kind == "Deployment" else snapshot.workload


def _said(snapshot: Snapshot, owner: Object) -> Iterator[tuple[str, float]]:
    """What stands of refusals, the newest first, and since when.

    A ReplicaSet's condition keeps the words of the first refusal, so that its newest event is
    asked first; the controllers of other kinds only make events.
    """
    state = condition(owner, "ReplicaFailure")
    failing = state.get("status") == "True"
    if not failing and (owner["kind"] == "ReplicaSet" or not _goes_on(snapshot, owner)):
        return
    began = epoch(state.get("lastTransitionTime")) if failing else snapshot.target.since
    events = snapshot.events_of(owner["metadata"]["uid"], _FAILED)
    fresh = [event for event in events if event_time(event) >= began]
    for event in sorted(fresh, key=_order, reverse=True):
        yield event.get("message") or "", max(began, event_start(event))
    if failing:
        yield state.get("message") or "", began


def _goes_on(snapshot: Snapshot, owner: Object) -> bool:
    """Whether the newest try to make a pod failed, and pods are missing."""
    events = snapshot.events_of(owner["metadata"]["uid"], _FAILED, _MADE)
    tries = [event for event in events if _OF_A_CLAIM not in _success(event)]
    last = max((event_time(event) for event in tries), default=0.0)
    ends = {event["reason"] for event in tries if event_time(event) == last}
    missing = owner["kind"] == "Job" or len(snapshot.new_pods) < kinds.wanted(owner)
    return ends == {_FAILED} and missing


def _success(event: Object) -> str:
    return (event.get("message") or "") if event["reason"] == _MADE else ""


def _order(event: Object) -> tuple[float, str]:
    return event_time(event), event.get("message") or ""
