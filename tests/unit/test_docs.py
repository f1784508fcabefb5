"""The generated parts of the documents are what the code says."""

from __future__ import annotations

import pytest

from kubekit.cli import app
from tests.docs import GENERATED, ROOT, exit_codes, generated


@pytest.mark.parametrize("document", GENERATED)
def test_generated_parts_are_up_to_date(document: str) -> None:
    assert (ROOT / document).read_text() == generated(document), "run `python -m tests.docs`"


def test_the_help_lists_the_same_exit_codes() -> None:
    for row in exit_codes().splitlines()[2:]:
        _, code, text, _ = (cell.strip() for cell in row.split("|"))
        assert f"\n{code:>4}  {text}" in app.EXIT_CODES
