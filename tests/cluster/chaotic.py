"""What kills and bystanders have shown: kept as they end, and written down as docs/chaos.md.

python -m tests.cluster.chaotic
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.cluster import played
from tests.conftest import ROOT

DOCUMENT = ROOT / "docs/chaos.md"
HEAD = """\
# Killed at any moment, and beside others

On a real Minikube `build-and-apply`, `dev` and `teardown` are killed with -9 at random moments: of
a first release, or of an update, where something ran already, a value or the number of replicas has
changed and a manifest was taken away. Half the times the next run is a `build-and-apply`, which
must end Ready with the app answering, and with what was taken away pruned; each time the next
`teardown` must leave nothing in the namespace, by every kind that the API server knows, nor the
namespace, nor a lock on this machine; and after it a `build-and-apply` must end Ready once more.

Beside them, apply, prune and teardown are repeated in a namespace with objects of kubectl, of Helm
and of an operator, some with copies of kubekit's labels: each must be byte for byte the same after
every cycle, but for its resourceVersion.

A moment follows from its seed alone. `make soak` plays what has not passed since kubekit or these
tests were changed, so that it may be interrupted, and writes this page; do not edit it. A commit
with a `+` was played with changes to it.
"""
PLAYED = (
    "kubekit",
    *(
        f"tests/cluster/{name}.py"
        for name in ("conftest", "leftovers", "server", "test_bystanders", "test_chaos")
    ),
)
"""What decides about how they end."""

_HEAD = ("seed", "began (UTC)", "commit")


@dataclass(kw_only=True)
class Shown:
    """What one test has shown; `failed` is what it ended with if not well."""

    seed: int
    commit: str = field(default_factory=lambda: played.commit(PLAYED))
    began: str = field(default_factory=lambda: f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M}")
    seconds: float = 0
    failed: str = ""


@dataclass(kw_only=True)
class Moment(Shown):
    """One kill.

    Attributes:
        updated: something ran already, and was changed since.
        after: seconds from the start of the command to its kill.
        during: the stage that it was in; `over` if the run had ended by then.
        found: how many objects were in the namespace after the kill.
        applied: the next run was a build-and-apply.
        left: what was there after the next teardown.
    """

    command: str = ""
    updated: bool = False
    after: float = 0
    during: str = ""
    found: int = 0
    applied: bool = False
    left: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Cycles(Shown):
    """Cycles of apply, prune and teardown beside others, all of whose objects stayed the same."""

    count: int = 0
    others: int = 0


_Shown = TypeVar("_Shown", bound=Shown)


def kept() -> Path:
    """The folder where the results are kept."""
    return ROOT / ".pytest_cache/d/chaos"


@contextlib.contextmanager
def keeping(shown: _Shown) -> Iterator[_Shown]:
    """What is kept, however it ends."""
    began = time.monotonic()
    try:
        yield shown
    except BaseException as error:
        shown.failed = str(error).partition("\n")[0][:200] or type(error).__name__
        raise
    finally:
        shown.seconds = time.monotonic() - began
        folder = kept() / type(shown).__name__.lower()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{shown.seed}.json").write_text(json.dumps(asdict(shown), indent=1))


def all_of(kind: type[_Shown]) -> list[_Shown]:
    """All that are kept of this kind, by their seeds."""
    files = (kept() / kind.__name__.lower()).glob("*.json")
    return sorted((kind(**json.loads(file.read_text())) for file in files), key=_seed)


def has_passed(kind: type[Shown], seed: int) -> bool:
    """Whether it need not be played again: it passed, and nothing has changed since."""
    return any(
        one.seed == seed and not one.failed and played.is_the_same(one.commit, PLAYED)
        for one in all_of(kind)
    )


def document(moments: list[Moment], cycles: list[Cycles]) -> str:
    """The page."""
    failed = sum(bool(one.failed) for one in (*moments, *cycles))
    count = sum(one.count for one in cycles)
    lines = [
        HEAD,
        f"{len(moments)} moments and {count} cycles, {failed} failures.",
        "",
        *_table(("command", "killed", "over before", "objects then", "left after teardown")),
        *(_row(_of_command(name, moments)) for name in sorted({one.command for one in moments})),
        "",
        "## What they were at when they were killed",
        "",
        *_table(("command", "stage", "times")),
        *(_row((*key, times)) for key, times in sorted(_stages(moments).items())),
        "",
        "## Cycles beside others",
        "",
        *_table(("part", *_HEAD[1:], "cycles", "others' objects", "failure")),
        *(_row((*_head(one), one.count, one.others, _failure(one))) for one in cycles),
        "",
        "## Each moment",
        "",
        *_table((*_HEAD, "command", "of", "after", "stage", "objects then")),
        *(_row((*_head(one), *_moment(one))) for one in moments),
        "",
    ]
    return "\n".join(lines)


def _seed(shown: Shown) -> int:
    return shown.seed


def _of_command(command: str, moments: Iterable[Moment]) -> tuple[object, ...]:
    mine = [one for one in moments if one.command == command]
    over = sum(one.during == "over" for one in mine)
    found = [one.found for one in mine]
    left = sum(len(one.left) for one in mine)
    return f"`{command}`", len(mine) - over, over, f"{min(found)} to {max(found)}", left


def _stages(moments: Iterable[Moment]) -> Counter[tuple[str, str]]:
    return Counter((f"`{one.command}`", one.during) for one in moments if one.during != "over")


def _head(shown: Shown) -> tuple[object, ...]:
    return shown.seed, shown.began, shown.commit


def _moment(one: Moment) -> tuple[object, ...]:
    ended = f"{one.found}; failed: {_failure(one)}" if one.failed else one.found
    of = "an update" if one.updated else "a first release"
    return f"`{one.command}`", of, f"{one.after:.2f} s", one.during, ended


def _failure(shown: Shown) -> str:
    return shown.failed.replace("|", "/") or "none"


def _table(names: tuple[str, ...]) -> list[str]:
    return [_row(names), "|---" * len(names) + "|"]


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Write the page of all that is kept."""
    moments, cycles = all_of(Moment), all_of(Cycles)
    if not moments:
        sys.exit("nothing of it was played yet: `make soak`")
    DOCUMENT.write_text(document(moments, cycles))
    print(f"{len(moments)} moments in {DOCUMENT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
