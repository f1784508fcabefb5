"""TOML files, read so that nothing in them can surprise: every fault with its place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from kubekit.errors import FilesError, Place, shown
from kubekit.text.read import read_text

_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_toml(path: Path) -> tuple[dict[str, object], str]:
    """What a file holds, and its text.

    Raises:
        FilesError: it cannot be read, or is no TOML.
    """
    text = read_text(path)
    try:
        return tomllib.loads(text), text
    except RecursionError:
        raise FilesError(f"`{shown(path)}` is nested too deeply", place=Place(file=path)) from None
    except ValueError as error:
        message = str(error)
        at = _AT.search(message)
        line = int(at[1]) if at and at[1] else len(text.splitlines()) or 1
        column = int(at[2]) if at and at[2] else None
        cause = _AT.sub("", message)
        raise FilesError(
            f"`{shown(path)}` is no TOML: {cause[:1].lower()}{cause[1:]}",
            place=Place(file=path, line=line, column=column),
        ) from None


def table(data: object, *keys: str) -> Mapping[str, object]:
    """The table at a path; an empty one where there is none, or something else."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def text_at(data: object, *keys: str) -> str | None:
    """The string at a path; None where there is none, or something else."""
    found = table(data, *keys[:-1]).get(keys[-1])
    return found if isinstance(found, str) else None


def tables(value: object) -> list[dict[str, object]]:
    """The tables of an array of tables."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def strings(value: object) -> list[str]:
    """The strings of an array."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def line_of(text: str, key: str, section: str = "") -> int | None:
    """The line of a key, for a note: below the header of its table, if that stands there."""
    header = re.search(rf"^[ \t]*\[{re.escape(section)}\]", text, re.MULTILINE) if section else None
    start = header.end() if header else 0
    pattern = re.compile(rf"^[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*=", re.MULTILINE)
    found = pattern.search(text, start) or header
    return text.count("\n", 0, found.start()) + 1 if found else None
