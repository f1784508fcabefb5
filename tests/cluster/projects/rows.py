"""A row of the table of requirements: what was asked, and what looks whether it is so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.cluster.projects.facts import Facts

Look = Callable[[Facts], str]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One requirement.

    Attributes:
        id: such as ``A1``.
        asked: what was asked for, in short.
        check: the id of `kubekit verify`'s check, or ``own`` for one that is only here.
        settled: the contradiction, and how it is settled; empty where it is as asked for.
        open: what of it was not shown, or not on every machine; its checks passed all the same.
        of: the letter of the project whose image it is about; empty for its own.
        look: looks, and says what was seen; raises where it is not so. None: it is not ours to run.
    """

    id: str
    asked: str
    check: str = "own"
    settled: str = ""
    look: Look | None = None
    open: str = ""
    of: str = ""


def verified(id_: str, title: str, *ids: str, settled: str = "") -> Row:
    """A requirement that checks of `kubekit verify` cover."""

    def look(facts: Facts) -> str:
        found = [facts.report[one] for one in ids]
        wrong = [f"{one.id}: {one.text}" for one in found if one.status not in ("passed", "told")]
        assert not wrong, wrong
        return "; ".join(one.text for one in found)

    return Row(id=id_, asked=title, check=", ".join(ids), settled=settled, look=look)


def own(
    id_: str, title: str, *, settled: str = "", open_: str = "", of: str = ""
) -> Callable[[Look], Row]:
    """A requirement with a check that is only here."""
    return lambda look: Row(id=id_, asked=title, settled=settled, look=look, open=open_, of=of)


def says(text: str, *words: str) -> None:
    """All of these are in it."""
    missing = [word for word in words if word not in text]
    assert not missing, f"{missing} not in {text!r}"
