"""Where objects live in the API: kind to path, and the order kinds are applied in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kubekit.api.kube import HICCUP_SECONDS, Kube
from kubekit.errors import RefusedError
from kubekit.model import Object


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One kind the API serves; `group_kind` is as kubectl writes it, ``Deployment.apps``."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def group_kind(self) -> str:
        """The kind with its group, without the version."""
        group = self.api_version.rpartition("/")[0]
        return f"{self.kind}.{group}" if group else self.kind

    def path(self, namespace: str, name: str = "") -> str:
        """The path of the collection in this namespace, or of one object in it.

        An empty namespace is all of them.
        """
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        tail = f"/{name}" if name else ""
        return f"{_root(self.api_version)}{scope}/{self.plural}{tail}"


def _known(*rows: tuple[str, str, str]) -> dict[tuple[str, str], Resource]:
    found = (Resource(api_version=api, kind=kind, plural=plural) for api, kind, plural in rows)
    return {(resource.api_version, resource.kind): resource for resource in found}


NAMESPACE = Resource(api_version="v1", kind="Namespace", plural="namespaces", namespaced=False)
NODES = Resource(api_version="v1", kind="Node", plural="nodes", namespaced=False)
CONFIG_MAP = Resource(api_version="v1", kind="ConfigMap", plural="configmaps")
PODS = Resource(api_version="v1", kind="Pod", plural="pods")
EVENTS = Resource(api_version="v1", kind="Event", plural="events")
SERVICES = Resource(api_version="v1", kind="Service", plural="services")
REPLICA_SETS = Resource(api_version="apps/v1", kind="ReplicaSet", plural="replicasets")
CONTROLLER_REVISIONS = Resource(
    api_version="apps/v1", kind="ControllerRevision", plural="controllerrevisions"
)
LEASES = Resource(api_version="coordination.k8s.io/v1", kind="Lease", plural="leases")
SLICES = Resource(api_version="discovery.k8s.io/v1", kind="EndpointSlice", plural="endpointslices")

KNOWN = _known(
    ("v1", "ResourceQuota", "resourcequotas"),
    ("v1", "LimitRange", "limitranges"),
    ("v1", "ServiceAccount", "serviceaccounts"),
    ("rbac.authorization.k8s.io/v1", "Role", "roles"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    ("v1", "Secret", "secrets"),
    ("v1", "ConfigMap", "configmaps"),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("v1", "Service", "services"),
    ("v1", "Pod", "pods"),
    ("apps/v1", "DaemonSet", "daemonsets"),
    ("apps/v1", "Deployment", "deployments"),
    ("apps/v1", "StatefulSet", "statefulsets"),
    ("batch/v1", "Job", "jobs"),
    ("batch/v1", "CronJob", "cronjobs"),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    ("networking.k8s.io/v1", "Ingress", "ingresses"),
)
"""The kinds a backend is usually made of, so that a run need not ask the API for them."""

_WITH_TEMPLATES = frozenset({"Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"})
POD_MAKERS = (
    *(resource for (_, kind), resource in KNOWN.items() if kind in _WITH_TEMPLATES),
    REPLICA_SETS,
    Resource(api_version="v1", kind="ReplicationController", plural="replicationcontrollers"),
    CONTROLLER_REVISIONS,
)
"""Pods, and all that has a template of one: also what a workload can be rolled back to."""


def find(kube: Kube, api_version: str, kind: str) -> Resource:
    """The resource that serves this kind, asked of the API where it is not a usual one.

    Raises:
        RefusedError: the cluster serves no such kind.
    """
    if (api_version, kind) == ("v1", "Namespace"):
        return NAMESPACE
    known = KNOWN.get((api_version, kind))
    if known is not None:
        return known
    for resource, _ in _served(kube, api_version):
        if resource.kind == kind:
            return resource
    raise RefusedError(
        f"the cluster serves no kind `{kind}` in `{api_version}`",
        hints=("check `apiVersion` and `kind`, or install what defines it first",),
        id="kind-unknown",
    )


def find_group_kind(kube: Kube, group_kind: str) -> Resource | None:
    """The resource of ``Kind.group`` in whatever version the cluster serves, or None."""
    for known in KNOWN.values():
        if known.group_kind == group_kind:
            return known
    kind, _, group = group_kind.partition(".")
    # The core group is not among the others, and has this one version.
    versions = _versions(kube.get(f"/apis/{group}") or {}) if group else ["v1"]
    for version in versions:
        for resource, _ in _served(kube, version):
            if resource.kind == kind:
                return resource
    return None


def listable(kube: Kube) -> list[Resource]:
    """Every namespaced kind of the cluster that can be listed, each in one of its versions.

    Raises:
        UnreachableError: an aggregated API is down, so that its kinds are not known.
    """
    groups = kube.request("GET", "/apis", patience=HICCUP_SECONDS).data.get("groups") or ()
    versions = ["v1", *(version for group in groups for version in _versions(group))]
    found: dict[str, Resource] = {}
    for version in versions:
        for resource, verbs in _served(kube, version):
            if resource.namespaced and "list" in verbs:
                found.setdefault(resource.group_kind, resource)
    return list(found.values())


def _root(api_version: str) -> str:
    """The core group has a root of its own."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _versions(group: Object) -> list[str]:
    """The group's versions, the preferred one first: not every kind is served in that one."""
    preferred = (group.get("preferredVersion") or {}).get("groupVersion")
    served = [version["groupVersion"] for version in group.get("versions") or ()]
    return sorted(served, key=lambda version: version != preferred)


def _served(kube: Kube, api_version: str) -> Iterator[tuple[Resource, list[str]]]:
    """The kinds of one version with their verbs, subresources left out."""
    served = kube.get(_root(api_version), patience=HICCUP_SECONDS) or {}
    for entry in served.get("resources") or ():
        if "/" not in entry["name"]:
            resource = Resource(
                api_version=api_version,
                kind=entry["kind"],
                plural=entry["name"],
                namespaced=bool(entry["namespaced"]),
            )
            yield resource, list(entry["verbs"])


def ref(obj: Object) -> str:
    """An object as people and kubectl write it, ``Deployment/tasks``."""
    return f"{obj['kind']}/{obj['metadata']['name']}"
