"""Waiting for a rollout: follow the namespace, keep the snapshot, ask the judge at each change."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kubekit.api.follow import Changed, Follower, Found, Listed, Lost, Update, stop
from kubekit.api.kube import PATIENCE_SECONDS, Kube
from kubekit.api.resources import DEPLOYMENTS, EVENTS, PODS, REPLICA_SETS
from kubekit.errors import (
    CancelledError,
    KubekitError,
    RefusedError,
    RolloutTimeoutError,
    SupersededError,
    UnreachableError,
    WorkloadError,
)
from kubekit.events import Emit, Progress, Warned
from kubekit.model import Applied, AppliedObject, Cancel, Clock, Object
from kubekit.rollout.evidence import evidence
from kubekit.rollout.facts import Facts
from kubekit.rollout.judge import FAILED, READY, Finding, Verdict, foremost, judge, settled
from kubekit.rollout.snapshot import LogOf, Snapshot, Target, containers_of

_TICK_SECONDS = 0.25
_FOLLOWED = {
    "Deployment": DEPLOYMENTS,
    "ReplicaSet": REPLICA_SETS,
    "Pod": PODS,
    "Event": EVENTS,
}
_ERRORS: dict[int, type[KubekitError]] = {
    5: RefusedError,
    6: WorkloadError,
    7: RolloutTimeoutError,
    10: SupersededError,
}


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """How the rollouts of one apply ended well: ``Deployment/tasks`` -> ``1 of 1 ready``."""

    workloads: dict[str, str]


def wait(
    kube: Kube,
    applied: Applied,
    *,
    namespace: str,
    timeout: float,
    emit: Emit,
    clock: Clock,
    cancel: Cancel,
) -> Rollout:
    """Wait until every Deployment of this apply is ready, or say why one will not be.

    Raises:
        WorkloadError, RefusedError, SupersededError: how a rollout can fail, by cause.
        RolloutTimeoutError: `timeout` seconds passed; the likeliest cause is named.
        UnreachableError: the API server was gone for longer than half a minute.
    """
    deployments = [item for item in applied.objects if item.manifest.kind == "Deployment"]
    _name_the_unwatched(applied, emit)
    over = {
        item.manifest.ref: settled(item.live) for item in deployments if item.action == "unchanged"
    }
    if len(over) == len(deployments) and all(over.values()):
        return Rollout(workloads={ref: text or "" for ref, text in over.items()})
    watcher = _Watcher(kube, namespace, emit=emit, clock=clock, cancel=cancel)
    with watcher.following():
        return Rollout(workloads=watcher.until_ready(deployments, applied.since, timeout))


def _name_the_unwatched(applied: Applied, emit: Emit) -> None:
    for item in applied.objects:
        if (
            item.manifest.kind in ("StatefulSet", "DaemonSet", "Job", "Pod")
            and item.action != "unchanged"
        ):
            emit(Warned(text=f"`{item.manifest.ref}` was applied; its start is not waited for"))


class _Watcher:
    """Keeps what is known of the namespace up to date on one queue."""

    def __init__(
        self, kube: Kube, namespace: str, *, emit: Emit, clock: Clock, cancel: Cancel
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._emit = emit
        self._clock = clock
        self._cancel = cancel
        self._updates: queue.SimpleQueue[Update] = queue.SimpleQueue()
        self._objects: dict[str, dict[str, Object]] = {kind: {} for kind in _FOLLOWED}
        self._listed: set[str] = set()
        self._lost_since: float | None = None
        self._facts = Facts(kube, namespace, clock)
        self._seen: dict[tuple[str, str, str], float] = {}
        self._start = clock.now()
        self._server_start = 0.0

    @contextlib.contextmanager
    def following(self) -> Iterator[None]:
        followers = [
            Follower(
                self._kube,
                kind=kind,
                path=resource.path(self._namespace),
                deliver=self._updates.put,
            )
            for kind, resource in _FOLLOWED.items()
        ]
        for follower in followers:
            follower.start()
        try:
            yield
        finally:
            stop(followers)

    def until_ready(
        self, deployments: Sequence[AppliedObject], since: float, timeout: float
    ) -> dict[str, str]:
        """Judge all of them at each change: the first to fail ends the wait for the others.

        One that was ready is judged on while another is not: it may crash after its first breath.
        """
        self._server_start = since
        items = {item.manifest.ref: item for item in deployments}
        targets = {ref: _target(item, self._namespace, since) for ref, item in items.items()}
        said = ""
        while True:
            verdicts = {ref: self._decide(target) for ref, target in targets.items()}
            pending = {ref: it for ref, it in verdicts.items() if it.state != READY}
            if not pending:
                return {ref: verdict.text for ref, verdict in verdicts.items()}
            ref = foremost(pending)
            verdict, item = pending[ref], items[ref]
            if verdict.state == FAILED and verdict.finding is not None:
                raise self._error(item, verdict.finding, since)
            if self._clock.now() - self._start > timeout:
                raise self._timed_out(item, verdict, since, timeout)
            text = f"{ref}: {verdict.finding.cause if verdict.finding else verdict.text}"
            if text != said:
                self._emit(Progress(stage="rollout", text=text))
                said = text
            self._take_updates()

    def _decide(self, target: Target) -> Verdict:
        self._facts.forget(self._running())
        verdict = judge(self._snapshot(target), self._server_now())
        for _ in range(3):  # what a fact shows may ask for another one
            if not verdict.wants or not self._facts.fetch(verdict.wants):
                break
            verdict = judge(self._snapshot(target), self._server_now())
        return verdict

    def _running(self) -> frozenset[LogOf]:
        """The attempts that go on."""
        return frozenset(
            container.log(container.restarts)
            for pod in self._objects["Pod"].values()
            for container in containers_of(pod)
            if container.running is not None
        )

    def _server_now(self) -> float:
        """The API server's time: its own stamp at the apply, and what passed here since."""
        return self._server_start + (self._clock.now() - self._start)

    def _snapshot(self, target: Target) -> Snapshot:
        named = (
            obj
            for obj in self._objects["Deployment"].values()
            if obj["metadata"]["name"] == target.name
        )
        return Snapshot(
            target=target,
            deployment=next(named, None),
            replica_sets=tuple(self._objects["ReplicaSet"].values()),
            pods=tuple(self._objects["Pod"].values()),
            events=tuple(self._objects["Event"].values()),
            listed=frozenset(self._listed),
            logs=dict(self._facts.logs),
            configs=dict(self._facts.configs),
            namespaces=dict(self._facts.namespaces),
            seen=dict(self._seen),
        )

    def _take_updates(self) -> None:
        """Take what has come, waiting for the first of it at most a tick."""
        if self._cancel.is_set():
            raise CancelledError("interrupted")
        timeout = _TICK_SECONDS
        while True:
            try:
                update = self._updates.get(timeout=timeout)
            except queue.Empty:
                break
            self._take(update)
            timeout = 0.0
        if self._lost_since and self._clock.now() - self._lost_since > PATIENCE_SECONDS:
            raise UnreachableError(
                f"the API server did not answer for {PATIENCE_SECONDS:.0f} s during the rollout",
                hints=("see `minikube status`; when it runs again, the same command goes on",),
                id="api-lost",
            )

    def _take(self, update: Update) -> None:
        match update:
            case Listed(kind=kind, items=items):
                self._objects[kind] = {item["metadata"]["uid"]: item for item in items}
                self._listed.add(kind)
                self._lost_since = None
            case Changed(kind=kind, item=item, gone=gone):
                if gone:
                    self._objects[kind].pop(item["metadata"]["uid"], None)
                else:
                    self._objects[kind][item["metadata"]["uid"]] = item
                self._lost_since = None
            case Found():
                self._lost_since = None
            case Lost():
                self._lose(update)
                return
        if update.kind == "Pod":
            self._note_waiting()

    def _lose(self, update: Lost) -> None:
        if not update.fatal:
            if self._lost_since is None:
                self._lost_since = self._clock.now()
                self._emit(
                    Progress(stage="rollout", text="the API server does not answer; waiting")
                )
        elif update.kind == "Event":
            self._emit(Warned(text="events may not be read here, so causes may be less exact"))
        else:
            raise update.error

    def _note_waiting(self) -> None:
        """When each container was first seen waiting for its reason; the API does not say.

        A try and the back-off after it have reasons of their own and take turns, so that only a
        start makes both forgotten.
        """
        now = self._server_now()
        seen: dict[tuple[str, str, str], float] = {}
        for pod in self._objects["Pod"].values():
            for container in containers_of(pod):
                if container.running is not None:
                    continue
                here = (container.pod_uid, container.name)
                seen |= {key: when for key, when in self._seen.items() if key[:2] == here}
                reason = (container.waiting or {}).get("reason")
                if reason:
                    seen.setdefault((*here, reason), now)
        self._seen = seen

    def _error(self, item: AppliedObject, finding: Finding, since: float) -> KubekitError:
        return _ERRORS[finding.exit_code](
            finding.cause,
            hints=(finding.fix,),
            details=self._evidence(finding, since),
            place=item.manifest.place(finding.field) if finding.field else item.manifest.origin,
            id=finding.id,
        )

    def _timed_out(
        self, item: AppliedObject, verdict: Verdict, since: float, timeout: float
    ) -> KubekitError:
        finding = verdict.finding
        what = finding.cause if finding else verdict.text
        fix = (finding.fix,) if finding else ()
        return RolloutTimeoutError(
            f"`{item.manifest.ref}` was not ready after {timeout:.0f} s: {what}",
            hints=(*fix, "if it only needs longer, raise `timeout`"),
            details=self._evidence(finding, since) if finding else (),
            place=item.manifest.place(finding.field) if finding else item.manifest.origin,
            id=finding.id if finding else "timeout",
        )

    def _evidence(self, finding: Finding, since: float) -> tuple[str, ...]:
        text = self._facts.logs.get(finding.log) if finding.log else None
        return evidence(finding, text, self._objects["Event"].values(), since)


def _target(item: AppliedObject, namespace: str, since: float) -> Target:
    # A condition older than the apply is stale, unless the apply found nothing to change.
    return Target(
        name=item.manifest.name,
        namespace=namespace,
        uid=item.live["metadata"]["uid"],
        generation=int(item.live["metadata"].get("generation") or 0),
        template=item.live["spec"]["template"],
        since=since if item.action != "unchanged" else 0.0,
    )
