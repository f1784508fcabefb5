"""The catalogue is whole: every row of the study, every id that is raised, every text."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

from kubekit.api import refusals
from kubekit.rollout import preflight
from kubekit.rollout.catalogue import CATALOGUE, CAUSES
from kubekit.rollout.cause import Cause

PACKAGE = Path(__file__).parents[2] / "kubekit"
ROWS = 82


def test_every_row_of_the_study_is_some_entry() -> None:
    covered = {row for cause in CATALOGUE for row in cause.rows}
    assert sorted(set(range(1, ROWS + 1)) - covered) == []
    assert covered <= set(range(1, ROWS + 1))


def test_every_id_that_is_raised_is_an_entry() -> None:
    raised = {name for part in ("api", "rollout") for name in ids_in(PACKAGE / part)}
    raised |= set(refusals._FIXES) | set(refusals._ADMISSION) | set(preflight._MISFITS.values())
    assert {"api-lost", "api-refused", "api-invalid", "still-deleting", "api-immutable"} <= raised
    assert raised - set(CAUSES) == set()


def ids_in(folder: Path) -> Iterator[str]:
    """What is given as `id` of an error, and whatever else is called as those of the API are."""
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "id":
                yield from (item.value for item in ast.walk(node.value) if is_text(item))
            elif is_text(node) and re.fullmatch("api-[a-z]+", node.value):
                yield node.value


def is_text(node: ast.AST) -> TypeGuard[TextNode]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


class TextNode(ast.Constant):
    value: str


@pytest.mark.parametrize("cause", CATALOGUE, ids=lambda cause: cause.id)
def test_every_entry_says_what_it_is(cause: Cause) -> None:
    for text in (cause.signals, cause.cause, cause.fix):
        assert text
        assert not text.endswith(".")
        assert text.count("`") % 2 == 0
        assert [name for _, name, _, _ in string.Formatter().parse(text) if name == ""] == []
    assert cause.exit_code in (0, 2, 5, 6, 7, 8, 10)
