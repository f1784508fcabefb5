"""What a check of `doctor` comes to. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kubekit.errors import KubekitError, Place, UnreachableError

State = Literal["ok", "warning", "failure", "skipped"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How it is, and what to do.

    Attributes:
        cause: the id of what is wrong.
        exit_code: of a failure: what a command that meets it ends with.
        reason: why what builds on it is not looked at; empty where it can be.
    """

    state: State
    text: str
    cause: str | None = None
    exit_code: int = 0
    hints: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    place: Place | None = None
    reason: str = ""


def ok(text: str) -> Verdict:
    """All is well."""
    return Verdict(state="ok", text=text)


def warning(
    text: str, *hints: str, cause: str, details: tuple[str, ...] = (), place: Place | None = None
) -> Verdict:
    """It works, but not for long, not well, or not safely."""
    return Verdict(
        state="warning", text=text, hints=hints, cause=cause, details=details, place=place
    )


def failure(error: KubekitError, *, reason: str = "") -> Verdict:
    """It does not work, as the commands that need it say.

    Args:
        error: what they would raise.
        reason: why what builds on it is not looked at; empty where it can be all the same.
    """
    return Verdict(
        state="failure",
        text=error.message,
        cause=error.id,
        exit_code=error.exit_code,
        hints=error.hints,
        details=error.details,
        place=error.place,
        reason=reason,
    )


def broken(text: str, *hints: str, cause: str) -> Verdict:
    """It cannot be used, and what builds on it can be looked at all the same."""
    return failure(UnreachableError(text, hints=hints, id=cause))


def left_out(reason: str) -> Verdict:
    """There is nothing to look at, here or in what builds on it."""
    return Verdict(state="skipped", text=f"not looked at, because {reason}", reason=reason)
