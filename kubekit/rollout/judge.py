"""The judge: what a snapshot of a rollout means. A pure function of the snapshot and the time.

Identity comes first: only the pods of the revision that this very apply made are judged. Old pods
that crash, events of an earlier run and a stale condition never decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from kubekit.rollout import kinds
from kubekit.rollout.catalogue import CATALOGUE, CAUSES
from kubekit.rollout.cause import Cause
from kubekit.rollout.finders.hits import Hit
from kubekit.rollout.finders.refusals import set_refused
from kubekit.rollout.progress import waiting_for
from kubekit.rollout.reading import condition, epoch
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.verdict import FAILED, READY, WAITING, Finding, Verdict
from kubekit.rollout.wants import NamespaceOf, Want

UNPROBED_SECONDS = 3.0
"""How long a container without probes must run before it is believed: it is Ready at once."""


def judge(snapshot: Snapshot, now: float, tolerate: AbstractSet[str] = frozenset()) -> Verdict:
    """What is known of the rollout at `now`, in the API server's time, seconds since the epoch.

    A cause in `tolerate` never decides; it is only told while waiting.
    """
    live = snapshot.workload or {}
    over = kinds.settled(live) if snapshot.target.kind == "Job" and live else None
    if over:  # also where its `ttlSecondsAfterFinished` has taken it away since
        return Verdict(state=READY, text=over)
    # The controllers stay silent in a namespace that is being deleted.
    if ((snapshot.namespace or {}).get("metadata") or {}).get("deletionTimestamp"):
        return ended("namespace-terminating", snapshot)
    ending = _changed_by_others(snapshot)
    if ending is not None:
        return ending
    return _state(snapshot, now, tolerate)


def _state(snapshot: Snapshot, now: float, tolerate: AbstractSet[str]) -> Verdict:
    """Of a workload that nobody else has changed."""
    live = snapshot.workload or {}
    if not snapshot.listed >= {snapshot.target.kind, "Pod", "Event", *_sets(snapshot)}:
        return Verdict(state=WAITING, text="reading the state of the cluster")
    if not kinds.observed(live):
        return _unobserved(snapshot, now)
    ready = kinds.settled(live)
    if ready is not None:
        return _outdated(snapshot) or _untried(snapshot, now) or Verdict(state=READY, text=ready)
    return why_not(snapshot, now, tolerate)


def why_not(snapshot: Snapshot, now: float, tolerate: AbstractSet[str] = frozenset()) -> Verdict:
    """What keeps the pods from being ready, whatever the workload's own status says."""
    wants: frozenset[Want] = frozenset()
    likely: Finding | None = None
    for cause, hit in _hits(snapshot, now):
        missing = hit.wants - snapshot.facts.keys()
        wants |= missing
        due = now - hit.since >= cause.after * snapshot.patience and cause.id not in tolerate
        if due and missing:  # an exact cause first learns what it needs
            text = waiting_for(snapshot)
            return Verdict(state=WAITING, text=text, finding=likely, wants=wants)
        if due:
            finding = cause.finding(hit)
            return Verdict(state=FAILED, text=finding.cause, finding=finding)
        if likely is None and not missing:
            likely = cause.finding(hit)
    if not wants and _deadline_passed(snapshot):
        return _past_deadline(snapshot, likely)
    return Verdict(state=WAITING, text=waiting_for(snapshot), finding=likely, wants=wants)


def foremost(verdicts: Mapping[str, Verdict]) -> str:
    """Which of several rollouts to tell of: one that failed, else one whose cause is known."""
    return min(
        verdicts, key=lambda ref: (verdicts[ref].state != FAILED, verdicts[ref].finding is None)
    )


def ended(
    cause_id: str, snapshot: Snapshot, *, field: tuple[str | int, ...] = (), **words: object
) -> Verdict:
    """A failure of the workload as a whole, in the words of the catalogue."""
    target, cause = snapshot.target, CAUSES[cause_id]
    known = {"kind": target.kind, "name": target.name, "namespace": target.namespace, **words}
    finding = cause.finding(Hit(where=target.ref, since=0.0, words=known, field=field))
    return Verdict(state=FAILED, text=finding.cause, finding=finding)


def _sets(snapshot: Snapshot) -> AbstractSet[str]:
    return {"ReplicaSet"} if snapshot.target.kind == "Deployment" else frozenset()


def _changed_by_others(snapshot: Snapshot) -> Verdict | None:
    target, live = snapshot.target, snapshot.workload
    if live is None and target.kind not in snapshot.listed:
        return None
    if live is None or live["metadata"].get("deletionTimestamp"):
        return _deleted(snapshot)
    if live["metadata"]["uid"] != target.uid:
        return ended("replaced", snapshot)
    newer = int(live["metadata"].get("generation") or 0) > target.generation
    if newer and kinds.template(live) != target.template and target.kind != "Pod":
        return ended("superseded", snapshot)
    if live["spec"].get("paused"):
        return ended("paused", snapshot, field=("spec", "paused"))
    return None


def _deleted(snapshot: Snapshot) -> Verdict:
    """By itself, or with its namespace: nothing can be made anew before that is gone."""
    target = snapshot.target
    namespace = NamespaceOf(name=target.namespace)
    if namespace not in snapshot.facts:
        text = f"{target.kind} `{target.name}` was deleted"
        return Verdict(state=WAITING, text=text, wants=frozenset({namespace}))
    return ended("deleted" if snapshot.facts[namespace] else "namespace-terminating", snapshot)


def _outdated(snapshot: Snapshot) -> Verdict | None:
    """Ready, but not what was built."""
    for pod in snapshot.new_pods:
        status = kinds.outdated(pod, snapshot.target.images)
        if status is not None:
            words = {"container": status["name"], "image": status["image"]}
            return ended("image-outdated", snapshot, **words, pod=pod["metadata"]["name"])
    return None


def _untried(snapshot: Snapshot, now: float) -> Verdict | None:
    """Ready by Kubernetes' rule, but no probe has asked and it has only just started."""
    for container in snapshot.containers:
        started = epoch((container.running or {}).get("startedAt"))
        asked = container.spec.get("readinessProbe") or container.spec.get("startupProbe")
        # The start is in whole seconds, cut off: a second more makes sure of them.
        if not container.init and not asked and abs(now - started) < UNPROBED_SECONDS + 1:
            text = (
                f"container `{container.name}` has no readiness probe, so it is watched for "
                f"{UNPROBED_SECONDS:.0f} s"
            )
            return Verdict(state=WAITING, text=text)
    return None


def _unobserved(snapshot: Snapshot, now: float) -> Verdict:
    # Its controller says what it could not do, and not that it has seen the change.
    for hit in set_refused(snapshot, now):
        return ended("replica-set-refused", snapshot, message=hit.words["message"])
    silent = now - snapshot.target.since
    if snapshot.target.since and silent > CAUSES["controller-silent"].after * snapshot.patience:
        return ended("controller-silent", snapshot)
    text = f"the {snapshot.target.kind} controller has not seen the change yet"
    return Verdict(state=WAITING, text=text)


def _hits(snapshot: Snapshot, now: float) -> Iterator[tuple[Cause, Hit]]:
    for cause in CATALOGUE:
        # Of pods alike the one of which all is known decides, whatever their order.
        hits = [(bool(hit.wants - snapshot.facts.keys()), hit) for hit in cause.find(snapshot, now)]
        for _, hit in sorted(hits, key=lambda pair: (pair[0], pair[1].where)):
            yield cause, hit


def _deadline_passed(snapshot: Snapshot) -> bool:
    """A ProgressDeadlineExceeded of this rollout: an older one survives a rollback.

    One of this rollout cannot come before the deadline has passed since its apply.
    """
    state = condition(snapshot.workload, "Progressing")
    soonest = snapshot.target.since + _deadline(snapshot) - 1  # both in whole seconds
    fresh = epoch(state.get("lastUpdateTime")) >= soonest
    return state.get("reason") == "ProgressDeadlineExceeded" and fresh


def _deadline(snapshot: Snapshot) -> int:
    spec = (snapshot.workload or {}).get("spec") or {}
    return int(spec.get("progressDeadlineSeconds") or 600)


def _past_deadline(snapshot: Snapshot, likely: Finding | None) -> Verdict:
    field = ("spec", "progressDeadlineSeconds")
    verdict = ended("deadline", snapshot, field=field, seconds=_deadline(snapshot))
    if likely is None or verdict.finding is None:
        return verdict
    past = verdict.finding
    cause = f"{past.cause}: {likely.cause}"
    return replace(
        verdict,
        text=cause,
        finding=replace(likely, id=past.id, exit_code=past.exit_code, cause=cause),
    )
