"""Small objects of a rollout, as the API would show them, for the judge's tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kubekit.model import Object
from kubekit.rollout.judge import judge
from kubekit.rollout.reading import epoch
from kubekit.rollout.snapshot import Snapshot, Target
from kubekit.rollout.verdict import FAILED

START = "2026-11-21T10:00:00Z"
NOW = epoch(START)
LISTED = frozenset({"Deployment", "ReplicaSet", "Pod", "Event"})
PROBE = {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1, "failureThreshold": 3}


def at(seconds: float) -> str:
    """RFC 3339, so many seconds after the start."""
    import datetime as dt

    moment = dt.datetime.fromisoformat(START) + dt.timedelta(seconds=seconds)
    return moment.isoformat().replace("+00:00", "Z")


def deployment(**changes: Any) -> Object:
    base: Object = {
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "uid": "dep",
            "generation": 2,
            "annotations": {"deployment.kubernetes.io/revision": "2"},
        },
        "spec": {"replicas": 1, "template": {"spec": {"containers": [container()]}}},
        "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1},
    }
    base["spec"] |= changes.pop("spec", {})
    base["status"] |= changes.pop("status", {})
    base["metadata"] |= changes.pop("metadata", {})
    return base | changes


def container(**changes: Any) -> Object:
    return {
        "name": "app",
        "image": "web:kk-1",
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": PROBE,
    } | changes


def replica_set(name: str = "web-2", *, revision: str = "2", **changes: Any) -> Object:
    return {
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "uid": name,
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"uid": "dep", "kind": "Deployment", "name": "web"}],
        },
        "spec": {},
        "status": changes.pop("status", {}),
    }


def pod(
    *, state: Object | None = None, owner: str = "web-2", name: str = "web-2-a", **changes: Any
) -> Object:
    """A pod with one container; `state` is the container's status beside its name."""
    status = {"name": "app", "ready": False, "restartCount": 0, **(state or {})}
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "uid": name,
            "ownerReferences": [{"uid": owner, "kind": "ReplicaSet", "name": owner}],
        },
        "spec": {"containers": [container(**changes.pop("container", {}))]},
        "status": {
            "phase": "Pending",
            "containerStatuses": [status],
            "conditions": changes.pop("conditions", []),
        },
    }


def waiting(reason: str, message: str = "", **changes: Any) -> Object:
    return {"state": {"waiting": {"reason": reason, "message": message}}, **changes}


def running(since: float = 0.0, **changes: Any) -> Object:
    return {"state": {"running": {"startedAt": at(since)}}, **changes}


def crashed(
    code: int, *, restarts: int, reason: str = "Error", lasted: float = 1.0, finished: float = 2.0
) -> Object:
    """In its back-off after `restarts` restarts."""
    return {
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
        "lastState": {
            "terminated": {
                "exitCode": code,
                "reason": reason,
                "startedAt": at(finished - lasted),
                "finishedAt": at(finished),
            }
        },
        "restartCount": restarts,
    }


def event(
    reason: str, message: str, *, count: int = 1, when: float = 1.0, uid: str = "web-2-a"
) -> Object:
    return {
        "type": "Warning",
        "reason": reason,
        "message": message,
        "count": count,
        "lastTimestamp": at(when),
        "metadata": {"name": f"{uid}.{reason}", "uid": f"{reason}{message}"},
        "involvedObject": {
            "kind": "Pod",
            "name": uid,
            "uid": uid,
            "fieldPath": "spec.containers{app}",
        },
    }


def snapshot(*pods: Object, **changes: Any) -> Snapshot:
    """A rollout of revision 2 with these pods, everything listed."""
    facts = changes.pop("logs", {}) | changes.pop("configs", {}) | changes.pop("facts", {})
    live = changes.pop("deployment", deployment())
    target = Target(
        name="web",
        namespace="web",
        uid="dep",
        generation=2,
        template=deployment()["spec"]["template"],
        since=NOW,
    )
    sets = changes.pop("replica_sets", (replica_set("web-1", revision="1"), replica_set()))
    return Snapshot(
        target=target,
        workload=live,
        replica_sets=sets,
        pods=pods,
        facts=facts,
        listed=changes.pop("listed", LISTED),
        **changes,
    )


def step_by_step(snap: Snapshot, now: float) -> str | None:
    """The cause that fails it where, as in a real run, a fact is known only once asked for."""
    known: dict[Any, Any] = {}
    while True:
        verdict = judge(replace(snap, facts=known), now)
        asked = {want: snap.facts[want] for want in verdict.wants & snap.facts.keys()}
        if not asked:
            return verdict.finding.id if verdict.finding and verdict.state == FAILED else None
        known |= asked
