"""The agent that `dev` runs in pods, run here: by every Python of this machine that it is for."""

from __future__ import annotations

import http.server
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self, cast

import pytest

from kubekit.dev.agent import Agent, _could_not_run
from kubekit.dev.difference import Difference
from kubekit.dev.syncerrors import ChangedError, DriftError, ForeignError, FullError, refusal
from kubekit.dev.tree import Tree, read
from kubekit.model import Object, SyncRule
from kubekit.pod import agent as inside
from kubekit.streams.exec import EndedError
from tests.unit.agents import Local, bring, send, session
from tests.unit.supervised import VERSIONS, interpreter


@pytest.fixture
def src(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    return folder


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "dest"


def tree_of(src: Path, dest: Path) -> Tree:
    return read([SyncRule(src=src, dest=str(dest))], None)


def write(src: Path, path: str, content: str | bytes = "", mode: int = 0o644) -> None:
    file = src / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(mode)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def words(answers: list[Object]) -> list[str]:
    return [str(answer["re"]) for answer in answers]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_python_does_all_of_it(src: Path, dest: Path, version: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"UNTESTED: there is no Python {version} on this machine")
    write(src, "app/main.py", "x: int = 1\n")
    write(src, "run.sh", "#!/bin/sh\n", 0o775)
    write(src, "caf\udce9/line\nend \\040", b"\0\xff")
    write(src, "n" * 255)
    (src / "link").symlink_to("app/main.py")
    (src / "far").symlink_to("/nowhere/at all")
    # In a container's usual locale, and with modules of the app in the way.
    env = {"LC_ALL": "C", "PYTHONPATH": str(src), "PYTHONWARNINGS": "error"}
    write(src, "json.py", "raise SystemExit(3)\n")
    with session(dest, python=python, env=env) as agent:
        assert agent.python.startswith(version)
        assert agent.states == {str(dest): "missing"}
        assert words(bring(agent, tree_of(src, dest), set())) == ["written"]
        assert (dest / "app/main.py").read_text() == "x: int = 1\n"
        assert (dest / "caf\udce9/line\nend \\040").read_bytes() == b"\0\xff"
        assert (dest / "run.sh").stat().st_mode & 0o7777 == 0o755
        assert (dest / "link").readlink() == Path("app/main.py")
        assert (dest / "far").readlink() == Path("/nowhere/at all")

        write(src, "app/main.py", "def broken(:\n    pass\n")
        write(src, "app/other.py", b"x = '\0'\n")
        write(src, "data.txt", "new")
        (answer,) = bring(agent, tree_of(src, dest), set())
        assert answer["re"] == "syntax"
        first, second = sorted(answer["faults"], key=lambda fault: str(fault["path"]))
        assert first["path"] == str(dest / "app/main.py")
        assert (first["line"], first["text"]) == (1, "def broken(:")
        assert first["message"].startswith("SyntaxError: ")
        assert "null bytes" in second["message"]
        assert (dest / "app/main.py").read_text() == "x: int = 1\n"
        assert names(dest) == names(src) - {"data.txt"}


def test_what_a_newer_python_takes_is_judged_by_the_one_that_runs_it(src: Path, dest: Path) -> None:
    write(src, "new.py", "type Name = str\n")
    for version, said in {"3.10": "syntax", "3.12": "written"}.items():
        python = interpreter(version)
        if python is None:
            pytest.skip("needs Python 3.10 and 3.12")
        with session(dest, python=python) as agent:
            assert words(bring(agent, tree_of(src, dest), set())) == [said]


def test_what_was_made_in_the_image_stays(src: Path, dest: Path) -> None:
    for path in ("old/a.py", "old/deep/b.py", "keep/c.py", "app.py"):
        write(src, path, "x = 1\n")
    for path in ("keep/generated.txt", "__pycache__/made.cpython-313.pyc", "foreign.py"):
        write(dest, path, "made")
    with session(dest) as agent:
        tree = tree_of(src, dest)
        bring(agent, tree, set())
        write(dest, "old/__pycache__/a.cpython-313.pyc")
        for path in ("old/a.py", "old/deep/b.py", "keep/c.py"):
            (src / path).unlink()
        for folder in ("old/deep", "old", "keep"):
            (src / folder).rmdir()
        assert words(bring(agent, tree_of(src, dest), set(tree.entries))) == ["written"]
    left = {str(path.relative_to(dest)) for path in dest.rglob("*") if path.is_file()}
    assert left == {
        "app.py",
        "keep/generated.txt",
        "__pycache__/made.cpython-313.pyc",
        "foreign.py",
    }
    assert not (dest / "old").exists()


def test_a_folder_that_must_go_does_not_take_foreign_files_with_it(src: Path, dest: Path) -> None:
    write(src, "thing/a.txt")
    with session(dest) as agent:
        before = tree_of(src, dest)
        bring(agent, before, set())
        write(dest, "thing/made.txt")
        (src / "thing/a.txt").unlink()
        (src / "thing").rmdir()
        write(src, "thing", "a file now")
        (answer,) = bring(agent, tree_of(src, dest), set(before.entries))
        error = refusal(answer, "here")
        assert isinstance(error, ForeignError)
        assert (dest / "thing/made.txt").exists()
        (dest / "thing/made.txt").unlink()
        assert words(bring(agent, tree_of(src, dest), set(before.entries))) == ["written"]
    assert (dest / "thing").read_text() == "a file now"


def test_nothing_is_written_through_a_link_that_somebody_made(
    src: Path, dest: Path, tmp_path: Path
) -> None:
    write(src, "folder/a.txt", "ours")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with session(dest) as agent:
        (dest / "folder").symlink_to(elsewhere)
        # As a session that has not seen it come would: it has to look again.
        (answer,) = send(agent, {}, tree_of(src, dest))
        assert isinstance(refusal(answer, "here"), DriftError)
        assert words(bring(agent, tree_of(src, dest), set())) == ["written"]
    assert (dest / "folder/a.txt").read_text() == "ours"
    assert not list(elsewhere.iterdir())


def imported(dest: Path) -> str:
    """What a new process of an app gets, writing bytecode as it does."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-c", "import mod; print(mod.VALUE)"],
        cwd=dest,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_bytecode_of_an_older_source_never_wins(src: Path, dest: Path) -> None:
    with session(dest) as agent:
        # All of the same size, and several within one second.
        for value in range(1000, 1006):
            write(src, "mod.py", f"VALUE = {value}\n")
            bring(agent, tree_of(src, dest), set())
            assert imported(dest) == str(value)
        unchecked = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "mod.py"]
        subprocess.run([sys.executable, *unchecked], cwd=dest, check=True)
        write(src, "mod.py", "VALUE = 2000\n")
        bring(agent, tree_of(src, dest), set())
        assert imported(dest) == "2000"


def test_a_file_is_always_later_than_what_it_replaces(src: Path, dest: Path) -> None:
    times = []
    with session(dest) as agent:
        for number in range(4):
            write(src, "a.html", str(number))
            bring(agent, tree_of(src, dest), set())
            times.append(int((dest / "a.html").stat().st_mtime))
    assert times == sorted(set(times))


def test_a_mode_is_changed_in_place_and_no_file_gets_more_than_it_had(
    src: Path, dest: Path
) -> None:
    write(src, "run", "x")
    write(src, "private", "1")
    with session(dest) as agent:
        bring(agent, tree_of(src, dest), set())
        (dest / "private").chmod(0o4600)
        before = (dest / "run").stat().st_ino
        (src / "run").chmod(0o755)
        write(src, "private", "2")
        bring(agent, tree_of(src, dest), set())
    assert (dest / "run").stat().st_ino == before
    assert (dest / "run").stat().st_mode & 0o777 == 0o755
    assert (dest / "private").stat().st_mode & 0o7777 == 0o600


def test_a_file_that_changes_while_it_is_sent_is_not_written(src: Path, dest: Path) -> None:
    write(src, "a.txt", "first")
    write(src, "b.txt", "first")
    with session(dest) as agent:
        tree = tree_of(src, dest)
        for change in ("other", "longer than it was", "no"):
            write(src, "b.txt", change)
            (answer,) = bring(agent, tree, set())
            assert isinstance(refusal(answer, "here"), ChangedError)
        (src / "b.txt").unlink()
        assert words(bring(agent, tree, set())) == ["changed"]
        assert not list(dest.iterdir())
        assert words(bring(agent, tree_of(src, dest), set())) == ["written"]
    assert [path.name for path in dest.iterdir()] == ["a.txt"]


def test_a_session_that_breaks_off_leaves_nothing(dest: Path) -> None:
    puts = [[str(dest / name), False, 1 << 20, "0" * 64] for name in ("a.bin", "b.bin")]
    nothing: Object = {key: [] for key in ("clears", "folders", "links", "modes", "deletes")}
    body = json.dumps({"do": "sync", "puts": puts, **nothing}).encode()
    with session(dest) as agent:
        program = cast("Local", agent._program)
        program.send(struct.pack(">I", len(body)) + body + bytes(3 << 19))
        wait(lambda: any(dest.iterdir()))
    assert program.process.returncode == 0
    assert not list(dest.iterdir())


def test_what_a_killed_agent_left_is_cleared_and_a_living_ones_is_not(dest: Path) -> None:
    left = dest / ".kubekit-0123456789ab"
    left.mkdir(parents=True)
    (left / "1").write_text("half")
    other = dest / ".kubekit-ba9876543210"
    other.mkdir()
    with inside.held(os.fsencode(other)), session(dest):
        assert [path.name for path in dest.iterdir()] == [other.name]


def test_a_large_file_passes_through_little_memory(src: Path, dest: Path) -> None:
    with (src / "large.bin").open("wb") as stream:
        for number in range(100):
            stream.write(bytes([number]) * (1 << 20))
    with session(dest) as agent:
        before = peak(agent)
        assert words(bring(agent, tree_of(src, dest), set())) == ["written"]
        assert peak(agent) - before < 40 << 10, "less than half of it"
    assert (dest / "large.bin").read_bytes() == (src / "large.bin").read_bytes()


def peak(agent: Agent) -> int:
    """The most memory a local agent ever had, in KiB."""
    pid = cast("Local", agent._program).process.pid
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def test_three_thousand_files_go_in_one_set(src: Path, dest: Path) -> None:
    for number in range(3000):
        write(src, f"p{number % 60}/m{number}.py", f"def f():\n    return {number}\n" * 10)
    with session(dest) as agent:
        tree = tree_of(src, dest)
        assert words(bring(agent, tree, set())) == ["written"]
        assert agent.find(sorted(tree.entries)) == tree.entries


def test_why_nothing_can_be_written_is_told(src: Path, dest: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with session(dest, "/proc/1/none", file) as agent:
        assert agent.states[str(dest)] == "missing"
        assert agent.states["/proc/1/none"] != "fine"
        assert agent.states[str(file)] == "File exists"


def test_no_space_is_an_error_of_its_own() -> None:
    answer = {"re": "failed", "errno": "ENOSPC", "path": "/a", "text": "No space left on device"}
    assert isinstance(refusal(answer, "here"), FullError)


# ---- reload and readiness


class Supervisor:
    """The smallest thing that answers where a supervisor would."""

    def __init__(self, *answers: Object | None) -> None:
        self.name = uuid.uuid4().hex
        self.asked: list[Object] = []
        self.state: Object = {"state": "ready"}
        self._line = socket.socket(socket.AF_UNIX)
        self._line.bind(inside.address(self.name))
        self._line.listen()
        self._answers = answers
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(90)
        self._line.close()

    def _serve(self) -> None:
        for answer in self._answers:
            client, _ = self._line.accept()
            with client:
                lines = client.makefile()
                self.asked.append(json.loads(lines.readline()))
                if answer is None:
                    continue
                client.sendall(json.dumps(answer).encode() + b"\n")
                for line in lines:  # until nobody asks how it is any more
                    assert json.loads(line) == {"do": "state"}
                    client.sendall(json.dumps(self.state).encode() + b"\n")

    @property
    def env(self) -> dict[str, str]:
        return {"KUBEKIT_DEV": self.name}


class App(http.server.BaseHTTPRequestHandler):
    ready_after = 3
    asked: list[dict[str, str]]

    def do_GET(self) -> None:
        self.asked.append({"path": self.path, **self.headers})
        self.send_response(200 if len(self.asked) > self.ready_after else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def app() -> Iterator[tuple[int, list[dict[str, str]]]]:
    asked: list[dict[str, str]] = []
    handler = type("Handler", (App,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], asked
        server.shutdown()


def probe(port: int, **given: object) -> Object:
    usual = {"path": "/ready?x=1", "scheme": "HTTP", "headers": [], "seconds": 1.0, "host": None}
    return {"port": port, **usual, **given}


def test_a_sync_reloads_and_sees_the_app_answer(
    src: Path, dest: Path, app: tuple[int, list[dict[str, str]]]
) -> None:
    port, asked = app
    write(src, "a.py", "x = 1\n")
    ready = {"state": "ready", "mode": "warm", "seconds": 0.05, "why": ""}
    with Supervisor(ready) as supervisor, session(dest, env=supervisor.env) as agent:
        headers = [["X-Probe", "yes"], ["Host", "app.test"]]
        told = bring(
            agent, tree_of(src, dest), set(), reload=True, probe=probe(port, headers=headers)
        )
    assert words(told) == ["written", "reloaded", "ready"]
    assert told[1]["answer"]["mode"] == "warm"
    assert told[2]["well"]
    assert told[2]["text"] == "HTTP 200"
    assert supervisor.asked == [{"do": "reload"}]
    assert len(asked) == 4
    assert asked[0]["path"] == "/ready?x=1"
    assert (asked[0]["x-probe"], asked[0]["host"]) == ("yes", "app.test")


def test_an_app_that_does_not_come_up_is_told_with_what_it_says(
    src: Path, dest: Path, app: tuple[int, list[dict[str, str]]]
) -> None:
    port, _ = app
    write(src, "a.py")
    with session(dest) as agent:
        for asked, said in (
            (probe(1), "Connection refused"),
            (probe(port, scheme="HTTPS"), "SSL"),
            (probe(port, path=None), "takes connections"),
        ):
            told = bring(agent, tree_of(src, dest), set(), patience=0.3, probe=asked)
            assert said.lower() in str(told[-1]["text"]).lower()
            assert told[-1]["well"] is (asked["path"] is None)


def test_code_that_dies_is_told_and_nobody_waits_for_it(src: Path, dest: Path) -> None:
    write(src, "a.py")
    failed = {"state": "failed", "kept": True, "text": "Traceback ...\nImportError: no x"}
    with Supervisor(failed) as supervisor, session(dest, env=supervisor.env) as agent:
        told = bring(agent, tree_of(src, dest), set(), reload=True, probe=probe(1))
    assert words(told) == ["written", "reloaded"]
    assert told[1]["answer"] == failed


def test_without_a_supervisor_nothing_is_reloaded(src: Path, dest: Path) -> None:
    write(src, "a.py")
    with session(dest) as agent:
        told = bring(agent, tree_of(src, dest), set(), reload=True)
    assert told[1]["answer"]["mode"] == "none"


def test_a_supervisor_that_ends_or_is_silent_is_not_waited_for_for_ever(
    src: Path, dest: Path
) -> None:
    write(src, "a.py")
    with Supervisor(None) as supervisor, session(dest, env=supervisor.env) as agent:
        told = bring(agent, tree_of(src, dest), set(), reload=True)
        assert told[1]["answer"] == {"state": "stopping"}
        # Nobody accepts any more, though connections are taken.
        write(src, "a.py", "x = 1\n")
        told = bring(agent, tree_of(src, dest), set(), reload=True, patience=0.2)
        answer = told[1]["answer"]
        assert (answer["state"], answer["kept"]) == ("failed", None)
        assert answer["text"].startswith("nothing is known of the new code")


def test_code_that_dies_after_its_start_is_told_instead_of_the_probe(src: Path, dest: Path) -> None:
    write(src, "a.py")
    ready = {"state": "ready", "mode": "restart", "seconds": 0.1, "why": ""}
    failed = {"state": "failed", "kept": False, "text": "Traceback ...\nImportError: no x"}
    with Supervisor(ready) as supervisor, session(dest, env=supervisor.env) as agent:
        supervisor.state = failed
        told = bring(agent, tree_of(src, dest), set(), reload=True, probe=probe(1), patience=300.0)
    assert words(told) == ["written", "reloaded", "reloaded"]
    assert told[2]["answer"] == failed


def test_an_agent_whose_session_ends_does_not_go_on_waiting(src: Path, dest: Path) -> None:
    write(src, "a.py")
    with session(dest) as agent:
        answers = agent.sync(
            Difference(), Tree(), reload=False, patience=300, probe=probe(1, path=None)
        )
        assert next(answers)["re"] == "written"
    # The context manager waits for its end, ten seconds at most.


def wait(look: Callable[[], object], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end
        time.sleep(0.01)


# ---- small parts


def test_mount_points_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    assert inside.unescaped(rb"/a\040b\134c") == b"/a b\\c"
    (tmp_path / "link").symlink_to("/app/src")
    link = os.fsencode(tmp_path / "link")
    assert inside.below(b"/app/src/conf", [b"/app/src"]) == [b"/app/src/conf"]
    assert inside.below(b"/app/src/conf/x", [link]) == [link + b"/conf/x"]
    assert inside.below(b"/app/src", [b"/app", b"/app/src"]) == []
    assert inside.below(b"/app/src2", [b"/app/src"]) == []


@pytest.mark.parametrize(
    ("name", "of"),
    [
        (b"mod.cpython-313.pyc", True),
        (b"mod.cpython-313.opt-1.pyc", True),
        (b"mod.pypy310.pyc", True),
        (b"mod2.cpython-313.pyc", False),
        (b"mod.x.cpython-313.opt-1.pyc", False),
        (b"mod.txt", False),
    ],
)
def test_bytecode_is_known_by_its_name(name: bytes, of: bool) -> None:
    assert inside.is_bytecode(name, b"mod") is of


@pytest.mark.parametrize(
    ("code", "text", "lacks"),
    [
        (127, 'exec: "python3": executable file not found in $PATH', True),
        (126, 'exec: "/etc/passwd": permission denied', True),
        (None, 'exec: "/no/python": stat /no/python: no such file or directory', True),
        (1, "SyntaxError: invalid syntax", True),
        (137, "", False),
        (126, "cannot exec in a stopped container", False),
        (126, "error executing setns process: exit status 1", False),
        (126, "open /proc/71/ns/ipc: no such file or directory", False),
        (None, "container not found", False),
    ],
)
def test_a_container_that_ends_just_then_is_not_one_without_python(
    code: int | None, text: str, lacks: bool
) -> None:
    assert _could_not_run(EndedError("ended", code=code, text=text)) is lacks


def test_more_paths_than_are_asked_for_at_once_are_told_as_if_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dest = tmp_path / "dest"
    with session(dest) as agent:
        (tmp_path / "else").mkdir()
        write(tmp_path, "else/a")
        (dest / "link").symlink_to(tmp_path / "else")
        write(dest, "folder/a")
        paths = sorted(f"{dest}/{one}" for one in ("folder", "folder/a", "gone", "link", "link/a"))
        meant = agent.find(paths)
        assert list(meant) == [f"{dest}/{one}" for one in ("folder", "folder/a", "link")]
        for many in (1, 2, 4):
            monkeypatch.setattr("kubekit.dev.agent._AT_ONCE", many)
            assert agent.find(paths) == meant


def test_what_runs_is_known_by_what_became_of_the_last_reload() -> None:
    told = {True: {"state": "ready"}, None: {"state": "starting"}}
    told |= {kept: {"state": "failed", "kept": kept} for kept in (True, False)}
    for kept, state in told.items():
        assert inside.stands(state) is kept
    assert inside.stands({"state": "late"}) is None
