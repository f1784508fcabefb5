"""A debugger attaches to the program that serves, whichever it is by now."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubekit.dev.debug import zipped
from tests.dap import Debugger
from tests.unit.supervised import (
    NEWEST_TESTED,
    PATIENT_WORKERS,
    Container,
    container,
    environment,
    until,
)

APP = """
import os
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
def root(word: str = "none"):
    said = word * VERSION
    return {"said": said, "pid": os.getpid()}
"""
STOP = 7


def app(version: int) -> str:
    return APP.replace("VERSION", str(version))


class Asking:
    """A request that a breakpoint holds up."""

    def __init__(self, box: Container, path: str) -> None:
        self.answer: Any = None
        self._thread = threading.Thread(target=self._ask, args=(box, path))
        self._thread.start()

    def _ask(self, box: Container, path: str) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.answer = json.loads(box.get(path))

    def join(self) -> None:
        """Wait until it has come to an end, whichever."""
        self._thread.join(60)

    def result(self) -> Any:
        self._thread.join(60)
        return self.answer


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def adapters(folder: Path) -> list[int]:
    """The processes of debugpy's adapters that are of this test."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if f"{folder}/debugpy/adapter".encode() in words:
            found.append(int(process.name))
    return found


@pytest.fixture(scope="module")
def debugger() -> bytes:
    return zipped()


@pytest.fixture(params=("3.10", NEWEST_TESTED, "3.14"))
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    with container(environment(request.param, request.config), tmp_path) as made:
        yield made
    until(lambda: not adapters(tmp_path))


@pytest.fixture
def served(
    request: pytest.FixtureRequest, tmp_path: Path, debugger: bytes
) -> Iterator[tuple[Container, int]]:
    """A container with a debugger, and its port."""
    with container(environment(NEWEST_TESTED, request.config), tmp_path) as box:
        yield box, armed(box, debugger)
    until(lambda: not adapters(tmp_path))


def armed(box: Container, debugger: bytes) -> int:
    """Let what is started next be debugged; at which port."""
    folder = box.folder / "debug"
    (folder / "zip").mkdir(parents=True)
    (folder / "zip/debugpy.zip").write_bytes(debugger)
    port = free_port()
    box.options = ("--debug", str(port), str(folder))
    return port


def test_each_program_is_debugged_in_its_turn(box: Container, debugger: bytes) -> None:
    port, folder = armed(box, debugger), box.folder / "debug"
    box.write("main.py", app(1))
    box.serve()
    before = json.loads(box.get())["pid"]
    first = Debugger(port)
    first.attach(box.src / "main.py", STOP)
    asking = Asking(box, "/?word=ab")
    thread, frame = first.stopped()
    assert (frame["line"], frame["name"]) == (STOP, "root")
    assert first.variables(frame)["word"] == "'ab'"
    first.go_on(thread)
    assert asking.result() == {"said": "ab", "pid": before}

    box.warmed()
    box.write("main.py", app(2))
    answer = box.reload()
    assert (answer["state"], answer["mode"], answer["why"]) == ("ready", "warm", "")
    assert first.event("terminated") == {"restart": True}
    first.ask("disconnect", restart=True)
    first.close()
    second = Debugger(port)
    second.attach(box.src / "main.py", STOP)
    asking = Asking(box, "/?word=ab")
    thread, frame = second.stopped()
    assert second.variables(frame)["word"] == "'ab'"
    until(lambda: len(adapters(folder)) == 1)
    # Paused at a breakpoint, by a debugger that does not listen: the old code goes on and ends.
    box.write("main.py", app(3))
    assert box.reload()["state"] == "ready"
    assert second.event("terminated") == {"restart": True}
    assert asking.result()["said"] == "abab"
    assert json.loads(box.get("/?word=c"))["said"] == "ccc"
    second.close()
    until(lambda: len(adapters(folder)) == 1)
    # The container is to end while a breakpoint holds a request: it is answered first.
    third = Debugger(port)
    third.attach(box.src / "main.py", STOP)
    asking = Asking(box, "/?word=d")
    third.stopped()
    assert box.stop() == 128 + signal.SIGTERM
    assert asking.result()["said"] == "ddd"
    third.close()
    assert "kubekit:" not in box.output()
    assert "Traceback" not in box.output()


FLASK = """
from flask import Flask
app = Flask(__name__)


@app.get("/")
def root():
    said = "x" * VERSION
    return {"said": said}
"""


def test_a_server_that_is_started_again_does_not_wait_at_a_breakpoint(
    served: tuple[Container, int],
) -> None:
    box, port = served
    box.write("main.py", FLASK.replace("VERSION", "1"))
    box.start("flask", "--app", "main", "run", "--port", str(box.port))
    until(box.answers)
    first = Debugger(port)
    first.attach(box.src / "main.py", STOP + 2)
    asking = Asking(box, "/")
    first.stopped()
    box.write("main.py", FLASK.replace("VERSION", "2"))
    assert box.reload()["mode"] == "restart"
    assert first.event("terminated") == {"restart": True}
    first.close()
    asking.join()
    # Attached to before it listens: it is waited for.
    second = Debugger(port)
    second.attach(box.src / "main.py", STOP + 2)
    until(lambda: socket.create_connection(("127.0.0.1", box.port)).close() is None)
    asking = Asking(box, "/")
    thread, frame = second.stopped()
    assert second.variables(frame)["said"] == "'xx'"
    second.go_on(thread)
    assert asking.result() == {"said": "xx"}
    second.close()


def test_each_worker_is_debugged_as_a_session_of_its_own(served: tuple[Container, int]) -> None:
    box, port = served
    box.write("main.py", app(1))
    box.serve("--workers", "2", *PATIENT_WORKERS)
    entry = {"name": "x", "connect": {"host": "localhost", "port": port}}
    main = Debugger(port)
    main.attach(box.src / "main.py", STOP, **entry)
    workers = []
    for _ in range(2):
        told = main.event("debugpyAttach")
        assert told["connect"] == entry["connect"]
        workers.append(Debugger(port))
        workers[-1].attach(box.src / "main.py", STOP, **told)
    asking = Asking(box, "/?word=a")
    ready = until(lambda: [one for one in workers if one.has_stopped])
    thread, frame = ready[0].stopped()
    assert ready[0].variables(frame)["word"] == "'a'"
    ready[0].go_on(thread)
    assert asking.result()["said"] == "a"
    box.write("main.py", app(2))
    assert box.reload()["state"] == "ready"
    assert main.event("terminated") == {"restart": True}
    assert [one.event("terminated") for one in workers] == [{}, {}]
    for one in (main, *workers):
        one.close()
    assert json.loads(box.get("/?word=a"))["said"] == "aa"
