"""`kubekit dev` beside 30,000 files: from a save to what it does about it, and what it costs idle.

The files lie beside the sources, where `.dockerignore` leaves them out, or within the folder that
is synced. "Seen" is from the save until its `files-changed` line has arrived; idle is half a minute
without a save: what it takes of one core, and the memory it holds at the end.

    python -m tests.bench.dev_idle [--rounds N] [--write]
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.devrun import Side, dev, settle, small_project, told
from tests.bench.plain import bench, where_and_when

NAME = "bench-dev"
FILES = 30_000
IDLE_SECONDS = 30.0
_PER_FOLDER = 20
_QUIET_SECONDS = 5.0
TREES = {
    "no other files": "",
    f"{FILES:,} files beside the sources, ignored": "node_modules",
    f"{FILES:,} files in the synced folder": "src/files",
}


@dataclass(frozen=True, kw_only=True)
class Found:
    """Seconds until each save was seen and was live; share of a core and MB while idle."""

    seen: list[float]
    live: list[float]
    share: float
    size: float


def fill(folder: Path) -> None:
    """Many small files in many folders."""
    for number in range(FILES):
        file = folder / f"part-{number // _PER_FOLDER}" / f"file-{number % _PER_FOLDER}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number}\n" * 20)


def cpu_seconds(pid: int) -> float:
    """What a process and those that it has waited for took of all cores, as Linux counts it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def megabytes(pid: int) -> float:
    """The memory that a process holds."""
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return resident * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(tree: str, rounds: int, folder: Path) -> Found:
    """Save in turn, then do nothing."""
    small_project(folder, NAME)
    if tree:
        fill(folder / tree)
    seen, live = [], []
    with dev(folder) as run:
        side = Side(name="kubekit", file=folder / "src/app/main.py", port=run.port)
        for number in range(rounds):
            settle()
            start, seconds = side.edit(f"mark-{number}-")
            live.append(seconds)
            seen.append(run.until("files-changed", start)[0] - start)
            run.calm(start)
        time.sleep(_QUIET_SECONDS)
        pid, before, at = run.process.pid, cpu_seconds(run.process.pid), time.perf_counter()
        time.sleep(IDLE_SECONDS)
        share = (cpu_seconds(pid) - before) / (time.perf_counter() - at)
        return Found(seen=seen, live=live, share=share, size=megabytes(pid))


def report(rounds: int, folder: Path) -> str:
    """A table of medians and worst, and of what an idle run takes."""
    lines = [
        where_and_when(),
        "",
        "| tree | edits | seen | worst | live | worst | idle: share of a core | memory |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for number, (name, tree) in enumerate(TREES.items()):
        found = measure(tree, rounds, folder / str(number))
        lines.append(
            f"| {name} | {rounds} | {told(found.seen)} | {told(found.live)} "
            f"| {found.share:.2%} | {found.size:.0f} MB |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    bench("dev idle", 20, report, __doc__)
