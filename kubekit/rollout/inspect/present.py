"""What is to be said of a workload as it is at this moment, without having watched it. Pure."""

from __future__ import annotations

from kubekit.model import Object
from kubekit.rollout import kinds
from kubekit.rollout.catalogue import CAUSES
from kubekit.rollout.finders.crashes import Crashed
from kubekit.rollout.inspect import past
from kubekit.rollout.judge import judge, why_not
from kubekit.rollout.reading import condition, epoch
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.telling import duration
from kubekit.rollout.verdict import FAILED, READY, WAITING, Finding, Verdict

PATIENCE_SECONDS = 600.0
"""A workload that has waited for longer than this, or its own progress deadline, is not well."""

_BACK_OFF = "CrashLoopBackOff"

GOING = "is being deleted"
"""How the text begins for what is on its way out, so that it is not to become ready."""


def present(snapshot: Snapshot, now: float) -> Verdict:
    """The judge's verdict, where nothing was applied: at `now` in the API server's time, seconds.

    A container that crashes again and again is between two crashes also while it runs; what was
    over long ago is no matter; what has ended for good waits for nothing.
    """
    live = snapshot.workload or {}
    if live["metadata"].get("deletionTimestamp"):
        held = live["metadata"].get("finalizers")
        why = f", held by its finalizer `{held[0]}`" if held else ""
        return Verdict(state=WAITING, text=f"{GOING}{why}")
    settled = kinds.settled(live)
    crashing = any(past.still_crashing(one, now) for one in snapshot.containers)
    if settled is not None and not crashing:
        return Verdict(state=READY, text=settled + _remark(snapshot, now))
    needed = {"Pod", "ReplicaSet"} if live["kind"] == "Deployment" else {"Pod"}
    if not snapshot.listed >= needed:
        return Verdict(state=WAITING, text="why cannot be seen without its pods")
    verdict = judge(snapshot, now) if settled is None else why_not(snapshot, now)
    found = verdict.finding
    if found is None or verdict.wants or not _loops(snapshot, found, now):
        return verdict
    return Verdict(state=FAILED, text=found.cause, finding=found)


def _loops(snapshot: Snapshot, found: Finding, now: float) -> bool:
    """Whether a container has ended for what was found, again, and is not up since.

    A wait compares the logs of two ends and decides; only the last one's is left for a look. So
    one restart less is enough for it. How often its pods may fail is a Job's own patience.
    """
    crash = CAUSES[found.id].find
    if not isinstance(crash, Crashed) or snapshot.target.kind == "Job":
        return False
    return any(
        found.where == f"Pod/{one.pod_name}"
        and crash.counts(one)
        and one.attempt >= crash.restarts - 1
        and (one.waits_for == _BACK_OFF or past.still_crashing(one, now))
        for one in snapshot.containers
    )


def final(snapshot: Snapshot, verdict: Verdict) -> Verdict:
    """The verdict once no more can be learnt: what has ended for good waits for nothing."""
    live = snapshot.workload or {}
    if verdict.finding is not None and verdict.finding.id == "namespace-terminating":
        return Verdict(state=WAITING, text=f"{GOING} with its namespace")
    if verdict.state != WAITING or live["metadata"].get("deletionTimestamp"):
        return verdict
    status = live.get("status") or {}
    failure = condition(live, "Failed")
    if failure.get("status") == "True" or status.get("phase") == "Failed":
        said = failure.get("message") or status.get("message") or "nothing is known of it"
        return Verdict(state=FAILED, text=f"has failed: {said}", finding=verdict.finding)
    runs = any(one.running is not None for one in snapshot.containers)
    if live["kind"] == "Job" and verdict.finding is None and runs:
        return Verdict(state=READY, text="its pod runs")
    return verdict


def standing_since(snapshot: Snapshot, now: float) -> float:
    """Since when a workload that is not well is not, in the API server's time."""
    live = snapshot.workload or {}
    deleted = live["metadata"].get("deletionTimestamp")
    if deleted:
        return epoch(deleted)
    crashing = [
        epoch(container.status["lastState"]["terminated"].get("startedAt"))
        for container in snapshot.containers
        if past.still_crashing(container, now)
    ]
    return min([past.unready_since(snapshot.new_pods, live, now), *crashing])


def overdue(live: Object, seconds: float) -> bool:
    """Whether it has waited for too long; a Job may take its time."""
    patience = live["spec"].get("progressDeadlineSeconds") or PATIENCE_SECONDS
    return live["kind"] != "Job" and seconds > patience


def _remark(snapshot: Snapshot, now: float) -> str:
    """What is over and still worth knowing of a workload that is well."""
    if (snapshot.workload or {})["spec"].get("paused"):
        return "; paused, so a change of it is not rolled out"
    for container in past.restarted(snapshot.new_pods):
        end = container.status["lastState"]["terminated"]
        ago = duration(now - epoch(end.get("finishedAt")))
        code = end.get("exitCode")
        return (
            f"; container `{container.name}` ended {ago} ago with exit code {code}, and runs again"
        )
    return ""
