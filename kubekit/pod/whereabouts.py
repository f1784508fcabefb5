"""Where a program is that takes long to start, which it cannot tell by itself: it may hang.

Mounted into pods beside `supervisor.py`: standard library only, Python 3.10 and later.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubekit.pod.serving import Channel

SIGNAL = signal.SIGRTMAX - 5
"""A real-time signal, which programs leave alone; the supervisor sends it to who listens for it."""

_FRAME = re.compile(r'^ +File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)
_LARGEST = 1 << 17


def listen(channel: Channel) -> None:
    """In a program: write down on the signal where it is.

    Not by Python's own handlers, which run only when what hangs comes back; and not by a thread,
    with which no program may be forked.
    """
    with contextlib.suppress(AttributeError, OSError, ValueError):
        note = os.memfd_create("kubekit-whereabouts")
        faulthandler.register(SIGNAL, file=note, all_threads=False)
        channel.tell({"say": "whereabouts"}, [note])


def noted(note: int, own: Callable[[str], bool]) -> str | None:
    """The innermost of the project's own lines, "" if none is; None if nothing is noted yet."""
    text = os.pread(note, _LARGEST, 0).decode(errors="replace")
    frames = list(_FRAME.finditer(text))
    found = (one.group().strip() for one in frames if own(one["file"]))
    return next(found, "") if frames else None
