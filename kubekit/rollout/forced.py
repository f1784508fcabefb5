"""Pods of an older revision that hold up a StatefulSet, and that nobody else would replace.

One that starts its pods in order touches none while one of them is not ready, not even that one:
after a release that crashes, neither a better one nor a rollback would ever get on. All other
workloads replace such a pod by themselves.
https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
"""

from __future__ import annotations

from kubekit.api.kube import ApiError, Kube
from kubekit.api.resources import KNOWN, PODS, ref
from kubekit.api.waiting import Wait
from kubekit.events import Emit, ObjectChanged, Warned
from kubekit.model import Applied, Clock, Object
from kubekit.rollout.kinds import by_hand, is_present, observed
from kubekit.rollout.reading import is_owned, is_ready

_SETS = KNOWN["apps/v1", "StatefulSet"]
_SECONDS = 60.0


def unblock(kube: Kube, applied: Applied, *, namespace: str, emit: Emit, clock: Clock) -> None:
    """Delete the pods of another revision that are not ready, where the StatefulSet will not."""
    for item in applied.objects:
        # One that is new has no older pods.
        if item.manifest.kind != _SETS.kind or item.action == "created" or not _in_order(item.live):
            continue
        wait = Wait(_SECONDS, emit=emit, clock=clock, cancel=kube.cancel, stage="rollout")
        live = _seen(kube, item.live, namespace, wait)
        for pod in _blocking(kube, namespace, live) if live else ():
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


def _blocking(kube: Kube, namespace: str, live: Object) -> list[Object]:
    return [
        pod
        for pod in kube.list(PODS.path(namespace))
        if is_owned(pod, live["metadata"]["uid"])
        and not is_present(pod, live)
        and not is_ready(pod)
        and not pod["metadata"].get("deletionTimestamp")
    ]


def _delete(kube: Kube, namespace: str, pod: Object, emit: Emit) -> None:
    name = pod["metadata"]["name"]
    try:
        gone = kube.delete(PODS.path(namespace, name), uid=pod["metadata"]["uid"])
    except ApiError as error:
        command = f"kubectl --context {kube.context} -n {namespace} delete pod {name}"
        text = f"its StatefulSet waits for Pod/{name}, which is not ready: {error.message}"
        emit(Warned(text=text, hints=(f"`{command}`",)))
        return
    if gone:
        detail = "it was not ready, and its StatefulSet would have waited for it"
        emit(ObjectChanged(ref=f"Pod/{name}", action="deleted", detail=detail))
