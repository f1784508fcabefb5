"""One thread that waits for files, signals and times, and calls what is meant for each.

Mounted into pods beside `supervisor.py`: standard library only, Python 3.10 and later.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any


class Loop:
    """Waits without polling.

    What a call raises is printed: a fault in one of them must not end process 1, and with it the
    container. Only what is no `Exception` goes through.

    Args:
        signals: the signals that it takes.
        signalled: called with each of them.
    """

    def __init__(self, signals: Sequence[int], signalled: Callable[[int], None]) -> None:
        self._signals, self._signalled = signals, signalled
        self._alarms: list[tuple[float, Callable[[], None]]] = []
        self._poll = select.poll()
        self._calls: dict[int, tuple[Any, Callable[[], None]]] = {}
        self._pid = os.getpid()
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        for number in signals:
            signal.signal(number, _noted)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        self.watch(self._wake, self._woke)

    def turn(self, *, idle: bool) -> None:
        """Wait for what is next and call what is meant for it; with work left, do not wait."""
        for fd, _ in self._poll.poll(self._patience() if idle else 0):
            if fd in self._calls:
                self._guarded(self._calls[fd][1])
        now = time.monotonic()
        due = [one for one in self._alarms if one[0] <= now]
        self._alarms = [one for one in self._alarms if one[0] > now]
        for _, call in due:
            self._guarded(call)

    def _guarded(self, call: Callable[..., None], *given: int) -> None:
        try:
            call(*given)
        except Exception:
            if os.getpid() != self._pid:  # a fork that did not come off
                raise
            sys.stderr.write(f"kubekit: a fault in its supervisor:\n{traceback.format_exc()}")
            sys.stderr.flush()

    def _patience(self) -> float | None:
        if not self._alarms:
            return None
        return max(0.0, min(one[0] for one in self._alarms) - time.monotonic()) * 1000 + 1

    def watch(self, what: Any, call: Callable[[], None]) -> None:
        """Call this when there is something to read."""
        self._calls[what.fileno()] = (what, call)
        self._poll.register(what.fileno(), select.POLLIN)

    def forget(self, what: Any) -> None:
        """Watch it no longer, and close it."""
        with contextlib.suppress(KeyError, ValueError):
            del self._calls[what.fileno()]
            self._poll.unregister(what.fileno())
        what.close()

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call this after so many seconds."""
        self._alarms.append((time.monotonic() + seconds, call))

    def _woke(self) -> None:
        for number in self._wake.recv(4096):
            self._guarded(self._signalled, number)

    @contextlib.contextmanager
    def held(self) -> Any:
        """No signal arrives meanwhile: around a fork."""
        signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._signals)

    def close(self) -> None:
        """In a process that was forked: the signals are as at its start, all else is closed."""
        signal.set_wakeup_fd(-1)
        for number in self._signals:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for what, _ in list(self._calls.values()):
            what.close()
        self._woken.close()


def _noted(_number: int, _frame: object) -> None:
    """The number is written to the wake-up socket; a handler is what makes Python do that."""
