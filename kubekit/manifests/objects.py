"""YAML text -> the Kubernetes objects in it, each known by its place, and checked in its shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kubekit.errors import FilesError, Place
from kubekit.model import Manifest, Object
from kubekit.text.strictyaml import Document, FieldPath, dotted, load_all, noun

# Built-in kinds without a namespace: `kubectl api-resources --namespaced=false`, v1.34.
_CLUSTER_SCOPED = frozenset(
    """
    APIService CertificateSigningRequest ClusterRole ClusterRoleBinding ClusterTrustBundle
    CSIDriver CSINode CustomResourceDefinition DeviceClass FlowSchema IngressClass IPAddress
    MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration Node
    PersistentVolume PriorityClass PriorityLevelConfiguration ResourceSlice RuntimeClass
    ServiceCIDR StorageClass StorageVersion ValidatingAdmissionPolicy
    ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration VolumeAttachment
    VolumeAttributesClass
    """.split()  # noqa: SIM905 - as a list it would be a line per kind
)


def read(text: str, *, file: Path, lines: Sequence[Place] | None = None) -> list[Manifest]:
    """Read the objects of one file; a ``List`` counts as the objects in it.

    Args:
        file: the file in the user's project, for the places.
        lines: the place behind each line of `text` if it was rendered from a template; an empty
            sequence says that nothing certain is known. None: the text is the file itself.

    Raises:
        FilesError: it is no YAML, or an object has no apiVersion, kind or name.
    """
    try:
        documents = load_all(text, file=file)
    except FilesError as error:
        raise error if lines is None else _in_template(error, text, file, lines) from None
    manifests: list[Manifest] = []
    problems: list[tuple[Place, str]] = []
    for document in documents:
        places = document.places
        if lines is not None:
            places = {path: _origin(place, file, lines) for path, place in places.items()}
        for data, path in _flat(document.data, ()):
            problem = _shape_problem(data)
            if problem is None:
                manifests.append(_manifest(data, path, places))
            else:
                where, cause = problem
                at = Document(data=None, file=file, places=places).place((*path, *where))
                problems.append((at, cause))
    if problems:
        raise FilesError.of(problems)
    return manifests


def check(manifests: Sequence[Manifest], *, namespace: str) -> None:
    """Refuse objects that are there twice or belong elsewhere.

    Raises:
        FilesError: names all of them.
    """
    problems: list[tuple[Place, str]] = []
    first: dict[str, Manifest] = {}
    for manifest in manifests:
        other = first.setdefault(manifest.ref, manifest)
        if other is not manifest:
            twice = f"`{manifest.ref}` is there twice, first at {other.origin}"
            problems.append((manifest.origin, twice))
        if (foreign := _foreign(manifest, namespace)) is not None:
            path, text = foreign
            problems.append((manifest.place(path), text))
    if problems:
        raise FilesError.of(problems)


def mapping(value: Any, *keys: str) -> Object:
    """The mapping at the end of the keys; an empty one where the user's data is of another shape.

    What is wrong with the shape is for the API server to say, which knows every kind.
    """
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[Object]:
    """The mappings in a list; none where the user's data is of another shape."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _foreign(manifest: Manifest, namespace: str) -> tuple[FieldPath, str] | None:
    """Why the object cannot be part of the project, and at which field; or None."""
    other = manifest.data["metadata"].get("namespace")
    if manifest.kind == "Namespace" and manifest.name != namespace:
        text = f"`{manifest.ref}` is not the project's namespace `{namespace}`"
        return ("metadata", "name"), text
    if manifest.kind in _CLUSTER_SCOPED:
        return ("kind",), (
            f"`{manifest.ref}` belongs to the whole cluster; kubekit only applies what lives in "
            f"the namespace `{namespace}`, so apply this one with `kubectl`"
        )
    if other is not None and other != namespace:
        return ("metadata", "namespace"), (
            f"`{manifest.ref}` names the namespace `{other}`, but the project's is `{namespace}`; "
            "leave `metadata.namespace` out"
        )
    return None


def _flat(data: Object, path: FieldPath) -> Iterator[tuple[Any, FieldPath]]:
    if str(data.get("kind", "")).endswith("List") and isinstance(data.get("items"), list):
        for index, item in enumerate(data["items"]):
            if isinstance(item, dict):
                yield from _flat(item, (*path, "items", index))
            else:
                yield item, (*path, "items", index)
    else:
        yield data, path


def _shape_problem(data: Any) -> tuple[FieldPath, str] | None:
    """Where the object has not even the shape of one, and how."""
    if not isinstance(data, dict):
        return (), f"expected an object, got {noun(data)}"
    return (
        _wrong(data, ("apiVersion",), str)
        or _wrong(data, ("kind",), str)
        or _wrong(data, ("metadata",), dict)
        or _wrong(data, ("metadata", "name"), str)
        or _wrong(data, ("metadata", "labels"), dict, required=False)
        or _wrong(data, ("metadata", "annotations"), dict, required=False)
    )


def _wrong(
    data: Object, path: FieldPath, kind: type, *, required: bool = True
) -> tuple[FieldPath, str] | None:
    value: Any = data
    for key in path:
        value = value.get(key)
    field = dotted(path)
    if value is None or value == "":
        if not required:
            return None
        if field == "metadata.name" and "generateName" in data["metadata"]:
            return path, "`generateName` makes a new object each time; give it a `name`"
        return path, f"`{field}` is missing"
    if isinstance(value, kind):
        return None
    if kind is dict:
        return path, f"`{field}` must be a mapping, got {noun(value)}"
    quotes = "" if isinstance(value, dict | list) else "; put it in quotes"
    return path, f"`{field}` must be text, got {noun(value)}{quotes}"


def _manifest(data: Object, path: FieldPath, places: Mapping[FieldPath, Place]) -> Manifest:
    """The object at `path` of a document, its places counted from itself."""
    depth = len(path)
    own = {at[depth:]: place for at, place in places.items() if at[:depth] == path}
    return Manifest(data=data, origin=own[()], places=own)


def _origin(place: Place, file: Path, lines: Sequence[Place]) -> Place:
    """The line of the template behind a line of the rendered text."""
    if place.line is None or place.line > len(lines):
        return Place(file=file)
    return lines[place.line - 1]


def _in_template(error: FilesError, text: str, file: Path, lines: Sequence[Place]) -> FilesError:
    """The same error at the template's line, with the rendered line as evidence."""
    line = error.place.line if error.place is not None else None
    if line is None:
        return error
    shown = text.split("\n")[line - 1 : line] or [""]
    return FilesError(
        error.message,
        place=_origin(Place(file=file, line=line), file, lines),
        details=(f"rendered line {line}: {shown[0].strip()}",),
        hints=error.hints,
    )
