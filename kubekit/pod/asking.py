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


_LONGEST = 20_000
"""Characters of an answer's text, of its end: all fits into the socket, so nobody is waited for."""


class Client:
    """One who asks: a JSON object a line, both ways.

    That is any program of this user, the app among them: one that sends no lines or does not read
    is hung up on.
    """

    def __init__(self, loop: Loop, line: socket.socket, asked: Asked) -> None:
        self._loop, self._line, self._asked = loop, line, asked
        self._rest = b""
        loop.watch(line, self._read)

    def tell(self, answer: dict[str, Any]) -> None:
        """Answer; one who has gone or does not read is not waited for."""
        if "text" in answer:
            answer = {**answer, "text": answer["text"][-_LONGEST:]}
        data = json.dumps(answer).encode() + b"\n"
        sent = 0
        with contextlib.suppress(OSError):
            sent = self._line.send(data)
        if sent < len(data):
            self._loop.forget(self._line)

    def _read(self) -> None:
        try:
            data = self._line.recv(4096)
        except OSError:
            data = b""
        if not data or len(self._rest) > _LONGEST:
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


def address(name: str) -> str:
    """The abstract socket of this container; `agent.py` has the same.

    Pods on the node's network share the names of such sockets, but no mounts.
    """
    own = ""
    with contextlib.suppress(OSError):
        own = str(os.stat("/proc/self/ns/mnt").st_ino)
    return f"\0kubekit-dev-{name[:60]}-{own}"


def listen(loop: Loop, name: str, asked: Asked) -> None:
    """Take requests of this user, and of root.

    Raises:
        OSError: another supervisor has the socket.
    """
    if not name:
        return
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address(name))
    listener.listen()
    listener.setblocking(False)

    def accept() -> None:
        with contextlib.suppress(OSError):
            line, _ = listener.accept()
            line.setblocking(False)
            peer: Any = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            if struct.unpack("3i", peer)[1] in (0, os.getuid()):
                Client(loop, line, asked)
            else:
                line.close()

    loop.watch(listener, accept)
