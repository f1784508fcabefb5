"""The lock of one run at a time: who holds it is told, and no crash leaves it behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubekit.runfile import RunFile

HOLD = """\
import sys
from kubekit.runfile import RunFile
lock = RunFile("tasks-1")
print(lock.take("dev"), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "kubekit/runs"


def holding() -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    pipe = subprocess.PIPE
    other = subprocess.Popen([sys.executable, "-c", HOLD], stdin=pipe, stdout=pipe, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"
    return other


def test_the_second_is_told_who_holds_it_and_a_kill_ends_it(folder: Path) -> None:
    with holding() as other:
        mine = RunFile("tasks-1")
        assert not mine.take("teardown")
        holder = mine.holder()
        assert holder is not None
        assert (holder.pid, holder.command, holder.alive()) == (other.pid, "dev", True)
        other.kill()
        other.wait()
        assert not holder.alive()
        assert mine.take("teardown")
        found = mine.holder()
        assert found is not None
        assert (found.pid, found.command) == (os.getpid(), "teardown")
        mine.close()
    assert [file.name for file in folder.iterdir()] in ([], ["machine"])


def test_a_pid_that_another_process_has_got_is_not_the_holder() -> None:
    with holding() as other:
        mine = RunFile("tasks-1")
        assert not mine.take("teardown")
        holder = mine.holder()
        assert holder is not None
        assert not type(holder)(
            pid=os.getpid(), command="dev", since=holder.since, began=holder.began
        ).alive()
        other.kill()


def test_other_projects_do_not_matter(folder: Path) -> None:
    one, two = RunFile("one"), RunFile("two")
    assert one.take("dev")
    assert two.take("dev")
    one.close()
    assert one.take("dev"), "what was let go can be taken again"
    marks = {one.mark, two.mark}
    assert len(marks) == 2
    assert len({mark.partition("/")[0] for mark in marks}) == 1
    one.close()
    two.close()
    assert one.mark == ""


def test_a_run_that_was_killed_as_it_named_the_machine_leaves_it_to_the_next(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "machine").touch()
    lock = RunFile("tasks-1")
    assert lock.take("dev")
    mark = lock.mark
    assert mark
    assert lock.mark == mark
    lock.close()


def test_a_folder_that_cannot_be_written_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    lock = RunFile("tasks-1")
    assert lock.take("dev")
    assert lock.mark == ""
    lock.close()
