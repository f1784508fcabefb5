"""The end of a terminal that is drawn again and again, below the lines that go by.

What goes by is ordinary output, so the terminal's own scrollback keeps it. The cursor rests at the
begin of what is drawn: whatever a resize does to the rows, erasing from there on erases them all.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import TextIO

from kubekit.keys import in_front

_BURST_SECONDS = 0.05
"""Lines that come faster than this are written together."""
_TURN_SECONDS = 0.125
"""Between two drawings of what changes by itself."""
_LOOK_SECONDS = 0.25
"""How often the terminal's size is looked at: what is drawn must fit, without a signal handler."""
_HICCUP_SECONDS = 1.0
# Not "to the end" from the first column: at the top of the screen tmux takes that for `clear`, and
# keeps what was there in its scrollback.
_ERASE = "\r\x1b[K\x1b[C\x1b[J\r"
# Shown at once by the terminals that know this; the others ignore it.
_TOGETHER, _DONE = "\x1b[?2026h", "\x1b[?2026l"
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"

Rows = Callable[[], list[str]]
"""What to draw now: ready rows, none wider than the terminal."""


class Live:
    """Writes lines, and draws rows below them, from any thread.

    Args:
        stream: of the terminal.
        rows: what to draw below; asked under the lock of this object.
        turning: whether the rows change by themselves.
    """

    def __init__(self, stream: TextIO, rows: Rows, turning: Callable[[], bool]) -> None:
        self._stream = stream
        self._rows = rows
        self._turning = turning
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._going: list[str] = []
        self._drawn: list[str] = []
        self._size = (0, 0)
        self._at = float("-inf")
        self._held = False
        self._spoilt = False
        self._ended = False

    def write(self, text: str) -> None:
        """Write whole lines, now.

        Raises:
            OSError: the terminal cannot be written.
        """
        with self._lock:
            self._going.append(text)
            self._draw()

    def stream(self, text: str) -> None:
        """Write whole lines, in a burst together with the ones that follow.

        Raises:
            OSError: the terminal cannot be written.
        """
        with self._lock:
            self._going.append(text)
            if self._late():
                self._draw()
            elif len(self._going) == 1:
                self._watch()

    def wipe(self) -> None:
        """Draw anew, over what the terminal has shown itself, such as the ^C of Ctrl-C.

        Raises:
            OSError: the terminal cannot be written.
        """
        with self._lock:
            self._spoilt = True
            self._draw()

    def watch(self) -> None:
        """Draw what has changed, soon, and from now on."""
        with self._lock:
            self._watch()

    def show(self) -> None:
        """Draw what has changed, now, and from now on.

        Raises:
            OSError: the terminal cannot be written.
        """
        with self._lock:
            self._draw()
            self._watch()

    def close(self) -> None:
        """Write what was held back, and draw no more.

        Raises:
            OSError: the terminal cannot be written.
        """
        with self._lock:
            self._ended = self._spoilt = True
            self._wake.set()
            self._draw()
        if self._thread is not None:
            self._thread.join()

    def suspend(self) -> None:
        """Leave the terminal to the shell, as at Ctrl-Z; for a signal handler, so without locks."""
        self._held = True
        with contextlib.suppress(OSError, ValueError):
            os.write(self._stream.fileno(), (_ERASE + _SHOW).encode())

    def resume(self) -> None:
        """Draw again, soon; for a signal handler."""
        self._drawn = []
        self._held = False

    def _draw(self) -> None:
        rows, size = self._visible(), self._measured()
        same = rows == self._drawn and size == self._size
        if same and not self._going and not self._spoilt:
            return
        parts = [_ERASE] if self._drawn or self._spoilt else []
        parts += self._going
        if rows:
            up = f"\x1b[{len(rows) - 1}A" if len(rows) > 1 else ""
            parts = [_TOGETHER, *parts, _HIDE, "\n".join(rows), up, "\r", _DONE]
        elif self._drawn:
            parts.append(_SHOW)
        self._going, self._drawn, self._size, self._spoilt = [], rows, size, False
        self._stream.write("".join(parts))
        self._stream.flush()
        self._at = time.monotonic()

    def _visible(self) -> list[str]:
        """The rows, as far as there is room; none while the terminal is the shell's."""
        if self._ended or self._held or not self._in_front():
            return []
        rows = self._rows()
        room = max(self._measured()[1] - 1, 1)
        return rows if len(rows) <= room else [*rows[: room - 1], rows[-1]]

    def _in_front(self) -> bool:
        try:
            return in_front(self._stream.fileno())
        except (OSError, ValueError):  # it only claims to be a terminal
            return True

    def _measured(self) -> tuple[int, int]:
        """Columns and lines of the terminal."""
        try:
            return os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return (80, 25)

    def _watch(self) -> None:
        if self._thread is None and not self._ended:
            self._thread = threading.Thread(target=self._run, daemon=True, name="terminal")
            self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        with contextlib.suppress(ValueError):  # closed: the next line from outside meets it, too
            while not self._ended:
                self._wake.wait(self._pause())
                self._wake.clear()
                try:
                    with self._lock:
                        if not self._going or self._late():
                            self._draw()
                except OSError:  # a hiccup, as of a connection over ssh
                    self._spoilt = True
                    self._wake.wait(_HICCUP_SECONDS)

    def _late(self) -> bool:
        return time.monotonic() - self._at >= _BURST_SECONDS

    def _pause(self) -> float | None:
        """Until when nothing is to be done, unless something is written."""
        with self._lock:
            if self._going:
                return max(_BURST_SECONDS - (time.monotonic() - self._at), 0.001)
            if self._turning():
                return _TURN_SECONDS
            return _LOOK_SECONDS if self._rows() else None
