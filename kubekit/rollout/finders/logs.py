"""What of a log says why the program ended. Pure; Python's own words come first."""

from __future__ import annotations

import re

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_BAR = re.compile(r"^ *(?:\| ?|\+ (?=Exception Group))")
_RULE = re.compile(r"^ *\+[-+]{3,}")
_HEADER = "Traceback (most recent call last):"
_JOINED = re.compile(r"direct cause of the following exception|During handling of the above")
_RAISED = re.compile(
    r"^(?:Uncaught )?(?:[A-Za-z_][\w.]*)?(?:Error|Exception|ExceptionGroup|Exit|Interrupt|Timeout)"
    r"(?: \[\w+\])?(?::|$)|^Exception in thread|^panic: |^thread '.*' panicked"
)
_TOLD = re.compile(r"\b(?:ERROR|CRITICAL|FATAL|Error|error|Fatal|fatal)\b")
# What a server says as it goes, after it has said why.
_FAREWELL = re.compile(
    r"Application startup failed|Worker failed to boot|Shutting down: Master"
    r"|Worker \(pid:\d+\) exited|Reason: Worker|Worker exiting|npm (?:ERR!|error)"
)
_LAST_LINES = 12
_AFTER_LINES = 40
"""A traceback that so many lines follow was only told of: the program went on."""


def last_line(log: str) -> str:
    """The line that says most: a traceback's exception, else the last error, else the last line."""
    lines = [line for line in plain(log) if line.strip()]
    return raised_line(log) or _newest(_TOLD, lines) or (lines[-1].strip() if lines else "")


def raised_line(log: str) -> str:
    """The exception that ended it: of the last traceback, else of any kind; empty without one."""
    lines = [line for line in plain(log) if line.strip()]
    raised = _raised(lines)
    return _newest(_RAISED, lines) if raised is None else lines[raised].strip()


def ending(log: str) -> str:
    """The part that tells why it ended: the last traceback with what led to it, or some lines."""
    lines = [line for line in plain(log) if line.strip()]
    if _raised(lines) is None:
        return "\n".join(lines[-_LAST_LINES:])
    start = _header(lines, len(lines))
    while (earlier := _header(lines, start)) >= 0 and any(
        _JOINED.search(line) for line in lines[earlier:start]
    ):
        start = earlier
    return "\n".join(lines[start:])


def _newest(pattern: re.Pattern[str], lines: list[str]) -> str:
    for line in reversed(lines):
        if pattern.search(line) and not _FAREWELL.search(line):
            return line.strip()
    return ""


def plain(log: str) -> list[str]:
    """The lines of a log without colours and without the frames of exception groups."""
    lines = [_COLOUR.sub("", line) for line in log.splitlines()]
    return [_BAR.sub("", line) for line in lines if not _RULE.match(line)]


def _header(lines: list[str], before: int) -> int:
    """Where the last traceback before that line begins, -1 where there is none."""
    return max((index for index in range(before) if _HEADER in lines[index]), default=-1)


def _raised(lines: list[str]) -> int | None:
    """Where the exception of the last traceback stands, if that is what ended the program."""
    header = _header(lines, len(lines))
    if header < 0:
        return None
    for index in range(header + 1, len(lines)):
        if not lines[index][0].isspace():
            return index if len(lines) - index <= _AFTER_LINES else None
    return None
