"""A program that listens before it is loaded: the kubelet's first probe waits for its answer."""

from __future__ import annotations

import _thread
import contextlib
import http.client
import socket
import textwrap
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
SHORT = 0.5
OLD = ("fastapi", "uvicorn==0.13.4")
"""Of before `Config.load_app`; without uvloop and others that are too new for it."""


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


def script(box: Container, code: str, name: str = "run.py") -> tuple[str, ...]:
    """The command line of a program that starts uvicorn by itself."""
    path = box.folder / name
    path.write_text(
        f"#!{box.venv}/bin/python\nimport socket, sys, uvicorn\nsys.path.insert(0, 'src')\n{code}"
    )
    path.chmod(0o755)
    box.options = ("--early", str(LONG))
    return (str(path), "main:app", "--host", "127.0.0.1", "--port", str(box.port))


@contextlib.contextmanager
def asking(box: Container) -> Iterator[http.client.HTTPConnection]:
    """A request that is not answered yet."""
    assert until(lambda: connected(box))
    connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", "/")
        yield connection


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize("box", VERSIONS, indirect=True)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_who_asks_while_it_is_loaded_is_answered_when_it_serves(box: Container, loop: str) -> None:
    start(box, LONG, "--loop", loop)
    with asking(box) as connection:
        assert "running on" not in box.output()
        go(box)
        assert connection.getresponse().read() == b'"served"'
    assert box.output().count(f"Uvicorn running on http://127.0.0.1:{box.port}") == 1
    box.warmed()
    box.write("main.py", APP.replace("served", "later"))
    answer = box.reload()
    assert (answer["state"], answer["mode"]) == ("ready", "warm")
    assert box.get() == '"later"'


def test_so_it_is_with_uvicorn_of_old(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with container(environment("3.11", request.config, OLD), tmp_path) as box:
        box.write("main.py", APP)
        code = f"uvicorn.run('main:app', host='127.0.0.1', port={box.port})"
        box.start("python", *script(box, code))
        with asking(box) as connection:
            go(box)
            assert connection.getresponse().read() == b'"served"'
            box.write("main.py", APP.replace("served", "later"))
            assert box.reload()["state"] == "ready"
            connection.request("GET", "/")
            assert connection.getresponse().read() == b'"later"'


HANGING = """
    from contextlib import asynccontextmanager
    import asyncio
    @asynccontextmanager
    async def lifespan(_app):
        while not os.path.exists("go"):
            await asyncio.sleep(0.01)
        yield
"""


@pytest.mark.parametrize("where", ["import", "lifespan"])
def test_one_that_takes_longer_refuses_until_it_serves(box: Container, where: str) -> None:
    if where == "lifespan":
        waits = 'while not os.path.exists("go"):\n    time.sleep(0.01)\n'
        app = APP.replace(waits, textwrap.dedent(HANGING))
        box.write("main.py", app.replace("FastAPI()", "FastAPI(lifespan=lifespan)"))
    start(box, SHORT)
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
    elsewhere = free_port()
    code = f"uvicorn.Server(uvicorn.Config('main:app', port={elsewhere})).run()"
    box.start(*script(box, code, "uvicorn"))
    assert until(lambda: "loading" in box.output())
    assert not connected(box)
    box.port = elsewhere
    assert connected(box)
    go(box)
    assert box.get() == '"served"'


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_what_is_served_is_not_refused_however_slowly_it_says_so(box: Container, loop: str) -> None:
    """A container with little of a processor: its time is over before it tells that it serves."""
    seconds = 2.0
    slow = f"""
import logging
class Slow(logging.Handler):
    def emit(self, record):
        if "running on" in record.getMessage():
            time.sleep({2 * seconds})
logging.getLogger("uvicorn.error").addHandler(Slow())
"""
    box.write("main.py", APP + slow)
    go(box)
    start(box, seconds, "--loop", loop)
    assert until(lambda: "running on" in box.output())
    assert box.get() == '"served"'


BINDS = """
config = uvicorn.Config('main:app', host='127.0.0.1', port={port})
config.load()
uvicorn.Server(config).run(sockets=[config.bind_socket()])
"""


def test_a_program_may_bind_its_socket_when_it_is_loaded(box: Container) -> None:
    box.start("python", *script(box, BINDS.format(port=box.port)))
    assert until(lambda: "loading" in box.output())
    assert not connected(box)
    go(box)
    assert until(box.answers)


def test_it_is_given_the_socket_on_which_it_listens_by_then(box: Container) -> None:
    box.start(*script(box, BINDS.format(port=box.port), "uvicorn"))
    with asking(box) as connection:
        go(box)
        assert connection.getresponse().read() == b'"served"'


OWN = """
sock = socket.socket()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.bind(('127.0.0.1', {port}))
config = uvicorn.Config('main:app', host='127.0.0.1', port={configured})
uvicorn.Server(config).run(sockets=[sock])
"""


@pytest.mark.parametrize("elsewhere", [False, True])
def test_one_with_sockets_of_its_own_listens_nowhere_else(box: Container, elsewhere: bool) -> None:
    configured, box.port = box.port, free_port() if elsewhere else box.port
    box.start("python", *script(box, OWN.format(port=box.port, configured=configured)))
    go(box)
    assert until(box.answers)
    box.port = configured
    assert connected(box) != elsewhere


def test_what_a_command_line_tells_wrongly_is_dropped_for_sockets_of_its_own(
    box: Container,
) -> None:
    own = free_port()
    box.start(*script(box, OWN.format(port=own, configured=own), "uvicorn"))
    assert until(lambda: "loading" in box.output())
    assert not connected(box)


def test_a_second_server_leaves_the_first_its_socket(box: Container) -> None:
    second = free_port()
    metrics = f"""
import threading, uvicorn
async def metrics(scope, receive, send):
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"metrics"}})
server = uvicorn.Server(uvicorn.Config(metrics, port={second}, lifespan="off"))
threading.Thread(target=server.run, daemon=True).start()
"""
    box.write("main.py", metrics + APP)
    start(box, LONG)
    with asking(box) as connection:
        first, box.port = box.port, second
        assert until(box.get) == "metrics"
        box.port = first
        go(box)
        assert connection.getresponse().read() == b'"served"'


def accepts(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def test_no_thread_is_left_when_it_serves() -> None:
    before = _thread._count()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        waiting = early.Waiting(sock, LONG)
        assert until(lambda: _thread._count() == before + 1)
        assert waiting.serve() is sock
        assert until(lambda: _thread._count() == before)
        assert accepts(sock)


def test_what_was_refused_is_served_by_who_listens_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        waiting = early.Waiting(sock, 0)
        assert until(lambda: not accepts(sock))
        again = waiting.serve()
        again.listen()
        socket.create_connection(again.getsockname(), timeout=PATIENCE).close()


@pytest.mark.parametrize(
    ("command", "environ", "at"),
    [
        ("uvicorn main:app --host 0.0.0.0 --port 80", {}, ("0.0.0.0", 80)),
        ("uvicorn main:app --host=:: --port=80", {}, ("::", 80)),
        ("python -m uvicorn main:app --host 0.0.0.0", {}, ("0.0.0.0", 8000)),
        ("uvicorn main:app", {"UVICORN_PORT": "80"}, ("127.0.0.1", 80)),
        ("uvicorn main:app", {"UVICORN_HOST": "::"}, ("::", 8000)),
        ("fastapi run app/main.py --port 80", {}, ("0.0.0.0", 80)),
        ("fastapi run app/main.py", {"FASTAPI_PORT": "80"}, ("0.0.0.0", 8000)),
        ("fastapi run app/main.py", {"PORT": "80"}, None),
        ("fastapi run app/main.py --port 81", {"PORT": "80"}, ("0.0.0.0", 81)),
        ("uvicorn main:app", {"PORT": "80"}, ("127.0.0.1", 8000)),
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
