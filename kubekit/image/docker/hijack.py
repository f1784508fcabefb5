"""A connection to a Docker daemon that, once the daemon agrees, is HTTP no longer."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

from kubekit.model import DockerEndpoint

_CONNECT = 5.0
_HEAD = 1 << 16


class NotOfferedError(Exception):
    """The daemon does not give its connection away; the message is what it says instead."""


def hijack(
    endpoint: DockerEndpoint, path: str, headers: Sequence[tuple[str, str]]
) -> socket.socket:
    """POST to the daemon, and take the connection over once it agrees.

    Args:
        endpoint: the daemon.
        path: with the API's version.
        headers: what is asked for: an `Upgrade`, and what belongs to it.

    Raises:
        NotOfferedError: the daemon does not agree.
        OSError: it cannot be reached.
    """
    with contextlib.ExitStack() as stack:
        connection = connect(endpoint)
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


def connect(endpoint: DockerEndpoint) -> socket.socket:
    """Open a connection, with TLS if the daemon asks for it.

    Raises:
        OSError: it cannot be reached, or refuses the certificate.
    """
    parts = urlsplit(endpoint.host)
    if parts.scheme.endswith("unix"):  # docker-py writes it `http+unix`
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_CONNECT)
        try:
            connection.connect(parts.path)
        except OSError:
            connection.close()
            raise
        return connection
    host = parts.hostname or ""
    port = parts.port or (2375 if endpoint.cert_path is None else 2376)
    connection = socket.create_connection((host, port), timeout=_CONNECT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if endpoint.cert_path is None:
        return connection
    try:
        return _tls(endpoint).wrap_socket(connection, server_hostname=host)
    except OSError:
        connection.close()
        raise


def _tls(endpoint: DockerEndpoint) -> ssl.SSLContext:
    assert endpoint.cert_path is not None
    ca, cert, key = (endpoint.cert_path / f"{name}.pem" for name in ("ca", "cert", "key"))
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(cert, key)
    return context


def _head(connection: socket.socket) -> bytes:
    """Read the answer's head, and not one byte of what comes after it."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte or len(head) > _HEAD:
            raise ConnectionResetError("the daemon closed the connection")
        head += byte
    return bytes(head)
