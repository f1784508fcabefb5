"""What a rollout waits for at this moment, in words. Pure."""

from __future__ import annotations

from kubekit.model import Object
from kubekit.rollout import kinds
from kubekit.rollout.catalogue import CAUSES
from kubekit.rollout.reading import Container, condition, is_owned, is_ready
from kubekit.rollout.snapshot import Snapshot


def waiting_for(snapshot: Snapshot) -> str:
    """One line, never empty, for a workload that is not settled."""
    live = snapshot.workload or {}
    if not snapshot.new_pods:
        return "no pod of the new revision yet"
    for container in snapshot.containers:
        text = _container_state(snapshot, container)
        if text:
            return text
    return "its pod runs" if live["kind"] == "Job" else _of_ready_pods(snapshot, live)


def _of_ready_pods(snapshot: Snapshot, live: Object) -> str:
    missing = kinds.wanted(live) - len(snapshot.new_pods)
    if missing > 0:
        newer = int(live["metadata"].get("generation") or 0) > snapshot.target.generation
        why = f"; {CAUSES['scaled'].cause}" if newer else ""
        return f"{len(snapshot.new_pods)} of {kinds.wanted(live)} new pods are there{why}"
    ending = [pod for pod in snapshot.old_pods if pod["metadata"].get("deletionTimestamp")]
    if ending:
        return f"the new pods are ready; the old pod `{ending[0]['metadata']['name']}` is ending"
    if snapshot.old_pods:
        return "the new pods are ready; an old one is still there"
    return f"the new pods are ready; the {live['kind']} has not counted them yet"


def still_serving(snapshot: Snapshot) -> str | None:
    """What the revision before does while this one is not ready; None where there is none."""
    live = snapshot.workload or {}
    older = sum(is_owned(item, snapshot.target.uid) for item in snapshot.replica_sets) > 1
    # Once a rollout has ended well, the older ReplicaSets are only its history.
    history = condition(live, "Progressing").get("reason") == "NewReplicaSetAvailable"
    if not snapshot.old_pods and (history or not older):
        return None
    old = [pod for pod in snapshot.old_pods if not pod["metadata"].get("deletionTimestamp")]
    ready = sum(map(is_ready, old))
    if not ready:
        return CAUSES["old-revision-failing"].cause
    return f"the revision before still serves: {ready} of {kinds.wanted(snapshot.workload or {})}"


def _container_state(snapshot: Snapshot, container: Container) -> str | None:
    if container.init and (container.exited or {}).get("exitCode") == 0:
        return None
    name = f"container `{container.name}`"
    if container.running is not None and container.init and not container.sidecar:
        return f"init {name} runs, and must end before the others start"
    if container.running is not None:
        return None if container.ready else f"{name} runs and is not ready yet"
    reason = (container.waiting or {}).get("reason")
    if reason in (None, "ContainerCreating", "PodInitializing"):
        pulling = snapshot.events_of(container.pod_uid, "Pulling", "Pulled")
        if pulling and pulling[-1]["reason"] == "Pulling":
            return f"{name} is waiting for its image to be pulled"
        return f"{name} is being created"
    return f"{name} waits: {reason}"
