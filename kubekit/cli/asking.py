"""Questions to the person at the terminal."""

import signal
import sys

import typer

from kubekit.errors import CancelledError, UsageError


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
    # Ctrl-C only asks the stages to stop, and none runs yet: here it must end the question.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sure = typer.confirm(question, err=True)
    except typer.Abort:
        raise CancelledError("interrupted, so nothing was done") from None
    finally:
        signal.signal(signal.SIGINT, previous)
    if not sure:
        raise UsageError("not confirmed, so nothing was done", id="not-confirmed")
