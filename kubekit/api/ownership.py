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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kubekit import __version__
from kubekit.api.kube import FIELD_MANAGER, Kube
from kubekit.api.resources import CONFIG_MAP, Resource, find_group_kind, ref
from kubekit.errors import RefusedError
from kubekit.model import Object

ID_LABEL = "applyset.kubernetes.io/id"
MEMBER_LABEL = "applyset.kubernetes.io/part-of"
KINDS_ANNOTATION = "applyset.kubernetes.io/contains-group-kinds"
TOOLING_ANNOTATION = "applyset.kubernetes.io/tooling"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
PART_OF_LABEL = "app.kubernetes.io/part-of"
MANAGER = "kubekit"


Member = tuple[Resource, Object]
"""A live object of a set, and the resource it is one of."""


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
        """The object as a member of the set; the one given is not changed.

        Claims that a StatefulSet makes are members too. A Namespace never is.
        """
        if obj["kind"] == "Namespace":
            return obj
        mine = _labelled(obj, self.id)
        claims = _claims(obj)
        if claims:
            labelled = [_labelled(claim, self.id) for claim in claims]
            mine["spec"] = {**obj["spec"], "volumeClaimTemplates": labelled}
        return mine

    def kinds_of(self, obj: Object, resource: Resource) -> set[str]:
        """The kinds of members that applying this object makes."""
        if obj["kind"] == "Namespace":
            return set()
        return {resource.group_kind, *(("PersistentVolumeClaim",) if _claims(obj) else ())}

    def check_owner(self, live: Object, *, context: str) -> None:
        """Make sure that a live object is a member of this set.

        Raises:
            RefusedError: it is another project's, or nobody's that kubekit knows.
        """
        labels = live["metadata"].get("labels") or {}
        owner = labels.get(MEMBER_LABEL)
        if owner == self.id or live["kind"] == "Namespace":
            return
        named = f"`{ref(live)}` is already there"
        if owner is not None and labels.get(MANAGED_BY_LABEL) == MANAGER:
            other = labels.get(PART_OF_LABEL)
            raise RefusedError(
                f"{named} and belongs to the project `{other}`",
                hints=("use another name, or another namespace with `--namespace`",),
                id="owned-by-another-project",
            )
        adopt = f"kubectl --context {context} -n {self.namespace} label {ref(live).lower()}"
        raise RefusedError(
            f"{named}, and kubekit did not make it",
            hints=(
                "use another name, or another namespace with `--namespace`",
                f"or hand it over to kubekit: `{adopt} {MEMBER_LABEL}={self.id}`",
            ),
            id="not-ours",
        )


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


def members(kube: Kube, owned: OwnedSet, kinds: Iterable[str]) -> list[Member]:
    """All live members of these kinds; list items lack their kind, so it is put back."""

    def of_kind(group_kind: str) -> list[Member]:
        resource = find_group_kind(kube, group_kind)
        if resource is None:  # its definition was removed from the cluster, and the objects with it
            return []
        items = kube.list(resource.path(owned.namespace), selector=owned.selector)
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [(resource, {**kind, **item}) for item in items if is_real(resource, item)]

    with ThreadPoolExecutor(max_workers=8) as pool:
        return [member for found in pool.map(of_kind, sorted(kinds)) for member in found]


def is_real(resource: Resource, obj: Object) -> bool:
    """Whether the label is kubekit's own word, not a copy of it.

    Controllers copy labels to what they make (a Service's to its EndpointSlices), and so do people
    who copy an object; neither has kubekit among its field managers, except for the claims that a
    StatefulSet makes from its templates.
    """
    if resource.kind == "PersistentVolumeClaim":
        return True
    managers = {entry.get("manager") for entry in obj["metadata"].get("managedFields") or ()}
    return FIELD_MANAGER in managers


def _claims(obj: Object) -> list[Object]:
    """What a StatefulSet makes claims of; none where it is in a shape that is no such thing."""
    spec = obj.get("spec") if obj["kind"] == "StatefulSet" else None
    claims = spec.get("volumeClaimTemplates") if isinstance(spec, dict) else None
    return [one for one in claims if isinstance(one, dict)] if isinstance(claims, list) else []


def _labelled(obj: Object, set_id: str) -> Object:
    metadata = obj.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), MEMBER_LABEL: set_id}
    return {**obj, "metadata": {**metadata, "labels": labels}}


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
