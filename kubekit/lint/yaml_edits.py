"""Putting a field into an object where it stands in a file: comments and formatting stay.

Only where that is plain to see: in block style, below a key whose line is literal. Whether the
objects are afterwards what they were, but for the field, `fixing` makes sure of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from kubekit.lint.objects import at
from kubekit.lint.rule import Edit, Wish
from kubekit.text.strictyaml import FieldPath

_KEY = r"(?P<indent>\s*(?:-\s+)*)(?P<quote>[\"']?){key}(?P=quote):(?P<value>(?:\s.*)?)"
_STEP = 2


def insertion(wish: Wish, lines: Sequence[str]) -> Edit | None:
    """The edit that puts the field into the file; None where that is not plain to see."""
    depth = len(wish.path)
    while depth and not isinstance(at(wish.manifest.data, *wish.path[:depth]), dict):
        depth -= 1
    above, missing = wish.path[:depth], wish.path[depth:]
    if any(not isinstance(key, str) for key in missing):
        return None
    for after, number, indent in _neighbours(wish, above, lines):
        new = tuple(_nested(missing, wish.value, indent))
        first = number + 1 if after else number
        return Edit(file=wish.manifest.origin.file, first=first, old=(), new=new)
    return None


def _nested(keys: FieldPath, value: bool | str, indent: int) -> Iterator[str]:
    for depth, key in enumerate(keys):
        text = str(value).lower() if isinstance(value, bool) else value
        shown = f" {text}" if depth == len(keys) - 1 else ""
        yield f"{' ' * (indent + depth * _STEP)}{key}:{shown}"


def _neighbours(
    wish: Wish, above: FieldPath, lines: Sequence[str]
) -> Iterator[tuple[bool, int, int]]:
    """Where a line may go: after or before which line, and its indentation; the best one first."""
    fields = at(wish.manifest.data, *above)
    before: list[tuple[bool, int, int]] = []
    for key, value in fields.items():
        place = wish.manifest.places.get((*above, key))
        if place is None or place.line is None or place.file != wish.manifest.origin.file:
            continue
        if not 0 < place.line <= len(lines):
            continue
        match = re.fullmatch(_KEY.format(key=re.escape(key)), lines[place.line - 1])
        if match is None or "\t" in match["indent"]:
            continue
        indent = len(match["indent"])
        if _ends_here(match["value"], value, lines[place.line :], indent):
            yield True, place.line, indent
        elif "-" not in match["indent"]:
            before.append((False, place.line, indent))
    yield from before


def _ends_here(text: str, value: Any, below: Sequence[str], indent: int) -> bool:
    """Whether the value ends with its line."""
    if isinstance(value, dict | list) or not text.strip() or text.strip()[0] in "|>&*{[#!":
        return False
    if "{%" in text or "{#" in text:
        return False
    following = next((line for line in below if line.strip()), "")
    return len(following) - len(following.lstrip()) <= indent
