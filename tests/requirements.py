"""The table of what was asked for, A1 to E12, made by looking: docs/requirements.md.

    python -m tests.requirements [--only LETTERS] [--write]

Each project is copied, files that must not get into an image are laid beside its sources, it is
built with no cache in the lab's Docker, and every row looks at its files, its image, or containers
of it. A row that fails is shown, the exit code is 1, and nothing is written.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import lab
from kubekit.cluster.dockerenv import docker_env
from kubekit.model import Cancel, DockerEndpoint
from lab import furtherbases
from tests.cluster.projects import rows_ab, rows_cd, rows_e
from tests.cluster.projects.facts import Facts, made
from tests.cluster.projects.five import FIVE
from tests.cluster.projects.rows import Row
from tests.docs import ROOT, put

REPORT = ROOT / "docs" / "requirements.md"
ROWS: Mapping[str, tuple[Row, ...]] = {
    "a": rows_ab.A,
    "b": rows_ab.B,
    "c": rows_cd.C,
    "d": rows_cd.D,
    "e": rows_e.E,
}
TAGS = {
    "a": "quantum-router-backend:test",
    "b": "quantum-router:summary",
    "c": "second-brain:test",
    "d": "todo-backend:local",
    "e": "taskboard:test",
}
_HEAD = ("| id | asked for | check | outcome | seen |", "|---|---|---|---|---|")
_ABOUT = """\
# What was asked for, row by row

Five backends were asked for: A, the plan of quantum-router; B, its summary; C, second-brain; D,
todo-backend; E, taskboard. They are `tests/projects/a-*` to `e-*`. What contradicts itself or does
not work is settled; X1 to X20 say which of it, and why. `own` is a check of this table alone, every
other name one of `kubekit verify`. Nothing here is typed: `python -m tests.requirements --write`
looks at each of them and writes this page.
"""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A row that was looked at.

    Attributes:
        seen: what was seen; empty where nothing was run.
        wrong: why it is not so; empty where it is.
    """

    row: Row
    seen: str = ""
    wrong: str = ""

    @property
    def outcome(self) -> str:
        """The fourth column."""
        if self.wrong:
            return "FAILED"
        return outcome(self.row)


def outcome(row: Row) -> str:
    """What a row that is so says: passed, passed as settled, open in part, or only named."""
    if row.look is None:
        return f"named, not run: {row.settled}"
    if row.open:
        return f"OPEN: {row.open}"
    return f"pass, settled: {row.settled}" if row.settled else "pass"


def static(row: Row) -> tuple[str, ...]:
    """The columns that no run changes."""
    return tuple(_cell(text) for text in (row.id, row.asked, row.check, outcome(row)))


def line(found: Found) -> str:
    """One row of the table."""
    cells = (*static(found.row)[:3], _cell(found.outcome), _cell(found.seen or found.wrong))
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def look(row: Row, facts: Facts) -> Found:
    """One row, looked at."""
    if row.look is None:
        return Found(row=row)
    try:
        return Found(row=row, seen=row.look(facts))
    except Exception as error:  # noqa: BLE001 - whatever it was, the row is not so
        return Found(row=row, wrong=f"{type(error).__name__}: {error}")


@contextlib.contextmanager
def projects(
    letters: str, endpoint: DockerEndpoint, bases: frozenset[str]
) -> Iterator[dict[str, Facts]]:
    """Each of them built, and its image gone afterwards."""
    found: dict[str, Facts] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            for five in FIVE:
                if five.letter in letters:
                    args = {} if furtherbases.BOOKWORM in bases else five.other
                    tag = TAGS[five.letter]
                    found[five.letter] = made(five, endpoint, Path(folder), tag=tag, args=args)
            yield found
        finally:
            for facts in found.values():
                facts.run("image", "rm", "-f", facts.tag, check=False)


def needed(letters: str) -> str:
    """With those whose images their rows are about."""
    return "".join(sorted({*letters, *(row.of for one in letters for row in ROWS[one])} - {""}))


def looked(letters: str, endpoint: DockerEndpoint, bases: frozenset[str]) -> dict[str, list[Found]]:
    """All rows of these projects."""
    with projects(needed(letters), endpoint, bases) as facts:
        found: dict[str, list[Found]] = {}
        for letter in letters:
            for row in ROWS[letter]:
                one = look(row, facts[row.of or letter])
                found.setdefault(letter, []).append(one)
                print(line(one), flush=True)
        return found


def leading(endpoint: DockerEndpoint) -> dict[str, str]:
    """What leads `docker` there."""
    env = {"DOCKER_HOST": endpoint.host}
    if endpoint.cert_path is not None:
        env |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(endpoint.cert_path)}
    return env


def when() -> str:
    """The day and the commit: of the start of a run, as others may commit meanwhile."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    return f"{dt.datetime.now(dt.UTC).date()}, commit {commit.stdout.strip()}"


def section(rows: list[Found], began: str) -> str:
    """The part of the document that is about one project."""
    said = {
        "pass, settled": "pass as settled",
        "pass": "pass as asked for",
        "OPEN": "are open in part",
        "named": "are named and not run",
    }
    kinds = [next(word for word in said if one.outcome.startswith(word)) for one in rows]
    counts = ", ".join(
        f"{kinds.count(kind)} {text}" for kind, text in said.items() if kind in kinds
    )
    head = f"{began}: of {len(rows)} rows {counts}."
    return "\n".join(["", head, "", *_HEAD, *map(line, rows), ""])


def write(found: Mapping[str, list[Found]], began: str) -> None:
    """Put what was found in its place in the document."""
    text = REPORT.read_text() if REPORT.exists() else empty()
    text = _ABOUT + text[text.index("\n## ") :]
    for letter, rows in found.items():
        text = put(text, letter, section(rows, began))
    REPORT.write_text(text)


def empty() -> str:
    """The document before anything was looked at."""
    marks = {five: f"<!-- {five.letter} -->\n<!-- /{five.letter} -->\n" for five in FIVE}
    heads = (f"## {five.letter.upper()}: {five.name}\n\n{mark}" for five, mark in marks.items())
    return "\n".join([_ABOUT, *heads])


def main() -> int:
    """Look, and write the page if it is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="abcde", help="letters of projects")
    parser.add_argument("--write", action="store_true", help=f"into {REPORT.name}")
    arguments = parser.parse_args()
    began = when()
    os.environ.update(lab.environment())
    endpoint = docker_env(os.environ["KUBEKIT_PROFILE"], cancel=Cancel())
    bases = furtherbases.load(leading(endpoint))
    found = looked(arguments.only, endpoint, bases)
    wrong = [one for rows in found.values() for one in rows if one.wrong]
    if wrong:
        print(f"{len(wrong)} rows failed", file=sys.stderr)
        return 1
    if arguments.write:
        with (ROOT / ".venv" / "requirements.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be at other projects
            write(found, began)
    return 0


if __name__ == "__main__":
    sys.exit(main())
