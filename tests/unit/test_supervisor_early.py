"""A program that listens before it is loaded: the kubelet's first probe waits for its answer."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.supervised import (
    NEWEST_TESTED,
    PATIENCE,
    VERSIONS,
    Container,
    container,
    environment,
    until,
)

APP = """
import os, time
from fastapi import FastAPI
print("loading", flush=True)
while not os.path.exists("go"):
    time.sleep(0.01)
app = FastAPI()
@app.get("/")
def root():
    return "served"
"""
LONG = 600.0


@pytest.fixture
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    version = getattr(request, "param", NEWEST_TESTED)
    with container(environment(version, request.config), tmp_path) as made:
        made.write("main.py", APP)
        yield made


def start(box: Container, early: float, *options: str) -> None:
    box.options = ("--early", str(early))
    box.start("uvicorn", "main:app", "--host", "127.0.0.1", "--port", str(box.port), *options)


def go(box: Container) -> None:
    """Let the program be loaded."""
    (box.folder / "go").touch()


def connected(box: Container) -> bool:
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", box.port), timeout=PATIENCE).close()
        return True
    return False


@pytest.mark.parametrize("box", VERSIONS[:-1], indirect=True)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_who_asks_while_it_is_loaded_is_answered_when_it_serves(box: Container, loop: str) -> None:
    start(box, LONG, "--loop", loop)
    assert until(lambda: connected(box))
    assert "running on" not in box.output()
    asking = http.client.HTTPConnection("127.0.0.1", box.port, timeout=PATIENCE)
    with contextlib.closing(asking):
        asking.request("GET", "/")
        go(box)
        assert asking.getresponse().read() == b'"served"'
    assert box.output().count(f"Uvicorn running on http://127.0.0.1:{box.port}") == 1
    box.warmed()
    box.write("main.py", APP.replace("served", "later"))
    answer = box.reload()
    assert (answer["state"], answer["mode"]) == ("ready", "warm")
    assert box.get() == '"later"'


def test_one_that_takes_longer_refuses_until_it_serves(box: Container) -> None:
    start(box, 0.5)
    assert until(lambda: connected(box))
    waiting = socket.create_connection(("127.0.0.1", box.port), timeout=PATIENCE)
    with contextlib.closing(waiting), contextlib.suppress(ConnectionResetError):
        assert waiting.recv(1) == b""
    assert until(lambda: not connected(box))
    go(box)
    assert until(box.answers)
    assert box.get() == '"served"'
    assert f"Uvicorn running on http://127.0.0.1:{box.port}" in box.output()


def test_one_that_cannot_be_loaded_ends_as_it_does_by_itself(box: Container) -> None:
    box.write("main.py", "1 / 0\n")
    start(box, LONG)
    assert box.end() == 1
    assert "ZeroDivisionError" in box.output()
    assert not connected(box)


def test_code_that_comes_meanwhile_is_started_on_the_same_port(box: Container) -> None:
    start(box, LONG)
    assert until(lambda: connected(box))
    box.write("main.py", APP.replace("served", "mended").replace('"go"', '"/"'))
    assert box.reload()["state"] == "ready"
    assert box.get() == '"mended"'


def test_a_port_that_another_has_is_told_by_uvicorn(box: Container) -> None:
    with socket.create_server(("127.0.0.1", box.port)):
        go(box)
        start(box, LONG)
        assert box.end() != 0
    assert "address already in use" in box.output()


def test_without_the_option_it_listens_when_it_serves(box: Container) -> None:
    box.start("uvicorn", "main:app", "--host", "127.0.0.1", "--port", str(box.port))
    assert until(lambda: "loading" in box.output())
    assert not connected(box)
    go(box)
    assert until(box.answers)
