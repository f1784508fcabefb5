"""What the judge says. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from kubekit.errors import Place
from kubekit.rollout.wants import LogOf, Want

WAITING = "waiting"
READY = "ready"
FAILED = "failed"

CRASHES = ("crash-loop", "init-crash-loop")
"""Ids of the causes behind which is the app's own code, not a field of its manifest."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Why a rollout failed, or what it waits for, in a person's words.

    Attributes:
        where: the object that shows it, as people write it.
        log: the log that shows it.
        field: where in the workload's manifest the fix belongs.
    """

    id: str
    exit_code: int
    cause: str
    fix: str
    where: str
    log: LogOf | None = None
    field: tuple[str | int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the snapshot means.

    Attributes:
        state: ``waiting``, ``ready`` or ``failed``; a terminal one is final.
        text: what is waited for, or what is ready.
        finding: why it failed; while waiting, the likeliest cause so far, if there is one.
        wants: facts that would help to decide.
    """

    state: str
    text: str
    finding: Finding | None = None
    wants: frozenset[Want] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Blame:
    """What of the project's own files is behind a finding.

    Attributes:
        place: where it is to be put right.
        cause: what is told in place of the finding's own cause; None: that.
        hints: what to do; empty: what the finding says.
    """

    place: Place
    cause: str | None = None
    hints: tuple[str, ...] = ()
