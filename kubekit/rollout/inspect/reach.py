"""Whether a Service leads anywhere at this moment, whoever made it and its pods. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kubekit.model import Object
from kubekit.rollout.reading import condition, epoch, is_ready
from kubekit.rollout.services import Way, labels_of, leads
from kubekit.rollout.verdict import FAILED, WAITING, Verdict
from kubekit.rollout.wants import Want


def reaches(
    service: Object,
    *,
    pods: Iterable[Object],
    workloads: Iterable[Object],
    slices: Sequence[Object],
    facts: Mapping[Want, Any],
    now: float,
) -> Verdict:
    """Whether it leads to a ready pod; a pod that is not ready is its workload's matter.

    Args:
        pods: the living pods of its namespace.
        workloads: those of its namespace: one may just have no pod, as when it is scaled to 0.
    """
    ready = [pod for pod in pods if is_ready(pod)]
    way = Way(
        service=service,
        slices=tuple(slices),
        pods=tuple(ready),
        labels=tuple(filter(None, map(labels_of, workloads))),
        ready_since=0.0,
        facts=facts,
    )
    mine = [pod for pod in pods if way.asks_for(pod["metadata"].get("labels") or {})]
    if way.selector and mine and not way.selected:
        text = "the pod it selects is not" if len(mine) == 1 else f"none of its {len(mine)} pods is"
        return Verdict(state=WAITING, text=f"{text} ready")
    verdict = leads(replace(way, ready_since=_settled_at(service, way.selected)), now)
    # An apply does not know what others bring; here all that is in the namespace is known.
    if verdict.finding is not None and verdict.finding.id == "service-selects-nothing":
        return replace(verdict, state=FAILED)
    return verdict


def _settled_at(service: Object, pods: Iterable[Object]) -> float:
    """Since when its endpoints can be expected: they follow the pods a little later."""
    times = [epoch(condition(pod, "Ready").get("lastTransitionTime")) for pod in pods]
    return max([epoch(service["metadata"].get("creationTimestamp")), *times])
