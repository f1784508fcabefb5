"""Which version of Docker's Engine API is spoken with a daemon."""

from __future__ import annotations

import os
import re

from kubekit.errors import UnreachableError, UsageError

OLDEST = "1.24"
"""Of Docker 1.12; what docker-py speaks begins here."""
NEWEST = "1.45"
"""The newest that kubekit is tried with (Docker 26.1); newer daemons are asked for this one."""
BUILDKIT = "1.39"
"""The first with BuildKit (Docker 18.09)."""

_VERSION = re.compile(r"\d+\.\d+")
_REFUSED = re.compile(
    r"client version (?P<asked>[\d.]+) is too (?P<how>old|new)\."
    r" (?:Minimum|Maximum) supported API version is (?P<bound>\d+\.\d+)"
)
_VARIABLE = "DOCKER_API_VERSION"


def number(version: str) -> tuple[int, ...]:
    """Return what versions are compared by."""
    return tuple(int(part) for part in version.split("."))


def asked_for() -> str | None:
    """Return the version that the user's DOCKER_API_VERSION asks for, as Docker's own client does.

    Raises:
        UsageError: it is no version.
    """
    asked = os.environ.get(_VARIABLE, "").strip().removeprefix("v")
    if asked and not _VERSION.fullmatch(asked):
        raise UsageError(
            f"{_VARIABLE} is `{asked}`, which is no version such as `1.41`",
            hints=(f"unset it: `unset {_VARIABLE}`",),
            id="docker-api-version",
        )
    return asked or None


def agreed(theirs: str, least: str, *, profile: str | None) -> str:
    """Return the newest version that both sides speak.

    Args:
        theirs: the newest it speaks.
        least: the oldest it speaks.
        profile: whose Docker it is; None for this machine's own.

    Raises:
        UnreachableError: it speaks none that kubekit does.
    """
    if number(theirs) < number(OLDEST):
        raise UnreachableError(
            f"the Docker daemon is too old: it speaks API {theirs}, kubekit needs {OLDEST}",
            hints=(_renew(profile),),
            id="docker-too-old",
        )
    # One that no longer speaks what is known here is tried with the nearest it does.
    return min(theirs, max(NEWEST, least, key=number), key=number)


def refused(where: str, explanation: str, *, profile: str | None) -> UnreachableError | None:
    """Return the error if what a daemon says is that it does not speak the version asked for.

    Args:
        where: the daemon, for people.
        explanation: what it says.
        profile: whose Docker it is; None for this machine's own.
    """
    found = _REFUSED.search(explanation)
    if found is None:
        return None
    side = "from" if found["how"] == "old" else "up to"
    message = f"{where} speaks Docker's API {side} {found['bound']}, and was asked for"
    if os.environ.get(_VARIABLE):
        hint = f"{_VARIABLE} asks for it: `unset {_VARIABLE}`, and the newest of both is taken"
    elif found["how"] == "old":
        hint = "update kubekit, which speaks only older ones"
    else:
        hint = _renew(profile)
    return UnreachableError(f"{message} {found['asked']}", hints=(hint,), id="docker-api-refused")


def _renew(profile: str | None) -> str:
    if profile is None:
        return "update this machine's Docker"
    again = f"`minikube delete -p {profile}`, which deletes all that is in it, then `kubekit up`"
    return f"make the profile anew with a current Minikube: {again}"
