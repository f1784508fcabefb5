"""A connection to a Docker daemon that, once the daemon agrees, is HTTP no longer."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence

from kubekit.image.docker.wire import Wire

_HEAD = 1 << 16


class NotOfferedError(Exception):
    """The daemon does not give its connection away; the message is what it says instead."""


def hijack(wire: Wire, path: str, headers: Sequence[tuple[str, str]]) -> socket.socket:
    """POST to the daemon, and take the connection over once it agrees.

    Args:
        wire: leads to the daemon.
        path: with the API's version.
        headers: what is asked for: an `Upgrade`, and what belongs to it.

    Raises:
        NotOfferedError: the daemon does not agree.
        OSError: it cannot be reached.
    """
    with contextlib.ExitStack() as stack:
        connection = wire.connect()
        stack.callback(connection.close)
        lines = [f"POST {path} HTTP/1.1", "Host: docker", "Connection: Upgrade"]
        lines += [f"{key}: {value}" for key, value in headers]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        status = _head(connection).partition(b"\r\n")[0]
        if status.split(b" ")[1:2] != [b"101"]:
            raise NotOfferedError(status.decode("latin-1"))
        connection.settimeout(None)
        stack.pop_all()
        return connection


def _head(connection: socket.socket) -> bytes:
    """Read the answer's head, and not one byte of what comes after it."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte or len(head) > _HEAD:
            raise ConnectionResetError("the daemon closed the connection")
        head += byte
    return bytes(head)
