"""Which pods a person means: those of a project, of one workload, or a single one."""

from __future__ import annotations

from collections.abc import Mapping

from kubekit.api.kube import ApiError, Kube
from kubekit.api.lineage import lineage
from kubekit.api.ownership import MEMBER_LABEL, OwnedSet
from kubekit.api.resources import KNOWN, SERVICES, Resource
from kubekit.model import Object
from kubekit.rollout.inspect.roster import Asked

_APPS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod")
_REPLICA_SET = Resource(api_version="apps/v1", kind="ReplicaSet", plural="replicasets")
_RESOURCES: Mapping[str, Resource] = {
    **{resource.kind: resource for resource in KNOWN.values()},
    "ReplicaSet": _REPLICA_SET,
}


class Choice:
    """Says of each pod of a namespace whether it is meant.

    Args:
        kube: asked once about each workload that is met.
        namespace: the pods'.
        project: its pods are meant; None for every pod.
        asked: the workload, Service or pod whose pods are meant; None for all.
    """

    def __init__(
        self, kube: Kube, namespace: str, *, project: str | None, asked: Asked | None
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._owned = OwnedSet(project=project, namespace=namespace) if project else None
        self._asked = asked
        self._selector: Mapping[str, str] | None = None
        self._ours: dict[tuple[str, str], bool] = {}

    def find(self) -> bool:
        """Whether what is asked for is there, with pods or without."""
        if self._asked is None:
            return True
        name = self._asked.name
        if self._asked.kind == "Service":
            live = self._kube.get(SERVICES.path(self._namespace, name))
            self._selector = ((live or {}).get("spec") or {}).get("selector") or {}
            return live is not None
        kinds = (self._asked.kind,) if self._asked.kind else (*_APPS, "ReplicaSet")
        return any(self._live(kind, name) is not None for kind in kinds)

    def means(self, pod: Object) -> bool:
        """Whether this pod is one of them."""
        if self._asked is None:
            return self._owned is None or self._is_ours(pod)
        if self._selector is not None:
            labels = pod["metadata"].get("labels") or {}
            return bool(self._selector) and self._selector.items() <= labels.items()
        return any(
            name == self._asked.name and self._asked.kind in (None, kind)
            for kind, name in lineage(pod)
        )

    def _is_ours(self, pod: Object) -> bool:
        """Whether what stands above the pod is a member of the project's set."""
        top = lineage(pod)[-1]
        if top not in self._ours:
            live = pod if top[0] == "Pod" else self._live(*top)
            labels = ((live or {}).get("metadata") or {}).get("labels") or {}
            ours = self._owned is not None and labels.get(MEMBER_LABEL) == self._owned.id
            if live is None:  # it is about to go, or to come
                return False
            self._ours[top] = ours
        return self._ours[top]

    def _live(self, kind: str, name: str) -> Object | None:
        resource = _RESOURCES.get(kind)
        if resource is None:
            return None
        try:
            return self._kube.get(resource.path(self._namespace, name))
        except ApiError as error:
            if error.id == "api-forbidden" and self._asked is not None:
                return {}  # nobody knows, so the pods shall tell
            raise
