"""Waiting for a rollout: ask the judge at each change, until all is ready or one thing is not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from kubekit.api.feed import Feed
from kubekit.api.kube import ApiError, Kube
from kubekit.api.resources import PODS, SLICES
from kubekit.errors import (
    KubekitError,
    Place,
    RefusedError,
    RolloutTimeoutError,
    SupersededError,
    UnreachableError,
    WorkloadError,
)
from kubekit.events import Emit, Progress, Warned
from kubekit.model import Applied, AppliedObject, Cancel, Clock, Object
from kubekit.rollout import kinds
from kubekit.rollout.catalogue import CAUSES
from kubekit.rollout.finders.hits import Hit
from kubekit.rollout.finders.probes import redirected
from kubekit.rollout.judge import foremost, judge
from kubekit.rollout.reading import is_ready
from kubekit.rollout.services import Way, is_foreign, labels_of, leads, strangers
from kubekit.rollout.snapshot import Target
from kubekit.rollout.telling import blindness, field_in, told
from kubekit.rollout.verdict import CRASHES, FAILED, READY, WAITING, Blame, Finding, Verdict
from kubekit.rollout.wants import BalancerOf
from kubekit.rollout.watcher import Watcher

_ERRORS: dict[int, type[KubekitError]] = {
    5: RefusedError,
    6: WorkloadError,
    7: RolloutTimeoutError,
    8: UnreachableError,
    10: SupersededError,
}


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long is waited, and for what.

    Attributes:
        timeout: seconds for all of it.
        factor: by how much each waiting window is longer than usual.
        tolerate: ids of causes that never decide.
    """

    timeout: float
    factor: float = 1.0
    tolerate: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """How the rollouts of one apply ended well: ``Deployment/tasks`` -> ``1 of 1 ready``."""

    workloads: dict[str, str]

    @property
    def told(self) -> str:
        """In words; empty if there was nothing to wait for."""
        return ", ".join(f"{ref} {state}" for ref, state in self.workloads.items())


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the wait needs beside the cluster.

    Attributes:
        images: reference -> IDs that a pod may report of the image this run has provided.
        on_host: whether this machine's own Docker has an image.
        blame: what of the project's files is behind a crash, told from its cause, the container,
            which runs an image of this run, and its log.
        gone: uids of pods that this run has deleted before the wait.
        feed: of the namespace, where it is followed anyway.
    """

    images: Mapping[str, frozenset[str]] = field(default_factory=dict)
    on_host: Callable[[str], bool] = lambda _image: False
    blame: Callable[[str, Object, str], Blame | None] = lambda _cause, _container, _log: None
    gone: frozenset[str] = frozenset()
    feed: Feed | None = None


def wait(
    kube: Kube,
    applied: Applied,
    *,
    namespace: str,
    patience: Patience,
    around: Surroundings,
    emit: Emit,
    clock: Clock,
    cancel: Cancel,
) -> Rollout:
    """Wait until every workload of this apply is ready and reached, or say why one will not be.

    Raises:
        WorkloadError, RefusedError, SupersededError: how a rollout can fail, by cause.
        RolloutTimeoutError: the time is over; the likeliest cause is named.
        UnreachableError: the API server was gone for longer than half a minute.
    """
    workloads = [item for item in applied.objects if item.manifest.kind in kinds.WORKLOADS]
    over = {
        item.manifest.ref: kinds.settled(item.live)
        for item in workloads
        if item.action == "unchanged"
    }
    over_all = len(over) == len(workloads) and all(over.values())
    if over_all and _proved(kube, applied, namespace, around):
        return Rollout(workloads={ref: text or "" for ref, text in over.items()})
    with contextlib.ExitStack() as stack:
        feed = around.feed
        if feed is None:
            feed = Feed(kube, namespace)
            stack.callback(feed.close)
        watcher = Watcher(
            kube,
            namespace,
            feed=feed,
            emit=emit,
            clock=clock,
            cancel=cancel,
            on_host=around.on_host,
            patience=patience.factor,
        )
        stack.enter_context(watcher.following(frozenset(item.manifest.kind for item in workloads)))
        waiting = _Wait(watcher, applied, patience=patience, around=around, emit=emit)
        return Rollout(workloads=waiting.until_ready(_targets(applied, namespace, around)))


def _proved(kube: Kube, applied: Applied, namespace: str, around: Surroundings) -> bool:
    """Whether what is settled runs the images of now, and its Services lead to it, at one look."""
    services = [item.live for item in applied.objects if item.manifest.kind == "Service"]
    try:
        pods = kube.list(PODS.path(namespace)) if around.images or services else []
        slices = kube.list(SLICES.path(namespace)) if services else []
    except ApiError:  # not allowed to look: the wait says so
        return False
    ready = tuple(filter(is_ready, pods))
    labels = tuple(filter(None, (labels_of(item.live) for item in applied.objects)))
    way = partial(Way, slices=tuple(slices), pods=ready, labels=labels, ready_since=0.0)
    return not any(kinds.outdated(pod, around.images) for pod in pods) and all(
        leads(way(service=service), now=0.0).state == READY for service in services
    )


def _targets(applied: Applied, namespace: str, around: Surroundings) -> dict[str, Target]:
    return {
        item.manifest.ref: Target(
            kind=item.manifest.kind,
            name=item.manifest.name,
            namespace=namespace,
            uid=item.live["metadata"]["uid"],
            generation=int(item.live["metadata"].get("generation") or 0),
            template=kinds.template(item.live),
            since=applied.since,
            images=around.images,
            gone=around.gone,
        )
        for item in applied.objects
        if item.manifest.kind in kinds.WORKLOADS
    }


def _place(item: AppliedObject, finding: Finding | None) -> Place:
    """Where in the manifests the fix belongs."""
    if finding is None or not finding.field:
        return item.manifest.origin
    return item.manifest.place(field_in(item.manifest.kind, finding.field))


class _Wait:
    """The loop of one wait, and how it ends."""

    def __init__(
        self,
        watcher: Watcher,
        applied: Applied,
        *,
        patience: Patience,
        around: Surroundings,
        emit: Emit,
    ) -> None:
        self._watcher = watcher
        self._items = {item.manifest.ref: item for item in applied.objects}
        self._since = applied.since
        self._patience = patience
        self._around = around
        self._emit = emit
        self._ready_since: float | None = None
        self._pending: frozenset[str] = frozenset()
        self._said = ""

    def until_ready(self, targets: Mapping[str, Target]) -> dict[str, str]:
        """Judge all of them at each change: the first to fail ends the wait for the others.

        One that was ready is judged on while another is not: it may crash after its first breath.
        Services are proved once all workloads are ready.
        """
        while True:
            self._watcher.refresh()
            verdicts = {ref: self._decide(target) for ref, target in targets.items()}
            self._pending = frozenset(ref for ref, it in verdicts.items() if it.state != READY)
            ready = not self._pending
            if not ready:
                self._ready_since = None
            elif self._ready_since is None:
                self._ready_since = self._watcher.server_now()
            ways = self._ways(targets) if ready else {}
            services = self._services(ways)
            pending = {ref: it for ref, it in {**verdicts, **services}.items() if it.state != READY}
            if not pending:
                self._tell(ways, services, targets)
                return {ref: verdict.text for ref, verdict in verdicts.items()}
            self._end_or_tell(pending, targets)
            self._watcher.take_updates()

    def _decide(self, target: Target) -> Verdict:
        tolerate = self._patience.tolerate
        if self._pending - {target.ref}:  # what it needs may be what is still starting
            tolerate |= {cause.id for cause in CAUSES.values() if cause.waits_for_others}

        def look() -> Verdict:
            snapshot = self._watcher.snapshot(target)
            return judge(snapshot, self._watcher.server_now(), tolerate)

        return self._watcher.facts.informed(look)

    def _ways(self, targets: Mapping[str, Target]) -> dict[str, Way]:
        known = [self._watcher.snapshot(target) for target in targets.values()]
        pods = tuple(pod for it in known if it.target.kind != "Job" for pod in it.new_pods)
        ours = (pod["metadata"]["uid"] for it in known for pod in (*it.new_pods, *it.old_pods))
        labels = (labels_of(item.live) for item in self._items.values())
        way = partial(
            Way,
            slices=self._watcher.objects("EndpointSlice"),
            pods=pods,
            labels=tuple(filter(None, labels)),
            ours=frozenset(ours),
            foreign=any(is_foreign(item.live) for item in self._items.values()),
            ready_since=self._ready_since or 0.0,
            facts=self._watcher.facts.known,
        )
        return {
            ref: way(service=item.live)
            for ref, item in self._items.items()
            if item.manifest.kind == "Service"
        }

    def _services(self, ways: Mapping[str, Way]) -> dict[str, Verdict]:
        blind = "EndpointSlices" in self._watcher.facts.unseen
        return {} if blind else {ref: self._proved(way) for ref, way in ways.items()}

    def _proved(self, way: Way) -> Verdict:
        if not self._watcher.listed("EndpointSlice"):
            return Verdict(state=WAITING, text="reading where it leads to")
        factor, tolerate = self._patience.factor, self._patience.tolerate
        return self._watcher.facts.informed(
            lambda: leads(way, self._watcher.server_now(), factor, tolerate)
        )

    def _tell(
        self,
        ways: Mapping[str, Way],
        services: Mapping[str, Verdict],
        targets: Mapping[str, Target],
    ) -> None:
        """What is no failure and still worth knowing."""
        for verdict in services.values():
            if verdict.finding is not None:
                self._emit_finding(verdict.finding)
        for way in ways.values():
            others = strangers(way)
            if others:
                self._warn("service-too-broad", name=way.name, pods=", ".join(others))
            if self._without_address(way.service):
                self._warn("load-balancer-pending", name=way.name)
        for target in targets.values():
            snapshot = self._watcher.snapshot(target)
            if ((snapshot.workload or {}).get("spec") or {}).get("replicas") == 0:
                self._warn("scaled-to-zero", kind=target.kind, name=target.name)
            for words in redirected(snapshot):
                self._warn("probe-redirect", **words)
        if "EndpointSlices" in self._watcher.facts.unseen:
            self._emit(
                Warned(
                    text="where Services lead was not proved: this user may not read EndpointSlices"
                )
            )

    def _without_address(self, service: Object) -> bool:
        """Whether nobody has given a LoadBalancer an address by now."""
        if service["spec"].get("type") != "LoadBalancer":
            return False
        asked = BalancerOf(service=str(service["metadata"]["name"]))
        self._watcher.facts.fetch(frozenset({asked}))
        return not self._watcher.facts.known.get(asked)

    def _warn(self, cause_id: str, **words: object) -> None:
        self._emit_finding(CAUSES[cause_id].finding(Hit(where="", since=0.0, words=words)))

    def _emit_finding(self, finding: Finding) -> None:
        self._emit(Warned(text=finding.cause, hints=(finding.fix,)))

    def _end_or_tell(self, pending: Mapping[str, Verdict], targets: Mapping[str, Target]) -> None:
        ref = foremost(pending)
        verdict, item = pending[ref], self._items[ref]
        if verdict.state == FAILED and verdict.finding is not None:
            raise self._failed(item, verdict.finding, targets.get(ref))
        if self._watcher.elapsed() > self._patience.timeout:
            raise self._timed_out(item, verdict, targets.get(ref))
        text = f"{ref}: {verdict.finding.cause if verdict.finding else verdict.text}"
        if text != self._said:
            self._emit(Progress(stage="rollout", text=text))
            self._said = text

    def _failed(self, item: AppliedObject, finding: Finding, target: Target | None) -> KubekitError:
        blame = self._blame(item, finding, target)
        return _ERRORS[finding.exit_code](
            blame.cause or finding.cause,
            hints=blame.hints or (finding.fix,),
            details=self._details(finding, target),
            place=blame.place,
            id=finding.id,
        )

    def _timed_out(
        self, item: AppliedObject, verdict: Verdict, target: Target | None
    ) -> KubekitError:
        finding = verdict.finding
        blame = self._blame(item, finding, target)
        what = blame.cause or (finding.cause if finding else verdict.text)
        fix = blame.hints or ((finding.fix,) if finding else ())
        return RolloutTimeoutError(
            f"`{item.manifest.ref}` was not ready after {self._patience.timeout:.0f} s: {what}",
            hints=(*fix, "if it only needs longer, raise `timeout`"),
            details=self._details(finding, target),
            place=blame.place,
            id=finding.id if finding else "timeout",
        )

    def _blame(self, item: AppliedObject, finding: Finding | None, target: Target | None) -> Blame:
        """What is to be put right: of a crash in the project's own files, if it is theirs."""
        manifest = Blame(place=_place(item, finding))
        if finding is None or finding.id not in CRASHES or finding.log is None or target is None:
            return manifest
        log = self._watcher.facts.known.get(finding.log) or ""
        container = kinds.container(target.template, finding.log.container)
        if container.get("image") not in self._around.images:
            return manifest
        return self._around.blame(finding.cause, container, log) or manifest

    def _details(self, finding: Finding | None, target: Target | None) -> tuple[str, ...]:
        unseen = self._watcher.facts.unseen
        details = told(
            f"{self._watcher.elapsed():.0f} s after the apply",
            finding,
            self._watcher.snapshot(target) if target else None,
            facts=self._watcher.facts.known,
            events=self._watcher.objects("Event"),
            since=self._since,
        )
        return (*details, *((blindness(unseen),) if unseen else ()))
