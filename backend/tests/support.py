"""Parts that several tests need: the real service as a process, and a door before PostgreSQL."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import jwt

SECRET = "a-secret-for-tests-of-at-least-32-bytes"
SOURCE = Path(__file__).parents[1] / "src"
LOOPBACK = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def token(*, secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A valid token for alice, unless told otherwise; a claim given as None is left out."""
    full = {"sub": "alice", "exp": int(time.time()) + 600} | claims
    return jwt.encode({k: v for k, v in full.items() if v is not None}, secret, algorithm)


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


class Service:
    """`python -m app` as a container would run it, with nothing inherited but PATH."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.port = free_port()
        self.log_file = folder / f"{self.port}.log"
        base = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SOURCE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOST": LOOPBACK,
            "PORT": str(self.port),
            "APP_ENV": "dev",
        }
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app"],
                cwd=folder,
                env=base | env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def connect(self) -> HTTPConnection:
        return HTTPConnection(LOOPBACK, self.port, timeout=15)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """One request on a connection of its own: status and JSON."""
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")

    def is_live(self) -> bool:
        assert self.process.poll() is None, self.log_file.read_text()
        with contextlib.suppress(OSError):
            return self.ask("GET", "/health/live")[0] == 200
        return False

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def log(self) -> list[dict[str, Any]]:
        """Every line of the log; a line that is not JSON fails here."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]

    def end(self) -> None:
        """At once, with its workers: those of a killed parent would serve on."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Door:
    """A TCP door before a server: open, shut (refused, cut) or frozen (accepted, then silence)."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self.port = free_port()
        self._flowing = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.open()

    def open(self) -> None:
        self._flowing.set()
        if self._listener is None:
            self._listener = socket.create_server((LOOPBACK, self.port))
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def freeze(self) -> None:
        self._flowing.clear()

    def shut(self) -> None:
        if self._listener is not None:
            # Shutdown first: a close alone does not wake the thread that accepts.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                inside, _ = listener.accept()
                outside = socket.create_connection(self._server)
                self._sockets |= {inside, outside}
                for pair in ((inside, outside), (outside, inside)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError), source, target:
            while data := source.recv(65536):
                self._flowing.wait()
                target.sendall(data)


@contextlib.contextmanager
def door_to(host: str, port: int) -> Iterator[Door]:
    door = Door(host, port)
    try:
        yield door
    finally:
        door.open()  # lets frozen threads go on and end
        door.shut()
