"""The finder for pods that their node turns away or puts out again. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubekit.model import Object
from kubekit.rollout.finders.hits import Hit, brief
from kubekit.rollout.reading import epoch, event_count, event_time
from kubekit.rollout.snapshot import Snapshot

_AGAIN_SECONDS = 300.0
"""A pod that was put out longer ago than this before the newest one was made is another story."""

_REASONS = re.compile(
    r"Evicted|OutOf\w+|NodeAffinity|UnexpectedAdmissionError|Preempt\w*|NodeShutdown|Terminated"
)
_MADE_AGAIN = ("FailedDaemonPod", "RecreatingFailedPod")


def evicted(snapshot: Snapshot, now: float) -> Iterator[Hit]:
    """Pods their node has put out: one is only told of, as another takes its place.

    The controllers of DaemonSets and StatefulSets delete such a pod at once: then only their event
    counts them.
    """
    pods = sorted(_put_out(snapshot), key=_ended)
    if not pods:
        return
    last = pods[-1]
    again = [
        event
        for event in snapshot.events_of(snapshot.target.uid, *_MADE_AGAIN)
        if event_time(event) >= snapshot.target.since
    ]
    count = len(pods) + sum(event_count(event) for event in again)
    for_good = count > 1 or snapshot.target.kind == "Pod"
    # A ReplicaSet makes the next one at once, again and again: the second has settled it.
    settled = pods[:2][-1]
    status = last["status"]
    yield Hit(
        where=f"Pod/{last['metadata']['name']}",
        since=_ended(settled) if for_good else now,
        words={
            "reason": status["reason"],
            "message": brief(status.get("message") or "it does not say why"),
        },
    )


def _put_out(snapshot: Snapshot) -> Iterator[Object]:
    newest = max((_made(pod) for pod in snapshot.new_pods), default=0.0)
    for pod in snapshot.new_pods:
        status = pod.get("status") or {}
        failed = status.get("phase") == "Failed" and _REASONS.fullmatch(status.get("reason") or "")
        recent = _ended(pod) >= max(snapshot.target.since, newest - _AGAIN_SECONDS)
        if failed and recent:
            yield pod


def _made(pod: Object) -> float:
    return epoch(pod["metadata"].get("creationTimestamp"))


def _ended(pod: Object) -> float:
    """When it was put out, as far as the pod tells."""
    status = pod.get("status") or {}
    moved = [epoch(item.get("lastTransitionTime")) for item in status.get("conditions") or ()]
    return max([*moved, epoch(status.get("startTime")), _made(pod)])
