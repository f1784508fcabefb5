"""Programs under `kubekit/pod/supervisor.py`, as containers run them, on real sockets."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubekit.pod.asking import address
from kubekit.pod.families import family

if sys.platform != "linux":
    pytest.skip(
        "UNTESTED: what runs in containers needs Linux: /proc, abstract sockets",
        allow_module_level=True,
    )

SUPERVISOR = Path(__file__).parents[2] / "kubekit/pod/supervisor.py"
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
NEWEST_TESTED = "3.13"
PACKAGES = (
    *("fastapi", "uvicorn", "uvloop", "httptools", "websockets", "sqlalchemy", "python-multipart"),
    *("gunicorn", "hypercorn", "flask", "django"),
)
PATIENCE = 90.0
"""Seconds that a test waits for what must come; never a measure of how quick it was."""

PATIENT_WORKERS = ("--timeout-worker-healthcheck", "300")
"""For uvicorn, which kills a worker that a loaded machine does not let answer for five seconds."""


def interpreter(version: str) -> str | None:
    """A Python of this version on this machine, None without one."""
    pyenv = Path.home() / ".pyenv/versions"
    found = [shutil.which(f"python{version}"), *map(str, pyenv.glob(f"{version}.*/bin/python"))]
    for one in filter(None, found):
        asked = [one, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        told = subprocess.run(asked, capture_output=True, text=True, check=False)
        if told.stdout.strip() == version:
            return one
    return None


def environment(version: str, config: pytest.Config, packages: tuple[str, ...] = PACKAGES) -> Path:
    """A virtual environment of this version with all servers in it, made once and kept."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"UNTESTED: there is no Python {version} on this machine")
    name = hashlib.sha256("\0".join((python, *packages)).encode()).hexdigest()[:12]
    folder = Path(config.cache.mkdir("pythons")) / f"{version}-{name}"
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            uv = str(Path(sys.executable).parent / "uv")
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([uv, "venv", "-q", "--python", python, folder], check=True)
            into = ["--python", str(folder / "bin/python"), "--compile-bytecode"]
            subprocess.run([uv, "pip", "install", "-q", *into, *packages], check=True)
            (folder / "done").touch()
    return folder


def until(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until something is true; what it was last."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if found := what():
                return found
        time.sleep(0.02)
    return what()


class Container:
    """A program under the supervisor, in a folder of code.

    Args:
        venv: the virtual environment.
        folder: where the program starts; `src` in it is what is synced.
    """

    def __init__(self, venv: Path, folder: Path) -> None:
        self.venv, self.folder = venv, folder
        self.src = folder / "src"
        self.src.mkdir(exist_ok=True)
        self.log = folder / "log"
        self.name = uuid.uuid4().hex
        self.options: tuple[str, ...] = ()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    def write(self, name: str, text: str) -> None:
        """Save a file of the code, as an editor does."""
        path = self.src / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_text(text)
        new.replace(path)

    def start(
        self,
        *command: str,
        grace: float = 5,
        drain: float = 0,
        supervised: bool = True,
        **env: str,
    ) -> Container:
        """Start it; a first word that is in the environment is taken from there."""
        found = self.venv / "bin" / command[0]
        words = [str(found) if found.exists() else command[0], *command[1:]]
        if supervised:
            python = str(self.venv / "bin/python")
            options = ["--synced", str(self.src), "--grace", str(grace), "--drain", str(drain)]
            words = [python, str(SUPERVISOR), *options, *self.options, "--", *words]
        given = {
            "PATH": f"{self.venv / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.src),
            "KUBEKIT_DEV": self.name,
            "PORT": str(self.port),
            **env,
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                words,
                cwd=self.folder,
                env=given,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self

    def serve(
        self, *options: str, app: str = "main:app", grace: float = 5, **env: str
    ) -> Container:
        """Start uvicorn, and wait until it answers, with all of its workers."""
        self.start("uvicorn", app, "--port", str(self.port), *options, grace=grace, **env)
        until(self.answers)
        until(lambda: self.ask("state")["state"] != "starting")
        return self

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def ask(self, do: str, seconds: float = 2 * PATIENCE) -> dict[str, Any]:
        """What the supervisor answers."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(seconds)
            line.connect(address(self.name))
            line.sendall(json.dumps({"do": do}).encode() + b"\n")
            answer: dict[str, Any] = {"state": "waiting"}
            answers = line.makefile()
            while answer["state"] == "waiting":
                answer = json.loads(answers.readline())
            return answer

    def reload(self) -> dict[str, Any]:
        return self.ask("reload")

    def get(self, path: str = "/") -> str:
        """The text that the program answers with on a new connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def answers(self) -> bool:
        return bool(self.get())

    def warmed(self) -> None:
        """Wait until the program has told what it imports, and the supervisor has imported it."""
        until(lambda: idle(*family(self.pid)))

    def children(self) -> list[int]:
        """The processes that it started and that run."""
        found = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(one) for one in found]

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def end(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; its exit code."""
        assert self._process
        return self._process.wait(seconds)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.end()

    def close(self) -> None:
        """End it and all that it started, also what it has left behind."""
        if self._process is None:
            return
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(int(entry.name)) == self.pid:
                    os.kill(int(entry.name), signal.SIGKILL)
        self._process.wait(PATIENCE)


def idle(*pids: int) -> bool:
    """Whether these processes have used no time of a processor for a moment, and want none."""

    def used() -> list[list[str]]:
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
        return [[found[0], *found[11:13]] for found in stats]

    before = used()
    time.sleep(0.3)
    return used() == before and all(state == "S" for state, *_ in before)


@contextlib.contextmanager
def container(venv: Path, folder: Path) -> Iterator[Container]:
    """A container that is surely gone in the end."""
    made = Container(venv, folder)
    try:
        yield made
    finally:
        made.close()
