"""What the soak of `kubekit dev` is made of: edits that can always be done, and its report."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.cluster.dev import soaked
from tests.cluster.dev.files import Files
from tests.cluster.dev.harness import look
from tests.cluster.dev.soaked import Part


def edited(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr("time.sleep", lambda _: None)
    source = folder / "src"
    source.mkdir(parents=True)
    files = Files(source, folder / "aside", random.Random(7))
    for _ in range(200):
        files.any()
    return look(source)


def test_any_number_of_edits_can_be_done_and_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = edited(tmp_path / "first", monkeypatch)
    assert first
    assert edited(tmp_path / "again", monkeypatch) == first


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(soaked, "kept", lambda: tmp_path)
    return tmp_path


@pytest.mark.usefixtures("kept")
def test_a_part_is_played_again_if_it_failed_or_was_changed() -> None:
    head = soaked.commit().rstrip("+")
    assert not soaked.has_passed(1)
    soaked.keep(Part(seed=1, commit=head, failed="why"))
    soaked.keep(Part(seed=2, commit=f"{head}+"))
    assert not soaked.has_passed(1)
    assert not soaked.has_passed(2)


@pytest.mark.usefixtures("kept")
def test_the_page_has_a_row_for_each_part_and_for_each_kind_of_edit() -> None:
    held = dict.fromkeys(soaked.HELD, 1.0)
    soaked.keep(Part(seed=2, commit="abc", edits={"say": 3, "kill": 1}, failed="a | b"))
    soaked.keep(Part(seed=1, commit="abc", edits={"say": 2}, quiet=2, before=held, after=held))
    page = soaked.document(soaked.parts())
    assert "6 edits, 2 quiet points, 1 failures" in page
    assert "| say | 2 | 3 | 5 |" in page
    assert "| kill | 0 | 1 | 1 |" in page
    widths = {line.count("|") for line in page.splitlines() if line.startswith("| ")}
    assert widths == {5, 14}
