"""The plain tools that kubekit is measured beside, and the report the figures are kept in."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.docs import ROOT

REPORT = ROOT / "docs" / "benchmark.md"
PROFILE = os.environ["KUBEKIT_PROFILE"]


def run(command: list[str | Path], *, env: dict[str, str] | None = None, cwd: Path = ROOT) -> str:
    """Run to a good end and hand back what it printed."""
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def docker_env() -> dict[str, str]:
    """What `eval $(minikube docker-env)` would set."""
    command = ["minikube", "-p", PROFILE, "docker-env", "--shell", "none"]
    lines = run(command).splitlines()
    pairs = dict(line.split("=", 1) for line in lines if "=" in line)
    return {**os.environ, **{key: value for key, value in pairs.items() if value}}


def docker_with_buildkit() -> str:
    """A docker command line that can do BuildKit: newer ones need a plug-in for it."""
    for folder in os.environ["PATH"].split(os.pathsep):
        found = shutil.which("docker", path=folder)
        if found is None:
            continue
        probe = [found, "build", "--help"]
        text = subprocess.run(
            probe,
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if "--progress" in text.stdout:
            return found
    sys.exit("no docker command line here can do BuildKit")


def timed(work: Callable[[], object]) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def where_and_when() -> str:
    """The line above a table."""
    commit = run(["git", "rev-parse", "--short", "HEAD"]).strip()
    today = dt.datetime.now(dt.UTC).date()
    machine = f"{os.cpu_count()} cores, {platform.platform()}"
    return f"{today}, commit {commit}, {machine}; median seconds."


def bench(name: str, rounds: int, measured: Callable[[int, Path], str], about: str | None) -> None:
    """Measure as often as is asked for, print the table, and with --write keep it in docs."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--write", action="store_true", help=f"into {REPORT.name}")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = measured(arguments.rounds, Path(folder))
    print(table)
    if arguments.write:
        keep(name, table)


def keep(name: str, table: str) -> None:
    """Put a table into the report, in the place of this name."""
    mark = re.compile(f"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)
    text, count = mark.subn(lambda _: f"\n{table}\n\n", REPORT.read_text())
    assert count == 1, f"{REPORT.name} has no place for the table `{name}`"
    REPORT.write_text(text)
