"""A pid alone does not name a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab import process
from lab.errors import LabError


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
