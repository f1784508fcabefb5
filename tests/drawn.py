"""Series of which a run of all tests plays one: which one, a lot decides that the commit is.

Each commit draws another one, so that all come round. Whoever names a test, or asks for
`--rounds 3`, gets what was named as a whole.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import TypeVar

import pytest

SERIES: Mapping[str, Mapping[str, re.Pattern[str]]] = {
    # Each is a Minikube to start, and gigabytes of images for its node.
    "profile": {
        "x": re.compile(r"/cli/test_profiles\.py::"),
        "containerd": re.compile(r"/cluster/.*[\[-]containerd\]"),
        "two-node": re.compile(r"/cluster/.*[\[-]two-node\]"),
    },
    # Each is built, with all its packages, from nothing.
    "project": {
        **{letter: re.compile(rf"/cluster/projects/.*\[{letter}\]") for letter in "abce"},
        "d": re.compile(r"/cluster/projects/(test_todo\.py::|.*\[d\])"),
    },
}
"""What tests of each part of each series are called."""

_LOT = pytest.StashKey[int | None]()
_Part = TypeVar("_Part")


def pytest_configure(config: pytest.Config) -> None:
    given: Mapping[str, int | None] = getattr(config, "workerinput", {})
    config.stash[_LOT] = given["lot"] if "lot" in given else _lot(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: pytest.Item) -> None:
    """Tell a worker of xdist, which sees a commit that somebody makes meanwhile."""
    vars(node)["workerinput"]["lot"] = node.config.stash[_LOT]


def pytest_report_header(config: pytest.Config) -> str | None:
    lot = config.stash[_LOT]
    if lot is None:
        return None
    mine = ", ".join(f"{name} {one(config, name, tuple(parts))}" for name, parts in SERIES.items())
    return f"drawn: {mine} (again: --lot {lot}; all of them: make soak)"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for name, parts in SERIES.items():
        played = one(config, name, tuple(parts))
        if played is None:
            continue
        for part, called in parts.items():
            why = f"{name} {part}: for `make soak`, for this run drew {played}"
            for item in items:
                if part != played and called.search(item.nodeid):
                    item.add_marker(pytest.mark.skip(reason=why))


def one(config: pytest.Config, name: str, parts: Sequence[_Part]) -> _Part | None:
    """The part of a series that this run plays; None if it is to play them all."""
    return None if config.stash[_LOT] is None else chance(config, name).choice(parts)


def some(config: pytest.Config, name: str, of: Sequence[_Part], count: int) -> list[_Part]:
    """As many of them as this run plays, in their order; all if it is to play them all."""
    if config.stash[_LOT] is None:
        return list(of)
    places = chance(config, name).sample(range(len(of)), min(count, len(of)))
    return [of[place] for place in sorted(places)]


def chance(config: pytest.Config, name: str) -> random.Random:
    """What is by chance in this run, and the same each time it is drawn again."""
    return random.Random(f"{config.stash[_LOT]} {name}")


def _lot(config: pytest.Config) -> int | None:
    if config.getoption("--rounds") > 1:
        return None
    given: int | None = config.getoption("--lot")
    if given is None and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        asked = ["git", "rev-parse", "--short=8", "HEAD"]
        told = subprocess.run(
            asked, cwd=config.rootpath, capture_output=True, text=True, check=False
        )
        return int(told.stdout.strip() or "0", 16)  # 0 in a folder that was copied without Git
    return given
