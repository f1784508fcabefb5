"""What a refusal of the API server means: the field, where it stands, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kubekit.api.kube import ApiError, Kube
from kubekit.api.schema import misfits
from kubekit.errors import KubekitError, Place, RefusedError
from kubekit.model import Manifest
from kubekit.text.strictyaml import FieldPath, dotted

# What the server's decoders and its server-side apply say of an object that is of another shape.
_SHAPE = re.compile(
    r"failed to create typed patch object|failed to convert new object|strict decoding error"
    r"|unknown field|cannot unmarshal"
)
# One line of server-side apply: `.spec.replicas: expected numeric (int or float), got string`.
_TYPED = re.compile(r"(?:^|\): |\n)\s*\.(?P<field>\S+): (?P<said>[^\n]+)")
_SEGMENT = re.compile(
    r"""\.?(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]|\[(?P<id>\w+)="?(?P<is>[^"\],]*)[^\]]*\]"""
)


def explained(kube: Kube, error: RefusedError, manifest: Manifest) -> KubekitError:
    """The server's refusal with the object, the places in the user's file, and plain words."""
    if not isinstance(error, ApiError):
        error.place = error.place or manifest.origin
        return error
    problems, hints = _problems(kube, error, manifest)
    problems.sort(key=lambda problem: (problem[0].line or 0, problem[0].column or 0))
    place, first = problems[0]
    return RefusedError(
        f"the API server refuses `{manifest.ref}`: {first}",
        hints=tuple(dict.fromkeys((*hints, *_hints(error, manifest)))),
        details=tuple(f"{at}: {text}" for at, text in problems[1:]),
        place=place,
        id=error.id,
    )


def _problems(
    kube: Kube, error: ApiError, manifest: Manifest
) -> tuple[list[tuple[Place, str]], list[str]]:
    """Each fault with its place, and what to do; at least one."""
    if _SHAPE.search(error.message):
        found = misfits(kube, manifest.data)
        if found:
            problems = [(manifest.place(one.path), one.text) for one in found]
            return problems, [one.hint for one in found if one.hint]
        typed = [
            (manifest.place(path), f"`{dotted(path)}`: {said}")
            for path, said in _typed(error.message, manifest)
        ]
        if typed:
            return typed, []
    fields = [str(cause.get("field") or "") for cause in error.causes]
    paths = [_path(field, manifest.data) for field in fields if field]
    place = manifest.place(paths[0]) if paths else manifest.origin
    return [(place, _said(error))], []


def _typed(message: str, manifest: Manifest) -> Iterator[tuple[FieldPath, str]]:
    for match in _TYPED.finditer(message):
        yield _path(match["field"], manifest.data), match["said"]


def _said(error: ApiError) -> str:
    if error.reason == "Conflict":
        owners = [f"{cause.get('field')} ({cause.get('message')})" for cause in error.causes]
        return f"fields are owned by another manager: {', '.join(owners)}"
    return error.message


def _hints(error: ApiError, manifest: Manifest) -> tuple[str, ...]:
    if error.reason == "Conflict":
        return ("leave these fields out of the manifest, or let their other owner give them up",)
    if "field is immutable" in error.message:
        return (f"delete it first: `kubekit teardown`, or only `{manifest.ref}` with kubectl",)
    if error.reason == "Forbidden" and "exceeded quota" in error.message:
        return ("ask for less, or raise the ResourceQuota of the namespace",)
    if error.reason == "Forbidden":
        return ("ask for the missing right, or use another context",)
    return ()


def _path(field: str, node: Any) -> FieldPath:
    """The server's name of a field as steps into the object: it names items of a list by a key."""
    path: list[str | int] = []
    for match in _SEGMENT.finditer(field):
        step: str | int = match["key"] or int(match["index"] or 0)
        if match["id"]:
            items = node if isinstance(node, list) else []
            ids = [str(item.get(match["id"])) for item in items]
            step = ids.index(match["is"]) if match["is"] in ids else 0
        path.append(step)
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            node = None
    return tuple(path)
