"""The supervisor of `kubekit dev`: the new code answers, nothing is lost, and faults are told."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.supervised import (
    NEWEST_TESTED,
    PATIENCE,
    PATIENT_WORKERS,
    VERSIONS,
    Container,
    container,
    environment,
    idle,
    until,
)

APP = """
import os, sys
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
async def root():
    return {"version": VERSION, "pid": os.getpid()}
"""


def app(version: int) -> str:
    return APP.replace("VERSION", str(version))


@pytest.fixture
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    with container(environment(NEWEST_TESTED, request.config), tmp_path) as made:
        yield made


@pytest.mark.parametrize("version", VERSIONS)
def test_each_python_answers_with_the_new_code(
    version: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with container(environment(version, request.config), tmp_path) as box:
        box.write("main.py", app(1))
        box.serve()
        first = json.loads(box.get())
        box.warmed()
        box.write("main.py", app(2))
        answer = box.reload()
        assert (answer["state"], answer["mode"], answer["why"]) == ("ready", "warm", "")
        second = json.loads(box.get())
        assert (first["version"], second["version"]) == (1, 2)
        until(lambda: len(box.children()) == 1)
        assert box.children() == [second["pid"]]
        assert box.stop() == 128 + signal.SIGTERM
        assert "Traceback" not in box.output()


@pytest.mark.parametrize(
    "options",
    [
        ("--loop", "uvloop", "--http", "httptools"),
        ("--loop", "asyncio", "--http", "h11"),
        ("--loop", "asyncio", "--http", "httptools"),
        ("--loop", "uvloop", "--http", "h11"),
        ("--workers", "2", *PATIENT_WORKERS),
    ],
    ids=lambda options: " ".join(options[:4]),
)
def test_no_request_is_lost_over_twenty_reloads(box: Container, options: tuple[str, ...]) -> None:
    box.write("main.py", app(0))
    # On a loaded machine five seconds, uvicorn's own, may pass between two requests.
    box.serve(*options, "--timeout-keep-alive", "300", grace=60)
    box.warmed()
    done = threading.Event()
    counts: list[int] = []
    faults: list[str] = []

    def one_shot() -> None:
        count = 0
        while not done.is_set():
            try:
                box.get()
                count += 1
            except (OSError, http.client.HTTPException) as error:
                faults.append(f"one-shot: {error!r}")
        counts.append(count)

    def kept_alive() -> None:
        line = http.client.HTTPConnection("127.0.0.1", box.port, timeout=PATIENCE)
        line.connect()
        line.auto_open = 0  # a connection that is closed is a fault, not opened again
        count = 0
        while not done.is_set():
            try:
                line.request("GET", "/")
                line.getresponse().read()
                count += 1
            except (OSError, http.client.HTTPException) as error:
                faults.append(f"kept alive: {error!r}")
                break
        line.close()
        counts.append(count)

    threads = [threading.Thread(target=work) for work in (one_shot, one_shot, *[kept_alive] * 3)]
    for one in threads:
        one.start()
    try:
        for version in range(1, 21):
            box.write("main.py", app(version))
            answer = box.reload()
            assert answer["state"] == "ready", answer
            assert json.loads(box.get())["version"] == version
    finally:
        done.set()
        for one in threads:
            one.join()
    assert faults == []
    assert min(counts) > 20
    assert "Traceback" not in box.output()


def test_an_idle_connection_goes_over_to_the_new_code(box: Container) -> None:
    box.write("main.py", app(1))
    box.serve("--timeout-keep-alive", "300")
    used = http.client.HTTPConnection("127.0.0.1", box.port, timeout=PATIENCE)
    used.request("GET", "/")
    used.getresponse().read()
    used.auto_open = 0
    unused = socket.create_connection(("127.0.0.1", box.port))
    half = socket.create_connection(("127.0.0.1", box.port))
    half.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    assert until(lambda: idle(box.children()[0])), "it has read what was sent"
    box.write("main.py", app(2))
    assert box.reload()["state"] == "ready"
    used.request("GET", "/")
    assert json.loads(used.getresponse().read())["version"] == 2
    used.close()
    unused.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b'"version":2' in read(unused)
    # What had begun on the old program is answered by it, and the connection then goes over.
    half.sendall(b"\r\n")
    told = b""
    while b"}" not in told:
        told += half.recv(4096)
    assert b'"version":1' in told
    half.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b'"version":2' in read(half)


def read(line: socket.socket) -> bytes:
    line.settimeout(PATIENCE)
    with line:
        return b"".join(iter(lambda: line.recv(4096), b""))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import os\nimport nowhere\n", "ModuleNotFoundError: No module named 'nowhere'"),
        ("def broken(:\n", "SyntaxError"),
        ("x = 1\n", 'Attribute "app" not found'),
        (app(2) + "\nimport sys\nsys.exit(7)\n", "exit code 7"),
        (
            app(2)
            .replace("FastAPI()", "FastAPI(lifespan=start)")
            .replace(
                "app =",
                "from contextlib import asynccontextmanager\n"
                "@asynccontextmanager\nasync def start(app):\n    1 / 0\n    yield\napp =",
            ),
            "ZeroDivisionError",
        ),
        (app(2) + "\nos.kill(os.getpid(), 9)\n", "SIGKILL"),
    ],
    ids=["import", "syntax", "no app", "exit", "lifespan", "killed"],
)
def test_a_failing_reload_keeps_the_old_code_and_tells_why(
    box: Container, text: str, told: str
) -> None:
    box.write("main.py", app(1))
    box.serve()
    pid = json.loads(box.get())["pid"]
    box.write("main.py", text)
    answer = box.reload()
    assert (answer["state"], answer["kept"]) == ("failed", True)
    assert told in answer["text"]
    for said in (answer["text"], box.output()):
        assert "_kubekit" not in said
        assert "kubekit/pod" not in said
    assert box.ask("state") == answer
    assert json.loads(box.get()) == {"version": 1, "pid": pid}
    box.write("main.py", app(3))
    assert box.reload()["state"] == "ready"
    assert json.loads(box.get())["version"] == 3
    assert box.ask("state")["state"] == "ready"


HELD = """open("begun", "w").close()
    while not os.path.exists("go"):
        await asyncio.sleep(0.02)"""
"""Says that it is there, and goes on once the test has seen what it wanted."""

SLOW = """
import asyncio
from contextlib import asynccontextmanager
from fastapi import FastAPI
@asynccontextmanager
async def lifespan(app):
    await asyncio.sleep(SECONDS)
    yield
    open("ended", "a").write("VERSION ")
app = FastAPI(lifespan=lifespan)
@app.get("/")
async def root():
    return {"version": VERSION}
"""


def slow(version: int, seconds: float) -> str:
    return SLOW.replace("SECONDS", str(seconds)).replace("VERSION", str(version))


def test_the_old_code_serves_until_a_slow_start_is_done(box: Container) -> None:
    box.write("main.py", slow(1, 0))
    box.serve()
    held = f"import os\n{slow(2, 0)}".replace("await asyncio.sleep(0)", HELD)
    box.write("main.py", held)
    answers: list[dict[str, object]] = []
    asking = threading.Thread(target=lambda: answers.append(box.reload()))
    asking.start()
    assert until((box.folder / "begun").exists)
    seen = [json.loads(box.get())["version"] for _ in range(5)]
    assert answers == []
    assert set(seen) == {1}
    (box.folder / "go").touch()
    while asking.is_alive():
        seen.append(json.loads(box.get())["version"])
    asking.join()
    assert answers[0]["state"] == "ready"
    assert set(seen) <= {1, 2}, "both take connections until the answer has come"
    assert [json.loads(box.get())["version"] for _ in range(5)] == [2] * 5
    until((box.folder / "ended").exists)
    assert (box.folder / "ended").read_text() == "1 "


def test_a_newer_request_overtakes_one_that_is_under_way(box: Container) -> None:
    box.write("main.py", slow(1, 0))
    box.serve()
    box.write("main.py", slow(2, 600))
    answers: list[dict[str, object]] = []
    asking = threading.Thread(target=lambda: answers.append(box.reload()))
    asking.start()
    until(lambda: len(box.children()) == 2)
    box.write("main.py", slow(3, 0))
    assert box.reload()["state"] == "ready"
    asking.join(PATIENCE)
    assert answers[0]["state"] == "ready"
    assert json.loads(box.get())["version"] == 3
    until(lambda: len(box.children()) == 1)
    assert len(box.children()) == 1


def test_the_second_save_in_one_second_is_seen(box: Container) -> None:
    """Same size and same time in seconds: what a compiled file is known by."""
    box.write("main.py", "from other import version\n" + APP.replace("VERSION", "version"))
    box.write("other.py", "version = 1\n")
    os.utime(box.src / "other.py", (1, 1))
    box.serve(PYTHONDONTWRITEBYTECODE="")
    for version in (2, 3, 4):
        box.write("other.py", f"version = {version}\n")
        os.utime(box.src / "other.py", (1, 1))
        assert box.reload()["state"] == "ready"
        assert json.loads(box.get())["version"] == version
    assert not list(box.src.rglob("*.pyc"))


def test_deleted_and_renamed_modules_are_gone(box: Container) -> None:
    box.write("main.py", "from other import version\n" + APP.replace("VERSION", "version"))
    box.write("other.py", "version = 1\n")
    box.serve()
    box.warmed()
    (box.src / "other.py").rename(box.src / "another.py")
    answer = box.reload()
    assert "No module named 'other'" in answer["text"]
    box.write("main.py", "from another import version\n" + APP.replace("VERSION", "version"))
    box.write("another.py", "version = 2\n")
    assert box.reload()["state"] == "ready"
    assert json.loads(box.get())["version"] == 2


def test_a_websocket_is_told_that_the_service_restarts(box: Container) -> None:
    box.write(
        "main.py",
        APP.replace("VERSION", "1").replace("import FastAPI", "import FastAPI, WebSocket")
        + """
@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    await socket.send_text("hello")
    while True:
        await socket.receive_text()
""",
    )
    box.serve()
    with socket.create_connection(("127.0.0.1", box.port), timeout=PATIENCE) as line:
        line.sendall(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        told = b""
        while b"hello" not in told:
            told += line.recv(4096)
        assert box.reload()["state"] == "ready"
        assert line.recv(4096)[:4] == b"\x88\x02" + (1012).to_bytes(2, "big")


def test_a_pool_of_sqlalchemy_and_a_pool_of_processes_live_over_a_reload(box: Container) -> None:
    box.write(
        "main.py",
        """
import multiprocessing, os
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from fastapi import FastAPI
from sqlalchemy import create_engine, text
engine = create_engine("sqlite:///data.db")
def square(x):
    return x * x
@asynccontextmanager
async def lifespan(app):
    with engine.begin() as db:
        db.execute(text("create table if not exists hits (n integer)"))
    with ProcessPoolExecutor(1, multiprocessing.get_context(METHOD)) as app.state.pool:
        yield
    engine.dispose()
app = FastAPI(lifespan=lifespan)
@app.get("/")
def root():
    with engine.begin() as db:
        db.execute(text("insert into hits values (1)"))
        hits = db.execute(text("select count(*) from hits")).scalar()
    return {"hits": hits, "square": app.state.pool.submit(square, 7).result()}
""".replace("METHOD", "os.environ['METHOD']"),
    )
    box.serve(METHOD="spawn")
    hits = json.loads(box.get())["hits"]
    for more in (1, 2):
        assert box.reload()["state"] == "ready"
        assert json.loads(box.get()) == {"hits": hits + more, "square": 49}
    box.stop()
    assert "Traceback" not in box.output()


def test_a_failing_first_start_ends_as_it_does_by_itself(box: Container) -> None:
    texts = {
        "import": "import nowhere\n",
        "exit": "import sys\nsys.exit(7)\n",
        "message": "raise SystemExit('no settings')\n",
        "lifespan": slow(1, 0).replace("await", "1 / 0; await"),
        "end": "print('done')\n",
        "abort": "import os\nos.abort()\n",
    }
    commands = [
        ("uvicorn", "main:app", "--port", str(box.port)),
        ("python", "-m", "main"),
        ("python", "src/main.py"),
    ]
    for name, text in texts.items():
        for command in commands:
            box.write("main.py", text)
            plain = box.start(*command, supervised=False).end()
            said = normal(box)
            code = box.start(*command).end()
            if name == "lifespan" and command[0] == "python":
                continue
            expected = 128 - plain if plain < 0 else plain
            assert (name, command, code, normal(box)) == (name, command, expected, said)


def test_a_syntax_error_at_the_first_start_is_shown_without_our_files(box: Container) -> None:
    box.write("main.py", "import other\n")
    box.write("other.py", "def broken(:\n")
    assert box.start("uvicorn", "main:app", "--port", str(box.port)).end() == 1
    said = box.output()
    assert "_kubekit" not in said
    assert "kubekit/pod" not in said
    assert "source_to_code" not in said
    assert 'other.py", line 1' in said


def normal(box: Container) -> str:
    """What it printed, without numbers of processes."""
    lines = box.output().splitlines()
    return "\n".join(line for line in lines if "server process" not in line)


def test_a_program_sees_what_python_gives_it(box: Container) -> None:
    """`sys.argv`, `sys.path`, `__main__` and the rest: compared with the same command alone."""
    text = """
import json, os, sys
import __main__
names = ("__name__", "__file__", "__package__")
print(json.dumps({
    "argv": sys.argv, "path": sys.path, "flags": str(sys.flags), "executable": sys.executable,
    "main": {name: str(getattr(__main__, name, None)) for name in names},
    "spec": getattr(__main__.__spec__, "name", None), "same": __main__.__dict__ is globals(),
    "env": {key: value for key, value in os.environ.items() if key not in ("_", "PWD")},
    "threads": len(os.listdir("/proc/self/task")), "fds": sorted(os.listdir("/proc/self/fd"))[:3],
}))
"""
    box.write("show.py", text)
    box.write("package/__init__.py", "")
    box.write("package/__main__.py", text)
    (box.folder / "bin").mkdir()
    script = box.folder / "bin/show"
    script.write_text(f"#!{box.venv}/bin/python\n{text}")
    script.chmod(0o755)
    for command in (
        ("python", "src/show.py", "a", "--b"),
        ("python", "-m", "show", "a"),
        ("python", "-m", "package", "a"),
        ("python", "-u", "-W", "error", "-m", "show"),
        ("python", "-c", text, "a"),
        ("bin/show", "a"),
        ("sh", "-c", "exec python src/show.py --port ${PORT:-1} $NONE"),
        ("env", "A=b", "python", "src/show.py"),
    ):
        box.start(*command, supervised=False).end()
        plain = json.loads(box.output())
        assert box.start(*command).end() == 0
        assert json.loads(box.output()) == plain, command


def test_a_crash_of_the_program_is_the_crash_of_the_container(box: Container) -> None:
    box.write("main.py", app(1) + '\n@app.get("/exit")\ndef exit(): os._exit(5)\n')
    box.serve()
    assert box.reload()["state"] == "ready"
    with contextlib.suppress(OSError, http.client.HTTPException):
        box.get("/exit")
    assert box.end() == 5


def test_a_request_that_is_under_way_is_answered_by_whom_it_was_put(box: Container) -> None:
    text = app(1) + "\nimport asyncio\n@app.get('/slow')\nasync def slow():\n"
    text += f"    {HELD}\n    return VERSION\n"
    box.write("main.py", text.replace("VERSION", "1"))
    box.serve(grace=60)
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(box.get("/slow")))
    asking.start()
    assert until((box.folder / "begun").exists)
    box.write("main.py", text.replace("VERSION", "2"))
    assert box.reload()["state"] == "ready"
    assert answers == []
    (box.folder / "go").touch()
    assert box.get("/slow") == "2"
    asking.join()
    assert answers == ["1"]
    box.signal(signal.SIGTERM)
    assert box.end() == 128 + signal.SIGTERM


def test_sigterm_lets_a_request_finish(box: Container) -> None:
    text = app(1) + "\nimport asyncio\n@app.get('/slow')\nasync def slow():\n"
    box.write("main.py", text + f"    {HELD}\n    return 1\n")
    box.serve()
    box.reload()
    until(lambda: len(box.children()) == 1)
    ended = box.output().count("Shutting down")
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(box.get("/slow")))
    asking.start()
    assert until((box.folder / "begun").exists)
    box.signal(signal.SIGTERM)
    assert until(lambda: box.output().count("Shutting down") > ended)
    (box.folder / "go").touch()
    box.end()
    asking.join()
    assert answers == ["1"]


def test_nothing_is_done_while_nothing_happens(box: Container) -> None:
    box.write("main.py", app(1))
    box.serve()
    box.warmed()
    status = Path(f"/proc/{box.pid}/status")

    def waits() -> list[str]:
        """How often it has begun to wait; another process may make it do nothing, too."""
        return [line for line in status.read_text().splitlines() if line.startswith("voluntary")]

    def rests() -> bool:
        before = waits()
        time.sleep(1)
        return waits() == before

    assert until(rests)


def test_this_python_is_not_older_than_what_is_tested() -> None:
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in VERSIONS
