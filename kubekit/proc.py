"""Running other programs: the only module that does.

A child runs in a process group of its own, so that Ctrl-C in the terminal reaches kubekit alone and
kubekit decides in which order things end: interrupt, then terminate, then kill.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kubekit.errors import CancelledError, MissingError, UnreachableError
from kubekit.model import Cancel

GRACE_SECONDS = 5.0
"""How long a child may take over each of interrupt and terminate."""

_LEFT_SECONDS = 1.0
"""How long what a child has left behind may still print, once the child itself has ended."""
_LOOK_SECONDS = 0.1
_BLOCK = 1 << 16


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
    child = _started(argv, given is not None)
    with _limited(child, timeout, cancel) as late:
        _give(child, given)
        out, err = _read(child, on_line, lambda: late.is_set() or cancel.is_set())
    if cancel.is_set():
        raise CancelledError("interrupted")
    if late.is_set():
        raise UnreachableError(
            f"`{' '.join(argv)}` did not end within {timeout:.0f} s", id="program-timeout"
        )
    return Finished(code=child.returncode, out=out, err=err)


def let_go(argv: Sequence[str]) -> None:
    """Start a program that goes on by itself; nothing it prints is seen, no end of it is told.

    Raises:
        MissingError: it is there, but the system cannot execute it.
    """
    nowhere = subprocess.DEVNULL
    try:
        child = subprocess.Popen(
            argv, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True
        )
    except OSError as error:
        raise _unusable(argv[0], error) from error
    threading.Thread(target=child.wait, daemon=True).start()


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


def _started(argv: Sequence[str], asks: bool) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if asks else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise _unusable(argv[0], error) from error


@contextlib.contextmanager
def _limited(
    child: subprocess.Popen[bytes], timeout: float, cancel: Cancel
) -> Iterator[threading.Event]:
    """End the child with the block, the cancel, or the time; the event is that of the time."""
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
        yield late
    finally:
        timer.cancel()
        cancel.forget(end)
        end()  # where `on_line` has failed, it still runs


def _give(child: subprocess.Popen[bytes], text: str | None) -> None:
    if child.stdin is not None:
        with contextlib.suppress(BrokenPipeError), child.stdin as stdin:
            stdin.write((text or "").encode())


def _read(
    child: subprocess.Popen[bytes],
    on_line: Callable[[str], None] | None,
    given_up: Callable[[], bool],
) -> tuple[str, str]:
    """What the child prints, to its end: what it leaves behind may hold its pipes for ever."""
    if child.stdout is None or child.stderr is None:  # pragma: no cover - both are pipes
        raise AssertionError
    out, err = _Text(on_line), _Text(None)
    with child.stdout, child.stderr, selectors.DefaultSelector() as open_:
        open_.register(child.stdout, selectors.EVENT_READ, out)
        open_.register(child.stderr, selectors.EVENT_READ, err)
        ended = None
        while open_.get_map():
            ready = open_.select(_LOOK_SECONDS)
            for key, _ in ready:
                data = os.read(key.fd, _BLOCK)
                key.data.add(data)
                if not data:
                    open_.unregister(key.fileobj)
            if child.poll() is None:
                continue
            if ready or ended is None:
                ended = time.monotonic()
            if given_up() or time.monotonic() - ended > _LEFT_SECONDS:
                break
    child.wait()
    return out.end(), err.end()


class _Text:
    """What comes by one pipe, as text; `on_line` sees each line at once."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self._on_line = on_line or (lambda _line: None)
        self._lines: list[str] = []
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, data: bytes) -> None:
        """Take what was read; nothing is the end."""
        text = self._rest + self._decoder.decode(data, final=not data)
        lines = text.split("\n")
        self._rest = lines.pop()
        for line in lines:
            # A terminal ends lines by both; alone it begins the same line again.
            self._lines.append(line.removesuffix("\r") + "\n")
            self._on_line(self._lines[-1])

    def end(self) -> str:
        """All of it, also a last line that nothing ends."""
        self.add(b"")
        if self._rest:
            self._on_line(self._rest)
        return "".join([*self._lines, self._rest])


def _stop(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            return
        # It may end at this moment; macOS then says that it is not permitted.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_SECONDS)
