"""What every tier shares: the real Minikube of `lab/`, and kubekit as a person runs it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import lab
from kubekit import proc
from tests import drawn, steady, together

# A loaded machine is no fault of a property.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

ROOT = Path(__file__).parent.parent
KUBEKIT = Path(sys.executable).parent / "kubekit"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rounds",
        type=int,
        default=1,
        help="how often the healthy scenarios are played; with more than one, no samples are drawn",
    )
    parser.addoption(
        "--lot",
        type=int,
        help="what decides which part of each series is played; the commit, when all tests are run",
    )


def pytest_configure(config: pytest.Config) -> None:
    for plugin in (drawn, steady, together):
        config.pluginmanager.register(plugin)


@dataclass(frozen=True, kw_only=True)
class Result:
    """A run of kubekit that ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of a run with `-o json`."""
        return [json.loads(line) for line in self.out.splitlines()]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of this type."""
        return [event for event in self.events if event["type"] == kind]


def kubekit(
    *arguments: str,
    cwd: Path,
    env: dict[str, str] | None = None,
    timeout: float = 300,
    program: Path = KUBEKIT,
) -> Result:
    """Run kubekit as a person would, in a folder, and wait for its end."""
    done = subprocess.run(
        [program, *arguments],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Result(code=done.returncode, out=done.stdout, err=done.stderr)


def open_files() -> list[str]:
    """What this process has open, as /proc has it: each socket by a name that no other has."""
    found = []
    for file in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            found.append(str(file.readlink()))
    return found


def until(look: Callable[[], Any], seconds: float = 90) -> Any:
    """Wait for something to be there or true; so long that only what hangs is not seen."""
    end = time.monotonic() + seconds
    began = time.monotonic()
    while not (found := look()):
        now = time.monotonic()
        assert now < end, f"not seen after {seconds} s"
        # A look by a program takes the processor from what is waited for.
        time.sleep(max(0.02, now - began))
        began = time.monotonic()
    return found


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The threads that this test starts, and those that they start: no other test's."""
    found: list[threading.Thread] = []
    mine = threading.current_thread()
    start = threading.Thread.start

    def started(thread: threading.Thread) -> None:
        if (now := threading.current_thread()) is mine or now in found:
            found.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", started)
    return found


def alive(threads: list[threading.Thread]) -> list[threading.Thread]:
    """Those that run still."""
    return [one for one in threads if one.is_alive()]


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The programs that `kubekit.proc` runs in this test, however short."""
    found: list[subprocess.Popen[bytes]] = []
    start = proc._started

    def started(*given: Any) -> subprocess.Popen[bytes]:
        found.append(start(*given))
        return found[-1]

    monkeypatch.setattr(proc, "_started", started)
    return found


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The environment of a shell that uses the lab's Minikube, started if it does not run.

    It is put into this process's environment too, for code that is called directly.
    """
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        lab.up()
    found = lab.environment()
    # Each worker of xdist has its own: a test may look at every file in it.
    cache = Path(request.config.cache.mkdir(os.environ.get("PYTEST_XDIST_WORKER", "kubekit")))
    found = {**found, "XDG_CACHE_HOME": str(cache)}
    with pytest.MonkeyPatch.context() as patch:
        for key, value in found.items():
            patch.setenv(key, value)
        yield {**os.environ}
