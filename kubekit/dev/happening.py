"""All that can happen to `dev`, as its queue has it."""

from __future__ import annotations

from dataclasses import dataclass

from kubekit.api.follow import Update
from kubekit.dev.answering import Answers, Started
from kubekit.dev.job import Accepted, Ended, Made
from kubekit.dev.sessions import Brought
from kubekit.dev.syncing import Saved
from kubekit.dev.tracebacks import Raised


@dataclass(frozen=True, kw_only=True)
class Pressed:
    """A key."""

    key: str


class Stop:
    """The person wants it to end."""


@dataclass(frozen=True, kw_only=True)
class Crashed:
    """A thread has died of a defect, nobody reads what is told, or another run has taken over."""

    error: Exception


Happening = (
    Saved
    | Pressed
    | Update
    | Started
    | Answers
    | Made
    | Accepted
    | Ended
    | Brought
    | Raised
    | Crashed
)
Event = Happening | Stop
