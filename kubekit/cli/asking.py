"""Questions to the person at the terminal."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from kubekit.errors import CancelledError, UsageError

if TYPE_CHECKING:
    from kubekit.detect.backend import Question


def confirm(question: str, *, yes: bool) -> None:
    """Go on only with a yes, from the person or as a flag.

    Raises:
        UsageError: nobody can be asked, or the answer is no.
        CancelledError: Ctrl-C instead of an answer.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody is there to answer", hints=("say so with `--yes`",))
    with _interruptible():
        sure = typer.confirm(question, err=True)
    if not sure:
        raise UsageError("not confirmed, so nothing was done", id="not-confirmed")


def answer(question: "Question") -> str:
    """Let the person answer; of several choices one, by its number or as it is.

    Raises:
        CancelledError: Ctrl-C instead of an answer.
    """
    asked = question.text
    if question.choices:
        typer.echo(question.text, err=True)
        for number, choice in enumerate(question.choices, start=1):
            typer.echo(f"  {number}  {choice}", err=True)
        asked = "which one"
    with _interruptible():
        while True:
            text = typer.prompt(asked, default=question.default, err=True).strip()
            if text.isdecimal() and 0 < int(text) <= len(question.choices):
                return question.choices[int(text) - 1]
            if text and (not question.choices or text in question.choices):
                return str(text)
            typer.echo("  one of these, or its number", err=True)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM only ask the stages to stop, and none runs yet: here they end it."""
    ends = (signal.SIGINT, signal.SIGTERM)
    previous = [signal.signal(number, signal.default_int_handler) for number in ends]
    try:
        yield
    except (typer.Abort, KeyboardInterrupt):
        raise CancelledError("interrupted, so nothing was done") from None
    finally:
        for number, handler in zip(ends, previous, strict=True):
            signal.signal(number, handler)
