"""Who has set which fields of an object, as its managedFields tell. Pure.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kubekit.model import Object

Fields = Mapping[str, Any]
"""FieldsV1: ``f:NAME`` a field, ``k:{...}`` an item by its keys, ``v:...`` by its value."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A field, as ``spec.template.spec.containers[name=app].image``, with its value and owner.

    Attributes:
        at: when the owner last changed anything, RFC 3339.
    """

    field: str
    value: Any
    manager: str
    subresource: str
    at: str


def applied_by(obj: Object, manager: str) -> Object:
    """The part of an object that this manager has applied: what it would send again."""
    for entry in obj["metadata"].get("managedFields") or ():
        whole = not entry.get("subresource")
        if (entry.get("manager"), entry.get("operation")) == (manager, "Apply") and whole:
            return dict(_part(obj, entry.get("fieldsV1") or {}))
    return {}


def settings(obj: Object) -> Iterator[Setting]:
    """Every field that somebody has set and that is still there."""
    for entry in obj["metadata"].get("managedFields") or ():
        for field, value in _leaves(obj, entry.get("fieldsV1") or {}, ""):
            yield Setting(
                field=field,
                value=value,
                manager=str(entry.get("manager", "")),
                subresource=str(entry.get("subresource", "")),
                at=str(entry.get("time", "")),
            )


def _part(node: Any, fields: Fields) -> Any:
    if not fields:
        return node
    if isinstance(node, list):
        return [_part(item, sub) for item, sub in _items(node, fields)]
    return {
        key[2:]: _part(node[key[2:]], sub)
        for key, sub in fields.items()
        if key.startswith("f:") and key[2:] in node
    }


def _items(node: list[Any], fields: Fields) -> Iterator[tuple[Any, Fields]]:
    """The items that are named, in their own order, each with the fields in it."""
    for item in node:
        for key, sub in fields.items():
            if key.startswith(("k:", "v:")) and _is_meant(item, json.loads(key[2:])):
                yield item, sub
                break


def _is_meant(item: Any, key: Any) -> bool:
    if isinstance(key, dict):
        return all(item.get(name) == value for name, value in key.items())
    return bool(item == key)


def _leaves(node: Any, fields: Fields, path: str) -> Iterator[tuple[str, Any]]:
    below = {key: sub for key, sub in fields.items() if key != "."}
    if not below:
        yield path, node
        return
    for key, sub in below.items():
        if key.startswith("f:") and isinstance(node, dict) and key[2:] in node:
            name = key[2:]
            yield from _leaves(node[name], sub, f"{path}.{name}" if path else name)
        elif key.startswith(("k:", "v:")) and isinstance(node, list):
            keys = json.loads(key[2:])
            named = keys if isinstance(keys, dict) else {"": keys}
            label = ",".join(f"{name}={value}".lstrip("=") for name, value in named.items())
            for item in node:
                if _is_meant(item, keys):
                    yield from _leaves(item, sub, f"{path}[{label}]")
