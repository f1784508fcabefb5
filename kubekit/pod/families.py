"""The processes that came from one, and whether they listen: a program seen from outside.

Mounted into pods beside `supervisor.py`: standard library only, Python 3.10 and later.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

_LISTENS = b"0A"


def family(pid: int) -> set[int]:
    """The living ones of its group, and all that came from them."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            state, parent, group = file.read().rpartition(b")")[2].split()[:3]
            if state != b"Z":
                parents[int(name)] = int(parent)
                if pid in (int(name), int(group)):
                    found.add(int(name))
    more = found
    while more:
        more = {one for one, parent in parents.items() if parent in more} - found
        found |= more
    return found


def listen(pids: Iterable[int]) -> bool:
    """Whether one of them listens on a port; False where that cannot be seen."""
    waiting = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"/proc/self/net/{table}", "rb") as file:
            rows = [line.split() for line in file]
            waiting |= {row[9].decode() for row in rows if row[3] == _LISTENS}
    return any(inode in waiting for pid in pids for inode in _sockets(pid))


def _sockets(pid: int) -> Iterable[str]:
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for fd in os.listdir(folder):
            with contextlib.suppress(OSError):
                kind, _, inode = os.readlink(f"{folder}/{fd}").partition(":[")
                if kind == "socket":
                    yield inode[:-1]
