"""Secrets and ConfigMaps named by their content, and every reference to them.

A changed value makes a new object and so a new pod template: pods roll, and a rollback finds the
old values. https://kubernetes.io/docs/concepts/configuration/secret/#secret-immutable
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from kubekit.api.references import references
from kubekit.errors import FilesError, Place
from kubekit.manifests.objects import mapping
from kubekit.manifests.podspec import POD_SPECS
from kubekit.model import Manifest, Object
from kubekit.text.strictyaml import noun

ANNOTATION = "kubekit.dev/hash"
"""Asks with ``"true"`` that a Secret or ConfigMap of the user's is named by its content, too."""

Renames = dict[tuple[str, str], str]
"""Kind and name in the files -> the name it is applied with."""


def encoded(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Turn ``stringData`` of Secrets into ``data``, which server-side apply can keep right.

    Keys removed from ``stringData`` would stay in the Secret (kubernetes/kubernetes#108008).

    Raises:
        FilesError: names every value that is no text or no base64.
    """
    problems: list[tuple[Place, str]] = []
    result = [_encoded(manifest, problems) for manifest in manifests]
    if problems:
        hint = "write text under `stringData`, or use the filter `b64` in a template"
        raise FilesError.of(problems, hints=(hint,))
    return result


def decoded(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """The keys of a Secret or ConfigMap whose values are text, with these."""
    for key, value in mapping(manifest.data, "data").items():
        if manifest.kind != "Secret":
            yield key, str(value)
            continue
        with contextlib.suppress(UnicodeDecodeError):
            yield key, base64.b64decode(value).decode()


def hashed_name(manifest: Manifest) -> str:
    """The object's name with ten digits of its content's hash, stable under the order of keys."""
    content: Any = mapping(manifest.data, "data")
    if manifest.kind == "ConfigMap":
        content = {"data": content, "binaryData": mapping(manifest.data, "binaryData")}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"{manifest.name}-{hashlib.sha256(canonical.encode()).hexdigest()[:10]}"


def wants_hash(manifest: Manifest) -> bool:
    """Whether the user asks for a name by content with the annotation."""
    annotations = mapping(manifest.data, "metadata", "annotations")
    return manifest.kind in {"Secret", "ConfigMap"} and annotations.get(ANNOTATION) == "true"


def rename(manifests: Iterable[Manifest], renames: Renames) -> None:
    """Give the objects their new names, make them immutable, and let every reference follow."""
    for manifest in manifests:
        data = manifest.data
        new = renames.get((manifest.kind, manifest.name))
        if new is not None:
            data["metadata"]["name"] = new
            data["immutable"] = True
        if manifest.kind in POD_SPECS:
            _follow(mapping(data, *POD_SPECS[manifest.kind]), renames)
        elif manifest.kind == "Ingress":
            _follow(data.get("spec"), renames)
        elif manifest.kind == "ServiceAccount":
            for key in ("secrets", "imagePullSecrets"):
                _follow({key: data.get(key)}, renames)


def _follow(node: Any, renames: Renames) -> None:
    for reference in references(node):
        new = renames.get((reference.kind, reference.name))
        if new is not None:
            reference.holder[reference.key] = new


def _encoded(manifest: Manifest, problems: list[tuple[Place, str]]) -> Manifest:
    if manifest.kind != "Secret":
        return manifest
    places = dict(manifest.places)
    data: Object = {}
    for field, convert in (("data", _normal), ("stringData", _encode)):
        values = manifest.data.get(field) or {}
        if not isinstance(values, dict):
            text = f"`{field}` must be a mapping, got {noun(values)}"
            problems.append((manifest.place((field,)), text))
            continue
        for key, value in values.items():
            place = manifest.place((field, key))
            places["data", key] = place
            try:
                data[key] = convert(value)
            except ValueError as caught:
                problems.append((place, f"`{field}.{key}` {caught}"))
    others = {key: value for key, value in manifest.data.items() if key != "stringData"}
    return replace(manifest, data=others | {"data": data}, places=places)


def _normal(value: Any) -> str:
    """Base64 in its one canonical form, so that line breaks in it change no hash."""
    if not isinstance(value, str):
        raise ValueError(f"must be base64 text, got {noun(value)}")  # noqa: TRY004 - one except
    try:
        # Go's decoder, which the API server uses, skips line breaks.
        joined = value.replace("\n", "").replace("\r", "")
        return base64.b64encode(binascii.a2b_base64(joined, strict_mode=True)).decode()
    except ValueError:
        raise ValueError("is not base64") from None


def _encode(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, got {noun(value)}; put it in quotes")  # noqa: TRY004 - as above
    return base64.b64encode(value.encode()).decode()
