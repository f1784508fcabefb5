"""Lines that stay on the screen: their signs, what is cleaned out of them, how they are wrapped.

One of the two users of rich.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import rich.console
    import rich.text

_NARROW = 60
# Escape sequences and control characters: what a program logged must not steer the terminal.
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
# A word, or a span between backticks with what touches it: neither is broken.
_WORDS = re.compile(r"[^\s`]*`[^`]*`[^\s`]*|\S+")


@dataclasses.dataclass(frozen=True)
class Line:
    """A line that stays.

    Attributes:
        lead: what it begins with, in a style of its own; `style` where that is empty.
        tail: a remark at its end.
        barred: the lead begins the wrapped rest too.
        one_row: in a terminal what does not fit is left out.
    """

    text: str
    lead: str
    lead_style: str = ""
    style: str = ""
    tail: str = ""
    barred: bool = False
    one_row: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Signs:
    """The signs a stream can show; these are for one that has only ASCII."""

    ok: str = "ok"
    same: str = "=="
    warn: str = "warning:"
    bad: str = "error:"
    bar: str = "|"
    more: str = "..."
    changed: str = "~"
    here: str = "*"
    turning: str = "|/-\\"


def signs_for(stream: TextIO) -> Signs:
    """Signs the stream's encoding has."""
    signs = Signs(
        ok="✓", same="=", warn="!", bad="✗", bar="│", more="…", here="●", turning="⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
    )
    try:
        "".join(dataclasses.astuple(signs)).encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return Signs()
    return signs


def clean(text: str) -> str:
    """One line without what would steer a terminal."""
    if text.isprintable():
        return text
    return _CONTROL.sub("", text).expandtabs(4).replace("\n", " ")


def wrapped(line: Line, console: rich.console.Console) -> Iterator[rich.text.Text]:
    """The line as what fits into the terminal, broken between words; words are never broken."""
    from rich.cells import cell_len
    from rich.text import Text

    lead, body, tail = clean(line.lead), clean(line.text), clean(line.tail)
    width = console.width
    styled = line.lead_style or line.style
    if line.barred:
        text = body.lstrip()
        deep = " " * min(len(body) - len(text), width // 3)
        room = max(width - cell_len(lead) - len(deep), 8)
        for part in Text(text).wrap(console, room) or [Text()]:
            yield Text.assemble((lead, styled), (deep + part.plain, line.style))
        return
    rows = [""]
    used = cell_len(lead)
    # Narrow terminals have no room for a deep indent.
    indent = " " * (used if width >= _NARROW else min(used, 4))
    for word in (*_WORDS.findall(body), *([tail] if tail else [])):
        size = cell_len(word)
        if rows[-1] and used + 1 + size > width:
            rows.append("")
            used = len(indent)
        gap = " " if rows[-1] else ""
        rows[-1] += gap + word
        # The terminal itself goes on in the next row with a word that is longer than its own.
        used = (used + len(gap) + size - 1) % width + 1
    if cell_len(f"{lead}{body} {tail}".rstrip()) <= width:
        rows = [f"{body} {tail}".rstrip() if tail else body]
    for number, row in enumerate(rows):
        last = number == len(rows) - 1
        end = tail if tail and last else ""
        yield Text.assemble(
            (indent if number else lead, "" if number else styled),
            (row.removesuffix(end), line.style),
            (end, "dim"),
        )


def cells(text: str) -> int:
    """How many columns of a terminal it takes."""
    from rich.cells import cell_len

    return cell_len(text)


def fitted(text: str, room: int, signs: Signs) -> str:
    """The text, or as much of it as there is room for and a sign that there is more."""
    from rich.cells import set_cell_size

    if cells(text) <= room:
        return text
    return set_cell_size(text, max(room - len(signs.more), 0)) + signs.more


def cropped(line: Line, width: int, signs: Signs) -> rich.text.Text:
    """The line as one row: of its text what has no room is left out, lead and tail are whole."""
    from rich.text import Text

    # One column stays free: some terminals wrap when the last one is written.
    room = max(width - cells(line.lead) - cells(line.tail) - 2, 1)
    tail = (f" {line.tail}" if line.tail else "", "dim")
    text = fitted(clean(line.text), room, signs)
    return Text.assemble((f"{line.lead}{text}", line.style), tail)
