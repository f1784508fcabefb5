"""Connections to a daemon: one handshake for all of them, until a certificate is renewed."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubekit.image.docker.wire import Wire
from kubekit.model import DockerEndpoint
from tests.cluster.front import Front, authority, in_front_of, signed


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    authority(tmp_path)
    signed(tmp_path, "server.pem", "server-key.pem")
    return tmp_path


@pytest.fixture
def front(certs: Path) -> Iterator[Front]:
    """TLS before a server that says one word on each connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with server.accept()[0] as connection:
                        connection.sendall(b"hello")
                        connection.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        with in_front_of(f"tcp://127.0.0.1:{server.getsockname()[1]}", certs) as front:
            yield front
        server.shutdown(socket.SHUT_RDWR)


def opened(wire: Wire) -> ssl.SSLSocket:
    """A connection on which the daemon has said something, and so let its session be resumed."""
    connection = wire.connect()
    assert isinstance(connection, ssl.SSLSocket)
    assert connection.recv(1) == b"h"
    return connection


def shown(certs: Path) -> str:
    text = (certs / "server.pem").read_text()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest()


def test_what_follows_the_first_connection_resumes_its_session(front: Front, certs: Path) -> None:
    wire = Wire(DockerEndpoint(host=front.host, cert_path=certs))
    assert wire.certificate is None
    with opened(wire) as first:
        assert not first.session_reused
        assert wire.certificate == shown(certs)
        first.sendall(b"x")  # which ends it at the server, and leaves it open here
        with opened(wire) as second:
            assert second.session_reused
            assert wire.certificate == shown(certs)
            second.sendall(b"x")


def test_without_the_first_connection_the_next_is_the_first(front: Front, certs: Path) -> None:
    wire = Wire(DockerEndpoint(host=front.host, cert_path=certs))
    for _ in range(2):
        with opened(wire) as connection:
            assert not connection.session_reused
            connection.sendall(b"x")


def test_where_resuming_is_refused_all_is_shown_anew(
    front: Front, certs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when another thread was just being handed what resumes the session: no binder fits."""
    wire, refused = Wire(DockerEndpoint(host=front.host, cert_path=certs)), []
    wrap = ssl.SSLContext.wrap_socket

    def refusing(context: ssl.SSLContext, connection: socket.socket, **more: Any) -> ssl.SSLSocket:
        if more.get("session") is not None:
            refused.append(connection)
            raise ssl.SSLError(1, "[SSL: TLSV1_ALERT_DECRYPT_ERROR] tlsv1 alert decrypt error")
        return wrap(context, connection, **more)

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", refusing)
    with opened(wire) as first:
        first.sendall(b"x")
        with opened(wire) as second:
            assert not second.session_reused
            second.sendall(b"x")
    assert [connection.fileno() for connection in refused] == [-1]


def test_certificates_that_are_renewed_are_read_again(front: Front, certs: Path) -> None:
    wire = Wire(DockerEndpoint(host=front.host, cert_path=certs))
    before = shown(certs)
    with opened(wire) as connection:
        connection.sendall(b"x")
        authority(certs)
        signed(certs, "server.pem", "server-key.pem")
        front.serve(certs)
        with opened(wire) as later:
            assert not later.session_reused
            assert wire.certificate == shown(certs) != before
            later.sendall(b"x")


def test_what_another_authority_has_signed_is_refused(front: Front, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    authority(stranger)
    wire = Wire(DockerEndpoint(host=front.host, cert_path=stranger))
    with pytest.raises(ssl.SSLCertVerificationError):
        wire.connect()
    assert wire.certificate is None
