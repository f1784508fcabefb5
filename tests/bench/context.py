"""Walking, hashing and packing a build context of 22,000 files, beside a bare walk over them.

python -m tests.bench.context [--rounds N] [--files N]
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from kubekit.image.changes import Memory, Record
from kubekit.image.files import context
from kubekit.image.files.dockerignore import Ignore
from kubekit.image.files.hashes import HashCache, fingerprints
from kubekit.image.files.walk import walk
from kubekit.model import BuildSettings

PER_FOLDER = 10
"""Files in a folder, about as many as in a real `node_modules`."""


def make(root: Path, files: int) -> None:
    """A small backend beside many files of up to 6,000 bytes."""
    chosen = random.Random(1)
    (root / "app").mkdir(parents=True)
    (root / "app/main.py").write_text("print(1)\n")
    for number in range(files):
        folder = root / "node_modules" / f"p{number // 100}" / f"lib{number // PER_FOLDER % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.js").write_bytes(chosen.randbytes(chosen.randint(100, 6000)))


def bare(folder: str) -> int:
    """What no walk can do without: list each folder, ask for the status of each file."""
    count = 0
    with os.scandir(folder) as entries:
        for entry in list(entries):
            entry.stat(follow_symlinks=False)
            count += 1
            if entry.is_dir(follow_symlinks=False):
                count += bare(entry.path)
    return count


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of one run, on the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(root: Path, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """For each case, in turn, what its runs took."""
    whole, some = root / "Dockerfile", root / "Dockerfile.app"
    whole.write_text("FROM scratch\nCOPY . /srv\n")
    some.write_text("FROM scratch\nCOPY app /srv\n")

    def plan(dockerfile: Path) -> object:
        return context.plan(BuildSettings(context=root, dockerfile=dockerfile), name="bench")

    made = context.plan(BuildSettings(context=root, dockerfile=whole), name="bench")
    known, memory = HashCache.of(root, whole), Memory(root.parent / "record")
    time.sleep(2.5)  # what has just been written is not remembered

    def cold() -> None:
        known.file.unlink(missing_ok=True)
        plan(whole)

    cases: dict[str, Callable[[], object]] = {
        "bare walk": lambda: bare(str(root)),
        "plan, COPY . /srv, cold": cold,
        "walk and hash of it, warm": lambda: fingerprints(walk(root, Ignore()), known, {}),
        "plan, COPY . /srv, warm": lambda: plan(whole),
        "plan, COPY app /srv": lambda: plan(some),
        "record written": lambda: memory.write(Record.of(made, {})),
        "record read": memory.read,
        "tar": lambda: sum(map(len, context.tar(made))),
    }
    found: dict[str, list[tuple[float, float]]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case, work in cases.items():
            found[case].append(timed(work))
    return found


def report(found: dict[str, list[tuple[float, float]]]) -> str:
    """A table: seconds, and how many times as long as the bare walk of the same round."""
    lines = ["| case | fastest | median | processor | / bare walk |", "|---|---|---|---|---|"]
    walks = [wall for wall, _ in found["bare walk"]]
    for case, runs in found.items():
        walls, cpus = zip(*runs, strict=True)
        ratio = statistics.median(wall / walk for wall, walk in zip(walls, walks, strict=True))
        lines.append(
            f"| {case} | {min(walls):.3f} | {statistics.median(walls):.3f} "
            f"| {min(cpus):.3f} | {ratio:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--files", type=int, default=22_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        root = Path(folder) / "project"
        make(root, arguments.files)
        print(report(measure(root, arguments.rounds)))


if __name__ == "__main__":
    main()
