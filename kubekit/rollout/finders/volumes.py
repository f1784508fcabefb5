"""Finders about the volumes of pods: claims that are not there or not bound, mounts that fail."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubekit.model import Object
from kubekit.rollout.finders.hits import Hit, brief, pod_field
from kubekit.rollout.reading import condition, containers_of, epoch, event_start, event_time
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.wants import ClaimOf

BIND_SECONDS = 30.0
"""How long a volume may take to be made and bound; a second where all is well."""

OF_CLAIMS = (
    r"persistentvolumeclaim|unbound immediate|non-existent persistentvolume|ephemeral volume"
)
"""The scheduler's messages that are about claims, and so about no node."""

_UNBOUND = re.compile(OF_CLAIMS, re.IGNORECASE)
_ABSENT = re.compile(r'persistentvolumeclaim "(?P<name>[^"]+)" not found')
_TROUBLE = ("ProvisioningFailed", "FailedBinding", "ClaimLost", "ClaimMisbound")
_MOUNTS = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
_MOVES = (*_MOUNTS, "SuccessfulAttachVolume", "Pulling", "Pulled")
# What a pod names and is not there has causes of its own; the kubelet's own cache only lags.
_NAMED = re.compile(
    r'(?:secret|configmap) "[^"]+" not found|non-existent \w+ key|failed to sync|not registered',
    re.IGNORECASE,
)
_ABOUT = re.compile(r'volume "(?P<volume>[^"]+)"\s*:\s*(?P<why>.+)', re.DOTALL)


def claim_missing(snapshot: Snapshot, _now: float) -> Iterator[Hit]:
    """Pods whose claim is not there: the scheduler says so, and so does a look at the claim."""
    for pod, message, since in _unplaced(snapshot):
        match = _ABSENT.search(message)
        if match is None or snapshot.facts.get(ClaimOf(name=match["name"])):
            continue  # it has arrived meanwhile; the scheduler will look again
        yield Hit(
            where=f"Pod/{pod['metadata']['name']}",
            since=since,
            words={"name": match["name"]},
            wants=frozenset({ClaimOf(name=match["name"])}),
            field=_claim_field(pod, match["name"]),
        )


def claim_unbound(snapshot: Snapshot, now: float) -> Iterator[Hit]:
    """Pods that wait for a claim to be bound.

    A claim of the binding mode WaitForFirstConsumer waits for the scheduler, which is no fault.
    """
    for pod, message, since in _unplaced(snapshot):
        unbound = bool(_UNBOUND.search(message))
        for name in _claims(pod):
            asked = ClaimOf(name=name)
            claim = snapshot.facts.get(asked)
            reason = _trouble(snapshot, name)
            if not (unbound or reason) or (asked in snapshot.facts and not _is_open(claim)):
                continue
            late = now - since >= BIND_SECONDS * snapshot.patience
            state = f"is not bound: {reason}" if reason else _state(claim, late=late)
            yield Hit(
                where=f"PersistentVolumeClaim/{name}",
                since=since,
                words={"name": name, "state": state},
                wants=frozenset({asked}),
                field=_claim_field(pod, name),
            )


def mount_failed(snapshot: Snapshot, _now: float) -> Iterator[Hit]:
    """Pods on a node whose volume cannot be attached or mounted: only events say so."""
    for pod in snapshot.new_pods:
        if any(item.running or item.exited for item in containers_of(pod)):
            continue
        moves = snapshot.events_of(pod["metadata"]["uid"], *_MOVES)
        failed = [
            event
            for event in moves
            if event["reason"] in _MOUNTS and not _NAMED.search(event.get("message") or "")
        ]
        went_on = max((event_time(event) for event in moves if event not in failed), default=0.0)
        if failed and event_time(failed[-1]) > went_on:
            yield _mount_hit(pod, failed)


def _mount_hit(pod: Object, failed: list[Object]) -> Hit:
    message = failed[-1].get("message") or ""
    match = _ABOUT.search(message)
    why = match["why"] if match else message
    name = match["volume"] if match else ""
    volumes = [volume["name"] for volume in pod["spec"].get("volumes") or ()]
    place = f"volumes.{volumes.index(name)}" if name in volumes else "volumes"
    return Hit(
        where=f"Pod/{pod['metadata']['name']}",
        since=min(event_start(event) for event in failed),
        words={"volume": name or "of the pod", "message": brief(why)},
        field=pod_field(place),
    )


def _unplaced(snapshot: Snapshot) -> Iterator[tuple[Object, str, float]]:
    """New pods without a node, what the scheduler says of each, and since when."""
    for pod in snapshot.new_pods:
        state = condition(pod, "PodScheduled")
        if state.get("status") != "True" and not pod["spec"].get("nodeName"):
            made = pod["metadata"].get("creationTimestamp")
            since = epoch(state.get("lastTransitionTime") or made)
            yield pod, state.get("message") or "", since


def _claims(pod: Object) -> list[str]:
    claims = (
        volume.get("persistentVolumeClaim") or {} for volume in pod["spec"].get("volumes") or ()
    )
    return [claim["claimName"] for claim in claims if claim]


def _is_open(claim: Object | None) -> bool:
    """Whether a claim that is there is not bound; one that may not be read is taken for it."""
    if claim is None:
        return False
    going = (claim.get("metadata") or {}).get("deletionTimestamp")
    return bool(going) or (claim.get("status") or {}).get("phase") != "Bound"


def _state(claim: Object | None, *, late: bool) -> str:
    if ((claim or {}).get("metadata") or {}).get("deletionTimestamp"):
        return "is being deleted"
    if ((claim or {}).get("status") or {}).get("phase") == "Lost":
        return "has lost its volume"
    return "is not bound, and no event says why" if late else "is being bound"


def _trouble(snapshot: Snapshot, name: str) -> str:
    """Why the claim is not bound, as the newest event about it says."""
    claim = snapshot.facts.get(ClaimOf(name=name)) or {}
    uid = (claim.get("metadata") or {}).get("uid")
    events = [
        event
        for event in snapshot.events
        if (about := event.get("involvedObject") or {}).get("kind") == "PersistentVolumeClaim"
        and (about.get("uid") == uid if uid else about.get("name") == name)
        and event.get("reason") in _TROUBLE
    ]
    return brief(max(events, key=_newest).get("message") or "") if events else ""


def _newest(event: Object) -> tuple[float, str]:
    return event_time(event), event.get("message") or ""


def _claim_field(pod: Object, name: str) -> tuple[str | int, ...]:
    for index, volume in enumerate(pod["spec"].get("volumes") or ()):
        if (volume.get("persistentVolumeClaim") or {}).get("claimName") == name:
            return pod_field(f"volumes.{index}.persistentVolumeClaim.claimName")
    return pod_field("volumes")
