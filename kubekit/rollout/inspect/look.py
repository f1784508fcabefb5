"""One look at a namespace, or at all of them: what is there, and what is wrong with it now.

What a wait sees with its own eyes is told here by the objects' own times, and the time is the API
server's. Nothing is written, and an app is asked something only if it is asked after by name: it
may be somebody's production.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from kubekit.api.kube import Answer, ApiError, Kube
from kubekit.api.resources import (
    EVENTS,
    KNOWN,
    NAMESPACE,
    PODS,
    REPLICA_SETS,
    SERVICES,
    SLICES,
    Resource,
)
from kubekit.errors import RefusedError
from kubekit.model import Cancel, Clock, Object
from kubekit.rollout import kinds
from kubekit.rollout.facts import Facts
from kubekit.rollout.inspect import past
from kubekit.rollout.inspect.present import final, overdue, present, standing_since
from kubekit.rollout.inspect.reach import reaches
from kubekit.rollout.snapshot import Snapshot, Target
from kubekit.rollout.telling import duration, told
from kubekit.rollout.verdict import FAILED, READY, Verdict
from kubekit.rollout.wants import AnswerOf, OpenPorts, ReplyOf

_FORBIDDEN = 403
_NOT_SERVED = 404
_RESOURCES: Mapping[str, Resource] = {
    **{kind: KNOWN["apps/v1", kind] for kind in ("Deployment", "StatefulSet", "DaemonSet")},
    **{kind: KNOWN["batch/v1", kind] for kind in ("Job", "CronJob")},
    "ReplicaSet": REPLICA_SETS,
    "Pod": PODS,
    "Event": EVENTS,
    "Service": SERVICES,
    "EndpointSlice": SLICES,
}
_TOUCHING = (OpenPorts, ReplyOf, AnswerOf)
"""Facts that are had by talking to the app."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What one look says of one object.

    Attributes:
        wrong: whether it is not well: it failed, or has waited for too long.
        seconds: for how long it has not been ready; None where that is not known.
        details: evidence, as under a failed rollout.
        log: what shows it, as far as it was read.
    """

    obj: Object
    verdict: Verdict
    wrong: bool
    seconds: float | None = None
    details: tuple[str, ...] = ()
    log: str = ""


class Look:
    """What is there at one moment.

    Attributes:
        objects: by kind.
        now: the API server's time, seconds since the epoch.
    """

    def __init__(
        self, kube: Kube, namespace: str, clock: Clock, *, cancel: Cancel, ask: bool
    ) -> None:
        """Read it all; an empty namespace means all of them.

        Args:
            ask: whether apps may be asked what their probes and Services would ask them.

        Raises:
            RefusedError: neither pods nor any kind of workload may be read.
            UnreachableError: the API server does not answer.
        """
        self._kube = kube
        self._clock = clock
        self._cancel = cancel
        self._ask = ask
        self._blind: set[str] = set()
        self._seen: dict[str, _Namespace] = {}
        self.now = 0.0
        self.objects: dict[str, list[Object]] = {}
        with ThreadPoolExecutor(len(_RESOURCES)) as pool:
            read = partial(_listed, kube, namespace)
            answers = dict(zip(_RESOURCES, pool.map(read, _RESOURCES.values()), strict=True))
        for kind, answer in answers.items():
            if answer is None:
                self._blind.add(kind)
                continue
            self.now = max(self.now, answer.date)
            # The items of a list do not say their kind.
            items = answer.data.get("items") or ()
            self.objects[kind] = [{**item, "kind": kind} for item in items]
        if self._blind >= set(kinds.WORKLOADS):
            where = f"in namespace `{namespace}`" if namespace else "in all namespaces"
            raise RefusedError(
                f"this user may read neither pods nor any workload {where}",
                hints=("ask for the ClusterRole `view`, or name a namespace with `-n`",),
                id="api-forbidden",
            )

    @property
    def unseen(self) -> frozenset[str]:
        """What this user may not read, in words."""
        lists = {"events" if kind == "Event" else f"{kind}s" for kind in self._blind}
        return frozenset(lists.union(*(one.facts.unseen for one in self._seen.values())))

    def judge(self, obj: Object) -> Judged:
        """What is to be said of one of the objects."""
        match obj["kind"]:
            case "Service":
                return self._judge_service(obj)
            case "CronJob":
                text = "suspended" if obj["spec"].get("suspend") else "has not run yet"
                return Judged(obj=obj, verdict=Verdict(state=READY, text=text), wrong=False)
            case _:
                return self._judge_workload(obj)

    def _judge_workload(self, live: Object) -> Judged:
        here = self._around(live)
        verdict = self._informed(lambda: present(self._snapshot(live, here), self.now), here)
        snapshot = self._snapshot(live, here)
        verdict = final(snapshot, verdict)
        if verdict.state == READY:
            return Judged(obj=live, verdict=verdict, wrong=False)
        seconds = self.now - standing_since(snapshot, self.now)
        shown = verdict.finding.log if verdict.finding else None
        return Judged(
            obj=live,
            verdict=verdict,
            wrong=verdict.state == FAILED or overdue(live, seconds),
            seconds=seconds,
            details=_told(verdict, here, snapshot, seconds),
            log=(here.facts.known.get(shown) if shown else None) or "",
        )

    def _judge_service(self, service: Object) -> Judged:
        here = self._around(service)
        if {"EndpointSlice", "Pod"} & self._blind:
            verdict = Verdict(state=READY, text="where it leads to may not be read")
            return Judged(obj=service, verdict=verdict, wrong=False)

        def look() -> Verdict:
            return reaches(
                service,
                pods=here.pods,
                workloads=here.workloads,
                slices=here.objects.get("EndpointSlice", ()),
                facts=here.facts.known,
                now=self.now,
            )

        verdict = self._informed(look, here)
        failed = verdict.state == FAILED
        details = _told(verdict, here, None, None) if failed else ()
        return Judged(obj=service, verdict=verdict, wrong=failed, details=details)

    def _informed(self, look: Callable[[], Verdict], here: _Namespace) -> Verdict:
        """The verdict with what can be read; where no app is asked, its answers stay unknown."""
        known = here.facts.known

        def unasking() -> Verdict:
            verdict = look()
            while unasked := [want for want in verdict.wants if isinstance(want, _TOUCHING)]:
                known.update(dict.fromkeys(unasked))
                verdict = look()
            return verdict

        return here.facts.informed(look if self._ask else unasking)

    def _snapshot(self, live: Object, here: _Namespace) -> Snapshot:
        return Snapshot(
            target=Target(
                kind=live["kind"],
                name=live["metadata"]["name"],
                namespace=live["metadata"]["namespace"],
                uid=live["metadata"]["uid"],
                generation=int(live["metadata"].get("generation") or 0),
                template=kinds.template(live),
                # Only where the controller is behind does it count when the change was made.
                since=0.0 if kinds.observed(live) else past.changed_at(live),
            ),
            workload=live,
            replica_sets=tuple(here.objects.get("ReplicaSet", ())),
            pods=here.pods,
            events=tuple(here.objects.get("Event", ())),
            listed=frozenset(self.objects) | self._blind,
            facts=dict(here.facts.known),
            seen=here.waiting,
            namespace=here.itself,
        )

    def _around(self, obj: Object) -> _Namespace:
        """What is known of the object's namespace; put together when first asked for."""
        namespace = str(obj["metadata"]["namespace"])
        if namespace not in self._seen:
            objects = {
                kind: [item for item in items if item["metadata"]["namespace"] == namespace]
                for kind, items in self.objects.items()
            }
            pods = past.current(objects.get("Pod", ()), self.now)
            itself = None
            with contextlib.suppress(ApiError):  # it may be that this user may not read it
                itself = self._kube.get(NAMESPACE.path("", namespace), patience=0)
            self._seen[namespace] = _Namespace(
                itself=itself,
                objects=objects,
                pods=pods,
                waiting=past.seen(pods, objects.get("Event", ())),
                facts=Facts(
                    self._kube,
                    namespace,
                    clock=self._clock,
                    on_host=lambda _image: False,
                    cancel=self._cancel,
                ),
            )
        return self._seen[namespace]


@dataclass(frozen=True, kw_only=True)
class _Namespace:
    """What is known of one namespace; `waiting` is what a `Snapshot` calls `seen`."""

    itself: Object | None
    objects: Mapping[str, list[Object]]
    pods: tuple[Object, ...]
    waiting: Mapping[tuple[str, str, str], float]
    facts: Facts

    @property
    def workloads(self) -> list[Object]:
        """Everything that makes pods, or is one."""
        return [one for kind in (*kinds.WORKLOADS, "CronJob") for one in self.objects.get(kind, ())]


def _told(
    verdict: Verdict, here: _Namespace, snapshot: Snapshot | None, seconds: float | None
) -> tuple[str, ...]:
    return told(
        f"for {duration(seconds)}" if seconds is not None else "",
        verdict.finding,
        snapshot,
        facts=here.facts.known,
        events=here.objects.get("Event", ()),
        since=0.0,
    )


def _listed(kube: Kube, namespace: str, resource: Resource) -> Answer | None:
    """All of one kind, None where this user may not read it."""
    try:
        return kube.request("GET", resource.path(namespace), patience=0)
    except ApiError as error:
        if error.status == _FORBIDDEN:
            return None
        if error.status == _NOT_SERVED:
            return Answer(data={}, warnings=(), date=0.0)
        raise
