"""Which objects are kubekit's: an ApplySet per project, its parent a ConfigMap in the namespace.

Labels and annotations are those of kubectl's ApplySet (pkg/cmd/apply/applyset.go), so that other
tools recognise the set: every member carries the set's id, and the parent lists the kinds in it.
The parent is written before the first member and shrunk after the last prune: at every moment of a
run, also after a kill, it names at least the kinds that have members.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from kubekit import __version__
from kubekit.api.kube import Kube
from kubekit.api.resources import CONFIG_MAP, Resource, find_group_kind
from kubekit.model import Object

ID_LABEL = "applyset.kubernetes.io/id"
MEMBER_LABEL = "applyset.kubernetes.io/part-of"
KINDS_ANNOTATION = "applyset.kubernetes.io/contains-group-kinds"
TOOLING_ANNOTATION = "applyset.kubernetes.io/tooling"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
PART_OF_LABEL = "app.kubernetes.io/part-of"
MANAGER = "kubekit"


@dataclass(frozen=True, kw_only=True)
class OwnedSet:
    """The objects of one project in one namespace."""

    project: str
    namespace: str

    @property
    def parent(self) -> str:
        """The name of the parent ConfigMap."""
        return f"kubekit-{self.project}"

    @property
    def id(self) -> str:
        """The set's id: ``applyset-`` and the hash of name.namespace.kind.group, KEP-3659."""
        seed = f"{self.parent}.{self.namespace}.ConfigMap."
        digest = hashlib.sha256(seed.encode()).digest()
        return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"

    @property
    def selector(self) -> str:
        """The label selector of its members."""
        return f"{MEMBER_LABEL}={self.id}"

    def own(self, obj: Object) -> Object:
        """The object as a member of the set; the one given is not changed."""
        metadata = obj["metadata"]
        labels = {**(metadata.get("labels") or {}), MEMBER_LABEL: self.id}
        return {**obj, "metadata": {**metadata, "labels": labels}}


def owned_sets(kube: Kube, namespace: str) -> list[OwnedSet]:
    """Every project kubekit has objects of in this namespace, by its parents."""
    parents = kube.list(
        CONFIG_MAP.path(namespace), selector=f"{MANAGED_BY_LABEL}={MANAGER},{ID_LABEL}"
    )
    projects = (parent["metadata"]["labels"].get(PART_OF_LABEL) for parent in parents)
    return [OwnedSet(project=project, namespace=namespace) for project in projects if project]


def read_kinds(kube: Kube, owned: OwnedSet) -> frozenset[str] | None:
    """The kinds the parent says have members, or None where there is no parent."""
    parent = kube.get(CONFIG_MAP.path(owned.namespace, owned.parent))
    if parent is None:
        return None
    listed = (parent["metadata"].get("annotations") or {}).get(KINDS_ANNOTATION, "")
    return frozenset(filter(None, listed.split(",")))


def write_kinds(kube: Kube, owned: OwnedSet, kinds: Iterable[str]) -> None:
    """Write the parent so that it names just these kinds."""
    kube.apply(CONFIG_MAP.path(owned.namespace, owned.parent), _parent(owned, kinds))


def members(kube: Kube, owned: OwnedSet, kinds: Iterable[str]) -> list[tuple[Resource, Object]]:
    """All live members of these kinds; list items lack their kind, so it is put back."""
    found = []
    for group_kind in sorted(kinds):
        resource = find_group_kind(kube, group_kind)
        if resource is None:  # its definition was removed from the cluster, and the objects with it
            continue
        for item in kube.list(resource.path(owned.namespace), selector=owned.selector):
            typed = {"apiVersion": resource.api_version, "kind": resource.kind, **item}
            found.append((resource, typed))
    return found


def _parent(owned: OwnedSet, kinds: Iterable[str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": owned.parent,
            "namespace": owned.namespace,
            "labels": {
                ID_LABEL: owned.id,
                MANAGED_BY_LABEL: MANAGER,
                PART_OF_LABEL: owned.project,
            },
            "annotations": {
                TOOLING_ANNOTATION: f"{MANAGER}/{__version__}",
                KINDS_ANNOTATION: ",".join(sorted(kinds)),
            },
        },
    }
