"""What the chaos on the cluster keeps of each moment, and its report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cluster import chaotic
from tests.cluster.chaotic import Cycles, Moment
from tests.cluster.test_chaos import stage_of


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(chaotic, "kept", lambda: tmp_path)
    return tmp_path


def play(moment: Moment | Cycles, *, ends: bool = True) -> None:
    with chaotic.keeping(moment):
        if not ends:
            raise AssertionError("a | b\nmore")


@pytest.mark.usefixtures("kept")
def test_a_moment_is_played_again_if_it_failed_or_was_changed() -> None:
    head = Moment(seed=0).commit.rstrip("+")
    with pytest.raises(AssertionError):
        play(Moment(seed=1, commit=head), ends=False)
    play(Moment(seed=2, commit=f"{head}+"))
    play(Cycles(seed=3, commit=head))
    play(Moment(seed=4, commit="0123456"))  # it is in no branch any more
    assert not any(chaotic.has_passed(Moment, seed) for seed in range(5))
    assert [one.failed for one in chaotic.all_of(Moment)] == ["a | b", "", ""]


@pytest.mark.usefixtures("kept")
def test_the_page_counts_what_was_killed_and_what_was_left() -> None:
    play(Moment(seed=1, commit="abc", command="dev", during="apply", found=3, updated=True))
    play(Moment(seed=2, commit="abc", command="dev", during="over", found=9, left=["Secret/x"]))
    with pytest.raises(AssertionError):
        play(Moment(seed=0, commit="abc", command="teardown", during="teardown"), ends=False)
    play(Cycles(seed=1, commit="abc", count=10, others=8))
    page = chaotic.document(chaotic.all_of(Moment), chaotic.all_of(Cycles))
    assert "3 moments and 10 cycles, 1 failures" in page
    assert "| `dev` | 1 | 1 | 3 to 9 | 1 |" in page
    assert "| `dev` | apply | 1 |" in page
    assert "| `dev` | an update | 0.00 s | apply | 3 |" in page
    assert "failed: a / b |" in page


def test_the_stage_of_a_kill_is_the_last_that_was_told_whole() -> None:
    events = [{"type": "stage-started", "stage": "build"}, {"type": "progress", "stage": "x"}]
    said = "\n".join(map(json.dumps, events))
    assert stage_of("") == "start"
    assert stage_of(f'{said}\n{{"type": "stage-st') == "build"
    assert stage_of(f'{said}\n{{"type": "watching"}}') == "watching"
