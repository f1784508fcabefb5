"""Where a server of uvicorn will listen, and listening there before it is loaded.

The kubelet's first probe comes about when a program starts, and after a refusal the next one only a
period later: where somebody listens by then, it waits for the answer of the app instead.

Mounted into pods beside `supervisor.py`: standard library only, Python 3.10 and later.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubekit.pod.program import Program

Address = tuple[str, int]

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
    prefix = tool.upper()
    host = given.get("--host") or environ.get(f"{prefix}_HOST") or _HOSTS[tool]
    port = given.get("--port") or environ.get(f"{prefix}_PORT") or _PORT
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
    """Let connections be refused, for all who have this socket: who waits by now is broken off."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
