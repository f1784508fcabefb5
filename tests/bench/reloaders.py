"""What reloads an app on this machine itself: uvicorn --reload, uvicorn-hmr, and firehot."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.devrun import FIRST, Side, ask, free_port
from tests.bench.plain import run
from tests.docs import ROOT

_UV = Path(sys.executable).with_name("uv")
_REQUIREMENTS = ROOT / "backend/requirements.txt"
# watchfiles is what lets uvicorn see a change quickest; without it, it looks four times a second.
_PACKAGES = ("watchfiles", "uvicorn-hmr", "firehot")
_START_SECONDS = 30.0

# firehot imports and forks; that it serves anything, and when it forks again, is ours. What it is
# to import ahead it looks for in the app's own package. The process before may hold the port for a
# moment after it was stopped.
_FIREHOT = {
    "src/app/with_uvicorn.py": """\
import uvicorn


def serve(port):
    import errno
    import socket
    import time

    import uvicorn

    while True:
        try:
            listener = socket.create_server(("127.0.0.1", port))
            break
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            time.sleep(0.002)
    uvicorn.Server(uvicorn.Config("app.main:app", log_level="warning")).run([listener])
""",
    "with_firehot.py": """\
import sys

from app.with_uvicorn import serve
from firehot import isolate_imports
from watchfiles import watch

if __name__ == "__main__":
    with isolate_imports("app") as environment:
        process = environment.exec(serve, int(sys.argv[2]))
        for _ in watch(sys.argv[1], step=10):
            environment.update_environment()
            environment.stop_isolated(process)
            process = environment.exec(serve, int(sys.argv[2]))
""",
}


def environment() -> Path:
    """A virtual environment of the image's Python with the backend's packages, kept for the next.

    On a machine without that Python uv fetches it.
    """
    key = hashlib.sha256(_REQUIREMENTS.read_bytes() + repr(_PACKAGES).encode()).hexdigest()[:12]
    folder = ROOT / ".venv" / f"bench-{key}"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        pyenv = sorted((Path.home() / ".pyenv/versions").glob("3.13.*/bin/python"))
        run([_UV, "venv", "-q", "--python", pyenv[-1] if pyenv else "3.13", folder])
        into: list[str | Path] = ["--compile-bytecode", "--python", folder / "bin/python"]
        run([_UV, "pip", "install", "-q", *into, "-r", _REQUIREMENTS, *_PACKAGES])
        (folder / "done").touch()
    return folder


def commands(src: Path, port: int) -> dict[str, list[str]]:
    """How each of them serves `app.main:app` of a folder."""
    bin_ = environment() / "bin"
    served = ["app.main:app", "--port", str(port), "--log-level", "warning"]
    script = src.parent / "with_firehot.py"
    return {
        "uvicorn --reload": [f"{bin_}/uvicorn", *served, "--reload", "--reload-dir", str(src)],
        "uvicorn-hmr": [f"{bin_}/uvicorn-hmr", *served, "--reload-include", str(src)],
        "firehot": [f"{bin_}/python", str(script), str(src), str(port)],
    }


@contextlib.contextmanager
def reloader(
    tool: str, folder: Path, make: Callable[[Path], Path], path: str, env: dict[str, str]
) -> Iterator[Side | None]:
    """One of them, serving a project of its own; None, and why, if it does not run there.

    Args:
        tool: which.
        folder: a new one for the project.
        make: makes the project there; the file that is edited, in the package of the app.
        path: of what is asked.
        env: what the app finds in its environment.
    """
    file = make(folder)
    src, port = file.parents[1], free_port()
    (src.parent / "data").mkdir(exist_ok=True)
    for name, text in _FIREHOT.items() if tool == "firehot" else ():
        (src.parent / name).write_text(text)
    log = folder / "log"
    found = f"{src}{os.pathsep}{src.parent / 'vendor'}"
    commands_ = f"{environment() / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, **env, "PYTHONPATH": found, "PATH": commands_}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with log.open("w") as output:
        process = subprocess.Popen(
            commands(src, port)[tool],
            cwd=src.parent,
            env=environ,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        side = Side(name=tool, file=file, port=port, path=path)
        if _starts(side, process):
            yield side
        else:
            print(f"{tool} does not run here:\n{log.read_text()[-2000:]}", file=sys.stderr)
            yield None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _starts(side: Side, process: subprocess.Popen[bytes]) -> bool:
    end = time.perf_counter() + _START_SECONDS
    while time.perf_counter() < end and process.poll() is None:
        if f'"{FIRST}"' in ask(side.port, side.path):
            return True
        time.sleep(0.1)
    return False
