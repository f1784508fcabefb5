"""What a refusal of the API server means: the field, where it stands, and what to do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from kubekit.api.conflicts import conflicts, told
from kubekit.api.immutable import RECREATED, fixed, is_immutable
from kubekit.api.kube import ApiError, Kube
from kubekit.api.resources import SERVICES
from kubekit.api.schema import misfits
from kubekit.errors import KubekitError, Place, RefusedError
from kubekit.model import Manifest, Object
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


_NO_RIGHT = re.compile(r'User "[^"]*" cannot ')
_TAKEN = "provided port is already allocated"
_TERMINATING = "NamespaceTerminating"
# Words of admission, which come with several reasons, and the cause each of them is.
_ADMISSION = {
    "webhook-denied": re.compile(r"admission webhook .* denied|AdmissionPolicy .* denied"),
    "quota": re.compile(r"exceeded quota|failed quota"),
}
_GOES_WITH_IT = {
    "PersistentVolumeClaim": "; its data goes with it",
    "StatefulSet": "; its pods stop, and its volumes stay",
}
_FIXES = {
    "webhook-denied": "change the object as it says, or ask whoever has set up that policy",
    "quota": "ask for less, or raise the ResourceQuota of the namespace",
    "api-conflict": "leave these fields out of the manifest, or take them with `--take-ownership`",
    "api-forbidden": "ask for the missing right, or use another context",
    "namespace-terminating": "run kubekit again: it waits until the namespace is gone",
}


def explained(
    kube: Kube,
    error: RefusedError,
    manifest: Manifest,
    *,
    namespace: str,
    live: Object | None = None,
) -> KubekitError:
    """The server's refusal with the object, the places in the user's file, and plain words."""
    if not isinstance(error, ApiError):
        error.place = error.place or manifest.origin
        return error
    problems, hints = _problems(kube, error, manifest, live)
    problems.sort(key=lambda problem: (problem[0].line or 0, problem[0].column or 0))
    place, first = problems[0]
    return RefusedError(
        f"the API server refuses `{manifest.ref}`: {first}",
        hints=tuple(dict.fromkeys((*hints, *_hints(kube, error, manifest, namespace))))
        or (f"correct it in the manifest; `kubectl explain {manifest.kind.lower()}` shows it",),
        details=tuple(f"{at}: {text}" for at, text in problems[1:]),
        place=place,
        id=_id(error),
    )


def of_parent(error: ApiError, parent: str) -> KubekitError:
    """The server's refusal of the ConfigMap that names the members' kinds: no file has that."""
    cause = _id(error)
    fix = _FIXES.get(cause) if cause != "api-conflict" else None
    if error.status == 404:  # noqa: PLR2004
        fix = "run kubekit again: it makes the namespace anew"
    return RefusedError(
        f"the API server refuses `ConfigMap/{parent}`, kubekit's own list: {_said(error)}",
        hints=(fix,) if fix else (),
        id=cause,
    )


def _id(error: ApiError) -> str:
    """The cause in the catalogue."""
    if any(cause.get("reason") == _TERMINATING for cause in error.causes):
        return "namespace-terminating"
    if is_immutable(error):
        return "api-immutable"
    if _SHAPE.search(error.message):
        return "api-invalid"
    admitted = (name for name, words in _ADMISSION.items() if words.search(error.message))
    return next(admitted, error.id)


def _problems(
    kube: Kube, error: ApiError, manifest: Manifest, live: Object | None
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
    held = fixed(error, manifest.data, live)
    fields = list(held) or [str(cause.get("field") or "") for cause in error.causes]
    paths = [_path(field, manifest.data) for field in fields if field]
    place = manifest.place(paths[0]) if paths else manifest.origin
    return [(place, ", ".join(held.values()) or _said(error))], []


def _typed(message: str, manifest: Manifest) -> Iterator[tuple[FieldPath, str]]:
    for match in _TYPED.finditer(message):
        yield _path(match["field"], manifest.data), match["said"]


def _said(error: ApiError) -> str:
    if error.reason == "Conflict":
        return told(conflicts(error)) or error.message
    if _id(error) == "namespace-terminating":
        return "its namespace is being deleted"
    return error.message


def _hints(kube: Kube, error: ApiError, manifest: Manifest, namespace: str) -> Iterator[str]:
    cause = _id(error)
    if cause in _FIXES and (cause != "api-forbidden" or _NO_RIGHT.search(error.message)):
        yield _FIXES[cause]
    if cause == "api-immutable":
        yield _way_out(kube, manifest, namespace)
    if "`selector` does not match template `labels`" in error.message:
        yield "let `spec.selector.matchLabels` name labels that the template has"
    if _TAKEN in error.message:
        yield from _takers(kube, manifest)


def _way_out(kube: Kube, manifest: Manifest, namespace: str) -> str:
    """What to do about an object a field of which cannot be changed."""
    if manifest.kind in RECREATED:
        cost = RECREATED[manifest.kind]
        return f"`--recreate` deletes it and makes it anew: {cost}; or give it another name"
    goes = _GOES_WITH_IT.get(manifest.kind, "")
    command = f"delete {manifest.kind.lower()}/{manifest.name}"
    where = f"kubectl --context {kube.context} -n {namespace}"
    return f"`{where} {command}`, then run kubekit again{goes}; or give it another name"


def _takers(kube: Kube, manifest: Manifest) -> Iterator[str]:
    """Which Services have the ports of the node that this one asks for."""
    asked = {port.get("nodePort") for port in manifest.data["spec"].get("ports") or ()}
    with contextlib.suppress(KubekitError):
        for service in kube.list(SERVICES.path(""), patience=0):
            has = {port.get("nodePort") for port in service["spec"].get("ports") or ()}
            for port in sorted((asked & has) - {None}):
                name, where = service["metadata"]["name"], service["metadata"]["namespace"]
                yield f"Service `{name}` of namespace `{where}` has port {port}"
    yield "take another `nodePort`, or leave it out and get a free one"


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
