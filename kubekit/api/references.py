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


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One field that names a Secret or ConfigMap: ``holder[key]`` is the name."""

    kind: str
    holder: dict[str, Any]
    key: str

    @property
    def name(self) -> str:
        """The name it refers to."""
        return str(self.holder[self.key])


def references(node: Any) -> Iterator[Reference]:
    """Every reference in a part of an object, such as a pod's spec."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("secretName"), str):
        yield Reference(kind="Secret", holder=node, key="secretName")
    for key, value in node.items():
        if key in _BY_NAME:
            yield from _named(_BY_NAME[key], [value])
        elif key in _LISTS and isinstance(value, list):
            yield from _named("Secret", value)
        yield from references(value)


def _named(kind: str, holders: list[Any]) -> Iterator[Reference]:
    for holder in holders:
        if isinstance(holder, dict) and isinstance(holder.get("name"), str):
            yield Reference(kind=kind, holder=holder, key="name")
