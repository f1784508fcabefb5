"""What an apply would change of an object, field by field, as a person may see it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kubekit.api.handover import LAST_APPLIED
from kubekit.api.withheld import Withheld
from kubekit.model import Object

# Keys by which server-side apply tells the items of a list apart, the most exact first.
_KEYS = ("name", "containerPort", "port", "mountPath", "key", "ip", "type")
_VOLATILE = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid")
_LONGEST = 120
_ABSENT = object()
_NOTHING_KNOWN = Withheld()


def comparable(obj: Object) -> Object:
    """The object without what the server counts and stamps, for comparison."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _VOLATILE}
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}


def showable(obj: Object) -> Object:
    """The object without what `kubectl apply` notes of it: all that was sent, secrets too."""
    metadata = obj["metadata"]
    annotations = dict(metadata.get("annotations") or {})
    if annotations.pop(LAST_APPLIED, None) is None:
        return obj
    others = {key: value for key, value in metadata.items() if key != "annotations"}
    return {**obj, "metadata": {**others, **({"annotations": annotations} if annotations else {})}}


def changes(live: Object, would: Object, withheld: Withheld = _NOTHING_KNOWN) -> tuple[str, ...]:
    """Each field that differs: ``spec.replicas: 1 -> 2``; of a Secret never a value.

    Nor is it told where either one is `withheld`: the old one was as secret as the new one.
    """
    secret = live.get("kind") == "Secret"

    def hidden(path: str, old: Any, new: Any) -> bool:
        if secret:
            return not path.startswith("metadata.labels")
        return withheld(path, *(value for value in (old, new) if value is not _ABSENT))

    return tuple(
        _line(path, old, new, hidden=hidden(path, old, new))
        for path, old, new in _differing(
            "", comparable(showable(live)), comparable(showable(would))
        )
    )


def _line(path: str, old: Any, new: Any, *, hidden: bool) -> str:
    if old is _ABSENT:
        return f"{path}: added" if hidden else f"{path}: added {_shown(new)}"
    if new is _ABSENT:
        return f"{path}: removed" if hidden else f"{path}: removed {_shown(old)}"
    return f"{path}: changed" if hidden else f"{path}: {_shown(old)} -> {_shown(new)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _differing(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            here = f"{path}.{key}" if path else str(key)
            yield from _differing(here, old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif isinstance(old, list) and isinstance(new, list):
        mine, theirs = _named(old, new)
        for key in dict.fromkeys((*mine, *theirs)):
            here = f"{path}[{key}]"
            yield from _differing(here, mine.get(key, _ABSENT), theirs.get(key, _ABSENT))
    elif old != new:
        yield path, old, new


def _named(old: list[Any], new: list[Any]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Both lists by what tells their items apart, or by place."""
    for key in _KEYS:
        mine, theirs = _by(old, key), _by(new, key)
        if mine is not None and theirs is not None:
            return mine, theirs
    return dict(enumerate(old)), dict(enumerate(new))


def _by(items: list[Any], key: str) -> dict[Any, Any] | None:
    # Of a kind that a cluster has of its own, what is so called may be no plain value.
    if not all(isinstance(item, dict) and isinstance(item.get(key), str | int) for item in items):
        return None
    found = {item[key]: item for item in items}
    return found if len(found) == len(items) else None
