"""What differs between kinds of workloads: which pods are present, and when all is over. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubekit.model import Object
from kubekit.rollout.reading import annotations_of, condition, is_owned, is_ready

REVISION = "deployment.kubernetes.io/revision"
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet", "Pod")
"""The kinds that are judged."""

_HASH = "controller-revision-hash"
_GENERATION = "deprecated.daemonset.template.generation"
_UNCOUNTED = ("Job", "Pod")  # Their status has no observedGeneration, or not on every version.


def present_set(deployment: Object | None, sets: Iterable[Object]) -> Object | None:
    """The ReplicaSet of the Deployment's present revision."""
    if deployment is None:
        return None
    uid, revision = deployment["metadata"]["uid"], annotations_of(deployment).get(REVISION)
    for item in sets:
        if is_owned(item, uid) and annotations_of(item).get(REVISION) == revision:
            return item
    return None


def is_present(pod: Object, live: Object) -> bool:
    """Whether a pod is of the present revision of `live`; of a Deployment, its ReplicaSet."""
    labels = pod["metadata"].get("labels") or {}
    uid = live["metadata"]["uid"]
    match live.get("kind"):
        case "Pod":
            return bool(pod["metadata"]["uid"] == uid)
        case "StatefulSet":
            revision = (live.get("status") or {}).get("updateRevision")
            return is_owned(pod, uid) and revision_of(pod) == revision
        case "DaemonSet":
            # The controller writes both, though it calls them deprecated: its revisions are
            # objects of their own, which nothing in the DaemonSet names.
            generation = annotations_of(live).get(_GENERATION)
            return is_owned(pod, uid) and labels.get("pod-template-generation") == generation
        case _:
            return is_owned(pod, uid)


def revision_of(pod: Object) -> str:
    """The name of the ControllerRevision that a StatefulSet's pod is of."""
    return str((pod["metadata"].get("labels") or {}).get(_HASH, ""))


def observed(live: Object) -> bool:
    """Whether its controller has seen the object as it is now."""
    seen = int((live.get("status") or {}).get("observedGeneration") or 0)
    return live["kind"] in _UNCOUNTED or seen >= int(live["metadata"].get("generation") or 0)


def settled(live: Object) -> str | None:
    """What is ready, if the rollout is over: all new pods available, no old one left; else None.

    The rules are kubectl's (pkg/polymorphichelpers/rollout_status.go), for a Job the condition
    Complete, for a Pod its condition Ready or its good end.
    """
    if not observed(live):
        return None
    rule = _RULES.get(live["kind"])
    return rule(live) if rule else "nothing to wait for"


def by_hand(live: Object) -> bool:
    """Whether its pods are replaced only when somebody deletes them."""
    return (live["spec"].get("updateStrategy") or {}).get("type") == "OnDelete"


def holds_back(live: Object) -> bool:
    """Whether no pod becomes a new one: they go by hand, or a partition keeps all as they are."""
    return by_hand(live) or 0 < wanted(live) <= _partition(live)


def wanted(live: Object) -> int:
    """How many pods the workload is to have."""
    if live["kind"] == "DaemonSet":
        return int((live.get("status") or {}).get("desiredNumberScheduled") or 0)
    count = live["spec"].get("replicas", 1)
    return 1 if count is None else int(count)


def _deployed(live: Object) -> str | None:
    status, count = live.get("status") or {}, wanted(live)
    total = int(status.get("replicas") or 0)
    new = total if live["kind"] == "ReplicaSet" else int(status.get("updatedReplicas") or 0)
    ready = int(status.get("availableReplicas") or 0)
    if new < count or total > new or ready < count:
        return None
    return f"{ready} of {count} ready" if count else "scaled to 0: nothing runs"


def _stateful(live: Object) -> str | None:
    status, partition = live.get("status") or {}, _partition(live)
    count, new = wanted(live), int(status.get("updatedReplicas") or 0)
    ready = int(status.get("availableReplicas", status.get("readyReplicas")) or 0)
    if ready < count or (not by_hand(live) and new < count - partition):
        return None
    if (
        not by_hand(live)
        and not partition
        and status.get("currentRevision") != status.get("updateRevision")
    ):
        return None
    return f"{ready} of {count} ready" if count else "scaled to 0: nothing runs"


def _partition(live: Object) -> int:
    """The first of a StatefulSet's pods that a new template is for, by its number; 0 is all."""
    strategy = live["spec"].get("updateStrategy") or {}
    return int((strategy.get("rollingUpdate") or {}).get("partition") or 0)


def _daemons(live: Object) -> str | None:
    status, count = live.get("status") or {}, wanted(live)
    new, ready = (
        int(status.get(key) or 0) for key in ("updatedNumberScheduled", "numberAvailable")
    )
    if ready < count or (new < count and not by_hand(live)):
        return None
    return f"{ready} of {count} ready" if count else "no node is meant to run it"


def _job(live: Object) -> str | None:
    if condition(live, "Complete").get("status") == "True":
        return "completed"
    return "suspended: nothing runs" if live["spec"].get("suspend") else None


def _pod(live: Object) -> str | None:
    if (live.get("status") or {}).get("phase") == "Succeeded":
        return "completed"
    return "ready" if is_ready(live) else None


def outdated(pod: Object, images: Mapping[str, frozenset[str]]) -> Object | None:
    """The status of a container that runs another image than the one its reference means now.

    A runtime shows an image's ID, ``docker://sha256:...``, or the digest it has in a registry,
    ``docker-pullable://NAME@sha256:...``: two of one sort can be compared, whatever the name.
    """
    names = {item["name"]: item["image"] for item in pod["spec"]["containers"]}
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        running = (status.get("imageID") or "").rpartition("://")[2]
        built = {
            known.rpartition("@")[2]
            for known in images.get(names.get(status["name"], ""), ())
            if ("@" in known) == ("@" in running)
        }
        if built and running and running.rpartition("@")[2] not in built:
            return dict(status)
    return None


def template(live: Object) -> Object:
    """The pod template of a workload; a Pod is its own."""
    if live["kind"] == "Pod":
        return {"metadata": live["metadata"], "spec": live["spec"]}
    return dict(live["spec"]["template"])


def container(template: Object, name: str) -> Object:
    """The spec of a container of a pod template; empty where it has none of that name."""
    spec = template["spec"]
    both = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    return dict(next((one for one in both if one["name"] == name), {}))


_RULES = {
    "Deployment": _deployed,
    "ReplicaSet": _deployed,
    "StatefulSet": _stateful,
    "DaemonSet": _daemons,
    "Job": _job,
    "Pod": _pod,
}
