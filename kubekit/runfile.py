"""One run at a time on this machine: a lock of the system, and in its file who holds it.

The lock ends with the process, however that ends; the file is only believed while it is locked.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import platformdirs

from kubekit import proc
from kubekit.errors import KubekitError
from kubekit.model import Cancel


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A run that holds the lock.

    Attributes:
        command: as typed after ``kubekit``.
        since: seconds since the epoch.
        began: when its process began, in the system's own words: another one that has got the
            same pid since began at another time.
    """

    pid: int
    command: str
    since: float
    began: str

    def alive(self) -> bool:
        """Whether this very process runs, here."""
        return bool(self.began) and _began(self.pid) == self.began


class RunFile:
    """The lock of what is named by `key`, for one run after the other.

    Where the user's folder of states cannot be written, or knows no locks, there is none.
    """

    def __init__(self, key: str) -> None:
        self._file = _folder() / key
        self._stream: TextIO | None = None

    @property
    def mark(self) -> str:
        """What names this lock everywhere, while it is held; empty where there is none."""
        machine = _machine() if self._stream else ""
        # Machines that share the folder may not share its locks.
        return f"{platform.node()}/{machine}/{self._file.name}" if machine else ""

    def take(self, command: str) -> bool:
        """Take the lock, or say that another run has it."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            while self._stream is None:
                stream = self._file.open("a+")
                if not _locked(stream):
                    stream.close()
                    return False
                if _is_at(stream, self._file):
                    self._stream = stream
                else:  # the one who had it took the file away
                    stream.close()
        except OSError:
            return True
        self._sign(command)
        return True

    def holder(self) -> Holder | None:
        """The run that holds it; None where that cannot be known."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return Holder(**json.loads(self._file.read_text()))
        return None

    def close(self) -> None:
        """Let it go, and leave no file."""
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._file.unlink()
            self._stream.close()
            self._stream = None

    def _sign(self, command: str) -> None:
        if self._stream is None:
            return
        pid = os.getpid()
        holder = Holder(pid=pid, command=command, since=time.time(), began=_began(pid))
        with contextlib.suppress(OSError):
            self._stream.truncate(0)
            self._stream.write(json.dumps(asdict(holder)))
            self._stream.flush()


def signed() -> list[tuple[str, Holder]]:
    """The key of each lock that lies there, and who has signed it, alive or not."""
    keys: list[str] = []
    with contextlib.suppress(OSError):
        keys = sorted(file.name for file in _folder().iterdir())
    return [(key, holder) for key in keys if (holder := RunFile(key).holder()) is not None]


def _folder() -> Path:
    return platformdirs.user_state_path("kubekit") / "runs"


def _locked(stream: TextIO) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(stream: TextIO, file: Path) -> bool:
    try:
        there = file.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(stream.fileno())
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


def _machine() -> str:
    """A name that no other folder of states has, made up once."""
    with contextlib.suppress(OSError), (_folder() / "machine").open("a+") as stream:
        # Whoever finds it empty may be the second of two first runs, or the next after a kill.
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        if there := stream.read():
            return there
        made = uuid.uuid4().hex
        stream.write(made)
        stream.flush()
        return made
    return ""


def _began(pid: int) -> str:
    """When this process began, in the system's own words; empty where there is no such process."""
    stat = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(OSError, IndexError):
        # proc(5): the 22nd field; the second one is a name that may hold spaces and brackets.
        return stat.read_text().rpartition(")")[2].split()[19]
    if Path("/proc/self/stat").exists():
        return ""
    with contextlib.suppress(KubekitError):
        asked = proc.run(["ps", "-o", "lstart=", "-p", str(pid)], timeout=5, cancel=Cancel())
        return asked.out.strip()
    return ""
