"""Where objects name a Secret or a ConfigMap: the one list of such fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_BY_NAME = {
    "secretRef": "Secret",
    "secretKeyRef": "Secret",
    "nodePublishSecretRef": "Secret",
    "secret": "Secret",
    "configMapRef": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
    "configMap": "ConfigMap",
}
_LISTS = frozenset({"secrets", "imagePullSecrets"})


Path = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One field that names a Secret or ConfigMap.

    Attributes:
        holder: the mapping it stands in: ``holder[key]`` is the name.
        path: where the field stands, from the root that was looked through.
    """

    kind: str
    holder: dict[str, Any]
    key: str
    path: Path

    @property
    def name(self) -> str:
        """The name it refers to."""
        return str(self.holder[self.key])


def references(node: Any, path: Path = ()) -> Iterator[Reference]:
    """Every reference in a part of an object, such as a pod's spec; `path` leads to that part."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from references(item, (*path, index))
    if not isinstance(node, dict):
        return
    yield from _field("Secret", node, "secretName", path)
    for key, value in node.items():
        here = (*path, key)
        if key in _BY_NAME:
            yield from _field(_BY_NAME[key], value, "name", here)
        elif key in _LISTS and isinstance(value, list):
            for index, item in enumerate(value):
                yield from _field("Secret", item, "name", (*here, index))
        yield from references(value, here)


def _field(kind: str, holder: Any, key: str, path: Path) -> Iterator[Reference]:
    if isinstance(holder, dict) and isinstance(holder.get(key), str):
        yield Reference(kind=kind, holder=holder, key=key, path=(*path, key))
