"""What a refusal of the API server means: the field, where it stands, and what to do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

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


# What may not change once an object is there; each kind has words of its own for it.
_IMMUTABLE = re.compile(
    r"field is immutable|is immutable after creation|may not change once set"
    r"|updates to \w+ spec for fields other than|updates may not change fields other than"
)
_NO_RIGHT = re.compile(r'User "[^"]*" cannot ')
_TAKEN = "provided port is already allocated"
_TERMINATING = "NamespaceTerminating"
# Words of admission, which come with several reasons, and the cause each of them is.
_ADMISSION = {
    "webhook-denied": re.compile(r"admission webhook .* denied|AdmissionPolicy .* denied"),
    "quota": re.compile(r"exceeded quota|failed quota"),
}
_FIXES = {
    "webhook-denied": "change the object as it says, or ask whoever has set up that policy",
    "quota": "ask for less, or raise the ResourceQuota of the namespace",
    "api-conflict": "leave these fields out of the manifest, or let their other owner give them up",
    "api-forbidden": "ask for the missing right, or use another context",
    "namespace-terminating": "run kubekit again: it waits until the namespace is gone",
}


def explained(
    kube: Kube, error: RefusedError, manifest: Manifest, *, namespace: str
) -> KubekitError:
    """The server's refusal with the object, the places in the user's file, and plain words."""
    if not isinstance(error, ApiError):
        error.place = error.place or manifest.origin
        return error
    problems, hints = _problems(kube, error, manifest)
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


def _id(error: ApiError) -> str:
    """The cause in the catalogue."""
    if any(cause.get("reason") == _TERMINATING for cause in error.causes):
        return "namespace-terminating"
    if _IMMUTABLE.search(error.message):
        return "api-immutable"
    if _SHAPE.search(error.message):
        return "api-invalid"
    admitted = (name for name, words in _ADMISSION.items() if words.search(error.message))
    return next(admitted, error.id)


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
    if _id(error) == "api-immutable":
        fixed = [cause for cause in error.causes if _IMMUTABLE.search(cause.get("message") or "")]
        return ", ".join(dict.fromkeys(_fixed(cause) for cause in fixed)) or error.message
    if _id(error) == "namespace-terminating":
        return "its namespace is being deleted"
    return error.message


def _fixed(cause: Object) -> str:
    """One field that may not change; of a whole spec, which of it may."""
    field, said = cause.get("field"), str(cause.get("message")).splitlines()[0]
    whole = (field == "spec" and "other than" in said) or "except" in said
    what = said.partition(": ")[2] or said
    return f"`{field}` cannot be changed: {what}" if whole else f"`{field}` cannot be changed"


def _hints(kube: Kube, error: ApiError, manifest: Manifest, namespace: str) -> Iterator[str]:
    cause = _id(error)
    if cause in _FIXES and (cause != "api-forbidden" or _NO_RIGHT.search(error.message)):
        yield _FIXES[cause]
    if cause == "api-immutable":
        data = "; its data goes with it" if manifest.kind == "PersistentVolumeClaim" else ""
        where = f"--context {kube.context} -n {namespace}"
        command = f"kubectl {where} delete {manifest.kind.lower()}/{manifest.name}"
        yield f"`{command}`, then run kubekit again{data}; or give it another name"
    if "`selector` does not match template `labels`" in error.message:
        yield "let `spec.selector.matchLabels` name labels that the template has"
    if _TAKEN in error.message:
        yield from _takers(kube, manifest)


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
