"""Finders of what a rollout waits for at its end: old pods that go, new ones that stay. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from kubekit.api.deleting import holders
from kubekit.model import Object
from kubekit.rollout import kinds
from kubekit.rollout.finders.hits import Hit
from kubekit.rollout.reading import condition, epoch
from kubekit.rollout.snapshot import Snapshot

_STEP_SECONDS = 5
"""A countdown in steps: each of them is a line where no screen is."""


def held_up(snapshot: Snapshot, now: float) -> Iterator[Hit]:
    """Old pods that a finalizer keeps beyond their time, where the new ones wait for their end."""
    for pod in _awaited(snapshot):
        held = holders(pod)
        # The API writes when the pod's grace period is over, not when it was deleted.
        over = epoch(pod["metadata"]["deletionTimestamp"])
        if held and now >= over:
            yield Hit(
                where=f"Pod/{pod['metadata']['name']}",
                since=over,
                words={"pod": pod["metadata"]["name"], "holders": held},
            )


def ending(snapshot: Snapshot, now: float) -> Iterator[Hit]:
    """Old pods that take their time to end, where the new ones wait for it."""
    for pod in _awaited(snapshot):
        hooks = [item for item in pod["spec"]["containers"] if _pre_stop(item)]
        first = "; its `preStop` hook runs first" if hooks else ""
        # The kubelet sets it to 0 when the pod has ended, however soon: nothing is left but to go.
        grace = pod["metadata"].get("deletionGracePeriodSeconds")
        yield Hit(
            where=f"Pod/{pod['metadata']['name']}",
            since=now,
            words={
                "pod": pod["metadata"]["name"],
                "how": f"it has {grace} s for it{first}" if grace else "it has ended",
            },
            field=("spec", "template", "spec", "terminationGracePeriodSeconds"),
        )


def staying(snapshot: Snapshot, now: float) -> Iterator[Hit]:
    """New pods that are ready, and not yet for `minReadySeconds`."""
    live = snapshot.workload or {}
    seconds = (live.get("spec") or {}).get("minReadySeconds")
    ready = [condition(pod, "Ready") for pod in snapshot.new_pods]
    if not seconds or len(ready) < kinds.wanted(live):
        return
    if all(state.get("status") == "True" for state in ready):
        since = max((epoch(state.get("lastTransitionTime")) for state in ready), default=now)
        steps = math.ceil(max(0.0, since + seconds - now) / _STEP_SECONDS)
        yield Hit(
            where=snapshot.target.ref,
            since=now,
            words={"seconds": seconds, "left": min(seconds, steps * _STEP_SECONDS)},
            field=("spec", "minReadySeconds"),
        )


def flapping(snapshot: Snapshot, now: float) -> Iterator[Hit]:
    """Containers that were ready in this very run of theirs, and are not any more."""
    for container in snapshot.containers:
        state = condition(container.pod, "Ready")
        if container.running is None or container.ready or state.get("status") != "False":
            continue
        # Before it was ready for the first time the condition is as old as the pod.
        if epoch(state.get("lastTransitionTime")) > epoch(container.running.get("startedAt")):
            yield Hit(
                where=f"Pod/{container.pod_name}", since=now, words={"container": container.name}
            )


def _awaited(snapshot: Snapshot) -> Iterator[Object]:
    """Old pods on their way out while new ones are missing."""
    live = snapshot.workload
    if live is None or len(snapshot.new_pods) >= kinds.wanted(live) or not _one_by_one(live):
        return
    for pod in snapshot.old_pods:
        if pod["metadata"].get("deletionTimestamp"):
            yield pod


def _one_by_one(live: Object) -> bool:
    """Whether an old pod must be gone before its successor is made."""
    strategy = (live["spec"].get("strategy") or {}).get("type")
    return live["kind"] in ("StatefulSet", "DaemonSet") or strategy == "Recreate"


def _pre_stop(container: Object) -> bool:
    return bool((container.get("lifecycle") or {}).get("preStop"))
