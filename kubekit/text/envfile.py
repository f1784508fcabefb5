r"""The `.env` file: `KEY=VALUE` lines, read in this process and never run by a shell.

The grammar, where dialects differ:

* `export KEY=value` is accepted; spaces around `=` and around an unquoted value are dropped.
* `#` starts a comment at the start of a line, after white space, and after a closing quote.
* `'...'` is taken literally; in `"..."` the escapes are `\n`, `\"` and `\\`, all else is literal.
  Both may span lines.
* There is no interpolation: `$` is a character like any other.
* A key twice is an error: dialects disagree on which one counts.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubekit.errors import FilesError, Place
from kubekit.text.read import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SINGLE = re.compile(r"'([^']*+)'")
_DOUBLE = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_ESCAPE = re.compile(r'\\([n"\\])')
# Tried from the first of several spaces alone: a line may have a great many.
_COMMENT = re.compile(r"(?<!\s)\s+#")


@dataclass(frozen=True, kw_only=True)
class EnvFile:
    """The variables of one `.env` in its order.

    Attributes:
        values: name -> value; kept out of `repr`, for they are secrets.
        places: name -> where it is set.
    """

    file: Path
    values: Mapping[str, str] = field(repr=False)
    places: Mapping[str, Place]


class _BadLineError(Exception):
    """The cause why a line cannot be used; never contains any of its text."""


def load(path: Path) -> EnvFile:
    """Read and parse a `.env`.

    Raises:
        FilesError: it cannot be read, or lines in it are wrong, all of them named at once.
    """
    return parse(read_text(path), file=path)


def parse(text: str, *, file: Path) -> EnvFile:
    """Parse the text of a `.env`; `file` is only for the places.

    Raises:
        FilesError: lines are wrong; names each by its number, and none by its content.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    lines = text.split("\n")
    start = 0
    values: dict[str, str] = {}
    places: dict[str, Place] = {}
    problems: list[tuple[Place, str]] = []
    index = 0
    while index < len(lines):
        place = Place(file=file, line=index + 1)
        used = 1
        try:
            entry, used = _entry(lines[index], text, start)
            if entry is not None:
                _keep(*entry, place, values, places)
        except _BadLineError as bad:
            problems.append((place, str(bad)))
        start += sum(len(line) + 1 for line in lines[index : index + used])
        index += used
    if problems:
        raise FilesError.of(problems, hints=("every line is `KEY=value`, a comment or empty",))
    return EnvFile(file=file, values=values, places=places)


def is_world_readable(path: Path) -> bool:
    """Whether every user of this machine may read the file; the caller warns, and goes on."""
    return bool(path.stat().st_mode & stat.S_IROTH)


def _keep(
    name: str, value: str, place: Place, values: dict[str, str], places: dict[str, Place]
) -> None:
    if name in values:
        raise _BadLineError(f"`{name}` is set twice, first in line {places[name].line}")
    values[name] = value
    places[name] = place


def _entry(whole: str, text: str, start: int) -> tuple[tuple[str, str] | None, int]:
    """One name and value, and over how many lines it goes.

    Args:
        whole: its first line.
        text: all of the file, for the closing quote may be lines below.
        start: where in it the line begins.
    """
    line = whole.strip()
    if not line or line.startswith("#"):
        return None, 1
    name, equals, value = re.sub(r"^export\s+", "", line).partition("=")
    if not equals:
        raise _BadLineError("no `=` in this line")
    # The text before `=` is not shown: it may be the rest of a secret that was broken over lines.
    if not _NAME.fullmatch(name.rstrip()):
        raise _BadLineError("no valid name before `=`: letters, digits and `_`, no digit first")
    used = 1
    if value.lstrip()[:1] in {"'", '"'}:
        rest = whole.partition("=")[2].lstrip()
        value, used = _quoted(text, start + len(whole) - len(rest))
    else:
        value = _COMMENT.split(value, maxsplit=1)[0].strip()
    if "\0" in value:
        raise _BadLineError("the value has a NUL character, which no environment can hold")
    return (name.rstrip(), value), used


def _quoted(text: str, start: int) -> tuple[str, int]:
    double = text[start] == '"'
    match = (_DOUBLE if double else _SINGLE).match(text, start)
    if match is None:
        raise _BadLineError(f"the quote {text[start]} is not closed")
    end = text.find("\n", match.end())
    after = text[match.end() : end if end >= 0 else None].strip()
    if after and not after.startswith("#"):
        raise _BadLineError("text after the closing quote")
    value = match[1]
    if double:
        value = _ESCAPE.sub(lambda escape: "\n" if escape[1] == "n" else escape[1], value)
    return value, match[0].count("\n") + 1
