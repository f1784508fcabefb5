"""Fields of an object that somebody else has set, told from a conflict of an apply. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kubekit.api.kube import FIELD_MANAGER, ApiError
from kubekit.model import Object

_MANAGER = re.compile(r'conflict with "(?P<manager>[^"]*)"')
_REASON = "FieldManagerConflict"
REPLICAS = "spec.replicas"
_AUTOSCALERS = "kube-controller-manager"


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """One field that another manager owns, with another value.

    Attributes:
        field: as the API server names it, such as ``spec.replicas``.
        manager: who owns it.
    """

    field: str
    manager: str

    @property
    def own(self) -> bool:
        """Whether it is one of kubekit's own managers."""
        return self.manager == FIELD_MANAGER or self.manager.startswith(f"{FIELD_MANAGER}-")

    @property
    def autoscaled(self) -> bool:
        """Whether it is a number of replicas that an autoscaler has set."""
        return self.field == REPLICAS and self.manager == _AUTOSCALERS


def conflicts(error: ApiError) -> tuple[Conflict, ...]:
    """The conflicts an apply has run into; none if it was refused for another reason."""
    return tuple(_conflict(cause) for cause in error.causes if cause.get("reason") == _REASON)


def told(found: Iterable[Conflict]) -> str:
    """Each field with who owns it, for people."""
    return ", ".join(
        f"`{one.field}` is managed by `{one.manager}`"
        for one in sorted(found, key=lambda one: (one.field, one.manager))
    )


def _conflict(cause: Object) -> Conflict:
    match = _MANAGER.search(str(cause.get("message")))
    return Conflict(
        field=str(cause.get("field") or "").removeprefix("."),
        manager=match["manager"] if match else "unknown",
    )
