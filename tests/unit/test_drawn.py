"""Of our own test run: which part of each series it plays."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests import drawn


def config(*, rounds: int = 1, lot: int | None = None, named: bool = False) -> Any:
    """The part of pytest's configuration that decides."""
    sources = pytest.Config.ArgsSource
    made = SimpleNamespace(
        stash=pytest.Stash(),
        rootpath=drawn.__file__.rpartition("/")[0],
        args_source=sources.ARGS if named else sources.TESTPATHS,
        getoption=lambda name: {"--rounds": rounds, "--lot": lot}[name],
    )
    drawn.pytest_configure(made)
    return made


def test_a_run_of_all_tests_plays_one_and_says_which() -> None:
    mine = config()
    played = drawn.one(mine, "profile", ("x", "containerd", "two-node"))
    assert f"profile {played}" in str(drawn.pytest_report_header(mine))
    assert drawn.one(mine, "profile", ("x", "containerd", "two-node")) == played


def test_every_one_comes_round() -> None:
    lots = [config(lot=lot) for lot in range(40)]
    for name, parts in drawn.SERIES.items():
        assert {drawn.one(lot, name, tuple(parts)) for lot in lots} == set(parts)


@pytest.mark.parametrize("whole", [config(rounds=3), config(rounds=3, lot=1), config(named=True)])
def test_what_is_named_and_what_is_played_in_rounds_is_played_as_a_whole(whole: Any) -> None:
    assert drawn.one(whole, "project", "abcde") is None
    assert drawn.pytest_report_header(whole) is None


def test_of_a_long_series_some_are_drawn_in_their_order_and_all_come_round() -> None:
    many = "abcdefghi"
    played = [drawn.some(config(lot=lot), "faults", many, 2) for lot in range(80)]
    assert all(len(each) == 2 and each == sorted(each) for each in played)
    assert set(many) == {one for each in played for one in each}
    assert drawn.some(config(lot=1), "faults", "a", 2) == ["a"]


@pytest.mark.parametrize("whole", [config(rounds=3), config(named=True)])
def test_of_what_is_named_none_of_a_long_series_is_left_out(whole: Any) -> None:
    assert drawn.some(whole, "faults", "abc", 2) == ["a", "b", "c"]


def test_what_is_not_drawn_is_skipped_with_the_way_to_play_it() -> None:
    class Item:
        def __init__(self, nodeid: str) -> None:
            self.nodeid, self.marks = nodeid, list[Any]()

        def add_marker(self, mark: Any) -> None:
            self.marks.append(mark)

    one_each = {
        ("profile", "x"): "tests/cli/test_profiles.py::test_x",
        ("profile", "containerd"): "tests/cluster/test_nodes.py::test_x[containerd]",
        ("profile", "two-node"): "tests/cluster/test_nodes.py::test_x[two-node]",
        ("project", "a"): "tests/cluster/projects/test_five.py::test_x[a]",
        ("project", "b"): "tests/cluster/projects/test_five.py::test_x[b]",
        ("project", "c"): "tests/cluster/projects/test_requirements.py::test_x[c]",
        ("project", "d"): "tests/cluster/projects/test_todo.py::test_x",
        ("project", "e"): "tests/cluster/projects/test_requirements.py::test_x[e]",
    }
    mine = config(lot=7)
    items: dict[tuple[str, str], Any] = {part: Item(name) for part, name in one_each.items()}
    always: Any = Item("tests/cluster/test_build.py::test_x[e]")
    drawn.pytest_collection_modifyitems(mine, [*items.values(), always])
    drew = {name: drawn.one(mine, name, tuple(parts)) for name, parts in drawn.SERIES.items()}
    for (name, part), item in items.items():
        assert bool(item.marks) == (part != drew[name])
        assert all("make soak" in mark.kwargs["reason"] for mark in item.marks)
    assert always.marks == []


def test_a_worker_draws_what_the_whole_run_drew() -> None:
    whole = config(lot=5)
    node: Any = SimpleNamespace(config=whole, workerinput={})
    drawn.pytest_configure_node(node)
    worker: Any = SimpleNamespace(stash=pytest.Stash(), workerinput=node.workerinput)
    drawn.pytest_configure(worker)
    for name, parts in drawn.SERIES.items():
        assert drawn.one(worker, name, tuple(parts)) == drawn.one(whole, name, tuple(parts))
