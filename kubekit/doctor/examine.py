"""The order of the checks: all at once, each as soon as what it builds on is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from kubekit.doctor.verdict import Verdict, failure, left_out, warning
from kubekit.errors import CancelledError, KubekitError
from kubekit.events import Checked

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Check(Generic[T]):
    """One thing to look at.

    Attributes:
        needs: the checks it builds on: without them there is nothing to look at.
        after: those that tell it something, whatever they have found.
    """

    id: str
    title: str
    look: Callable[[T], Verdict]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def examine(checks: Sequence[Check[T]], known: T) -> Iterator[Checked]:
    """Make all checks, and tell of each in their order.

    Args:
        checks: what one builds on stands before it.
        known: is handed to each; it fills in what others go on with.

    Raises:
        CancelledError: the person interrupted.
    """
    found: dict[str, Future[tuple[Verdict, float]]] = {}
    # Those that wait for others take a thread each, too.
    with ThreadPoolExecutor(max_workers=max(len(checks), 1)) as pool:
        for check in checks:
            # By itself: what stands below is not known yet, so that no two wait for each other.
            before = {name: found[name] for name in (*check.needs, *check.after)}
            found[check.id] = pool.submit(_made, check, known, before)
        for check in checks:
            verdict, seconds = found[check.id].result()
            yield _told(check, verdict, seconds)


def _made(
    check: Check[T], known: T, before: Mapping[str, Future[tuple[Verdict, float]]]
) -> tuple[Verdict, float]:
    reasons = {name: future.result()[0].reason for name, future in before.items()}
    lacking = next((reasons[name] for name in check.needs if reasons[name]), "")
    start = time.monotonic()
    verdict = left_out(lacking) if lacking else _looked(check, known)
    return verdict, time.monotonic() - start


def _looked(check: Check[T], known: T) -> Verdict:
    try:
        return check.look(known)
    except CancelledError:
        raise
    except KubekitError as error:
        return failure(error, reason=f"`{check.title}` failed")
    except OSError as error:  # of a file that nobody but this check reads
        where = f" `{error.filename}`:" if error.filename else ""
        text = f"cannot be looked at:{where} {(error.strerror or str(error)).lower()}"
        return warning(text, cause="not-readable")


def _told(check: Check[T], verdict: Verdict, seconds: float) -> Checked:
    return Checked(
        id=check.id,
        title=check.title,
        state=verdict.state,
        text=verdict.text,
        cause=verdict.cause,
        exit_code=verdict.exit_code,
        hints=verdict.hints,
        details=verdict.details,
        place=str(verdict.place) if verdict.place else None,
        seconds=seconds,
    )
