"""The judge: what a snapshot of a rollout means. A pure function of the snapshot and the time.

Identity comes first: only the pods of the ReplicaSet that this very apply made are judged. Old pods
that crash, events of an earlier run and a stale condition never decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kubekit.model import Object
from kubekit.rollout.causes import CATALOGUE, Cause
from kubekit.rollout.hits import Hit
from kubekit.rollout.snapshot import Container, LogOf, NamespaceOf, Snapshot, Want, condition, epoch

WAITING = "waiting"
READY = "ready"
FAILED = "failed"

_KINDS = frozenset({"Deployment", "ReplicaSet", "Pod"})


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Why a rollout failed, or what it waits for, in a person's words.

    Attributes:
        log: the log that shows it.
        field: where in the Deployment the fix belongs.
    """

    id: str
    exit_code: int
    cause: str
    fix: str
    where: str
    log: LogOf | None = None
    field: tuple[str | int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the snapshot means.

    Attributes:
        state: ``waiting``, ``ready`` or ``failed``; a terminal one is final.
        text: what is waited for, or what is ready.
        finding: why it failed; while waiting, the likeliest cause so far, if there is one.
        wants: facts that would help to decide.
    """

    state: str
    text: str
    finding: Finding | None = None
    wants: frozenset[Want] = frozenset()


def judge(snapshot: Snapshot, now: float) -> Verdict:
    """What is known of the rollout at `now`, in the API server's time, seconds since the epoch."""
    ending = _changed_by_others(snapshot)
    if ending is not None:
        return ending
    if not snapshot.listed >= _KINDS:
        return Verdict(state=WAITING, text="reading the state of the cluster")
    status = (snapshot.deployment or {}).get("status") or {}
    if int(status.get("observedGeneration") or 0) < snapshot.target.generation:
        return Verdict(state=WAITING, text="the Deployment controller has not seen the change yet")
    ready = settled(snapshot.deployment or {})
    if ready is not None:
        return Verdict(state=READY, text=ready)
    return _why_not(snapshot, now)


def foremost(verdicts: Mapping[str, Verdict]) -> str:
    """Which of several rollouts to tell of: one that failed, else one whose cause is known."""
    return min(
        verdicts, key=lambda ref: (verdicts[ref].state != FAILED, verdicts[ref].finding is None)
    )


def _changed_by_others(snapshot: Snapshot) -> Verdict | None:
    target, live = snapshot.target, snapshot.deployment
    if live is None and "Deployment" not in snapshot.listed:
        return None
    if live is None or live["metadata"].get("deletionTimestamp"):
        return _deleted(snapshot)
    if live["metadata"]["uid"] != target.uid:
        return _ended("replaced", 10, f"Deployment `{target.name}` was deleted and made anew")
    newer = int(live["metadata"].get("generation") or 0) > target.generation
    if newer and live["spec"]["template"] != target.template:
        return _ended("superseded", 10, f"Deployment `{target.name}` was changed by another apply")
    if live["spec"].get("paused"):
        return _ended(
            "paused",
            6,
            f"Deployment `{target.name}` is paused, so its rollout does not go on",
            fix=f"resume it: `kubectl -n {target.namespace} rollout resume deploy/{target.name}`",
            field=("spec", "paused"),
        )
    return None


def _deleted(snapshot: Snapshot) -> Verdict:
    """By itself, or with its namespace: nothing can be made anew before that is gone."""
    target = snapshot.target
    wanted = NamespaceOf(name=target.namespace)
    if wanted not in snapshot.namespaces:
        text = f"Deployment `{target.name}` was deleted"
        return Verdict(state=WAITING, text=text, wants=frozenset({wanted}))
    if snapshot.namespaces[wanted]:
        return _ended("deleted", 6, f"Deployment `{target.name}` was deleted during the rollout")
    return _ended(
        "namespace-terminating",
        6,
        f"namespace `{target.namespace}` is being deleted, and all that is in it",
        fix="run kubekit again: it waits until the namespace is gone and makes it anew",
    )


def _ended(
    name: str,
    exit_code: int,
    cause: str,
    *,
    fix: str = "run kubekit again",
    field: tuple[str, ...] = (),
) -> Verdict:
    finding = Finding(
        id=name, exit_code=exit_code, cause=cause, fix=fix, where="Deployment", field=field
    )
    return Verdict(state=FAILED, text=cause, finding=finding)


def settled(deployment: Object) -> str | None:
    """What is ready, if the rollout is over: all new pods available, no old one left.

    The rule is kubectl's (pkg/polymorphichelpers/rollout_status.go).
    """
    status = deployment.get("status") or {}
    if int(status.get("observedGeneration") or 0) < int(deployment["metadata"]["generation"]):
        return None
    wanted = int(deployment["spec"].get("replicas", 1))
    updated = int(status.get("updatedReplicas") or 0)
    total = int(status.get("replicas") or 0)
    available = int(status.get("availableReplicas") or 0)
    if updated < wanted or total > updated or available < wanted:
        return None
    return f"{available} of {wanted} ready" if wanted else "scaled to 0: nothing runs"


def _why_not(snapshot: Snapshot, now: float) -> Verdict:
    wants: frozenset[Want] = frozenset()
    likely: Finding | None = None
    for cause, hit in _hits(snapshot, now):
        missing = hit.wants - snapshot.logs.keys() - snapshot.configs.keys()
        wants |= missing
        due = now - hit.since >= cause.after
        if due and not missing:
            finding = _finding(cause, hit)
            return Verdict(state=FAILED, text=finding.cause, finding=finding)
        if likely is None and not missing:
            likely = _finding(cause, hit)
    if not wants and _deadline_passed(snapshot):
        return _past_deadline(snapshot, likely)
    text = _waiting_for(snapshot)
    return Verdict(state=WAITING, text=text, finding=likely, wants=wants)


def _hits(snapshot: Snapshot, now: float) -> Iterator[tuple[Cause, Hit]]:
    for cause in CATALOGUE:
        for hit in cause.find(snapshot, now):
            yield cause, hit


def _finding(cause: Cause, hit: Hit) -> Finding:
    return Finding(
        id=cause.id,
        exit_code=cause.exit_code,
        cause=cause.cause.format_map(hit.words),
        fix=cause.fix.format_map(hit.words),
        where=hit.where,
        log=hit.log,
        field=hit.field,
    )


def _deadline_passed(snapshot: Snapshot) -> bool:
    """A ProgressDeadlineExceeded of this rollout: an older one survives a rollback."""
    state = condition(snapshot.deployment, "Progressing")
    fresh = epoch(state.get("lastUpdateTime")) >= snapshot.target.since
    return state.get("reason") == "ProgressDeadlineExceeded" and fresh


def _past_deadline(snapshot: Snapshot, likely: Finding | None) -> Verdict:
    seconds = ((snapshot.deployment or {}).get("spec") or {}).get("progressDeadlineSeconds", 600)
    cause = f"the rollout made no progress for {seconds} s (`progressDeadlineSeconds`)"
    finding = Finding(
        id="deadline",
        exit_code=7,
        cause=f"{cause}: {likely.cause}" if likely else cause,
        fix=likely.fix if likely else "see what the pods wait for with `kubekit status`",
        where="Deployment",
        log=likely.log if likely else None,
        field=likely.field if likely else ("spec", "progressDeadlineSeconds"),
    )
    return Verdict(state=FAILED, text=finding.cause, finding=finding)


def _waiting_for(snapshot: Snapshot) -> str:
    if not snapshot.new_pods:
        old = [pod for pod in snapshot.pods if pod["metadata"].get("deletionTimestamp")]
        if old:
            return f"the old pod `{old[0]['metadata']['name']}` is still ending"
        return "no pod of the new revision yet"
    for container in snapshot.containers:
        text = _container_state(snapshot, container)
        if text:
            return text
    status = (snapshot.deployment or {}).get("status") or {}
    if int(status.get("replicas") or 0) > int(status.get("updatedReplicas") or 0):
        return "the new pods are ready; an old one is still ending"
    seconds = ((snapshot.deployment or {}).get("spec") or {}).get("minReadySeconds")
    if seconds:
        return f"the new pods are ready, and must stay so for {seconds} s (`minReadySeconds`)"
    return "the new pods are ready; the Deployment has not counted them yet"


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
