"""A real terminal for kubekit: a pty, and what its screen shows."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyte

from tests.cli.world import World
from tests.conftest import KUBEKIT

_ROWS = 50


@dataclass(kw_only=True)
class Terminal:
    """A running kubekit in a terminal of its own."""

    screen: pyte.Screen
    process: subprocess.Popen[bytes]
    leader: int
    follower: int
    settings: list[Any]
    """Of the terminal, before kubekit ran."""
    raw: bytearray = field(default_factory=bytearray)
    reader: threading.Thread = field(init=False)

    @classmethod
    def run(
        cls,
        world: World,
        *arguments: str,
        columns: int = 80,
        program: tuple[str | Path, ...] = (KUBEKIT,),
        **env: str,
    ) -> Terminal:
        """Start it in a terminal of this size, which no variable contradicts."""
        shell = {key: text for key, text in world.env.items() if key not in {"COLUMNS", "LINES"}}
        leader, follower = pty.openpty()
        size = struct.pack("HHHH", _ROWS, columns, 0, 0)
        fcntl.ioctl(follower, termios.TIOCSWINSZ, size)
        settings = termios.tcgetattr(follower)
        process = subprocess.Popen(
            [*program, *arguments],
            cwd=world.folder,
            env={**shell, "TERM": "xterm-256color", **env},
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            # Makes the pty the terminal whose Ctrl-C reaches the child; one call, no locks.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        world.started.append(process)
        self = cls(
            screen=pyte.Screen(columns, _ROWS),
            process=process,
            leader=leader,
            follower=follower,
            settings=settings,
        )
        self.reader = threading.Thread(target=self._feed, daemon=True)
        self.reader.start()
        return self

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, without the empty rest."""
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def text(self) -> str:
        """The screen as one text, in which rows that went on in the next are joined."""
        return "".join(self.screen.display)

    def until(self, seen: Callable[[Terminal], bool], seconds: float = 150) -> None:
        """Wait until the screen shows it."""
        deadline = time.monotonic() + seconds
        while not seen(self):
            assert time.monotonic() < deadline, self.lines
            time.sleep(0.02)

    def resize(self, columns: int) -> None:
        """Change the width, as by dragging the window."""
        size = struct.pack("HHHH", _ROWS, columns, 0, 0)
        self.screen.resize(columns=columns)
        fcntl.ioctl(self.follower, termios.TIOCSWINSZ, size)

    def type(self, text: str) -> None:
        """Type on the keyboard; Ctrl-C is ``\\x03``."""
        os.write(self.leader, text.encode())

    def end(self, seconds: float = 150) -> int:
        """Wait for the end, check that the terminal is as it was, and give the exit code."""
        try:
            code = self.process.wait(seconds)
        finally:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait()
            after = termios.tcgetattr(self.follower)
            os.close(self.follower)
            self.reader.join(10)
            os.close(self.leader)
        assert after == self.settings
        assert not self.screen.cursor.hidden
        return code

    def _feed(self) -> None:
        stream = pyte.ByteStream(self.screen)
        with contextlib.suppress(OSError):  # the other side is closed: nothing comes any more
            while data := os.read(self.leader, 65536):
                self.raw += data
                stream.feed(data)
