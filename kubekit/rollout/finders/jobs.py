"""The finder for what has ended for good: Jobs that failed, Pods that nobody starts again."""

from __future__ import annotations

from collections.abc import Iterator

from kubekit.rollout.finders.crashes import last_words, newest_end
from kubekit.rollout.finders.hits import Hit
from kubekit.rollout.reading import condition, epoch
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.wants import LogOf, log_of


def job_failed(snapshot: Snapshot, _now: float) -> Iterator[Hit]:
    """A Job with the condition Failed, or a Pod of the phase Failed, whatever the reason."""
    live = snapshot.workload or {}
    state = condition(live, "Failed")
    failed = state.get("status") == "True"
    if live.get("kind") == "Pod":
        state = live.get("status") or {}
        failed = state.get("phase") == "Failed"
    if not failed:
        return
    log, newest = _log(snapshot), newest_end(snapshot)
    said = str(state.get("message") or state.get("reason") or "its containers have ended")
    of_pod = (newest.pod["status"].get("message") or "") if newest else ""
    said += f"; {of_pod}" if of_pod and of_pod != said else ""
    known = snapshot.facts.get(log) if log else None
    message = f"{said}; the last it said: {last_words(known)}" if known else said
    yield Hit(
        where=snapshot.target.ref,
        since=epoch(state.get("lastTransitionTime")),
        words={"kind": snapshot.target.kind, "name": snapshot.target.name, "message": message},
        log=log,
        wants=frozenset({log} if log else ()),
    )


def _log(snapshot: Snapshot) -> LogOf | None:
    """The log of what failed last.

    The pods of a Job with ``restartPolicy: OnFailure`` are deleted the moment it fails: then it is
    what was read before.
    """
    newest = newest_end(snapshot)
    if newest is not None:
        return log_of(newest)
    prefix = f"{snapshot.target.name}-"
    read = [want for want in snapshot.facts if isinstance(want, LogOf)]
    of_it = [want for want in read if want.pod.startswith(prefix) and snapshot.facts[want]]
    return max(of_it, key=lambda want: (want.attempt, want.pod), default=None)
