"""A program that listens before it is loaded: the kubelet's first probe waits for its answer."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubekit.pod import early
from kubekit.pod.program import MODULE, SCRIPT, Program
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


def test_what_its_command_line_does_not_tell_is_left_to_the_program(box: Container) -> None:
    """A program called `uvicorn` that listens elsewhere, while another one wants the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        elsewhere = server.getsockname()[1]
    script = box.folder / "uvicorn"
    script.write_text(
        f"#!{box.venv}/bin/python\nimport socket, sys, uvicorn\nsys.path.insert(0, 'src')\n"
        f"config = uvicorn.Config('main:app', port={elsewhere})\n"
        "uvicorn.Server(config).run()\n"
    )
    script.chmod(0o755)
    box.options = ("--early", str(LONG))
    box.start(str(script), "main:app", "--host", "127.0.0.1", "--port", str(box.port))
    assert until(lambda: "loading" in box.output())
    assert not connected(box)
    box.port = elsewhere
    assert connected(box)
    go(box)
    assert box.get() == '"served"'


@pytest.mark.parametrize(
    ("command", "environ", "at"),
    [
        ("uvicorn main:app --host 0.0.0.0 --port 80", {}, ("0.0.0.0", 80)),
        ("uvicorn main:app --host=:: --port=80", {}, ("::", 80)),
        ("python -m uvicorn main:app --host 0.0.0.0", {}, ("0.0.0.0", 8000)),
        ("uvicorn main:app", {"UVICORN_PORT": "80"}, ("127.0.0.1", 80)),
        ("uvicorn main:app", {"UVICORN_HOST": "::"}, ("::", 8000)),
        ("fastapi run app/main.py --port 80", {}, ("0.0.0.0", 80)),
        ("fastapi dev app/main.py", {}, None),
        ("uvicorn main:app --port $PORT", {}, None),
        ("uvicorn main:app --workers 2", {}, None),
        ("uvicorn main:app --uds=/tmp/s", {}, None),
        ("uvicorn main:app", {"WEB_CONCURRENCY": "2"}, None),
        ("python main.py --port 80", {}, None),
    ],
)
def test_where_a_program_will_listen_is_read_from_its_command(
    command: str, environ: dict[str, str], at: tuple[str, int] | None
) -> None:
    name, *words = command.split()
    program = Program(SCRIPT, name, [name, *words])
    if words[0] == "-m":
        program = Program(MODULE, words[1], words[1:])
    assert early.address(program, environ) == at


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
