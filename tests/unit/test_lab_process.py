"""A pid alone does not name a process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab import process
from lab.errors import LabError
from tests.conftest import ROOT


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        yield child
        child.kill()


def test_saved_and_known_again(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    identity = process.identify(sleeper.pid)
    assert identity is not None
    identity.save(tmp_path / "pid.json")
    assert process.load_identity(tmp_path / "pid.json") == identity
    assert identity.alive()


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}])
def test_a_reused_pid_is_somebody_else(
    sleeper: subprocess.Popen[bytes], change: dict[str, object]
) -> None:
    identity = process.identify(sleeper.pid)
    assert identity is not None
    other = replace(identity, **change)  # type: ignore[arg-type]
    assert not other.alive()
    other.end(0.1)
    assert sleeper.poll() is None


def test_ended_and_gone(sleeper: subprocess.Popen[bytes]) -> None:
    identity = process.identify(sleeper.pid)
    assert identity is not None
    identity.end(5)
    assert not identity.alive()
    assert process.identify(sleeper.pid) is None  # Not reaped yet: a zombie runs no more.


def test_a_detached_one_outlives_python_without_a_complaint(tmp_path: Path) -> None:
    log, script = tmp_path / "log", "echo out; echo bad >&2; exec sleep 60"
    start = (
        f"print(process.detached(['/bin/sh', '-c', {script!r}], log=Path({str(log)!r}), env={{}}))"
    )
    code = f"from pathlib import Path; from lab import process; {start}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    identity = process.identify(int(done.stdout))
    assert identity is not None
    try:
        assert os.getsid(identity.pid) == identity.pid
        deadline = time.monotonic() + 90
        while log.read_text() != "out\nbad\n":
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.01)
    finally:
        identity.end(5)
    assert not identity.alive()


@pytest.mark.parametrize("text", [None, "", '{"pid": 1', '{"pid": 1}', "[]"])
def test_a_broken_record_means_nobody(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "pid.json"
    if text is not None:
        path.write_text(text)
    assert process.load_identity(path) is None


def test_a_failure_ends_with_the_programs_last_words(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"ended with 3:\n  no such thing$") as caught:
        process.run(["sh", "-c", "echo no such thing >&2; exit 3"], log=tmp_path / "log")
    assert str(tmp_path / "log") in caught.value.hint
