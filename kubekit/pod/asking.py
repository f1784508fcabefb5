"""The socket on which the agent asks the supervisor.

Mounted into pods beside `supervisor.py`: standard library only, Python 3.10 and later.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubekit.pod.loop import Loop


class Client:
    """One who asks: a JSON object a line, both ways."""

    def __init__(self, loop: Loop, line: socket.socket, asked: Asked) -> None:
        self._loop, self._line, self._asked = loop, line, asked
        self._rest = b""
        loop.watch(line, self._read)

    def tell(self, answer: dict[str, Any]) -> None:
        """Answer; one who has gone is not waited for."""
        with contextlib.suppress(OSError):
            self._line.sendall(json.dumps(answer).encode() + b"\n")

    def _read(self) -> None:
        try:
            data = self._line.recv(4096)
        except OSError:
            data = b""
        if not data:
            self._loop.forget(self._line)
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                do = str(json.loads(line)["do"])
            except (ValueError, TypeError, KeyError):
                do = ""
            self._asked(do, self)


Asked = Callable[[str, Client], None]


def listen(loop: Loop, name: str, asked: Asked) -> None:
    """Take requests of this user, and of root, on the abstract socket of this name.

    Raises:
        OSError: another supervisor has it.
    """
    if not name:
        return
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"\0kubekit-dev-{name}")
    listener.listen()
    listener.setblocking(False)

    def accept() -> None:
        with contextlib.suppress(OSError):
            line, _ = listener.accept()
            peer: Any = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            if struct.unpack("3i", peer)[1] in (0, os.getuid()):
                Client(loop, line, asked)
            else:
                line.close()

    loop.watch(listener, accept)
