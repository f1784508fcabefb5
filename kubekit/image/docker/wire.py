"""Connections to a Docker daemon: over TCP, with TLS or without, or a Unix socket."""

from __future__ import annotations

import hashlib
import socket
import ssl
from urllib.parse import urlsplit

from kubekit.model import DockerEndpoint

CONNECT = 5.0
"""Seconds that a connection may take to be there."""


class Wire:
    """Opens connections to one daemon.

    The handshake of TLS is the dearest part of a small call. Certificates are read once, unless
    they change, and each connection after the first resumes the session of that one.

    Attributes:
        endpoint: the daemon.
        certificate: SHA-256, in hex, of the certificate it showed last; None without TLS.
    """

    def __init__(self, endpoint: DockerEndpoint) -> None:
        self.endpoint = endpoint
        self.certificate: str | None = None
        self._context: ssl.SSLContext | None = None
        self._read: tuple[int, ...] = ()
        self._first: ssl.SSLSocket | None = None

    def connect(self, timeout: float | None = CONNECT) -> socket.socket:
        """Open a connection; the caller closes it.

        Args:
            timeout: seconds, also for what is then done with the connection.

        Raises:
            OSError: the daemon cannot be reached, or one side refuses the other's certificate.
        """
        parts = urlsplit(self.endpoint.host)
        if parts.scheme.endswith("unix"):  # docker-py writes it `http+unix`
            return _unix(parts.path, timeout)
        host = parts.hostname or ""
        if self.endpoint.cert_path is None:
            return _tcp(host, parts.port or 2375, timeout)
        resumed = self._first
        try:
            return self._tls(_tcp(host, parts.port or 2376, timeout), host)
        except ssl.SSLError:
            if resumed is None:
                raise
            # Its session may have been taken just as its own thread was handed what resumes it: of
            # such a half of two the daemon thinks that it is forged.
            self._first = None
            return self._tls(_tcp(host, parts.port or 2376, timeout), host)

    def _tls(self, connection: socket.socket, host: str) -> ssl.SSLSocket:
        context = self._trusting()
        # The daemon hands out what resumes a session after the handshake; a closed one has none.
        session = self._first.session if self._first is not None else None
        try:
            secured = context.wrap_socket(connection, server_hostname=host, session=session)
        except OSError:
            connection.close()
            raise
        if session is None:
            self._first = secured
        shown = secured.getpeercert(binary_form=True) or b""
        self.certificate = hashlib.sha256(shown).hexdigest()
        return secured

    def _trusting(self) -> ssl.SSLContext:
        """The certificates of both sides, read again when Minikube has made them anew."""
        assert self.endpoint.cert_path is not None
        files = [self.endpoint.cert_path / f"{name}.pem" for name in ("ca", "cert", "key")]
        read = tuple(file.stat().st_mtime_ns for file in files)
        if self._context is None or read != self._read:
            authority, certificate, key = files
            context = ssl.create_default_context(cafile=authority)
            context.load_cert_chain(certificate, key)
            self._context, self._read, self._first = context, read, None
        return self._context


def _tcp(host: str, port: int, timeout: float | None) -> socket.socket:
    connection = socket.create_connection((host, port), timeout=timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _unix(path: str, timeout: float | None) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection
