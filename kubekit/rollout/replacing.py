"""Deleting a pod so that its workload makes it anew; who may not do so is told how."""

from __future__ import annotations

from kubekit.api.kube import ApiError, Kube
from kubekit.api.resources import PODS
from kubekit.events import Emit, ObjectChanged, Warned
from kubekit.model import Object


def replace_pod(
    kube: Kube, namespace: str, pod: Object, *, why: str, otherwise: str, emit: Emit
) -> bool:
    """Delete the pod; whether it goes. One that has gone already is not told of.

    Args:
        kube: the cluster.
        namespace: of the pod.
        pod: it, as it was seen.
        why: it is deleted, which is told.
        otherwise: what a warning says where the API server refuses.
        emit: is told.
    """
    name = pod["metadata"]["name"]
    try:
        gone = kube.delete(PODS.path(namespace, name), uid=pod["metadata"]["uid"])
    except ApiError as error:
        command = f"kubectl --context {kube.context} -n {namespace} delete pod {name}"
        emit(Warned(text=f"{otherwise}: {error.message}", hints=(f"`{command}`",)))
        return False
    if gone:
        emit(ObjectChanged(ref=f"Pod/{name}", action="deleted", detail=why))
    return True
