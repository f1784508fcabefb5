"""Pods of an older revision that hold up a StatefulSet, and that nobody else would replace.

One that starts its pods in order touches none while one of them is not ready, not even that one:
after a release that crashes, neither a better one nor a rollback would ever get on. All other
workloads replace such a pod by themselves. One that is only starting is left to do so: it is
replaced when it is ready, or as soon as it is late.
https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
"""

from __future__ import annotations

from kubekit.api.kube import Kube
from kubekit.api.resources import KNOWN, PODS, ref
from kubekit.api.waiting import Wait
from kubekit.events import Emit
from kubekit.model import Applied, Clock, Object
from kubekit.rollout.kinds import by_hand, is_present, observed, revision_of
from kubekit.rollout.reading import is_owned, is_ready
from kubekit.rollout.replacing import replace_pod
from kubekit.rollout.revisions import history, revisions
from kubekit.rollout.stuck import is_down, is_hung, late_at

_SETS = KNOWN["apps/v1", "StatefulSet"]
_SECONDS = 60.0


def unblock(
    kube: Kube,
    applied: Applied,
    *,
    namespace: str,
    emit: Emit,
    clock: Clock,
    timeout: float = _SECONDS,
) -> None:
    """Delete the pods of another revision that stay unready, where the StatefulSet will not.

    Args:
        kube: the cluster.
        applied: what is waited for afterwards.
        namespace: of the project.
        emit: is told what was deleted.
        clock: of the run.
        timeout: how long the rollout may take, in seconds.
    """
    for item in applied.objects:
        # One that is new has no older pods.
        if item.manifest.kind != _SETS.kind or item.action == "created" or not _in_order(item.live):
            continue
        seconds = min(timeout, _SECONDS)
        wait = Wait(seconds, emit=emit, clock=clock, cancel=kube.cancel, stage="rollout")
        live = _seen(kube, item.live, namespace, wait)
        for pod in _blocking(kube, namespace, live, wait) if live else ():
            _delete(kube, namespace, pod, emit)


def _in_order(live: Object) -> bool:
    """Whether it replaces each pod, one after the other; else an old one may be meant to stay."""
    rolling = (live["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    parallel = live["spec"].get("podManagementPolicy") == "Parallel"
    return not (parallel or by_hand(live) or rolling.get("partition"))


def _seen(kube: Kube, applied: Object, namespace: str, wait: Wait) -> Object | None:
    """As its controller has seen it, which else would make such a pod again as it was.

    None where it has gone, or its controller takes too long; the judge will say so.
    """
    path = _SETS.path(namespace, applied["metadata"]["name"])
    while (live := kube.get(path)) and not wait.is_over:
        if observed(live):
            return live
        wait.on(f"waiting: the controller of {ref(applied)} has not seen it yet")
    return None


def _blocking(kube: Kube, namespace: str, live: Object, wait: Wait) -> list[Object]:
    """What is to be deleted, once it is known of a pod that may still become ready."""
    proven: frozenset[str] | None = None
    while old := _unready(kube, namespace, live):
        if proven is None:
            proven = _proven(kube, namespace, live)
        now = kube.server_now()
        found = _stuck(old, proven, now)
        starting = _soon_late(old, proven, now + wait.seconds)
        if found or not starting or wait.is_over:
            return found
        name = starting[0]["metadata"]["name"]
        wait.on(f"waiting: Pod/{name}, which is to be replaced, may still become ready")
    return []


def _unready(kube: Kube, namespace: str, live: Object) -> list[Object]:
    """Its pods of another revision that are not ready, and that nobody deletes yet."""
    return [
        pod
        for pod in kube.list(PODS.path(namespace))
        if is_owned(pod, live["metadata"]["uid"])
        and not is_present(pod, live)
        and not is_ready(pod)
        and not pod["metadata"].get("deletionTimestamp")
    ]


def _stuck(old: list[Object], proven: frozenset[str], now: float) -> list[Object]:
    """All that are down, which come back one after the other; of those that only hang, one.

    What runs may be a member of something that needs the others, however late it is.
    """
    down = [pod for pod in old if is_down(pod)]
    rest = [pod for pod in old if pod not in down]
    hung = [pod for pod in rest if is_hung(pod, now, proven=revision_of(pod) in proven)]
    return down + sorted(hung, key=_number)[:1]  # the first is what it waits for


def _soon_late(old: list[Object], proven: frozenset[str], until: float) -> list[Object]:
    """Those of which it will be known by then that they do not become ready."""
    found = [(late_at(pod), pod) for pod in old if revision_of(pod) not in proven]
    return [pod for late, pod in found if late is not None and late < until]


def _proven(kube: Kube, namespace: str, live: Object) -> frozenset[str]:
    """The names of its revisions that were once ready, as far as is known."""
    kept = history(kube, namespace, [live], emit=lambda _: None)
    return frozenset(one.name for one in revisions(kept, live) if one.ready_at)


def _number(pod: Object) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _delete(kube: Kube, namespace: str, pod: Object, emit: Emit) -> None:
    name = pod["metadata"]["name"]
    replace_pod(
        kube,
        namespace,
        pod,
        why="it was not ready, and its StatefulSet would have waited for it",
        otherwise=f"its StatefulSet waits for Pod/{name}, which is not ready",
        emit=emit,
    )
