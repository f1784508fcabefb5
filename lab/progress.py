"""What goes on, for somebody who watches: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import shutil
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from lab.process import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HEARTBEAT = 30.0
_REDRAW = 0.5


def clock_text(seconds: float) -> str:
    """Write a duration as people say it: `0.4s`, `12s`, `5m37s`."""
    if seconds < 1:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


class Progress:
    """Named steps, several at once, each with its time so far and the time it took before."""

    def __init__(self, stream: TextIO, history: Path) -> None:
        self._stream = stream
        self._history = history
        self._live = stream.isatty()
        self._running: dict[str, float] = {}
        self._lock = threading.Lock()
        self._last_line = time.monotonic()
        self._ended = threading.Event()
        threading.Thread(target=self._tick, daemon=True).start()

    def close(self) -> None:
        """Stop redrawing, and leave the cursor on a line of its own."""
        self._ended.set()
        with self._lock:
            self._erase()

    def say(self, text: str) -> None:
        """Print a line above the live one."""
        with self._lock:
            self._erase()
            print(f"lab: {text}", file=self._stream, flush=True)
            self._last_line = time.monotonic()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show a step while it runs; remember its duration only if it came to its end."""
        before = self._durations().get(name)
        self.say(f"{name} ..." + (f" (last time {clock_text(before)})" if before else ""))
        start = time.monotonic()
        self._running[name] = start
        try:
            yield
        except BaseException:
            self._running.pop(name)
            self.say(f"{name} failed after {clock_text(time.monotonic() - start)}")
            raise
        self._running.pop(name)
        took = time.monotonic() - start
        with self._lock:
            known = self._durations() | {name: round(took, 1)}
            write_atomically(self._history, json.dumps(known, indent=1, sort_keys=True))
        self.say(f"{name} done in {clock_text(took)}")

    def _durations(self) -> dict[str, float]:
        try:
            return dict(json.loads(self._history.read_text()))
        except (OSError, ValueError):
            return {}

    def _tick(self) -> None:
        while not self._ended.wait(_REDRAW):
            steps = self._summary()
            if not steps:
                continue
            if self._live:
                with self._lock:
                    self._erase()
                    width = shutil.get_terminal_size().columns - 1
                    print(steps[:width], end="", file=self._stream, flush=True)
            elif time.monotonic() - self._last_line >= _HEARTBEAT:
                self.say(f"still at it: {steps}")

    def _summary(self) -> str:
        before = self._durations()
        now = time.monotonic()
        return ", ".join(
            f"{name} {clock_text(now - start)}"
            + (f" of about {clock_text(before[name])}" if name in before else "")
            for name, start in list(self._running.items())
        )

    def _erase(self) -> None:
        if self._live:
            print("\r\x1b[K", end="", file=self._stream, flush=True)
