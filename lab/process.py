"""Running programs with their output kept, and knowing a process again after its pid was reused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TAIL = 15


@dataclass(frozen=True)
class Identity:
    """A pid together with what makes it that very process: a pid alone is reused."""

    pid: int
    started: int
    boot: str

    def alive(self) -> bool:
        """Tell whether this process, and not another one with its pid, still runs."""
        return identify(self.pid) == self

    def end(self, grace: float) -> None:
        """Ask it to stop, wait, then kill it; another process with the pid is left alone."""
        for sent, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
            if not self.alive():
                return
            os.kill(self.pid, sent)
            deadline = time.monotonic() + patience
            while self.alive() and time.monotonic() < deadline:
                time.sleep(0.05)

    def save(self, path: Path) -> None:
        """Write it where the next run looks."""
        write_atomically(path, json.dumps(asdict(self)))


def identify(pid: int) -> Identity | None:
    """Read a running process's identity; None if there is none or only its zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name in parentheses may hold anything; the fields after it are counted from state = 3.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return Identity(pid, int(fields[19]), boot)


def running() -> list[int]:
    """List the pids of all processes."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def command_line(pid: int) -> bytes:
    """Read a process's command line; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def parent(pid: int) -> int:
    """Read a process's parent; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def load_identity(path: Path) -> Identity | None:
    """Read a saved identity; a missing or half-written file means nobody."""
    try:
        return Identity(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_atomically(path: Path, text: str) -> None:
    """Replace a file in one step, so that a kill leaves the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)


def run(
    argv: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a program with all output in `log`; on failure raise with the end of it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        code = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=env,
            cwd=cwd,
            check=False,
        ).returncode
    if code:
        raise LabError(failure(argv, code, log.read_text(errors="replace")), f"all of it: {log}")


def detached(argv: list[str], *, log: Path, env: Mapping[str, str]) -> int:
    """Start a program, given by its path, that outlives Python; gives its pid.

    `subprocess` would complain of one that still runs when Python ends.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    return os.posix_spawn(
        argv[0],
        argv,
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python itself ignores these.
    )


def failure(argv: Sequence[str | Path], code: int, output: str) -> str:
    """Say what failed in the failing program's own last words."""
    tail = "\n".join(f"  {line}" for line in output.strip().splitlines()[-_TAIL:])
    return f"`{' '.join(map(str, argv[:4]))}` ended with {code}:\n{tail}"


def output(argv: Sequence[str | Path], *, env: Mapping[str, str], seconds: float = 30) -> str:
    """Run a short program and give its standard output; raise LabError if it fails or hangs."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=env,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(str(error)) from error
    if done.returncode:
        raise LabError(failure(argv, done.returncode, done.stdout + done.stderr))
    return done.stdout
