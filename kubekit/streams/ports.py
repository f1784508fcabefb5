"""Ports of this machine: taken for the loopback, or who has them."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path

from kubekit.errors import UsageError

_HIGHEST = 65535
_TRIES = 20
_LISTEN = "0A"
_PROC = Path("/proc")
_ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}


def take(port: int) -> tuple[list[socket.socket], int]:
    """Listen on 127.0.0.1 and, where there is IPv6, on ::1: at this port or the next free one.

    Both, because `localhost` is either; a port that somebody else has on one of them is not free.

    Raises:
        UsageError: it is no port that can be had, or it and those after it are busy.
    """
    if not 0 < port <= _HIGHEST:
        raise UsageError(
            f"`{port}` is no port to listen on",
            hints=(f"set `dev.port` to a number from 1024 to {_HIGHEST}",),
        )
    last = min(port + _TRIES - 1, _HIGHEST)
    for number in range(port, last + 1):
        try:
            return _both(number), number
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise refusal(number, error) from error
    raise UsageError(
        f"the ports {port} to {last} are all busy",
        hints=("set `dev.port` to a free one",),
        details=tuple(f"port {number}: {owner(number)}" for number in (port, last)),
    )


def refusal(port: int, error: OSError) -> UsageError:
    """What it means that the system does not give a port away."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return UsageError(
            f"this user may not listen on port {port}",
            hints=("set `dev.port` to 1024 or more",),
        )
    return UsageError(f"port {port} cannot be listened on: {error.strerror or error}")


def owner(port: int) -> str:
    """Who listens on a port, in words; ``another program`` where the system does not tell."""
    for inode in _listeners(port):
        for link in _PROC.glob("[0-9]*/fd/*"):
            with contextlib.suppress(OSError):
                if str(link.readlink()) == f"socket:[{inode}]":
                    process = link.parent.parent
                    name = (process / "comm").read_text().strip()
                    # Of two runs of kubekit the folder says which project it is.
                    folder = (process / "cwd").readlink().name
                    where = f" in `{folder}`" if folder else ""
                    return f"`{name}`{where} (process {process.name})"
    return "another program"


def _both(port: int) -> list[socket.socket]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", port), backlog=512))]
        try:
            ipv6 = socket.create_server(("::1", port), family=socket.AF_INET6, backlog=512)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
        else:
            taken.append(stack.enter_context(ipv6))
        stack.pop_all()
    return taken


def _listeners(port: int) -> list[str]:
    """The inodes of the sockets that listen on it, as /proc/net/tcp has them."""
    found = []
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    found.append(fields[9])
    return found
