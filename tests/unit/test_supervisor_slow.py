"""New code that takes long to start, or hangs: where it is, and what comes after it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from kubekit.pod.asking import address
from tests.unit.supervised import VERSIONS, Container, container, environment, until

APP = """
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
def root():
    return "VERSION"
"""
HANGS = "import time\n\n\ndef load():\n    time.sleep(600)\n\n\nload()\n"
CONNECTS = (
    "import socket\nlistener = socket.create_server(('127.0.0.1', 0))\n"
    "line = socket.create_connection(listener.getsockname())\nline.recv(1)\n"
)


@pytest.fixture(params=VERSIONS)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    with container(environment(request.param, request.config), tmp_path) as made:
        yield made


def asked(box: Container, line: socket.socket) -> IO[str]:
    """The answers to a request to reload."""
    line.settimeout(180)
    line.connect(address(box.name))
    line.sendall(b'{"do": "reload"}\n')
    return line.makefile()


def heard(answers: IO[str]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(answers.readline())
    return told


@pytest.mark.parametrize(("code", "at"), [(HANGS, 5), (CONNECTS, 4)])
def test_code_that_hangs_is_told_with_its_line_and_gives_way_to_the_next(
    box: Container, code: str, at: int
) -> None:
    box.write("main.py", APP.replace("VERSION", "11"))
    box.serve()
    box.warmed()
    box.write("main.py", "import words\n" + APP.replace("VERSION", "22"))
    box.write("words.py", code)
    with socket.socket(socket.AF_UNIX) as first:
        answers = asked(box, first)
        told = heard(answers)
        assert told["state"] == "waiting"
        assert told["text"] == f'File "{box.src}/words.py", line {at}'
        assert "11" in box.get()
        box.write("words.py", "\n")
        assert box.reload()["state"] == "ready"
        # Who asked for the one that hung is told what became of the one that took its place.
        assert heard(answers)["state"] == "ready"
    assert "22" in box.get()
    until(lambda: len(box.children()) == 1)
    assert len(box.children()) == 1


def test_a_lifespan_that_never_ends_gives_way_to_the_next(box: Container) -> None:
    box.write("main.py", APP.replace("VERSION", "11"))
    box.serve()
    box.warmed()
    hangs = (
        "import asyncio, contextlib\n@contextlib.asynccontextmanager\nasync def lifespan(_):\n"
        "    while True:\n        await asyncio.sleep(600)\n    yield\n"
    )
    whole = APP.replace("VERSION", "22")
    box.write("main.py", hangs + whole.replace("FastAPI()", "FastAPI(lifespan=lifespan)"))
    with socket.socket(socket.AF_UNIX) as first:
        answers = asked(box, first)
        assert heard(answers) == {"state": "waiting", "seconds": 3.0, "text": ""}
        assert "11" in box.get()
        box.write("main.py", whole)
        assert box.reload()["state"] == "ready"
        assert heard(answers)["state"] == "ready"
    assert "22" in box.get()
    until(lambda: len(box.children()) == 1)
    assert len(box.children()) == 1


def test_a_program_that_is_started_again_gives_way_too(box: Container) -> None:
    flask = "from flask import Flask\napp = Flask('x')\n@app.get('/')\ndef root():\n"
    box.write("main.py", flask + "    return '11'\n")
    box.start(
        *("python", "-m", "flask", "--app", "main", "run", "--port", str(box.port)), grace=600
    )
    until(lambda: "11" in box.get())
    box.write(
        "main.py",
        "import signal, time\nsignal.signal(signal.SIGTERM, lambda *_: None)\ntime.sleep(600)\n",
    )
    with socket.socket(socket.AF_UNIX) as first:
        answers = asked(box, first)
        assert heard(answers) == {"state": "waiting", "seconds": 3.0, "text": ""}
        box.write("main.py", flask + "    return '22'\n")
        assert box.reload()["state"] == "ready"
        assert heard(answers)["state"] == "ready"
    assert "22" in box.get()
