"""Globs with many wildcards, matched in one pass. Pure.

A regular expression tries every way in which they may share the path out: with twenty stars in a
line, for longer than anybody waits. Docker's engine knows no such pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

STAR, DEEP, REST = "[^/]*", "(?:.*/)?", ".*"
"""How the wildcards that take any number of characters are translated."""

CHARACTERS = re.compile(r"[*?\[]")
"""What makes a pattern of a path in a `COPY`."""

IN_RULES = re.compile(r"[*?\[\]\\]")
"""What makes one of a line of a `.dockerignore`."""

MANY = 3
"""Up to so many of them a regular expression is as quick as can be."""


class Steps:
    """A glob as its pieces: each leads from the places in the path that were reached to others.

    Args:
        pieces: regular expressions for one character each, and the wildcards above.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        self._pieces = [
            one if one in (STAR, DEEP, REST) else re.compile(one, re.ASCII | re.DOTALL)
            for one in pieces
        ]

    def fullmatch(self, path: str) -> object | None:
        """Whether all of the path is matched: it, or None."""
        at = {0}
        for piece in self._pieces:
            if not at:
                return None
            if isinstance(piece, str):
                at = set(_reached(piece, at, path))
            else:
                at = {place + 1 for place in at if piece.match(path, place)}
        return path if len(path) in at else None


def _reached(wildcard: str, at: set[int], path: str) -> Iterable[int]:
    first = min(at)
    if wildcard == REST:
        return range(first, len(path) + 1)
    if wildcard == DEEP:
        return at | {place + 1 for place in range(first, len(path)) if path[place] == "/"}
    found, going = [], False
    for place in range(first, len(path) + 1):
        going = place in at or (going and path[place - 1] != "/")
        if going:
            found.append(place)
    return found
