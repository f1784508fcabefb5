"""Of our own test run: what is run once more, what is told of it, and who has the cluster alone."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import together
from tests.conftest import ROOT, until

CONFTEST = """\
import pytest
from tests import steady, together

def pytest_configure(config):
    config.addinivalue_line("markers", "cluster: as in the project")
    for plugin in (steady, together):
        config.pluginmanager.register(plugin)
"""
TESTS = """\
import time
import pytest

RUNS = {}

def times(name):
    RUNS[name] = RUNS.get(name, 0) + 1
    return RUNS[name]

@pytest.fixture(scope="module")
def world():
    assert times("world") == 1, "made again"
    return []

@pytest.fixture
def shaky():
    assert times("shaky") == 2, "the fixture's first failure"

@pytest.mark.cluster
def test_once(world):
    print("said before")
    assert times("once") == 2, "the first failure"

@pytest.mark.cluster
def test_set_up(world, shaky):
    pass

@pytest.mark.cluster
def test_never(world):
    assert times("never") == 0

@pytest.mark.cluster
@pytest.mark.timeout(0.5)
def test_hangs():
    times("hangs")
    time.sleep(60)

def test_not_on_the_cluster():
    times("unit")
    assert False

def test_how_often(world):
    assert RUNS == {"world": 1, "shaky": 2, "once": 2, "never": 2, "hangs": 1, "unit": 1}
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_only_what_is_on_the_cluster_is_run_once_more_and_told(
    tmp_path: Path, workers: str
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    flags = ("-n", workers, "--rootdir", tmp_path, "-W", "error", "--color=no", "-rN")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *flags, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(r"\b3 failed, 3 passed, 3 rerun\b", done.stdout), done.stdout
    before, _, told = done.stdout.partition("UNSTEADY")
    _, _, twice = before.partition("FAILED TWICE")
    assert "test_it.py::test_never (call)" in twice
    assert "assert 1 == 0" in twice
    assert "test_once" not in twice
    assert "test_it.py::test_once (call)" in told
    assert "AssertionError: the first failure" in told
    assert "said before" in told
    assert "test_it.py::test_set_up (setup)" in told
    assert "the fixture's first failure" in told
    assert "test_never" not in told
    assert "2 unsteady" in told


PLAYS = """\
import pytest
@pytest.mark.cluster
@pytest.mark.parametrize("number", range(12))
def test_it(number, pytestconfig):
    if number == 11:
        (pytestconfig.rootpath / "played").touch()
"""
HELPED = """\
import os, pytest, time
@pytest.mark.cluster
@pytest.mark.parametrize("number", range(4))
def test_it(number, pytestconfig):
    end = time.monotonic() + 90
    while not (pytestconfig.rootpath / "played").exists():
        assert os.environ["PYTEST_XDIST_WORKER"] != "gw2"
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(0.5)
"""


def played(folder: Path, *, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """A run of the tests in a folder in three workers."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-n3", "-v", "--rootdir", folder, folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def ran(folder: Path) -> list[tuple[str, str]]:
    """Which worker ran what of four modules on the cluster and four that need none, in order."""
    (folder / "conftest.py").write_text(CONFTEST)
    for number in range(4):
        (folder / f"test_on_{number}.py").write_text(HELPED)
        (folder / f"test_off_{number}.py").write_text("def test_it(): pass\n")
    done = played(folder)
    pattern = r"^\[gw(\d)\].* PASSED \S*/test_(on|off|scenarios)[_.]"
    found = re.findall(pattern, done.stdout, re.MULTILINE)
    assert done.returncode == 0, done.stdout
    return found


def test_a_third_worker_leaves_the_cluster_to_others_until_the_scenarios_are_played(
    tmp_path: Path,
) -> None:
    (tmp_path / "of/scenarios").mkdir(parents=True)
    (tmp_path / "of/scenarios/test_scenarios.py").write_text(PLAYS)
    found = ran(tmp_path)
    assert next(kind for worker, kind in found if worker == "2") == "off"
    assert ("2", "on") in found, "it does not help afterwards"


CRASHES = """\
import os, pathlib, pytest
@pytest.mark.cluster
@pytest.mark.parametrize("number", range(4))
def test_it(number):
    crashed = pathlib.Path(__file__).with_suffix(".crashed")
    if not crashed.exists():
        crashed.touch()
        os._exit(1)
"""


def test_when_both_workers_on_the_cluster_crash_others_play_on(tmp_path: Path) -> None:
    (tmp_path / "of/scenarios").mkdir(parents=True)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "of/scenarios/test_scenarios.py").write_text(CRASHES)
    (tmp_path / "test_on.py").write_text(CRASHES)
    (tmp_path / "test_off.py").write_text("def test_it(): pass\n")
    done = played(tmp_path, timeout=120)
    # Who replaces the first may take the turn of the second, but never before the third does.
    assert len(set(re.findall(r"worker '(gw\d)' crashed", done.stdout))) == 2, done.stdout
    assert "2 failed, 9 passed" in done.stdout, done.stdout + done.stderr


class Worker:
    """Another one, which has the cluster or waits for it."""

    def __init__(self, how: contextlib.AbstractContextManager[None]) -> None:
        self.entered, self._leave = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, args=(how,))
        self._thread.start()

    def _work(self, how: contextlib.AbstractContextManager[None]) -> None:
        with how:
            self.entered.set()
            self._leave.wait(90)

    def leave(self) -> None:
        self._leave.set()
        self._thread.join(90)


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(together, "_WORKS", True)
    monkeypatch.setenv("KUBEKIT_LAB_STATE", str(tmp_path))
    return tmp_path


def waiting(folder: Path) -> int:
    """How many wait for a lock of this folder, as the kernel tells."""
    inodes = {f":{file.stat().st_ino} " for file in folder.iterdir()}
    lines = Path("/proc/locks").read_text().splitlines()
    return sum("->" in line and any(inode in line for inode in inodes) for line in lines)


@pytest.mark.skipif(sys.platform != "linux", reason="UNTESTED: needs /proc/locks")
def test_who_wants_the_cluster_alone_gets_it_and_keeps_others_out(locks: Path) -> None:
    first, second = Worker(together.beside()), Worker(together.beside())
    assert first.entered.wait(90)
    assert second.entered.wait(90)
    alone = Worker(together.alone())
    until(lambda: waiting(locks) == 1)
    third = Worker(together.beside())
    until(lambda: waiting(locks) == 2)
    first.leave()
    assert not alone.entered.is_set()
    second.leave()
    assert alone.entered.wait(90)
    assert not third.entered.is_set()
    alone.leave()
    assert third.entered.wait(90)
    third.leave()
