"""Asking the API server whether it would take a workload's pods, before anything is written.

Quotas, limits, Pod Security, webhooks, ServiceAccounts and PriorityClasses are only looked at when
a controller makes the first pod, long after the workload itself was accepted; and it is the
controller that is told. Here the same pod is sent by kubekit, as a trial (``dryRun=All``): a quota
is then checked but not charged. One call takes 2 to 9 ms on Minikube; in a
new namespace the first one waits some 50 ms for its ServiceAccount.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from kubekit.api import quantity
from kubekit.api.kube import ApiError, Kube
from kubekit.api.resources import NODES, PODS
from kubekit.errors import UnreachableError
from kubekit.model import Object

ACCOUNT_SECONDS = 5.0
"""How long the ServiceAccount `default` of a new namespace is waited for; it takes some 10 ms."""

_STEP_SECONDS = 0.05
_NO_ACCOUNT_YET = re.compile(r'error looking up service account \S+/default: .*"default" not found')
_NOT_ALLOWED = re.compile(r'^pods is forbidden: User .* cannot create resource "pods"')
_NO_TRIAL = "does not support dry run"
_DENIED = re.compile(
    r"""admission webhook "[^"]*" denied the request|ValidatingAdmissionPolicy '[^']*'"""
)
_UNCALLED = "failed calling webhook"
_QUOTA = re.compile(r"exceeded quota: [^,]+, requested: (\S+), used: \S+, limited: (\S+)")
_SET = "ReplicaSet"
_REFUSING = frozenset({400, 403, 404, 422})


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why the API server would not take the pod, in its own words.

    Attributes:
        certain: it will not by itself take the pod later, nor once this run has written its
            objects.
    """

    message: str
    certain: bool


def refusal(
    kube: Kube, namespace: str, workload: Object, *, coming: Collection[str] = ()
) -> Refusal | None:
    """Why the API server would refuse the workload's pods; None if it would not or nobody knows.

    Nobody knows where the user may not create pods, the namespace is not there, or a webhook
    knows no trials (there are none such in admissionregistration/v1). Controllers make pods as
    someone else and under another name: a rule that looks at that may decide otherwise for them.

    Args:
        workload: a Pod, or what makes pods from a template, as it will be applied.
        coming: the objects this run will write, as ``Kind/name``; a pod may count on them.

    Raises:
        CancelledError: the run was interrupted.
    """
    pod = _pod(workload, coming)
    if pod is None:
        return None
    message = _ask(kube, namespace, pod)
    for _ in range(int(ACCOUNT_SECONDS / _STEP_SECONDS)):
        if message is None or not _NO_ACCOUNT_YET.search(message):
            break
        kube.pause(_STEP_SECONDS)
        message = _ask(kube, namespace, pod)
    if message is None:
        return None
    # A policy may only deny pods that no controller has made, as this one is.
    passing = _UNCALLED in message or _DENIED.search(message) or _lifted(message, namespace, coming)
    certain = not passing and not _may_fit_later(kube, namespace, message, workload, coming)
    return Refusal(message=message, certain=certain)


def nodes(kube: Kube) -> tuple[Object, ...] | None:
    """The cluster's nodes; None where they may not be read or are out of reach."""
    try:
        return tuple(kube.list(NODES.path(""), patience=0))
    except (ApiError, UnreachableError):
        return None


def _pod(workload: Object, coming: Collection[str]) -> Object | None:
    """The first pod of the workload, without what is not there yet."""
    spec = workload.get("spec") or {}
    if workload["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template = workload if workload["kind"] == "Pod" else spec.get("template")
    if not isinstance(template, dict):
        return None
    given = template.get("metadata") or {}
    metadata = {key: given[key] for key in ("labels", "annotations") if given.get(key)}
    metadata["generateName"] = f"{workload['metadata']['name']}-"
    pod_spec = dict(template.get("spec") or {})
    _leave_out(pod_spec, "ServiceAccount", ("serviceAccountName", "serviceAccount"), coming)
    _leave_out(pod_spec, "PriorityClass", ("priorityClassName",), coming)
    volumes = list(pod_spec.get("volumes") or ())
    claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates") or ()]
    # The controller puts its claims in the place of volumes of the same names.
    kept = [volume for volume in volumes if volume.get("name") not in claims]
    pod_spec["volumes"] = [*kept, *({"name": name, "emptyDir": {}} for name in claims)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec}


def _leave_out(spec: Object, kind: str, fields: tuple[str, ...], coming: Collection[str]) -> None:
    if any(f"{kind}/{spec.get(field)}" in coming for field in fields):
        for field in fields:
            spec.pop(field, None)


def _ask(kube: Kube, namespace: str, pod: Object) -> str | None:
    """The words of a refusal; None where the pod is taken, or nothing can be said."""
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    try:
        kube.request("POST", PODS.path(namespace), query=query, body=pod, patience=0)
    except ApiError as error:
        unknown = _NOT_ALLOWED.search(error.message) or _NO_TRIAL in error.message
        absent = error.status == 404 and error.reason == "NotFound"  # noqa: PLR2004
        refused = _DENIED.search(error.message) or error.status in _REFUSING
        return error.message if refused and not unknown and not absent else None
    except UnreachableError as error:
        # A webhook may be the cause of a 500, which is otherwise none of the pod.
        of_webhook = _DENIED.search(error.message) or _UNCALLED in error.message
        return error.message if of_webhook else None
    return None


def _lifted(message: str, namespace: str, coming: Collection[str]) -> bool:
    """Whether what this run will write may be what the pod lacks."""
    if "violates PodSecurity" in message:
        return f"Namespace/{namespace}" in coming
    limits = any(ref.startswith(("LimitRange/", "ResourceQuota/")) for ref in coming)
    return limits and bool(re.search(r"quota|(minimum|maximum) |limit", message))


def _may_fit_later(
    kube: Kube, namespace: str, message: str, workload: Object, coming: Collection[str]
) -> bool:
    """Whether a quota is only exceeded because of pods that this rollout, or time, takes away."""
    quotas = [(_amounts(asked), _amounts(most)) for asked, most in _QUOTA.findall(message)]
    if not quotas or any(_exceeds(asked, most) for asked, most in quotas):
        return False
    changing = {*coming, f"{workload['kind']}/{workload['metadata']['name']}"}
    try:
        pods = kube.list(PODS.path(namespace), patience=0)
    except (ApiError, UnreachableError):
        return True
    return any(_goes(pod, changing) for pod in pods)


def _goes(pod: Object, changing: set[str]) -> bool:
    """Whether a pod ends by itself, or may be replaced by this run."""
    ending = pod["metadata"].get("deletionTimestamp") or pod["spec"]["restartPolicy"] != "Always"
    return bool(ending) or not changing.isdisjoint(_makers(pod))


def _makers(pod: Object) -> set[str]:
    """What may have made the pod; a ReplicaSet is called after its Deployment."""
    owners = [(item["kind"], item["name"]) for item in pod["metadata"].get("ownerReferences") or ()]
    sets = {f"Deployment/{name.rpartition('-')[0]}" for kind, name in owners if kind == _SET}
    return {*sets, *(f"{kind}/{name}" for kind, name in owners), f"Pod/{pod['metadata']['name']}"}


def _exceeds(asked: dict[str, str], most: dict[str, str]) -> bool:
    """Whether the pod alone is more than the quota."""
    pairs = [(quantity.parse(asked.get(name)), quantity.parse(most[name])) for name in most]
    return any(one is not None and all_ is not None and one > all_ for one, all_ in pairs)


def _amounts(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)
