"""The objects as rules see them: all of them together, and the hits about one of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kubekit.lint.rule import Hit, Wish
from kubekit.manifests.lint_pods import matches
from kubekit.manifests.objects import mapping, mappings
from kubekit.manifests.podspec import POD_SPECS
from kubekit.manifests.workloads import Container, Workload
from kubekit.model import Manifest, Object
from kubekit.text.strictyaml import FieldPath

LONG_RUNNING = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})
"""Kinds whose pods serve for as long as they are there."""
# Those of the API's own Service every pod has; GET_HOSTS_FROM makes images ask for the others.
_LINKED = re.compile(r"(?<!KUBERNETES)_SERVICE_(?:HOST|PORT)|GET_HOSTS_FROM")


@dataclass(frozen=True, eq=False)
class Objects:
    """All objects that are looked at together."""

    items: tuple[Manifest, ...]

    @functools.cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """Those that make pods."""
        return tuple(Workload(manifest=item) for item in self.items if item.kind in POD_SPECS)

    @functools.cached_property
    def uses_links(self) -> bool:
        """Whether one speaks of variables that Services set, so that an app may need them."""
        return any(_LINKED.search(repr(item.data)) for item in self.items)

    def of(self, kind: str) -> Iterator[Manifest]:
        """The objects of a kind."""
        return (item for item in self.items if item.kind == kind)

    def near(self, kind: str, workload: Workload) -> Iterator[Manifest]:
        """The objects of a kind in the workload's namespace, or that may be in it."""
        own = namespace(workload.manifest)
        return (item for item in self.of(kind) if _same(namespace(item), own))

    def binds(self, workload: Workload) -> bool:
        """Whether a role is bound to the account of the workload's pods."""
        name = workload.spec.get("serviceAccountName")
        own = namespace(workload.manifest)
        bindings = (*self.of("RoleBinding"), *self.of("ClusterRoleBinding"))
        return any(
            one.get("kind") == "ServiceAccount"
            and one.get("name") == name
            and _same(one.get("namespace"), own)
            for binding in bindings
            for one in mappings(binding.data.get("subjects"))
        )

    def selecting(self, kind: str, workload: Workload) -> Iterator[Manifest]:
        """The objects of a kind whose selector matches the pods of the workload."""
        return (item for item in self.of(kind) if selects(item, workload))


def selects(item: Manifest, workload: Workload) -> bool:
    """Whether the selector of the object matches the pods of the workload."""
    service = item.kind == "Service"
    selector = at(item.data, "spec", "podSelector" if item.kind == "NetworkPolicy" else "selector")
    if not isinstance(selector, dict) or (service and not selector):
        return False  # an empty one of any other kind selects all pods
    if not _same(namespace(item), namespace(workload.manifest)):
        return False
    wanted = selector if service else mapping(selector, "matchLabels")
    rules = [] if service else mappings(selector.get("matchExpressions"))
    equal = all(workload.labels.get(name) == value for name, value in wanted.items())
    return equal and all(matches(rule, workload.labels) for rule in rules)


def namespace(item: Manifest) -> object:
    """The namespace that the object names; None for whichever it is applied in."""
    return at(item.data, "metadata", "namespace")


def _same(one: object, other: object) -> bool:
    """Whether both may be the same namespace: what names none may go into any."""
    return not one or not other or one == other


def at(data: Any, *keys: str | int) -> Any:
    """What stands at the end of the keys; None where the data is of another shape."""
    for key in keys:
        if isinstance(key, int):
            data = data[key] if isinstance(data, list) and key < len(data) else None
        else:
            data = data.get(key) if isinstance(data, dict) else None
    return data


def hit(
    manifest: Manifest, path: FieldPath, text: str, hint: str, *, wish: Wish | None = None
) -> Hit:
    """A hit at a field of the object, or at the nearest one above it."""
    return Hit(
        place=manifest.place(path),
        text=text,
        hint=hint,
        edit=wish,
        annotations=_annotations(manifest),
        starts=manifest.origin.line,
    )


def wish(manifest: Manifest, path: FieldPath, value: bool | str) -> Wish | None:
    """The field to put in; None where something stands there, which a person has decided on."""
    return (
        None
        if at(manifest.data, *path) is not None
        else Wish(manifest=manifest, path=path, value=value)
    )


def _annotations(manifest: Manifest) -> Mapping[str, object]:
    above = POD_SPECS.get(manifest.kind, ("spec",))[:-1]
    inner = mapping(manifest.data, *above, "metadata", "annotations") if above else {}
    return {**inner, **mapping(manifest.data, "metadata", "annotations")}


def secured(workload: Workload, container: Container, field: str) -> Any:
    """A field of the security context: the container's, or else the pod's."""
    own = mapping(container.data, "securityContext")
    return own[field] if field in own else mapping(workload.spec, "securityContext").get(field)


def env(container: Container) -> Iterator[tuple[FieldPath, Object]]:
    """The variables that a container names one by one, each with where it stands."""
    listed = container.data.get("env")
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(item, dict):
            yield (*container.path, "env", index), item


def volumes(workload: Workload) -> Iterator[tuple[FieldPath, Object]]:
    """The volumes of a pod, each with where it stands."""
    for index, item in enumerate(mappings(workload.spec.get("volumes"))):
        yield (*workload.path, "volumes", index), item
