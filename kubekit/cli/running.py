"""A command's run: its view, its signals, its failure, and its exit code."""

import contextlib
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kubekit import __version__
from kubekit.errors import CancelledError, KubekitError

if TYPE_CHECKING:
    from kubekit.console import View
    from kubekit.model import Cancel

    Work = Callable[[View, Cancel], None]


def execute(work: "Work", *, output: str = "text", verbosity: int = 0) -> None:
    """Do the work, tell how it ended, and exit with the code of that."""
    from kubekit.console import open_view
    from kubekit.model import Cancel
    from kubekit.outlet import discard

    cancel = Cancel()
    on_signals(cancel)
    if output not in ("text", "json"):
        raise typer.BadParameter("text or json", param_hint="--output")
    view = open_view(output=output, verbosity=verbosity)
    try:
        with contextlib.closing(view):
            _run(work, view, cancel)
    except BrokenPipeError:  # whoever watched the run is gone
        discard(sys.stdout, sys.stderr)
        raise typer.Exit(CancelledError.exit_code) from None


def _run(work: "Work", view: "View", cancel: "Cancel") -> None:
    from kubekit.events import Failed

    try:
        work(view, cancel)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the one place where every failure is told
        failure = _as_kubekit_error(error, cancel.is_set())
        failed = Failed(
            id=failure.id,
            exit_code=failure.exit_code,
            message=failure.message,
            hints=failure.hints,
            details=failure.details,
            place=str(failure.place) if failure.place else None,
        )
        with contextlib.suppress(KubekitError):  # where nothing can be written, the code says it
            view(failed)
        raise typer.Exit(failure.exit_code) from None


def on_signals(cancel: "Cancel") -> None:
    """Ctrl-C and SIGTERM ask the stages to stop; a second Ctrl-C does not wait for them.

    A SIGTERM only ever asks: a teardown sends one to a `dev` that may be ending already, and what
    it takes down then is not to be left half-way.

    The handler runs in the main thread, which may just hold one of the locks that `cancel` needs:
    so it only counts, and a thread of its own does the asking.
    """
    from kubekit.outlet import abandon

    count = itertools.count(1)

    def handle(number: int, _frame: object) -> None:
        if number == signal.SIGINT and next(count) > 1:
            abandon()
            os._exit(CancelledError.exit_code)
        threading.Thread(target=cancel.set, daemon=True).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


def _as_kubekit_error(error: Exception, cancelled: bool) -> KubekitError:
    if cancelled and not isinstance(error, CancelledError):
        return CancelledError("interrupted")
    if isinstance(error, KubekitError):
        return error
    return KubekitError(
        f"kubekit has a defect: {type(error).__name__}",
        hints=(f"report it with the file `{_write_log(error)}`",),
    )


def _write_log(error: Exception) -> Path:
    """The traceback in a file for a report: where code stands, not what it worked on."""
    import tempfile
    import traceback

    lines = traceback.format_tb(error.__traceback__)
    handle, name = tempfile.mkstemp(prefix="kubekit-", suffix=".log")
    with os.fdopen(handle, "w") as file:
        file.write(f"kubekit {__version__}, Python {sys.version}\n")
        file.write(f"{type(error).__name__}\n")
        file.writelines(lines)
    return Path(name)
