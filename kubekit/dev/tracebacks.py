"""Tracebacks in the lines of logs: an exception that a request met, found as it is logged. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from kubekit.events import LogLine
from kubekit.rollout.finders.logs import plain

_BEGIN = "Traceback (most recent call last):"
_GROUP = re.compile(rf" *\+ Exception Group {re.escape(_BEGIN)}")
_GROUP_END = re.compile(r" *\+-+")
_LONGEST = 500


@dataclass(frozen=True, kw_only=True)
class Raised:
    """An exception that was logged: all lines of its traceback, the exception itself the last.

    Of a group it is the exception in it that comes last.
    """

    pod: str
    text: str


class Tracebacks:
    """Puts the lines of each container's log together again."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], list[str]] = {}

    def take(self, line: LogLine) -> Raised | None:
        """One line; what it ends, if it ends a traceback. Of a chain each part counts."""
        key = (line.pod, line.container)
        if line.line.strip() == _BEGIN or _GROUP.fullmatch(line.line):
            self._open[key] = [line.line]
            return None
        lines = self._open.get(key)
        if lines is None:
            text = _in_json(line.line)
            return Raised(pod=line.pod, text=text) if text else None
        if len(lines) > _LONGEST:
            del self._open[key]
            return None
        lines.append(line.line)
        if not _ends(lines):
            return None
        del self._open[key]
        return Raised(pod=line.pod, text="\n".join(plain("\n".join(lines))))


def _ends(lines: list[str]) -> bool:
    last = lines[-1]
    if _GROUP.fullmatch(lines[0]):
        return _GROUP_END.fullmatch(last) is not None or not last.startswith(" ")
    return bool(last) and not last.startswith(" ")


def _in_json(line: str) -> str | None:
    """The traceback in a line that is a JSON object, wherever in it; None without one."""
    if not line.startswith("{") or _BEGIN not in line:
        return None
    try:
        found = list(_texts(json.loads(line)))
    except (ValueError, RecursionError):
        return None
    text = next((text for text in found if _BEGIN in text), "")
    return "\n".join(plain(text[text.index(_BEGIN) :].strip())) if text else None


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for one in value.values():
                yield from _texts(one)
        case list():
            for one in value:
                yield from _texts(one)
        case _:
            pass
