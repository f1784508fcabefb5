"""Build arguments in a `FROM`: what they stand for, as the Dockerfile reference has it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

PREDEFINED = frozenset(
    f"{which}{what}"
    for which in ("TARGET", "BUILD")
    for what in ("PLATFORM", "OS", "ARCH", "VARIANT", "OSVERSION")
) | {"TARGETSTAGE"}
"""Build arguments that have a value, which only the builder knows, without being declared."""
_VARIABLE = re.compile(
    r"\\(?P<escaped>.)"
    # A word as long as no image's name is: of many that are never closed, each is read in vain.
    r"|\$(?:(?P<plain>\w+)|\{(?P<name>\w+)(?:(?P<colon>:?)(?P<op>[-+])(?P<word>[^}]{0,500}))?\})"
)
# What is left of a reference where something is missing: `python:`, `/app`, `python:-slim`.
_HOLE = re.compile(r"(?:^|[:/@])(?:[:/@.-]|$)|[._-](?:[:/@]|$)")


def expand(text: str, scope: Mapping[str, str]) -> str:
    """Put in the values; a variable without one is empty."""

    def replaced(match: re.Match[str]) -> str:
        if match["escaped"]:
            return match["escaped"]
        value = scope.get(match["plain"] or match["name"])
        there = bool(value) if match["colon"] else value is not None
        if match["op"] == "+":
            return match["word"] if there else ""
        if match["op"] == "-" and not there:
            return match["word"]
        return value or ""

    return _VARIABLE.sub(replaced, text)


def reference(text: str, scope: Mapping[str, str]) -> str:
    """The image that is meant; empty if a variable without a value leaves a hole in its name."""
    names = (match["plain"] or match["name"] for match in _VARIABLE.finditer(text))
    meant = expand(text, scope)
    lacks = any(name and not scope.get(name) for name in names)
    return "" if lacks and _HOLE.search(meant) else meant
