"""Where a server of uvicorn will listen, and listening there before it is loaded.

The kubelet's first probe comes about when a program starts, and after a refusal the next one only a
period later: where somebody listens by then, it waits for the answer of the app instead, for as
long as its timeout lets it.

Mounted into pods beside `supervisor.py`: standard library only, Python 3.10 and later.
"""

from __future__ import annotations

import _thread
import contextlib
import itertools
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubekit.pod.program import Program

Address = tuple[str, int]
Key = tuple[str, int, str]
"""Host, port, and the path of a Unix socket: what a server of uvicorn listens on."""

_HOSTS = {"uvicorn": "127.0.0.1", "fastapi": "0.0.0.0"}  # noqa: S104 - it is `fastapi run`'s own
_PORT = "8000"
_BACKLOG = 2048
_OTHERWISE = ("--workers", "--uds", "--fd")
_VARIABLES = ("WEB_CONCURRENCY", "UVICORN_WORKERS", "UVICORN_UDS", "UVICORN_FD")
"""What has a server listen otherwise than on one socket of its own."""


def address(program: Program, environ: Mapping[str, str]) -> Address | None:
    """Where a program will listen by its command line; None where that does not tell."""
    words, tool = program.argv[1:], program.tool
    if tool not in _HOSTS or (tool == "fastapi" and words[:1] != ["run"]):
        return None
    given = dict(itertools.pairwise(words))
    given |= dict(word.split("=", 1) for word in words if word.startswith("--") and "=" in word)
    if any(one in given for one in _OTHERWISE) or any(environ.get(one) for one in _VARIABLES):
        return None
    if tool == "fastapi" and environ.get("PORT") and "--port" not in given:
        return None  # newer ones read it, older ones do not
    variables = environ if tool == "uvicorn" else {}
    host = given.get("--host") or variables.get("UVICORN_HOST") or _HOSTS[tool]
    port = given.get("--port") or variables.get("UVICORN_PORT") or _PORT
    return (host, int(port)) if port.isdecimal() else None


def listen(at: Address, backlog: int = _BACKLOG) -> socket.socket | None:
    """Listen there; None where it is left to the server, which tells what is wrong.

    A host with a name is left to it too: it may make several sockets of it.
    """
    host, port = at
    if not host or not port or (host.strip("0123456789.") and ":" not in host):
        return None
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.suppress(OSError, OverflowError):
        return socket.create_server(at, family=family, backlog=backlog)
    return None


def refuse(sock: socket.socket) -> None:
    """Let connections be refused until it listens again: who waits by now is broken off."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class Waiting:
    """A socket on which a program listens and does not serve yet, for some seconds at most.

    One that hangs is to be seen from outside as what does not serve, not as what is slow. The
    program ends that itself, for nobody else knows when it begins to serve on a socket, which must
    not be shut down then; and by a thread, for it is busy. None is left when it serves.
    """

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self.sock = sock
        self._served = False
        self._deciding, self._woken = _thread.allocate_lock(), _thread.allocate_lock()
        self._woken.acquire()
        with contextlib.suppress(RuntimeError):  # it may have no more threads
            _thread.start_new_thread(self._end, (seconds,))

    def serve(self) -> socket.socket:
        """From now on, somebody serves on it: it is not shut down any more, but may be by now."""
        with self._deciding:
            self._served = True
        self._woken.release()
        return self.sock

    def _end(self, seconds: float) -> None:
        self._woken.acquire(timeout=seconds)
        with self._deciding:
            if not self._served:
                refuse(self.sock)


class Early:
    """In a program: where it listens before it serves there.

    Args:
        seconds: how long it does so; 0 for not at all.
        guessed: where it does by its command line, which may not tell the truth.
    """

    def __init__(self, seconds: float, guessed: Mapping[Key, socket.socket]) -> None:
        self._seconds = seconds
        self._waiting = {key: Waiting(sock, seconds) for key, sock in guessed.items()}
        self._guessed = [*guessed]

    def __contains__(self, key: Key) -> bool:
        return key in self._waiting

    def listen(self, key: Key, backlog: int) -> None:
        """Listen there, if it does not yet; the first call tells whether the guess was right."""
        if key in self._guessed:
            self._guessed.clear()
        self.drop_guess()
        if self._seconds and key not in self._waiting:
            sock = listen(key[:2], backlog)
            if sock is not None:
                self._waiting[key] = Waiting(sock, self._seconds)

    def drop_guess(self) -> None:
        """Its port may be wanted for something else, unless a server has come for it."""
        for key in self._guessed:
            sock = self.serve(key)
            if sock is not None:
                refuse(sock)
                sock.close()
        self._guessed.clear()

    def sockets(self, key: Key) -> list[socket.socket]:
        """What a server is going to serve on, which has not begun to."""
        return [self._waiting[key].sock]

    def serve(self, key: Key) -> socket.socket | None:
        """The socket of a server that begins to serve on it; None if there is none."""
        waiting = self._waiting.pop(key, None)
        return waiting.serve() if waiting else None
