"""What a rollout waits for at this moment, in words. Pure."""

from __future__ import annotations

from kubekit.model import Object
from kubekit.rollout import kinds
from kubekit.rollout.catalogue import CAUSES
from kubekit.rollout.reading import Container, condition, epoch
from kubekit.rollout.snapshot import Snapshot


def waiting_for(snapshot: Snapshot, now: float) -> str:
    """One line, never empty, for a workload that is not settled."""
    live = snapshot.workload or {}
    if not snapshot.new_pods:
        return _no_pod(snapshot)
    for container in snapshot.containers:
        text = _container_state(snapshot, container)
        if text:
            return text
    return "its pod runs" if live["kind"] == "Job" else _of_ready_pods(snapshot, live, now)


def _of_ready_pods(snapshot: Snapshot, live: Object, now: float) -> str:
    missing = kinds.wanted(live) - len(snapshot.new_pods)
    if missing > 0:
        return f"{len(snapshot.new_pods)} of {kinds.wanted(live)} new pods are there"
    ending = [pod for pod in snapshot.old_pods if pod["metadata"].get("deletionTimestamp")]
    if ending:
        return f"the new pods are ready; the old pod `{ending[0]['metadata']['name']}` is ending"
    if snapshot.old_pods:
        return "the new pods are ready; an old one is still there"
    return _countdown(snapshot, now) or (
        f"the new pods are ready; the {live['kind']} has not counted them yet"
    )


def still_serving(snapshot: Snapshot) -> str | None:
    """What the revision before does while this one is not ready; None where there is none."""
    old = [pod for pod in snapshot.old_pods if not pod["metadata"].get("deletionTimestamp")]
    if not old:
        return None
    ready = sum(condition(pod, "Ready").get("status") == "True" for pod in old)
    if not ready:
        return CAUSES["old-revision-failing"].cause
    return f"the revision before still serves: {ready} of {kinds.wanted(snapshot.workload or {})}"


def _no_pod(snapshot: Snapshot) -> str:
    for pod in snapshot.old_pods:
        if pod["metadata"].get("deletionTimestamp"):
            held = pod["metadata"].get("finalizers")
            why = f", held by its finalizer `{held[0]}`" if held else ""
            grace = pod["metadata"].get("deletionGracePeriodSeconds")
            after = f"; it has {grace} s for it" if grace and not held else ""
            name = pod["metadata"]["name"]
            return f"the old pod `{name}` is still ending{why}{after}"
    return "no pod of the new revision yet"


def _countdown(snapshot: Snapshot, now: float) -> str | None:
    seconds = ((snapshot.workload or {}).get("spec") or {}).get("minReadySeconds")
    if not seconds:
        return None
    since = max(
        epoch(condition(pod, "Ready").get("lastTransitionTime")) for pod in snapshot.new_pods
    )
    left = max(0.0, since + seconds - now)
    return f"the new pods are ready, and must stay so for {left:.0f} s more (`minReadySeconds`)"


def _container_state(snapshot: Snapshot, container: Container) -> str | None:
    if container.init and (container.exited or {}).get("exitCode") == 0:
        return None
    name = f"container `{container.name}`"
    if container.running is not None:
        return None if container.ready else f"{name} runs and is not ready yet"
    reason = (container.waiting or {}).get("reason")
    if reason in (None, "ContainerCreating", "PodInitializing"):
        pulling = snapshot.events_of(container.pod_uid, "Pulling", "Pulled")
        if pulling and pulling[-1]["reason"] == "Pulling":
            return f"{name} is waiting for its image to be pulled"
        return f"{name} is being created"
    return f"{name} waits: {reason}"
