"""One `up` or `down` at a time: two that build the same part would undo each other's work."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def exclusive(path: Path, *, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock; if somebody else does, say who and wait. It ends with its holder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            say(f"waiting for {file.read().strip() or 'another run of the lab'}")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        command = " ".join(sys.argv[1:]) or "?"
        file.write(f"pid {os.getpid()} (`lab {command}`, since {time.strftime('%H:%M:%S')})\n")
        file.flush()
        yield
        file.truncate(0)
