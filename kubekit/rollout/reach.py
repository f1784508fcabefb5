"""Whether a Service leads anywhere at this moment, whoever made it and its pods. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kubekit.model import Object
from kubekit.rollout import kinds
from kubekit.rollout.reading import condition, epoch
from kubekit.rollout.services import Way, leads
from kubekit.rollout.verdict import READY, WAITING, Verdict
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
    selector = service["spec"].get("selector") or {}
    ready = [pod for pod in pods if condition(pod, "Ready").get("status") == "True"]
    mine = [pod for pod in pods if _matches(selector, pod)]
    served = [pod for pod in ready if _matches(selector, pod)]
    if selector and mine and not served:
        count = "the pod it selects is" if len(mine) == 1 else f"none of its {len(mine)} pods is"
        text = count.replace("is", "is not", 1) if len(mine) == 1 else count
        return Verdict(state=WAITING, text=f"{text} ready")
    if selector and not mine and any(_matches(selector, one) for one in _templates(workloads)):
        return Verdict(state=READY, text="it has no pods now")
    way = Way(
        service=service,
        slices=tuple(slices),
        pods=tuple(served or ready),
        ready_since=_settled_at(service, served),
        facts=facts,
    )
    return leads(way, now)


def _matches(selector: Mapping[str, str], obj: Object) -> bool:
    labels = (obj.get("metadata") or {}).get("labels") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _templates(workloads: Iterable[Object]) -> Iterator[Object]:
    for live in workloads:
        if live["kind"] == "CronJob":
            yield dict(live["spec"]["jobTemplate"]["spec"]["template"])
        elif live["kind"] != "Pod":
            yield kinds.template(live)


def _settled_at(service: Object, pods: Iterable[Object]) -> float:
    """Since when its endpoints can be expected: they follow the pods a little later."""
    times = [epoch(condition(pod, "Ready").get("lastTransitionTime")) for pod in pods]
    return max([epoch(service["metadata"].get("creationTimestamp")), *times])
