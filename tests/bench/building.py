"""Building alone: kubekit beside ``docker build`` with BuildKit in the same daemon, as ratios.

Each round makes the same change to two copies of the repository's backend and builds both in turn.
Three folders: the backend as it is, with 22,000 files of node_modules beside the sources that its
`.dockerignore` leaves out, and the same without a `.dockerignore`.

kubekit's seconds are those of a running process, as in `kubekit dev`: walk, hash, find the daemon,
build, prove the image. "whole process" starts Python for it, as the command line of Docker is
started, too. "CPU" is what kubekit, and then docker, takes of it in its own process, which a
busy machine does not change; what the daemon takes is not in it.

    python -m tests.bench.building [--rounds N] [--write]
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kubekit.cluster.target import resolve
from kubekit.config import load as config
from kubekit.image.build import ensure
from kubekit.image.changes import Memory
from kubekit.image.cleanup import delete_all
from kubekit.image.files import context
from kubekit.model import Cancel, Settings
from kubekit.session import Run, open_store
from tests.bench.plain import (
    PROFILE,
    bench,
    docker_env,
    docker_with_buildkit,
    run,
    timed,
    where_and_when,
)
from tests.docs import copy_project

FILES = 22_000
NAME = "bench-build"
PLAIN = f"{NAME}-plain"


@dataclass(frozen=True, kw_only=True)
class Side:
    """One copy of the project, and how it is built."""

    folder: Path
    build: Callable[[], object]

    def edit(self, case: str, mark: str) -> None:
        """Change a line: the same one on both sides."""
        files = {"source edit": "src/app/main.py", "dependency edit": "requirements.txt"}
        if case in files:
            file = self.folder / "backend" / files[case]
            text = file.read_text().partition("\n# round ")[0].rstrip("\n")
            file.write_text(f"{text}\n# round {mark}\n")


def build(folder: Path) -> None:
    """Build as `build-and-apply` does, up to the image."""
    settings = settings_of(folder)
    assert settings.build is not None
    plan = context.plan(settings.build, name=NAME)
    settled = Run(emit=lambda _: None)
    with open_store(resolve(settings), settled) as store:
        ensure(
            plan,
            store,
            name=NAME,
            memory=Memory.of(settings),
            emit=settled.emit,
            cancel=Cancel(),
        )


def settings_of(folder: Path) -> Settings:
    """The project's settings, under a name of the benchmark's own."""
    found = config.load(
        flags={"profile": PROFILE}, environ={}, cwd=folder, active_profile=lambda: None
    )
    return replace(found, name=NAME)


def sides(parent: Path, env: dict[str, str]) -> tuple[Side, Side, Side]:
    """kubekit in this process, docker, and kubekit in a process of its own."""
    docker = docker_with_buildkit()
    ours, theirs, own = (parent / name for name in ("ours", "theirs", "own"))
    for folder in (ours, theirs, own):
        copy_project(folder)

    def plain() -> str:
        command = [docker, "build", "-q", "-t", PLAIN, "--target", "runtime", "backend"]
        return run(command, env={**env, "DOCKER_BUILDKIT": "1"}, cwd=theirs)

    def process() -> str:
        return run([sys.executable, "-m", __spec__.name, "--build", own])

    return (
        Side(folder=ours, build=lambda: build(ours)),
        Side(folder=theirs, build=plain),
        Side(folder=own, build=process),
    )


def fill(folder: Path) -> None:
    """22,000 small files, as a package manager of JavaScript leaves them."""
    for number in range(FILES):
        file = folder / "node_modules" / f"package-{number // 20}" / f"file-{number % 20}.js"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"module.exports = {number};\n" * 20)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one build took, in seconds: on the clock, and of this machine's processors."""

    seconds: float
    cpu: float

    @classmethod
    def of(cls, build: Callable[[], object]) -> Cost:
        """Build, and see."""
        before = cpu()
        seconds = timed(build)
        return cls(seconds=seconds, cpu=cpu() - before)


def cpu() -> float:
    """Seconds of the processors that this process has taken, and those that it has started."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


Found = dict[tuple[str, str], list[list[Cost]]]
"""(folder, case) -> for each round the cost of each side."""


def measure(rounds: int, parent: Path) -> Found:
    """Build each case in each folder, the sides in turn."""
    env = docker_env()
    all_sides = sides(parent, env)
    found: Found = {}
    for variant in ("the backend", "with node_modules, ignored", "with node_modules, not ignored"):
        for side in all_sides:
            if variant == "with node_modules, ignored":
                fill(side.folder / "backend")
            if variant.endswith("not ignored"):
                (side.folder / "backend" / ".dockerignore").unlink()
            side.build()
        # What was just written is too fresh to be known by its time of change.
        time.sleep(3)
        for case in ("unchanged", "source edit", "dependency edit"):
            count = max(1, rounds // 10) if case == "dependency edit" else rounds
            for number in range(count):
                row: dict[int, Cost] = {}
                order = list(enumerate(all_sides))
                for index, side in order[number % 3 :] + order[: number % 3]:
                    # A mark of its own for each: what one has built must not be the other's cache.
                    side.edit(case, uuid.uuid4().hex)
                    row[index] = Cost.of(side.build)
                found.setdefault((variant, case), []).append([row[index] for index, _ in order])
    run([docker_with_buildkit(), "image", "rm", "-f", PLAIN], env=env)
    settings = settings_of(parent / "ours")
    with open_store(resolve(settings), Run(emit=lambda _: None)) as store:
        delete_all(store, NAME)
    return found


def report(found: Found) -> str:
    """A table of medians and of the median of the ratios."""
    lines = [
        where_and_when(),
        "",
        "| folder | case | rounds | kubekit | docker build | ratio | CPU | CPU | process | ratio |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (variant, case), rows in found.items():
        sides = list(zip(*rows, strict=True))
        ours, theirs, own = (statistics.median(one.seconds for one in side) for side in sides)
        our_cpu, their_cpu, _ = (statistics.median(one.cpu for one in side) for side in sides)
        inside, _, whole = (
            statistics.median(
                one.seconds / row[1].seconds for one, row in zip(side, rows, strict=True)
            )
            for side in sides
        )
        lines.append(
            f"| {variant} | {case} | {len(rows)} | {ours:.3f} | {theirs:.3f} | {inside:.2f}x "
            f"| {our_cpu:.3f} | {their_cpu:.3f} | {own:.3f} | {whole:.2f}x |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure; or build once, as the process that is measured whole."""
    if sys.argv[1:2] == ["--build"]:
        build(Path(sys.argv[2]))
    else:
        bench("building", 30, lambda rounds, folder: report(measure(rounds, folder)), __doc__)


if __name__ == "__main__":
    main()
