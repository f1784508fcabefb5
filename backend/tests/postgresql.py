"""A real PostgreSQL for one test run, if this machine has its programs."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from support import LOOPBACK, free_port, until

NOBODY = 65534  # PostgreSQL refuses to run as root


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def programs() -> Path | None:
    """Where `initdb` and `postgres` are: on PATH, or where Debian keeps each version."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "postgres").exists()), None)


@contextlib.contextmanager
def running(bin_folder: Path) -> Iterator[str]:
    """Start a server on loopback with a new, empty database, and give its URL."""
    who: _Identity = {}
    with tempfile.TemporaryDirectory(prefix="tasks-postgresql-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(folder, NOBODY, NOBODY)
        init = [str(bin_folder / "initdb"), "-D", f"{name}/data", "-U", "tasks", "-A", "trust"]
        subprocess.run([*init, "--no-sync"], cwd=folder, check=True, capture_output=True, **who)
        port, log = free_port(), folder / "log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                [str(bin_folder / "postgres"), "-D", f"{name}/data", *_options(port, name)],
                cwd=folder,
                stdout=output,
                stderr=output,
                **who,
            )
        try:
            until(lambda: b"ready to accept connections" in log.read_bytes())
            yield f"postgresql://tasks@{LOOPBACK}:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # a "fast" shutdown: it does not wait for clients
            server.wait(20)


def _options(port: int, folder: str) -> list[str]:
    settings = {
        "port": port,
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": folder,
        "fsync": "off",
    }
    return [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
