"""Why a daemon or a registry cannot be used, dug out of what docker-py raises."""

from __future__ import annotations

import contextlib
import errno
import http.client
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError, DockerException

from kubekit.errors import BuildError, CancelledError, UnreachableError
from kubekit.image.docker.answers import Call, messages
from kubekit.image.docker.client import Client
from kubekit.image.docker.engine import Engine
from kubekit.image.docker.errors import hung, unreachable
from kubekit.image.registries.errors import pull_failed
from kubekit.image.registries.transfer import patiently
from kubekit.model import Cancel, DockerEndpoint


def refused(host: str, certs: Path | None = None) -> UnreachableError:
    engine = Engine(DockerEndpoint(host=host, cert_path=certs, profile="tasks"))
    with pytest.raises(UnreachableError) as caught:
        engine.info()
    assert caught.value.hints
    assert "HTTPConnectionPool" not in caught.value.message
    return caught.value


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    host = f"tcp://127.0.0.1:{port}"
    assert refused(host).message == (
        f"the Docker daemon at `{host}` is not running: connection refused"
    )


def test_no_socket(tmp_path: Path) -> None:
    message = refused(f"unix://{tmp_path}/docker.sock").message
    assert message.endswith("is not running: there is no such socket")


def test_an_unknown_host() -> None:
    assert "cannot be reached: " in refused("tcp://nowhere.invalid:2376").message


@pytest.mark.parametrize("missing", ["ca.pem", "cert.pem", "key.pem"])
def test_a_missing_certificate(tmp_path: Path, missing: str) -> None:
    for name in {"ca.pem", "cert.pem", "key.pem"} - {missing}:
        (tmp_path / name).touch()
    error = refused("tcp://127.0.0.1:1", tmp_path)
    assert missing in error.message
    assert error.id == "docker-certificates"


def answering(data: bytes) -> tuple[socket.socket, str]:
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server.accept()[0] as connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(data)

    threading.Thread(target=serve, daemon=True).start()
    return server, f"tcp://127.0.0.1:{server.getsockname()[1]}"


def test_a_connection_that_is_closed() -> None:
    server, host = answering(b"")
    with server:
        assert refused(host).message.endswith("closed the connection")


def test_a_daemon_that_answers_with_an_error() -> None:
    body = b"everything is broken\nand more"
    head = b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n"
    server, host = answering(head % len(body) + body)
    with server:
        assert refused(host).message == (
            f"the Docker daemon at `{host}` answers: everything is broken"
        )


def test_a_daemon_that_speaks_no_tls(tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
    names = ["-subj", "/CN=x", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    (tmp_path / "ca.pem").write_bytes(cert.read_bytes())
    server, host = answering(b"HTTP/1.1 400 No\r\n\r\n")
    with server:
        error = refused(host, tmp_path)
    assert error.id == "docker-tls"
    assert error.message.startswith(f"TLS with the Docker daemon at `{host}` fails: ")


TOO_NEW = "client version 1.99 is too new. Maximum supported API version is 1.41"


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        FileNotFoundError(errno.ENOENT, "gone"),
        ConnectionResetError(errno.ECONNRESET, "reset"),
        OSError(errno.EHOSTUNREACH, "No route to host"),
        TimeoutError(),
        ssl.SSLError(1, "wrong"),
        http.client.RemoteDisconnected(),
        APIError("", explanation=""),
        APIError("", explanation="broken"),
        APIError("", explanation=TOO_NEW),
        DockerException(),
    ],
    ids=lambda error: f"{type(error).__name__} {getattr(error, 'explanation', '')}",
)
def test_what_helps_is_of_that_profile_or_of_this_machine(error: Exception) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("DOCKER_API_VERSION", raising=False)
        (own,) = unreachable(DockerEndpoint(host="unix:///run/x"), error).hints
        told = unreachable(DockerEndpoint(host="tcp://x:1", profile="tasks"), error)
    assert "minikube" not in own.lower()
    assert "kubekit" not in own
    assert told.message.strip(" :") == told.message
    (hint,) = told.hints
    assert all(command.split()[3:4] == ["tasks"] for command in COMMAND.findall(hint)), hint


COMMAND = re.compile("`(minikube [^`]*)`")


def test_what_hangs_is_restarted_where_it_is() -> None:
    (own,) = hung(DockerEndpoint(host="unix:///run/x"), 45).hints
    assert "inikube" not in own
    (hint,) = hung(DockerEndpoint(host="tcp://x:1", profile="tasks"), 45).hints
    assert "`minikube stop -p tasks`, then `kubekit up`" in hint


def test_nothing_is_tried_again_after_ctrl_c() -> None:
    cancel, tried = Cancel(), []

    def busy() -> None:
        tried.append(1)
        cancel.set()
        raise BuildError("the registry is busy", id="registry-busy")

    with pytest.raises(CancelledError):
        patiently(cancel)(busy)
    assert tried == [1]


def answered(wire: bytes, *, method: str = "GET") -> list[Mapping[str, Any]]:
    server, host = answering(wire)
    with server, Client(DockerEndpoint(host=host, profile="tasks")) as api:
        call = Call(path="/x", method=method)
        return list(messages(api, call, cancel=Cancel(), patience=45))


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_an_answer_is_read_by_its_lines_however_they_are_cut() -> None:
    assert answered(CHUNKED + b'4\r\n{"a"\r\n8\r\n: 1}\n{"b\r\n5\r\n": 2}\r\n0\r\n\r\n') == [
        {"a": 1},
        {"b": 2},
    ]
    assert answered(b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}') == [{"a": 1}]


def test_a_refusal_comes_with_its_code() -> None:
    body = b'{"message": "no such tag"}'
    head = b"HTTP/1.1 404 No\r\nContent-Length: %d\r\n\r\n" % len(body)
    (message,) = answered(head + body)
    assert (message["error"], message["errorDetail"]["code"]) == ("no such tag", 404)


@pytest.mark.parametrize(
    "wire", [b"", CHUNKED, CHUNKED + b'9\r\n{"a": 1}\n\r\n', CHUNKED + b"9\r\n{"]
)
def test_an_answer_that_is_cut_is_no_end(wire: bytes) -> None:
    with pytest.raises(UnreachableError, match="closed the connection"):
        answered(wire)


def test_close_without_a_connection() -> None:
    engine = Engine(DockerEndpoint(host="tcp://127.0.0.1:1"))
    engine.close()
    engine.close()


def test_importing_engine_does_not_import_docker() -> None:
    heavy = "{'docker', 'requests', 'tenacity'}"
    code = f"import sys, kubekit.image.docker.engine; print({heavy} & set(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("said", "id_"),
    [
        ("manifest for a:1 not found: manifest unknown: manifest unknown", "image-not-found"),
        ("no matching manifest for linux/amd64 in the manifest list entries", "image-not-found"),
        (
            "pull access denied for a, repository does not exist or may require 'docker login'",
            "image-denied",
        ),
        ('Head "https://r/v2/a/manifests/1": unauthorized: not allowed', "image-denied"),
        ("toomanyrequests: You have reached your pull rate limit", "registry-limit"),
        ("received unexpected HTTP status: 503 Service Unavailable", "registry-busy"),
        ('Get "https://r/v2/": net/http: TLS handshake timeout', "registry-busy"),
        ('Get "https://r/v2/": EOF', "registry-busy"),
        ('Get "https://r/v2/": dial tcp: lookup r: no such host', "registry-unreachable"),
        (
            'Get "https://r/v2/": dial tcp 1.2.3.4:443: connect: connection refused',
            "registry-unreachable",
        ),
        (
            'Get "https://r/v2/": x509: certificate signed by unknown authority',
            "registry-certificate",
        ),
        ("invalid reference format: repository name must be lowercase", "image-name-invalid"),
    ],
)
def test_pulls_that_fail(said: str, id_: str) -> None:
    error = pull_failed("r.io/a:1", said)
    assert error.id == id_
    assert "`r.io/a:1`" in error.message
    assert "\n" not in error.message
    assert error.details == (said,)
    assert error.hints


@pytest.mark.parametrize(
    ("reference", "registry"),
    [
        ("a", ""),
        ("me/a", ""),
        ("r.io/a", " r.io"),
        ("localhost/a", " localhost"),
        ("r:5/a", " r:5"),
    ],
)
def test_where_to_log_in(reference: str, registry: str) -> None:
    hints = pull_failed(reference, "unauthorized").hints
    assert hints[0] == f"log in to its registry: `docker login{registry}`"
