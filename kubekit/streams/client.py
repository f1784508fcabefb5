"""A client of the local port: its socket, and what it is yet to get. Never blocks."""

from __future__ import annotations

import contextlib
import re
import socket
import struct

CHUNK = 1 << 16

_HTTP = re.compile(rb"[A-Z]{3,16} [^\r\n ]+")
_ABORT = struct.pack("ii", 1, 0)


class Client:
    """One connection that was accepted.

    Attributes:
        ended: it says nothing more.
        http: it began as a request over HTTP does.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        with contextlib.suppress(OSError):  # macOS: it has gone already, which reading tells
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.ended = False
        self.http = False
        self._spoke = False
        self._out = bytearray()
        self._told = False

    @property
    def backlog(self) -> int:
        """How many bytes it is yet to get."""
        return len(self._out)

    def read(self) -> bytes | None:
        """What it said; empty if it says nothing more, None if there is nothing now.

        Raises:
            OSError: it is gone.
        """
        try:
            said = self.sock.recv(CHUNK)
        except BlockingIOError:
            return None
        if said and not self._spoke:
            self._spoke, self.http = True, bool(_HTTP.match(said))
        self.ended = not said
        return said

    def write(self, answer: bytes) -> None:
        """Take something it is to get; `flush` sends it."""
        self._out += answer

    def explain(self, status: str, text: str) -> None:
        """Answer in the app's place, if it speaks HTTP."""
        if self.http:
            body = f"kubekit: {text}\n".encode()
            head = (
                f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
                f"Content-Length: {len(body)}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
            )
            self._out += head.encode() + body

    def flush(self) -> bool:
        """Send as much as it takes now; says whether anything was sent.

        Raises:
            OSError: it is gone.
        """
        before = len(self._out)
        with contextlib.suppress(BlockingIOError):
            while self._out:
                sent = self.sock.send(bytes(self._out[:CHUNK]))
                del self._out[:sent]
        return len(self._out) < before

    def finish(self) -> bool:
        """Tell it that nothing more comes; False if it has been told.

        Raises:
            OSError: it is gone.
        """
        if self._told:
            return False
        self._told = True
        self.sock.shutdown(socket.SHUT_WR)
        return True

    def abort(self) -> None:
        """Have `close` break the connection off, so that it is not taken for the end."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)

    def close(self) -> None:
        """End the connection; what was sent and not read yet the system still hands out."""
        self.sock.close()
