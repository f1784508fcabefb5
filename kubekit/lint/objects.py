"""The objects as rules see them: all of them together, and the hits about one of them."""

from __future__ import annotations

import functools
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


@dataclass(frozen=True, eq=False)
class Objects:
    """All objects that are looked at together."""

    items: tuple[Manifest, ...]

    @functools.cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """Those that make pods."""
        return tuple(Workload(manifest=item) for item in self.items if item.kind in POD_SPECS)

    def of(self, kind: str) -> Iterator[Manifest]:
        """The objects of a kind."""
        return (item for item in self.items if item.kind == kind)

    def selecting(self, kind: str, workload: Workload) -> Iterator[Manifest]:
        """The objects of a kind whose selector matches the pods of the workload."""
        key = "podSelector" if kind == "NetworkPolicy" else "selector"
        for item in self.of(kind):
            selector = at(item.data, "spec", key)
            if not isinstance(selector, dict) or (kind == "Service" and not selector):
                continue  # an empty one of any other kind selects all pods
            wanted = selector if kind == "Service" else mapping(selector, "matchLabels")
            rules = [] if kind == "Service" else mappings(selector.get("matchExpressions"))
            equal = all(workload.labels.get(name) == value for name, value in wanted.items())
            if equal and all(matches(rule, workload.labels) for rule in rules):
                yield item


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
