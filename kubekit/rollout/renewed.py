"""Pods that crash with what `dev` once brought into them, though nothing of them was changed.

Their files lie in a volume, which a container that is started again finds as it was left: with the
code that crashed, whatever the files say by now. And until the kubelet's back-off is over, nothing
would come to light but that crash.
"""

from __future__ import annotations

from kubekit.api.kube import ApiError, Kube
from kubekit.api.lineage import is_of
from kubekit.api.resources import PODS
from kubekit.events import Emit, Warned
from kubekit.model import Applied, AppliedObject, Object
from kubekit.rollout import kinds
from kubekit.rollout.finders.crashes import NO_EXIT, SIGNALS
from kubekit.rollout.reading import Container, containers_of
from kubekit.rollout.replacing import replace_pod
from kubekit.rollout.revisions import DEV_VOLUME

_NOT_BY_ITSELF = (*NO_EXIT, "OOMKilled", "Unknown")
"""Reasons of ends that no other files would have averted; the last is a node that stopped."""


def renew(kube: Kube, applied: Applied, *, namespace: str, emit: Emit) -> frozenset[str]:
    """Delete them, so that their workloads make them anew.

    Args:
        kube: the cluster.
        applied: what is waited for afterwards.
        namespace: of the project.
        emit: is told what was deleted.

    Returns:
        The uids of those that are on their way out now, which may be heard of only later.
    """
    refs = {item.manifest.ref for item in applied.objects if _may_have_crashed(item)}
    if not refs:
        return frozenset()
    try:
        pods = kube.list(PODS.path(namespace))
    except ApiError as error:
        text = f"whether pods crash with what `dev` left in them is not known: {error.message}"
        emit(Warned(text=text, hints=("allow your user to list pods",)))
        return frozenset()
    crashed = [
        pod for pod in pods if is_of(pod, refs) and any(map(_has_crashed, containers_of(pod)))
    ]
    return frozenset(pod["metadata"]["uid"] for pod in crashed if _is_deleted(kube, pod, emit))


def _may_have_crashed(item: AppliedObject) -> bool:
    """Whether it is as it was, runs under `dev`, and is not ready."""
    if item.action != "unchanged" or item.manifest.kind not in kinds.WORKLOADS:
        return False
    volumes = kinds.template(item.live)["spec"].get("volumes") or ()
    of_dev = any(one["name"] == DEV_VOLUME for one in volumes)
    return of_dev and kinds.settled(item.live) is None


def _has_crashed(container: Container) -> bool:
    """Whether it is one of `dev`, ended by a crash of its own, and has not been started since."""
    mounts = container.spec.get("volumeMounts") or ()
    if container.running or not any(one["name"] == DEV_VOLUME for one in mounts):
        return False
    end = container.exited or {}
    code = end.get("exitCode", 0)
    return code != 0 and code not in SIGNALS and end.get("reason") not in _NOT_BY_ITSELF


def _is_deleted(kube: Kube, pod: Object, emit: Emit) -> bool:
    """Whether it goes; one that is going already, or gone, is not told of."""
    metadata = pod["metadata"]
    if metadata.get("deletionTimestamp"):
        return True
    return replace_pod(
        kube,
        metadata["namespace"],
        pod,
        why="it crashed before, and is made anew with the files of now",
        otherwise=f"Pod/{metadata['name']} crashed before, and is not made anew",
        emit=emit,
    )
