"""Programs are run to their end, ended in time, and never left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kubekit import proc
from kubekit.errors import CancelledError, MissingError, UnreachableError
from kubekit.model import Cancel

# A suite started in the background hands SIGINT on as ignored; an ordinary program heeds it.
SLEEPER = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
print(os.getpid(), flush=True)
time.sleep(60)
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_both_streams_and_the_code() -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    seen: list[str] = []
    done = proc.run([sys.executable, "-c", code], timeout=60, cancel=Cancel(), on_line=seen.append)
    assert (done.code, done.out, done.err, seen) == (3, "out\n", "err\n", ["out\n"])


def test_one_that_takes_too_long_is_ended(children: list[subprocess.Popen[bytes]]) -> None:
    argv = [sys.executable, "-c", SLEEPER]
    with pytest.raises(UnreachableError, match="did not end within"):
        proc.run(argv, timeout=0.5, cancel=Cancel())
    (child,) = children
    assert not is_running(child.pid)


HEEDS = SLEEPER.replace("signal.SIG_DFL", "lambda *_: (os.mkdir(sys.argv[1]), os._exit(0))")
"""Says by a folder that it was interrupted before it was ended in another way."""


def test_an_interrupt_ends_the_child_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc, "GRACE_SECONDS", 90.0)
    cancel, pids = Cancel(), []

    def started(line: str) -> None:
        pids.append(int(line))
        threading.Thread(target=cancel.set).start()

    argv = [sys.executable, "-c", HEEDS, str(tmp_path / "interrupted")]
    with pytest.raises(CancelledError):
        proc.run(argv, timeout=60, cancel=cancel, on_line=started)
    assert (tmp_path / "interrupted").is_dir()
    assert not is_running(pids[0])


LEAVES = "import subprocess, sys; subprocess.Popen(['sleep', '90']); print('out', end='')"


def test_what_a_program_leaves_behind_is_not_waited_for() -> None:
    seen: list[str] = []
    argv = [sys.executable, "-c", LEAVES]
    done = proc.run(argv, timeout=60, cancel=Cancel(), on_line=seen.append)
    assert (done.code, done.out, seen) == (0, "out", ["out"])


def test_what_is_left_behind_and_prints_for_ever_ends_in_time() -> None:
    argv = ["sh", "-c", "while true; do echo x; sleep 0.2; done & exit 0"]
    with pytest.raises(UnreachableError, match="did not end within"):
        proc.run(argv, timeout=2, cancel=Cancel())


@pytest.mark.parametrize("size", [10, 1 << 20])
def test_all_that_is_printed_at_the_end_is_kept(size: int) -> None:
    code = f"import sys; sys.stdout.write('ü\\r\\n' * {size}); sys.stderr.write('é' * {size})"

    def slow(line: str) -> None:
        if line.startswith("ü") and not seen:
            time.sleep(0.3)
        seen.append(line)

    seen: list[str] = []
    done = proc.run([sys.executable, "-c", code], timeout=60, cancel=Cancel(), on_line=slow)
    assert (done.out, done.err) == ("ü\n" * size, "é" * size)
    assert "".join(seen) == done.out


def test_a_progress_bar_is_one_line() -> None:
    seen: list[str] = []
    code = "print(end='10%\\r100%\\r\\nend')"
    done = proc.run([sys.executable, "-c", code], timeout=60, cancel=Cancel(), on_line=seen.append)
    assert seen == ["10%\r100%\n", "end"]
    assert done.out == "".join(seen)


def test_a_missing_program_says_how_to_get_it() -> None:
    with pytest.raises(MissingError) as caught:
        proc.find("no-such-program", hint="get it there")
    assert caught.value.hints == ("get it there",)


def test_one_that_nobody_listens_to_any_more_is_ended() -> None:
    pids: list[int] = []

    def gone(line: str) -> None:
        pids.append(int(line))
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        proc.run([sys.executable, "-c", SLEEPER], timeout=60, cancel=Cancel(), on_line=gone)
    assert not is_running(pids[0])


def test_nothing_of_an_ended_program_is_kept_for_an_interrupt() -> None:
    cancel = Cancel()
    proc.run([sys.executable, "-c", ""], timeout=60, cancel=cancel)
    assert cancel._callbacks == []


def test_a_file_that_is_no_program_is_told_in_the_systems_words(tmp_path: Path) -> None:
    program = tmp_path / "minikube"
    program.write_bytes(b"\x00no program")
    program.chmod(0o755)
    for action in (
        lambda: proc.run([str(program)], timeout=60, cancel=Cancel()),
        lambda: proc.replace([str(program)], env={}),
    ):
        with pytest.raises(MissingError, match="cannot be run: Exec format error"):
            action()
