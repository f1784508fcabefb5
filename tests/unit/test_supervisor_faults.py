"""The supervisor is process 1: what it says is so, and nothing but its program ends it."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubekit.pod import asking, families
from tests.unit.supervised import NEWEST_TESTED, Container, container, environment, until
from tests.unit.test_supervisor_modes import FLASK, WSGI


@pytest.fixture
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    with container(environment(NEWEST_TESTED, request.config), tmp_path) as made:
        yield made


SLEEPER = "import time\nprint('up', flush=True)\ntime.sleep(600)\n"


def test_code_that_cannot_start_is_told_of_a_program_that_listens_on_nothing(
    box: Container,
) -> None:
    box.write("main.py", SLEEPER)
    box.start("python", "src/main.py")
    until(lambda: "up" in box.output())
    box.write("main.py", "import nowhere\n")
    answer = box.reload()
    assert (answer["state"], answer["kept"]) == ("failed", False)
    assert "No module named 'nowhere'" in answer["text"]
    box.write("main.py", SLEEPER)
    assert box.reload()["state"] == "ready"


def test_a_program_that_is_started_again_is_ready_when_it_listens(box: Container) -> None:
    box.write("main.py", FLASK.replace("VERSION", "11"))
    box.start("python", "-m", "flask", "--app", "main", "run", "--port", str(box.port))
    until(lambda: "11" in box.get())
    box.write("main.py", "import time\ntime.sleep(4)\n" + FLASK.replace("VERSION", "22"))
    assert box.reload()["state"] == "ready"
    assert "22" in box.get()


def test_gunicorn_is_ready_when_its_workers_of_before_are_gone(box: Container) -> None:
    box.write("main.py", WSGI.replace("VERSION", "11"))
    box.start("gunicorn", "main:app", "-w", "2", "-b", f":{box.port}")
    until(lambda: "11" in box.get())
    (server,) = box.children()
    before = families.family(server)
    box.write("main.py", WSGI.replace("VERSION", "22"))
    answer = box.reload()
    assert (answer["state"], answer["mode"]) == ("ready", "own")
    assert families.family(server) & before == {server}
    assert "22" in box.get()


@pytest.mark.parametrize(
    "command", [("gunicorn",), ("python", "-m", "gunicorn")], ids=["script", "module"]
)
def test_gunicorn_keeps_the_old_code_when_the_new_one_cannot_be_loaded(
    box: Container, command: tuple[str, ...]
) -> None:
    loaded = "open(f'loaded-{os.getpid()}', 'w').close()\n"
    box.write("main.py", WSGI.replace("VERSION", "11") + loaded)
    box.start(*command, "main:app", "-w", "2", "-b", f":{box.port}")
    # One that boots late would load the broken code, and nothing could keep gunicorn then.
    until(lambda: len(list(box.folder.glob("loaded-*"))) == 2 and "11" in box.get())
    (server,) = box.children()
    before = families.family(server)
    box.write("main.py", "x = 1\nimport nowhere\n" + WSGI.replace("VERSION", "22"))
    answer = box.reload()
    assert (answer["state"], answer["kept"], answer["mode"]) == ("failed", True, "own")
    lines = answer["text"].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == f'  File "{box.src}/main.py", line 2, in <module>'
    assert lines[-1] == "ModuleNotFoundError: No module named 'nowhere'"
    assert box.ask("state") == answer
    assert families.family(server) == before
    assert box.children() == [server]
    assert "11" in box.get()
    box.write("main.py", WSGI.replace("VERSION", "33"))
    assert box.reload()["state"] == "ready"
    assert "33" in box.get()
    assert box.ask("state")["state"] == "ready"


def test_gunicorn_is_checked_with_the_environment_and_path_of_its_workers(box: Container) -> None:
    own = "import os, beside\nassert os.environ['KIND'] == 'x'\n" + WSGI
    box.write("main.py", own.replace("VERSION", "11"))
    box.write("more/beside.py", "")
    options = ("--pythonpath", str(box.src / "more"), "--env", "KIND=x")
    box.start("gunicorn", "main:app", *options, "-b", f":{box.port}")
    until(lambda: "11" in box.get())
    box.write("main.py", own.replace("VERSION", "22"))
    assert box.reload()["state"] == "ready"
    assert "22" in box.get()


def test_gunicorn_is_not_checked_for_as_long_as_threads_of_the_app_live(box: Container) -> None:
    thread = (
        "import sys, threading, time\nif '--check-config' in sys.argv:\n"
        "    threading.Thread(target=time.sleep, args=(600,)).start()\n"
    )
    box.write("main.py", thread + WSGI.replace("VERSION", "11"))
    box.start("gunicorn", "main:app", "-b", f":{box.port}")
    until(lambda: "11" in box.get())
    box.write("main.py", thread + WSGI.replace("VERSION", "22"))
    assert box.reload()["state"] == "ready"
    assert "22" in box.get()


def test_gunicorn_gives_up_a_check_that_a_newer_save_overtakes(box: Container) -> None:
    box.write("main.py", WSGI.replace("VERSION", "11"))
    box.start("gunicorn", "main:app", "-b", f":{box.port}")
    until(lambda: "11" in box.get())
    (server,) = box.children()
    box.write("main.py", "open('begun', 'w').close()\nimport time\ntime.sleep(600)\n")
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(180)
        line.connect(asking.address(box.name))
        line.sendall(b'{"do": "reload"}\n')
        until((box.folder / "begun").exists)
        assert box.ask("state")["state"] == "starting"
        answers = line.makefile()
        assert json.loads(answers.readline())["state"] == "waiting"
        box.write("main.py", WSGI.replace("VERSION", "22"))
        assert box.reload()["state"] == "ready"
        told = [json.loads(answers.readline())["state"]]
        while told[-1] == "waiting":
            told.append(json.loads(answers.readline())["state"])
    assert told[-1] == "ready"
    assert "22" in box.get()
    assert until(lambda: box.children() == [server])


def test_gunicorn_is_not_checked_on_after_its_end(box: Container) -> None:
    box.write("main.py", WSGI.replace("VERSION", "11"))
    box.start("gunicorn", "main:app", "-b", f":{box.port}")
    until(lambda: "11" in box.get())
    box.write("main.py", "open('begun', 'w').close()\nimport time\ntime.sleep(600)\n")
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(asking.address(box.name))
        line.sendall(b'{"do": "reload"}\n')
        until((box.folder / "begun").exists)
        everyone = families.family(box.pid) - {box.pid}
        assert box.stop() == 0
    assert until(lambda: not any(Path(f"/proc/{one}").exists() for one in everyone))


def test_whoever_asks_and_does_not_read_or_sends_no_lines_stops_nobody(box: Container) -> None:
    box.write("main.py", SLEEPER)
    box.start("python", "src/main.py")
    until(lambda: "up" in box.output())
    with socket.socket(socket.AF_UNIX) as deaf, socket.socket(socket.AF_UNIX) as endless:
        for one, said in ((deaf, b'{"do": "state"}\n'), (endless, b"x" * 100)):
            one.connect(asking.address(box.name))
            one.settimeout(90)
            with pytest.raises(OSError, match=r"Broken pipe|reset"):
                pour(one, said)
        assert box.ask("state")["mode"] == "restart"


def pour(line: socket.socket, said: bytes) -> None:
    for _ in range(100_000):
        line.sendall(said)


def test_what_a_program_tells_wrongly_does_not_end_its_supervisor(box: Container) -> None:
    """Through its own end of the connection, as a worker that has no descriptors left would."""
    box.write(
        "main.py",
        "import sys\n"
        "frame = sys._getframe()\n"
        "while 'end' not in frame.f_locals:\n    frame = frame.f_back\n"
        "for said in ({}, {'say': 'nothing'}, {'say': 'worker'}, {'say': 'connection'}):\n"
        "    frame.f_locals['end'].tell(said)\n"
        "frame.f_locals['end'].end.send(b'{')\n" + SLEEPER,
    )
    box.start("python", "src/main.py")
    until(lambda: "up" in box.output())
    assert box.ask("state")["mode"] == "restart"
    until(lambda: box.output().count("not understood") == 4)
    assert box.output().count("not understood") == 4
    assert box.stop() == 128 + 15


def test_a_socket_that_another_one_has_is_no_end(box: Container) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(asking.address(box.name))
        box.write("main.py", "print('up', flush=True)\n")
        assert box.start("python", "src/main.py").end() == 0
    assert "up" in box.output()
    assert "no reload can be asked for" in box.output()


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces of mounts are Linux's")
def test_the_socket_is_another_one_in_each_container() -> None:
    own = Path("/proc/self/ns/mnt").stat().st_ino
    assert asking.address("shop-web").endswith(f"shop-web-{own}")
    assert len(asking.address("x" * 400).encode()) < 108


def test_a_family_is_whom_a_process_has_started(box: Container) -> None:
    box.write("main.py", SLEEPER)
    box.start("sh", "-c", "python src/main.py; true")
    until(lambda: "up" in box.output())
    found = families.family(box.pid)
    assert len(found) == 3
    assert not families.listen(found)
