"""A proxy in front of a real Docker daemon that makes it older, newer, or without BuildKit."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kubekit.model import DockerEndpoint
from tests.cluster.spare import PORT

_VERSIONED = re.compile(rb" /v(\d+\.\d+)/")


@dataclass(kw_only=True)
class EngineProxy:
    """Hands each request on, and changes what the daemon says of itself.

    Attributes:
        behind: the daemon's IP address.
        newest: the API version it is made to speak at most.
        oldest: and at least.
        builder: the builder it is made to prefer: 1 is the classic one, 2 BuildKit.
        refused: part of a request line -> what is answered in the daemon's place, as an error.
        requests: the request lines that came.
    """

    behind: str
    newest: str
    oldest: str = "1.12"
    builder: str | None = None
    refused: dict[bytes, str] = field(default_factory=dict)
    requests: list[bytes] = field(default_factory=list)

    def answer(self, connection: socket.socket) -> None:
        """Serve one connection, which is closed after one request."""
        with connection, contextlib.suppress(OSError):
            head, rest = _head(connection)
            line, _, fields = head.partition(b"\r\n")
            self.requests.append(line)
            if error := self._error(line):
                connection.sendall(_json(400, {"message": error}))
                return
            if b"/version " in line:
                versions = {"ApiVersion": self.newest, "MinAPIVersion": self.oldest}
                connection.sendall(_json(200, {**versions, "Os": "linux", "Arch": "amd64"}))
                return
            with socket.create_connection((self.behind, PORT)) as daemon:
                line = _VERSIONED.sub(b" /", line)
                # A hijacked connection is no request any more.
                last = b"" if b"\nupgrade:" in fields.lower() else b"Connection: close\r\n"
                fields = re.sub(rb"(?i)connection: (keep-alive|close)\r\n", b"", fields)
                daemon.sendall(line + b"\r\n" + last + fields + b"\r\n\r\n" + rest)
                threading.Thread(target=_pump, args=(connection, daemon), daemon=True).start()
                head, rest = _head(daemon)
                said = f"Api-Version: {self.newest}".encode()
                head = re.sub(rb"Api-Version: [\d.]+", said, head)
                if self.builder is not None:
                    builder = f"Builder-Version: {self.builder}".encode()
                    head = re.sub(rb"Builder-Version: \d", builder, head)
                connection.sendall(head + b"\r\n\r\n" + rest)
                _pump(daemon, connection)

    def _error(self, line: bytes) -> str | None:
        for part, said in self.refused.items():
            if part in line:
                return said
        asked = _VERSIONED.search(line)
        if asked is None:
            return None
        version = asked[1].decode()
        if _number(version) < _number(self.oldest):
            return (
                f"client version {version} is too old. Minimum supported API version is"
                f" {self.oldest}, please upgrade your client to a newer version"
            )
        if _number(version) > _number(self.newest):
            return (
                f"client version {version} is too new. Maximum supported API version is"
                f" {self.newest}"
            )
        return None


@contextmanager
def proxied(proxy: EngineProxy) -> Iterator[DockerEndpoint]:
    """Let the proxy listen."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=proxy.answer, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield DockerEndpoint(host=f"tcp://127.0.0.1:{server.getsockname()[1]}", profile="spare")
        server.shutdown(socket.SHUT_RDWR)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _head(source: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        more = source.recv(65536)
        if not more:
            raise ConnectionError
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def _json(status: int, content: object) -> bytes:
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
