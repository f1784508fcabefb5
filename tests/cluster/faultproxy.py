"""A TCP proxy in front of the API server that can be cut and restored, as a bad network would.

TLS passes through untouched: Minikube's certificate of the API server is valid for 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 65536


class FaultProxy:
    """Listens on a port of its own and hands every connection on, until it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self.restore()

    def lead_to(self, server: str) -> None:
        """Hand new connections on to this https address."""
        self._server = _parsed(server)

    def restore(self) -> None:
        """Take connections (again), always on the same port."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse new connections and drop the ones there are."""
        if self._listener is not None:
            # Closing alone would not wake the thread that accepts.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.drop()

    def drop(self) -> int:
        """Break the connections there are, and take new ones; how many they were."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        return len(pairs)

    def kubeconfig(self, original: Path, copy: Path, context: str) -> Path:
        """A kubeconfig whose cluster is this proxy and that is otherwise the original."""
        view = ["kubectl", "config", "view", "--raw", "--minify", "--context", context]
        done = subprocess.run(
            [*view, "--kubeconfig", str(original), "-o", "json"],
            capture_output=True,
            check=True,
        )
        data = json.loads(done.stdout)
        (entry,) = data["clusters"]
        entry["cluster"]["server"] = f"https://127.0.0.1:{self.port}"
        copy.write_text(json.dumps(data))
        copy.chmod(0o600)
        return copy

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._pairs.add((client, server))
            threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()
        with self._lock:
            self._pairs.discard((client, server))
        client.close()
        server.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _parsed(server: str) -> tuple[str, int]:
    parts = urlsplit(server)
    assert parts.hostname is not None
    return parts.hostname, parts.port or 443


@contextlib.contextmanager
def in_front_of(server: str) -> Iterator[FaultProxy]:
    """A proxy in front of an https address."""
    with FaultProxy(*_parsed(server)) as proxy:
        yield proxy
