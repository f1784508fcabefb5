"""Single keys of a terminal, without echo, for as long as a command listens.

The terminal is put back on every way out: the end, an exception, Ctrl-C, Ctrl-Z, Ctrl-\\. Ctrl-C
itself stays the signal that it is.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import termios
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol, Self

_PASTED = 4
"""More than this at once is pasted text, in which no letter is a key pressed."""
_LOOK_SECONDS = 0.5
"""How often it is looked whether the terminal is ours again."""
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
_LINES = termios.ECHO | termios.ICANON
_LEAVING = (signal.SIGTSTP, signal.SIGQUIT)


class Held(Protocol):
    """What draws in the terminal and must pause while another program has it."""

    def suspend(self) -> None:
        """Leave the terminal; called in a signal handler."""

    def resume(self) -> None:
        """Draw again; called in a signal handler."""


class Keys:
    """Reads keys of the terminal `fd` in a thread, and calls back with each; a context manager.

    To be entered in the main thread. Escape sequences, as of arrows, and pasted text are no keys.
    In the background the terminal is left alone, and taken again with the foreground.

    Args:
        fd: of a terminal.
        pressed: takes one character, lower case; called in the thread that reads.
        drawn: what draws there.
    """

    def __init__(self, fd: int, *, pressed: Callable[[str], None], drawn: Held) -> None:
        self._fd = fd
        self._pressed = pressed
        self._drawn = drawn
        self._thread = threading.Thread(target=self._read, daemon=True, name="keys")
        self._before: list[Any] | None = None
        self._away = False
        self._taking = threading.Lock()
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._woken, self._waker = os.pipe()
        for number in _LEAVING:
            self._handlers[number] = signal.signal(number, self._leave)
        self._handlers[signal.SIGCONT] = signal.signal(signal.SIGCONT, self._return)
        self._take()
        _active.append(self)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        waker, self._waker = self._waker, -1
        os.close(waker)  # the other end can now be read to its end, which ends the thread
        self._thread.join()
        os.close(self._woken)
        _active.remove(self)
        self.restore()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def restore(self) -> None:
        """Put the terminal back as it was; also for a signal handler."""
        self._away = True
        if self._before is not None and in_front(self._fd):
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._fd, termios.TCSANOW, self._before)
            self._before = None

    def _take(self) -> None:
        """No echo, no waiting for the end of a line, unless the terminal is another's now."""
        if self._away or not in_front(self._fd) or not self._taking.acquire(blocking=False):
            return
        try:
            now = termios.tcgetattr(self._fd)
            if self._before is None:
                self._before = now
            if now[3] & _LINES:  # also where the shell has put that back, as after SIGSTOP
                special = [*now[6]]
                special[termios.VMIN], special[termios.VTIME] = 1, 0
                ours = [*now[:3], now[3] & ~_LINES, *now[4:6], special]
                termios.tcsetattr(self._fd, termios.TCSANOW, ours)
        except termios.error:
            pass  # it is gone: there will be no keys
        finally:
            self._taking.release()

    def _leave(self, number: int, _frame: FrameType | None) -> None:
        """Ctrl-Z or Ctrl-\\: do what the signal does by itself, with the terminal as it was."""
        self._drawn.suspend()
        self.restore()
        self._wake()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, self._leave)  # it goes on: `fg`, or `bg`, or no shell to stop it
        self._return(number, None)

    def _return(self, _number: int, _frame: FrameType | None) -> None:
        """The shell lets it go on; also from the background, where it was never stopped."""
        self._away = False
        self._take()
        self._drawn.resume()

    def _read(self) -> None:
        # Reading in the background would stop the whole process; so it is an error instead.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN, signal.SIGTTOU})
        more = True
        while more:
            self._take()  # `fg` sends no signal to what runs in the background
            front = self._before is not None and in_front(self._fd)
            watched = [self._woken, self._fd] if front else [self._woken]
            ready, _, _ = select.select(watched, [], [], None if front else _LOOK_SECONDS)
            if self._woken in ready:
                more = bool(os.read(self._woken, 1024))
            elif self._fd in ready:
                more = self._take_in()

    def _wake(self) -> None:
        """Have the thread look again whose the terminal is; for a signal handler."""
        with contextlib.suppress(OSError):
            os.write(self._waker, b".")

    def _take_in(self) -> bool:
        """Read what is there; False at its end."""
        try:
            data = os.read(self._fd, 1024)
        except OSError:  # not ours at this moment, or gone
            select.select([self._woken], [], [], _LOOK_SECONDS)
            return True
        keys = _SEQUENCE.sub(b"", data).decode(errors="ignore").lower()
        if len(keys) <= _PASTED:
            for key in keys:
                self._pressed(key)
        return bool(data)


_active: list[Keys] = []


def restore() -> None:
    """Put the terminal back if keys are read: for a signal handler that exits."""
    for keys in _active:
        keys.restore()


def in_front(fd: int) -> bool:
    """Whether this process is in the foreground of the terminal, or that is not asked for."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:  # not the terminal that controls it
        return True
