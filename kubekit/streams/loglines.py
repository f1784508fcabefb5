"""The lines of a container's log: cut out of what arrives, and told from those seen before. Pure.

The API stamps each line with the time its runtime noted, to the nanosecond, but can only leave out
what is older than a whole second: a log that is asked for again begins with lines that are known.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 256 * 1024
"""Bytes of one line that are kept; the rest is only counted."""
OVERLAP = 16 * 1024
"""So much more is kept at first: what is masked may stand across the cut."""

_SECOND = len("2026-11-21T20:33:34")
_FRACTION = len(".123456789")


class Line(NamedTuple):
    """One line as the API sends it.

    Attributes:
        at: when, RFC 3339; empty where the API has put no time before it.
        text: without its end.
        left_out: bytes of it that were not kept.
    """

    at: str
    text: bytes
    left_out: int = 0


class Cutter:
    """Cuts lines out of chunks, and keeps of none more than `longest` bytes."""

    def __init__(self, longest: int = LONGEST + OVERLAP) -> None:
        self._longest = longest
        self._open = bytearray()
        self._left_out = 0

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """The lines that end in this chunk."""
        first, end, others = chunk.partition(b"\n")
        self._keep(first)
        if not end:
            return
        yield self._close()
        *whole, last = others.split(b"\n")
        for text in whole:
            yield _stamped(text[: self._longest], max(0, len(text) - self._longest))
        self._keep(last)

    def rest(self) -> Line | None:
        """What has come of a line that has no end, if there is any."""
        return self._close() if self._open else None

    def _keep(self, part: bytes) -> None:
        room = self._longest - len(self._open)
        self._open += part[:room]
        self._left_out += max(0, len(part) - room)

    def _close(self) -> Line:
        line = _stamped(bytes(self._open), self._left_out)
        self._open.clear()
        self._left_out = 0
        return line


def _stamped(raw: bytes, left_out: int) -> Line:
    at, _, text = raw.partition(b" ")
    # What has no time is the node's own word, or the rest of a line that began before what was
    # asked for: a runtime cuts long lines, and the API puts the time before the first piece only.
    if at[4:5] != b"-" or at[10:11] != b"T" or not at.isascii():
        return Line("", raw, left_out)
    return Line(at.decode(), text, left_out)


class Seen:
    """How far a log has been read, however it is asked for again.

    What is asked for begins with a second, one before that of the newest line, because two streams
    of a container may reach the file in another order than that of their times. From there on the
    file is the same sequence again, so a count tells where the new lines begin. Where the file is
    not the same any more, as it was rotated, the times tell.
    """

    def __init__(self) -> None:
        self.end = ""
        """The time of the last line in the order of the file; empty before the first one."""
        self._newest = ""
        self._from = ""
        self._seconds: dict[str, tuple[int, str]] = {}

    @property
    def since(self) -> str:
        """From when on to ask for it again; empty before the first line."""
        zone = self._newest[_SECOND + _FRACTION :]
        return f"{self._from}{zone}" if self.end else ""

    def take(self, at: str) -> None:
        """Note a line that was handed on."""
        self.end = at
        self._newest = max(at, self._newest)
        second = at[:_SECOND]
        count, first = self._seconds.get(second, (0, at))
        if not count:
            self._move(second)
        if second >= self._from:
            self._seconds[second] = count + 1, first

    def sieve(self) -> Sieve:
        """What tells the lines that are known from the new ones, when it is asked for again."""
        count = sum(count for count, _ in self._seconds.values())
        first = next((first for _, first in self._seconds.values()), "")
        return Sieve(newest=self._newest, first=first, count=count)

    def _move(self, second: str) -> None:
        """A second that had no line yet: forget what is older than will be asked for."""
        if second != self._newest[:_SECOND]:
            return
        before = dt.datetime.fromisoformat(second) - dt.timedelta(seconds=1)
        self._from = before.isoformat()
        self._seconds = {key: kept for key, kept in self._seconds.items() if key >= self._from}


class Sieve:
    """Tells new lines from known ones in one answer, which begins with known ones.

    Args:
        newest: the newest time of a known line.
        first: the time of the first known line, in the order of the file, that the answer may hold.
        count: how many known lines there are from there on.
    """

    def __init__(self, *, newest: str, first: str, count: int) -> None:
        self._newest = newest
        self._first = first
        self._left = count
        self._met = False

    def is_new(self, at: str) -> bool:
        """Whether the next line of the answer, noted at this time, is new."""
        if at > self._newest:
            self._left = 0
        elif self._met or at == self._first:
            self._met = True
        else:  # before what was known, or left of it after a rotation
            return False
        if not self._left:
            self._met = True
            self._newest = ""
            return True
        self._left -= 1
        return False
