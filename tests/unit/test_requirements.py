"""docs/requirements.md has every row that was asked for, each looked at by a run."""

from __future__ import annotations

import re

import pytest

from tests.requirements import REPORT, ROWS, static

WANTED = {"a": 15, "b": 6, "c": 13, "d": 16, "e": 12}


def columns(letter: str) -> list[list[str]]:
    """The rows of one project's table in the document."""
    text = REPORT.read_text().partition(f"<!-- {letter} -->")[2].partition(f"<!-- /{letter} -->")[0]
    lines = [line for line in text.splitlines() if line.startswith(f"| {letter.upper()}")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize("letter", ROWS)
def test_every_requirement_has_its_row(letter: str) -> None:
    wanted = [f"{letter.upper()}{number}" for number in range(1, WANTED[letter] + 1)]
    assert [row.id for row in ROWS[letter]] == wanted


@pytest.mark.parametrize("letter", ROWS)
def test_the_document_says_what_the_rows_say(letter: str) -> None:
    written = columns(letter)
    rows = ROWS[letter]
    assert [tuple(cells[:4]) for cells in written] == [static(row) for row in rows], (
        f"run `python -m tests.requirements --only {letter} --write`"
    )
    unseen = [row.id for row, cells in zip(rows, written, strict=True) if row.look and not cells[4]]
    assert not unseen
