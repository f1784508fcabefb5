"""Debian's own registry with TLS and a login, run beside the lab, and one beside it that fails."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from lab import parts, paths, process, session
from lab.parts import Part, Store

USER, PASSWORD = "deployer-of-tests", "a-password-of-the-tests"
_START_SECONDS = 90
_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")


def _unpack(target: Path, store: Store) -> None:
    log = store.logs / "docker-registry.log"
    process.run(["apt-get", "download", "docker-registry"], log=log, cwd=target)
    (package,) = target.glob("*.deb")
    process.run(["dpkg", "-x", package, target], log=log)
    package.unlink()


PART = Part("docker-registry", _unpack, recipe=("apt-get download",))


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A registry that answers at `address`, ``IP:PORT``; the file `ca` proves that it does."""

    address: str
    folder: Path
    ca: Path

    def digest(self, name: str, tag: str) -> str | None:
        """The digest of what a tag names there; None if there is no such tag."""
        request = urllib.request.Request(
            f"https://{self.address}/v2/{name}/manifests/{tag}",
            method="HEAD",
            headers={
                "Authorization": f"Basic {_token(PASSWORD)}",
                "Accept": "application/vnd.docker.distribution.manifest.v2+json",
            },
        )
        context = ssl.create_default_context(cafile=str(self.ca))
        try:
            with urllib.request.urlopen(request, context=context, timeout=10) as answer:
                return str(answer.headers["Docker-Content-Digest"])
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
            return None


def login(folder: Path, address: str, password: str = PASSWORD) -> dict[str, str]:
    """What `docker login` would leave, and the variable that leads to it."""
    folder.mkdir(exist_ok=True)
    auths = {address: {"auth": _token(password)}}
    (folder / "config.json").write_text(json.dumps({"auths": auths}))
    return {"DOCKER_CONFIG": str(folder)}


def _token(password: str) -> str:
    return base64.b64encode(f"{USER}:{password}".encode()).decode()


@contextlib.contextmanager
def serve(folder: Path, host: str) -> Iterator[Registry]:
    """Run the registry at an address of this machine until the end of the block."""
    places = paths.places()
    store = Store(places.parts, places.logs)
    if not store.has(PART):
        with session.work(places, sys.stderr) as progress:
            parts.ensure([PART], store, progress)
    certify(folder, host)
    password = subprocess.run(
        ["perl", "-e", 'print crypt($ARGV[0], q($2y$05$) . "k" x 22)', PASSWORD],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    (folder / "htpasswd").write_text(f"{USER}:{password}\n")
    (folder / "config.yml").write_text(_config(folder, host))
    log = folder / "registry.log"
    program = store.path(PART) / "usr/bin/docker-registry"
    with log.open("wb") as output:
        running = subprocess.Popen(
            [program, "serve", folder / "config.yml"], stdout=output, stderr=output
        )
    try:
        yield Registry(address=f"{host}:{_port(log, running)}", folder=folder, ca=folder / "ca.pem")
    finally:
        running.terminate()
        running.wait(timeout=90)


def _config(folder: Path, host: str) -> str:
    return json.dumps(
        {
            "version": 0.1,
            "log": {"accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(folder / "content")}},
            "http": {
                "addr": f"{host}:0",
                "tls": {
                    "certificate": str(folder / "server.pem"),
                    "key": str(folder / "server.key"),
                },
            },
            "auth": {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}},
        }
    )


def _port(log: Path, running: subprocess.Popen[bytes]) -> int:
    """The port the registry has taken, once it listens."""
    deadline = time.monotonic() + _START_SECONDS
    while running.poll() is None and time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if "listening on" in line:
                return int(line.partition("listening on ")[2].split(",")[0].rpartition(":")[2])
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def certify(folder: Path, host: str) -> None:
    """Make a CA, ``ca.pem``, and a server's certificate that it has signed for an address."""
    folder.mkdir(parents=True, exist_ok=True)
    ca = ("-subj", "/CN=tests", "-keyout", "ca.key", "-out", "ca.pem")
    _openssl(folder, "req", "-x509", *_EC, *ca)
    (folder / "names").write_text(f"subjectAltName=IP:{host}")
    wanted = ("-subj", f"/CN={host}", "-keyout", "server.key", "-out", "server.csr")
    _openssl(folder, "req", *_EC[:-2], *wanted)
    sign = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
    signed = ("-in", "server.csr", "-extfile", "names", "-out", "server.pem")
    _openssl(folder, "x509", "-req", *sign, *signed)


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


class FailingServer(http.server.ThreadingHTTPServer):
    """A registry where ``ADDRESS/429/NAME`` is answered with 429.

    Attributes:
        asked: method and path of each request, in their order.
    """

    def __init__(self, host: str) -> None:
        super().__init__((host, 0), _Failing)
        self.asked: list[str] = []
        self.address = f"{host}:{self.server_port}"


class _Failing(http.server.BaseHTTPRequestHandler):
    """Answers everything but the first greeting with the status that the name begins with."""

    protocol_version = "HTTP/1.1"
    server: FailingServer

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.server.asked.append(f"{self.command} {self.path}")
        parts = self.path.split("/")
        status = int(parts[2]) if len(parts) > 2 and parts[2].isdecimal() else 200
        said = {403: "DENIED", 429: "TOOMANYREQUESTS", 500: "UNKNOWN"}.get(status, "")
        body = json.dumps({"errors": [{"code": said, "message": said.lower()}]}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def failing(registry: Registry) -> Iterator[FailingServer]:
    """Run one that fails, with the certificate of the other."""
    server = FailingServer(registry.address.partition(":")[0])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(registry.folder / "server.pem", registry.folder / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
