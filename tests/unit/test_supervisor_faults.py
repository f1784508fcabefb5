"""The supervisor is process 1: what it says is so, and nothing but its program ends it."""

from __future__ import annotations

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
