"""The objects that make pods, read as the lint rules need them: containers, ports and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kubekit.api.ownership import MANAGED_BY_LABEL, PART_OF_LABEL
from kubekit.errors import Place
from kubekit.manifests.objects import mapping
from kubekit.manifests.podspec import POD_SPECS
from kubekit.model import Manifest, Object
from kubekit.text.strictyaml import FieldPath

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
SELECTING = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})
"""Kinds whose own selector must match their template's labels."""

_REPLICATED = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"})
_KUBEKITS_OWN = frozenset({MANAGED_BY_LABEL, PART_OF_LABEL})


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a rule has found.

    Attributes:
        id: the rule's stable name.
        text: the cause, one line.
        error: whether it cannot work; what is only likely to be wrong is a warning.
    """

    id: str
    place: Place
    text: str
    hints: tuple[str, ...]
    error: bool = False


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of a pod spec.

    Attributes:
        path: where it stands in its object.
        runs_on: it lives as long as the pod. False for an init container that is no sidecar
            (``restartPolicy: Always``,
            https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/).
    """

    data: Object
    path: FieldPath
    runs_on: bool

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.data.get("name", ""))

    def ports(self) -> Iterator[tuple[FieldPath, Object]]:
        """The ports it declares, each with where it stands in its object."""
        yield from items(self.data.get("ports"), (*self.path, "ports"))

    def probes(self) -> Iterator[tuple[str, FieldPath, Object]]:
        """Its probes: kind, where it stands, fields."""
        for kind in PROBES:
            if isinstance(probe := self.data.get(kind), dict):
                yield kind, (*self.path, kind), probe


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One object that makes pods."""

    manifest: Manifest

    @property
    def ref(self) -> str:
        """Kind and name."""
        return self.manifest.ref

    @property
    def path(self) -> FieldPath:
        """Where the pod spec stands."""
        return POD_SPECS[self.manifest.kind]

    @property
    def spec(self) -> Object:
        """The pod spec."""
        return mapping(self.manifest.data, *POD_SPECS[self.manifest.kind])

    @property
    def labels(self) -> Mapping[str, object]:
        """The labels of its pods, but for those that the cluster or kubekit adds."""
        above = POD_SPECS[self.manifest.kind][:-1]
        labels = mapping(self.manifest.data, *above, "metadata", "labels")
        if not above:
            return {key: value for key, value in labels.items() if key not in _KUBEKITS_OWN}
        return labels

    @property
    def replicas(self) -> int:
        """How many pods it asks for at the same time; one where none is named."""
        if self.manifest.kind not in _REPLICATED:
            return 1
        return whole(mapping(self.manifest.data, "spec"), "replicas", 1)

    def containers(self) -> Iterator[Container]:
        """All containers, those that run first included."""
        for key in ("initContainers", "containers"):
            for path, data in items(self.spec.get(key), (*self.path, key)):
                sidecar = data.get("restartPolicy") == "Always"
                yield Container(data=data, path=path, runs_on=sidecar or key == "containers")

    def place(self, path: FieldPath) -> Place:
        """Where a field stands in the user's files."""
        return self.manifest.place(path)

    def named(self, container: Container) -> str:
        """The container in words."""
        return f"container `{container.name}` of `{self.ref}`"


def items(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, Object]]:
    """The mappings of a list, each with where it stands."""
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, dict):
            yield (*path, index), item


def whole(data: Object, key: str, default: int) -> int:
    """A whole number; the API's default where there is none, or what is no number."""
    value = data.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def port_number(value: Any) -> int | None:
    """A port given as a number, or as text that is one; None for a name."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else None
