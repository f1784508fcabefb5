"""Running other programs: the only module that does.

A child runs in a process group of its own, so that Ctrl-C in the terminal reaches kubekit alone and
kubekit decides in which order things end: interrupt, then terminate, then kill.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kubekit.errors import CancelledError, MissingError, UnreachableError
from kubekit.model import Cancel

GRACE_SECONDS = 5.0
"""How long a child may take over each of interrupt and terminate."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A program that ended: its exit code and what it printed, as text."""

    code: int
    out: str
    err: str


def find(program: str, *, hint: str) -> str:
    """The program's path on PATH.

    Raises:
        MissingError: it is not there; `hint` says how to get it.
    """
    path = shutil.which(program)
    if path is None:
        raise MissingError(f"`{program}` is not on PATH", hints=(hint,), id=f"{program}-missing")
    return path


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    cancel: Cancel,
    on_line: Callable[[str], None] | None = None,
    given: str | None = None,
) -> Finished:
    """Run a program to its end and keep what it prints; `on_line` sees each line of stdout at once.

    What is `given` it can read from its stdin, a few lines at most.

    Raises:
        MissingError: it is there, but the system cannot execute it.
        UnreachableError: it took longer than `timeout` seconds and was ended.
        CancelledError: the person interrupted; the program was ended first.
    """
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise _unusable(argv[0], error) from error
    late = threading.Event()

    def end() -> None:
        _stop(child)

    def end_late() -> None:
        late.set()
        end()

    timer = threading.Timer(timeout, end_late)
    try:
        timer.start()
        cancel.on_set(end)
        _give(child, given)
        out, err = _read(child, on_line)
    finally:
        timer.cancel()
        cancel.forget(end)
        end()  # where `on_line` has failed, it still runs
    if cancel.is_set():
        raise CancelledError("interrupted")
    if late.is_set():
        raise UnreachableError(
            f"`{' '.join(argv)}` did not end within {timeout:.0f} s", id="program-timeout"
        )
    return Finished(code=child.returncode, out=out, err=err)


def replace(argv: Sequence[str], *, env: Mapping[str, str]) -> None:
    """Become another program: its terminal, signals and exit code are then the user's own.

    Raises:
        MissingError: it is there, but the system cannot execute it.
    """
    try:
        os.execvpe(argv[0], list(argv), dict(env))  # noqa: S606 - no shell is the point
    except OSError as error:
        raise _unusable(argv[0], error) from error


def _unusable(program: str, error: OSError) -> MissingError:
    return MissingError(
        f"`{program}` cannot be run: {error.strerror}",
        hints=("install it anew, for this system and processor",),
        id="program-unusable",
    )


def _give(child: subprocess.Popen[str], text: str | None) -> None:
    if child.stdin is not None:
        with contextlib.suppress(BrokenPipeError), child.stdin as stdin:
            stdin.write(text or "")


def _read(child: subprocess.Popen[str], on_line: Callable[[str], None] | None) -> tuple[str, str]:
    if child.stdout is None or child.stderr is None:  # pragma: no cover - both are pipes
        raise AssertionError
    errors: list[str] = []
    stderr = child.stderr

    def read_errors() -> None:
        with stderr:
            errors.append(stderr.read())

    reader = threading.Thread(target=read_errors, daemon=True)
    reader.start()
    lines = []
    with child.stdout as stdout:
        for line in stdout:
            lines.append(line)
            if on_line is not None:
                on_line(line)
    child.wait()
    reader.join()
    return "".join(lines), "".join(errors)


def _stop(child: subprocess.Popen[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            return
        # It may end at this moment; macOS then says that it is not permitted.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_SECONDS)
