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
from kubekit.api.kube import FIELD_MANAGER, ApiError, Kube
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
_CONTROLLERS = frozenset({"kube-controller-manager", "k3s", "kubelite"})
"""As what Kubernetes' own controllers set fields: the name of the program that they are in."""


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
    """All live members of these kinds.

    Raises:
        ApiError: one of them may not be listed.
    """
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = list(pool.map(lambda kind: find_group_kind(kube, kind), sorted(kinds)))
    # One that is not served has no objects: its definition was removed, and they went with it.
    served = [resource for resource in found if resource is not None]
    return labelled(kube, owned.namespace, served, owned.selector)


def labelled(
    kube: Kube,
    namespace: str,
    resources: Iterable[Resource],
    selector: str,
    *,
    lenient: bool = False,
) -> list[Member]:
    """Objects with kubekit's label of all these kinds; list items lack their kind: it is put back.

    Args:
        lenient: kinds that may not be listed have none.
    """

    def of_kind(resource: Resource) -> list[Member]:
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        try:
            items = kube.list(resource.path(namespace), selector=selector)
        except ApiError:
            if lenient:
                return []
            raise
        return [(resource, {**kind, **item}) for item in items if is_real(resource, item)]

    with ThreadPoolExecutor(max_workers=8) as pool:
        return [member for found in pool.map(of_kind, resources) for member in found]


def is_real(resource: Resource, obj: Object) -> bool:
    """Whether the label is kubekit's own word, not a copy of it.

    Controllers copy labels to what they make (a Service's to its EndpointSlices), and so do people
    who copy an object: then it is they who have set it, and kubekit has never applied that object.
    """
    for entry in obj["metadata"].get("managedFields") or ():
        if (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply"):
            return True
    return is_our_word(resource.kind, obj, MEMBER_LABEL)


def is_our_word(kind: str, obj: Object, label: str) -> bool:
    """Whether kubekit has set this label, as it is.

    On a claim also a controller of Kubernetes, which makes it from a StatefulSet's template.
    """
    ours = {FIELD_MANAGER, *(_CONTROLLERS if kind == "PersistentVolumeClaim" else ())}
    for entry in obj["metadata"].get("managedFields") or ():
        metadata = (entry.get("fieldsV1") or {}).get("f:metadata") or {}
        if entry.get("manager") in ours and f"f:{label}" in (metadata.get("f:labels") or {}):
            return True
    return False


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
