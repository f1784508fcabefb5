"""Running a case, and what is seen of it, for the tests and for docs/bad-input.md.

`python -m tests.cli.seen` writes the page anew, from real runs; it needs the lab.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import lab
from tests.cli.cases import CASES, CLUSTER_CASES, Case
from tests.cli.world import World
from tests.conftest import ROOT, Result

PAGE = ROOT / "docs" / "bad-input.md"
_HEAD = """\
# What you see when something is wrong

Each block is what kubekit really printed, not typed by hand: `python -m tests.cli.seen` writes this
page, and the tests compare it with what is printed now. `exit N` is the exit code. The first line
is the cause, `at` is where it stands, what is behind a bar was said by others or is more of the
same, and `hint:` lines say what to do.
"""


def run(case: Case, world: World) -> Result:
    """Make the mistake and run the command."""
    case.make(world)
    return (world.run if case.privileged else world.run_without_privilege)(*case.run)


def block(case: Case, world: World, result: Result) -> str:
    """The part of the page about this case."""
    said = result.err.replace(str(world.folder), "/home/you/tasks")
    lines = [line.rstrip() for line in said.splitlines()]
    start = next((at for at, line in enumerate(lines) if line.startswith("✗ ")), 0)
    shown = "\n".join(line.replace(world.name, "tasks") for line in lines[start:])
    command = " ".join(("kubekit", *case.run))
    return f"## {case.wrong}\n\n```console\n$ {command}\n{shown}\n[exit {result.code}]\n```\n"


def _write() -> None:
    found = {**os.environ, **lab.environment()}
    parts = [_HEAD]
    for case in (*CASES, *CLUSTER_CASES):
        with tempfile.TemporaryDirectory() as folder:
            world = World.make(Path(folder), case.id, found if case in CLUSTER_CASES else None)
            parts.append(block(case, world, run(case, world)))
    PAGE.write_text("\n".join(parts))


if __name__ == "__main__":
    _write()
