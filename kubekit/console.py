"""What a person, or a program, sees: events as text or as JSON lines. Only user of rich.

Data goes to stdout, all else to stderr. Long lines are the terminal's business: nothing is cut, so
that a path or a command can be copied.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
from typing import Protocol, TextIO

from kubekit.events import (
    BuildLog,
    BuildStep,
    Ended,
    Event,
    Failed,
    ObjectChanged,
    Output,
    Progress,
    StageDone,
    StageStarted,
    Warned,
)

VERSION = 1
"""Of the JSON events: raised when a field changes its meaning or goes."""


class View(Protocol):
    """Shows events until it is closed."""

    def __call__(self, event: Event, /) -> None:
        """Show one event."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class JsonView:
    """One JSON object a line on stdout, each with ``v``, ``type`` and the event's own fields."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def __call__(self, event: Event, /) -> None:
        """Print the event as one line."""
        data = {"v": VERSION, "type": event.type, **dataclasses.asdict(event)}
        with self._lock:
            self._out.write(json.dumps(data, default=str) + "\n")
            self._out.flush()

    def close(self) -> None:
        """Nothing to put back."""


class TextView:
    """Lines for a person; in a terminal also one live line of what is being waited for.

    Args:
        verbosity: -1 only the end and what went wrong, 0 stages and changes, 1 every build line.
    """

    def __init__(self, out: TextIO, err: TextIO, *, verbosity: int) -> None:
        self._out = out
        self._err = err
        self._verbosity = verbosity
        self._lock = threading.Lock()
        self._live = _live(err)
        self._marks = _marks(err)

    def __call__(self, event: Event, /) -> None:
        """Print what the event means to a person."""
        with self._lock:
            self._show(event)

    def close(self) -> None:
        """Take the live line away."""
        self._live.stop()

    def _show(self, event: Event) -> None:
        if isinstance(event, Output):
            self._live.stop()
            self._out.write(event.text.rstrip("\n") + "\n")
            self._out.flush()
        elif isinstance(event, Failed):
            self._live.stop()
            self._write(_failure(event, self._marks))
        elif isinstance(event, Warned):
            self._write([(f"{self._marks.warn} {event.text}", "yellow"), *_hints(event.hints)])
        elif isinstance(event, Ended):
            self._live.stop()
            head = f"{self._marks.ok} {event.text} {_seconds(event.seconds)}"
            self._write([(head, "bold"), *_hints(event.hints)])
        elif self._verbosity >= 0:
            self._work(event)

    def _work(self, event: Event) -> None:
        match event:
            case StageStarted(text=text) | Progress(text=text):
                self._live.say(text)
            case StageDone(stage=stage, text=text, seconds=seconds, changed=changed):
                self._live.stop()
                mark = self._marks.ok if changed else self._marks.same
                self._write([(f"{mark} {stage:<8} {text} {_seconds(seconds)}", "")])
            case BuildStep(step=step, state="started"):
                self._live.say(step)
            case BuildStep(step=step, state=state, seconds=seconds):
                dim = "dim" if state == "cached" else ""
                took = "cached" if state == "cached" else _seconds(seconds)
                self._write([(f"    {step} {took}", "red" if state == "failed" else dim)])
            case BuildLog(line=line):
                if self._verbosity > 0:
                    self._write([(f"      {line}", "dim")])
            case ObjectChanged(ref=ref, action=action, detail=detail):
                if action != "unchanged" or self._verbosity > 0:
                    self._write([(f"    {ref} {action} {detail}".rstrip(), "")])
            case _:
                pass

    def _write(self, lines: list[tuple[str, str]]) -> None:
        self._live.write(lines)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Marks:
    ok: str
    same: str
    warn: str
    bad: str


def _marks(stream: TextIO) -> _Marks:
    """Signs the stream's encoding has."""
    try:
        "✓✗".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return _Marks(ok="ok", same="==", warn="warning:", bad="error:")
    return _Marks(ok="✓", same="=", warn="!", bad="✗")


class _Live(Protocol):
    """The place for lines that stay and for the one that is replaced."""

    def say(self, text: str) -> None: ...

    def write(self, lines: list[tuple[str, str]]) -> None: ...

    def stop(self) -> None: ...


class _Plain:
    """No terminal: each thing waited for is a line of its own, once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said = ""

    def say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self.write([(f"  {text}", "")])

    def write(self, lines: list[tuple[str, str]]) -> None:
        self._stream.write("".join(f"{text}\n" for text, _ in lines))
        self._stream.flush()

    def stop(self) -> None:
        pass


class _Terminal:
    """A terminal: one line with what is waited for and for how long, below the lines that stay."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False, markup=False, soft_wrap=True)
        self._status: object = None

    def say(self, text: str) -> None:
        from rich.progress import Progress as Bar
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        if not isinstance(self._status, Bar):
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                TimeElapsedColumn(),
            )
            self._status = Bar(*columns, console=self._console, transient=True)
            self._status.add_task(text)
            self._status.start()
        else:
            self._status.update(self._status.task_ids[0], description=text)

    def write(self, lines: list[tuple[str, str]]) -> None:
        for text, style in lines:
            self._console.print(text, style=style or None, soft_wrap=True)

    def stop(self) -> None:
        from rich.progress import Progress as Bar

        if isinstance(self._status, Bar):
            self._status.stop()
            self._status = None


def _live(stream: TextIO) -> _Live:
    if stream.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return _Terminal(stream)
    return _Plain(stream)


def open_view(*, output: str, verbosity: int) -> View:
    """The view for `-o`: ``text`` or ``json``."""
    if output == "json":
        return JsonView(sys.stdout)
    return TextView(sys.stdout, sys.stderr, verbosity=verbosity)


def _failure(event: Failed, marks: _Marks) -> list[tuple[str, str]]:
    lines = [(f"{marks.bad} {event.message}", "bold red")]
    if event.place:
        lines.append((f"  at {event.place}", ""))
    lines += [(f"  {detail}", "") for detail in event.details]
    return [*lines, *_hints(event.hints)]


def _hints(hints: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(f"  hint: {hint}", "cyan") for hint in hints]


def _seconds(value: float) -> str:
    return f"({value:.1f} s)"
