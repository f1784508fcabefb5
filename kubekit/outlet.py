"""The standard streams: what cannot be written is told, and a terminal is left usable."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import TextIO

from kubekit import keys
from kubekit.errors import KubekitError


def put(stream: TextIO, text: str) -> None:
    """Write the text as a line of its own, at once.

    Raises:
        BrokenPipeError: the reader has gone.
        KubekitError: it cannot be written, as on a full disk.
    """
    with told(stream, "stdout"):
        stream.write(f"{text}\n")
        stream.flush()


@contextlib.contextmanager
def told(stream: TextIO, name: str) -> Iterator[None]:
    """A stream that cannot be written is given up, and that is told; a reader may just leave."""
    try:
        yield
    except OSError as error:
        discard(stream)
        if isinstance(error, BrokenPipeError):
            raise
        raise KubekitError(f"cannot write to {name}: {error.strerror}", id=name) from error


def is_pipe(stream: TextIO) -> bool:
    """Whether another program reads it, as in `kubekit dev | tee log`."""
    try:
        return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):  # no file of the system
        return False


def discard(*streams: TextIO) -> None:
    """Send what is still written to nowhere, so that Python's exit does not fail on it either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def abandon() -> None:
    """Leave the terminal usable, on an empty line, at once: for a signal handler that exits."""
    keys.restore()
    with contextlib.suppress(OSError):
        if os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb":
            os.write(2, b"\r\x1b[J\x1b[?25h")
