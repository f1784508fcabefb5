"""Fields that cannot be changed once an object is there, told from a refusal. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kubekit.api.kube import ApiError
from kubekit.model import Object

# Each kind has words of its own for it.
_FIXED = re.compile(
    r"field is immutable|is immutable after creation|may not change once set|cannot change roleRef"
    r"|updates to \w+ spec for fields other than|updates may not change fields other than"
)
_QUOTED = re.compile(r"'([^']+)'")

RECREATED = {
    "Deployment": "it is down until its new pods are ready",
    "Job": "what it is doing is cut off, and it runs again from the start",
    "Service": "it gets another address, and leads nowhere meanwhile",
}
"""The kinds that may be deleted and made anew, and what that costs."""


def is_immutable(error: ApiError) -> bool:
    """Whether some of what is refused would change a field that cannot be changed."""
    return bool(_FIXED.search(error.message))


def is_all_immutable(error: ApiError) -> bool:
    """Whether nothing else is refused: then the object made anew would be taken."""
    said = [str(cause.get("message")) for cause in error.causes]
    return bool(said) and all(map(_FIXED.search, said))


def fixed(error: ApiError, sent: Object, live: Object | None) -> dict[str, str]:
    """Each field that cannot be changed, and what to say of it."""
    found = [cause for cause in error.causes if _FIXED.search(cause.get("message") or "")]
    return dict(pair for cause in found for pair in _told(cause, sent, live))


def _told(cause: Object, sent: Object, live: Object | None) -> Iterator[tuple[str, str]]:
    """Of a whole spec those fields that differ, as far as that can be told; else what may."""
    field, said = str(cause.get("field")), str(cause.get("message")).splitlines()[0]
    if not ((field == "spec" and "other than" in said) or "except" in said):
        yield field, f"`{field}` cannot be changed"
        return
    changed = [] if live is None else _changed(sent, live, set(_QUOTED.findall(said)))
    for name in changed:
        yield f"{field}.{name}", f"`{field}.{name}` cannot be changed"
    if not changed:
        yield field, f"`{field}` cannot be changed: {said.partition(': ')[2] or said}"


def _changed(sent: Object, live: Object, allowed: set[str]) -> list[str]:
    mine, theirs = sent.get("spec") or {}, live.get("spec") or {}
    return [key for key in mine if key not in allowed and differs(mine[key], theirs.get(key))]


def differs(mine: Any, theirs: Any) -> bool:
    """Whether what is sent would change what is live, which has defaults beside it."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return any(differs(value, theirs.get(key)) for key, value in mine.items())
    if isinstance(mine, list) and isinstance(theirs, list):
        pairs = zip(mine, theirs, strict=False)
        return len(mine) != len(theirs) or any(differs(*pair) for pair in pairs)
    return bool(mine != theirs)
