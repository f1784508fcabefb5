"""Where an object differs from the API server's own schema of its kind, in plain words."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kubekit.api.kube import Kube
from kubekit.api.quantity import parse
from kubekit.errors import RefusedError, UnreachableError
from kubekit.model import Object
from kubekit.text.strictyaml import FieldPath, dotted, noun

_REF = "#/components/schemas/"
_LONGEST_SHOWN = 40
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "`true` or `false`"),
    "string": ((str,), "text"),
    "array": ((list,), "a list"),
    "object": ((dict,), "a mapping"),
    "int-or-string": ((int, str), "a whole number or text"),
    "quantity": ((int, float, str), "a quantity such as `100m` or `128Mi`"),
}


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """One field that is not as the schema has it."""

    path: FieldPath
    text: str
    hint: str = ""


def misfits(kube: Kube, obj: Object) -> list[Misfit]:
    """All fields that do not fit; none where the server's schema cannot be read.

    The schema is the server's OpenAPI v3 document of the kind's version, so that it knows the
    kinds of others, too. https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3
    """
    version = str(obj["apiVersion"])
    root = "apis" if "/" in version else "api"
    try:
        document = kube.get(f"/openapi/v3/{root}/{version}", patience=0) or {}
    except (RefusedError, UnreachableError):
        return []
    return differences(document, obj)


def differences(document: Object, obj: Object) -> list[Misfit]:
    """The fields of an object that do not fit its kind in an OpenAPI v3 document."""
    schemas = (document.get("components") or {}).get("schemas") or {}
    group, _, version = str(obj["apiVersion"]).rpartition("/")
    wanted = {"group": group, "version": version, "kind": obj["kind"]}
    for schema in schemas.values():
        if wanted in (schema.get("x-kubernetes-group-version-kind") or ()):
            walk = _Walk(schemas, shows=obj["kind"] != "Secret")
            return list(walk.misfits(obj, schema, ((), {}), ()))
    return []


class _Walk:
    """One object beside its schema, from the root down.

    Args:
        shows: whether values may be shown.
    """

    def __init__(self, schemas: Mapping[str, Object], *, shows: bool) -> None:
        self._schemas = schemas
        self._shows = shows

    def misfits(
        self, node: Any, schema: Object, above: tuple[FieldPath, Object], path: FieldPath
    ) -> Iterator[Misfit]:
        """What does not fit in this node and below it; `above` is the mapping it stands in."""
        kind = self._kind(schema)
        schema = self._resolved(schema)
        if node is None:
            return
        if kind and not _fits(node, kind):
            yield self._wrong(node, kind, path)
        elif isinstance(node, list) and "items" in schema:
            for index, item in enumerate(node):
                yield from self.misfits(item, schema["items"], above, (*path, index))
        elif isinstance(node, dict):
            yield from self._fields(node, schema, above, path)

    def _fields(
        self, node: Object, schema: Object, above: tuple[FieldPath, Object], path: FieldPath
    ) -> Iterator[Misfit]:
        fields = schema.get("properties") or {}
        others = schema.get("additionalProperties")
        open_ = others or any(key.startswith(_OPEN) and schema[key] for key in schema)
        for key, value in node.items():
            below = fields.get(key, others)
            if isinstance(below, dict):
                yield from self.misfits(value, below, (path, schema), (*path, key))
            elif fields and not open_:
                yield self._unknown(key, fields, above, path)

    def _unknown(
        self, key: str, fields: Object, above: tuple[FieldPath, Object], path: FieldPath
    ) -> Misfit:
        here = (*path, key)
        text = f"there is no field `{dotted(here)}`"
        if close := difflib.get_close_matches(key, fields, n=1):
            return Misfit(path=here, text=f"{text}; did you mean `{close[0]}`?")
        outer, schema = above
        homes = [dotted(outer)] if key in (schema.get("properties") or {}) else []
        homes += [
            dotted((*path, name))
            for name, below in fields.items()
            if key in (self._resolved(below).get("properties") or {}) and name != "status"
        ]
        home = next((home for home in homes if home), None)
        hint = f"`{key}` belongs under `{home}`: look at how far it is indented" if home else ""
        return Misfit(path=here, text=text, hint=hint)

    def _wrong(self, node: Any, kind: str, path: FieldPath) -> Misfit:
        expected = _TYPES[kind][1]
        shown = json.dumps(node, ensure_ascii=False).strip('"')
        got = noun(node)
        if self._shows and not isinstance(node, list | dict) and len(shown) <= _LONGEST_SHOWN:
            alike = isinstance(node, bool) or kind == "quantity"
            alike |= kind == "integer" and isinstance(node, float)
            got = f"`{shown}`" if alike else f"{got} (`{shown}`)"
        hint = ""
        if kind == "string" and not isinstance(node, list | dict):
            hint = "put it in quotes"
        elif kind == "array":
            hint = "each item of a list begins with `- `"
        elif kind in {"integer", "number"} and isinstance(node, str) and node.isdecimal():
            hint = "leave the quotes out"
        return Misfit(path=path, text=f"`{dotted(path)}` must be {expected}, not {got}", hint=hint)

    def _kind(self, schema: Object) -> str:
        """The type in our words, empty where the schema does not say."""
        if any(ref.endswith(".resource.Quantity") for ref in _refs(schema)):
            return "quantity"
        schema = self._resolved(schema)
        for mark in (schema.get("format"), schema.get("x-kubernetes-int-or-string")):
            if mark in ("int-or-string", True):
                return "int-or-string"
        kind = schema.get("type")
        return kind if isinstance(kind, str) and kind in _TYPES else ""

    def _resolved(self, schema: Object) -> Object:
        """The schema that is referred to, with what stands beside the reference."""
        for ref in _refs(schema):
            return self._resolved(self._schemas.get(ref.removeprefix(_REF), {}))
        return schema


_OPEN = ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")


def _refs(schema: Object) -> Iterator[str]:
    for part in (schema, *(schema.get("allOf") or ())):
        if "$ref" in part:
            yield str(part["$ref"])


def _fits(node: Any, kind: str) -> bool:
    if isinstance(node, bool):
        return kind == "boolean"
    if kind == "quantity" and isinstance(node, str):
        return parse(node) is not None
    return isinstance(node, _TYPES[kind][0])
