"""What a person, or a program, sees: events as text or as JSON lines. Only user of rich.

Data goes to stdout, all else to stderr. In a terminal prose is wrapped between words, but nothing
is cut and nothing between backticks is broken, so that a path or a command can be copied.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from kubekit.errors import KubekitError
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

if TYPE_CHECKING:
    import rich.console
    import rich.live
    import rich.text

VERSION = 1
"""Of the JSON events: raised when a field changes its meaning or goes."""

_SHOWN_STEPS = 4
_QUIET_SECONDS = 0.3
"""What ends within this time shows no live line: it would only flicker."""
_REPEAT_SECONDS = 10.0
_NARROW = 60
# Escape sequences and control characters: what a program logged must not steer the terminal.
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
# A word, or a span between backticks with what touches it: neither is broken.
_WORDS = re.compile(r"[^\s`]*`[^`]*`[^\s`]*|\S+")


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
            try:
                _put(self._out, json.dumps(data, default=str))
            except KubekitError:
                self._out = sys.stderr  # where the end of the run can still be told
                raise

    def close(self) -> None:
        """Nothing to put back."""


class TextView:
    """Lines for a person; in a terminal also what is being waited for, live below them.

    Args:
        verbosity: -1 only the end and what went wrong, 0 stages and changes, 1 every build line.
    """

    def __init__(self, out: TextIO, err: TextIO, *, verbosity: int) -> None:
        self._out = out
        self._err = err
        self._verbosity = verbosity
        self._lock = threading.Lock()
        self._signs = _signs(err)
        live = err.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._screen: _Screen = _Terminal(err, self._signs) if live else _Plain(err)

    def __call__(self, event: Event, /) -> None:
        """Print what the event means to a person.

        Raises:
            BrokenPipeError: nobody reads stderr any more.
            KubekitError: stdout or stderr cannot be written, as on a full disk.
        """
        with self._lock, _told(self._err, "stderr"):
            self._show(event)

    def close(self) -> None:
        """Take the live lines away."""
        with self._lock, contextlib.suppress(KubekitError), _told(self._err, "stderr"):
            self._screen.rest()

    def _show(self, event: Event) -> None:
        match event:
            case Output(text=text):
                self._screen.rest()
                with contextlib.suppress(BrokenPipeError):  # as in `kubekit render | head`
                    _put(self._out, text.rstrip("\n"))
            case Failed():
                self._screen.rest()
                self._screen.write(_failure(event, self._signs))
            case Warned(text=text, hints=hints):
                lead = f"{self._signs.warn} "
                self._screen.write([_Line(text, lead=lead, style="yellow"), *_hints(hints)])
            case Ended(text=text, seconds=seconds, hints=hints):
                self._screen.rest()
                tail = _seconds(seconds)
                head = _Line(text, lead=f"{self._signs.ok} ", style="bold green", tail=tail)
                self._screen.write([head, *_hints(hints)])
            case _ if self._verbosity >= 0:
                self._work(event)

    def _work(self, event: Event) -> None:
        match event:
            case StageStarted(text=text) | Progress(text=text):
                self._screen.wait_for(text)
            case StageDone(stage=stage, text=text, seconds=seconds, changed=changed):
                self._screen.rest()
                sign = self._signs.ok if changed else self._signs.same
                lead = f"{sign} {stage:<8} "
                style = "green" if changed else "dim"
                line = _Line(text, lead=lead, lead_style=style, tail=_seconds(seconds))
                self._screen.write([line])
            case BuildStep(step=step, state="started"):
                self._screen.begin(step)
            case BuildStep(step=step, state=state, seconds=seconds):
                self._screen.end(step)
                style = {"cached": "dim", "failed": "red"}.get(state, "")
                tail = {"cached": "cached", "failed": "failed"}.get(state, _seconds(seconds))
                self._screen.write([_Line(step, lead="    ", style=style, tail=tail)])
            case BuildLog(step=step, line=line) if self._verbosity <= 0:
                self._screen.printed(step, line)
            case BuildLog(line=line):
                self._screen.write([_evidence(line, self._signs, indent="      ")])
            case ObjectChanged(ref=ref, action=action, detail=detail):
                if action != "unchanged" or self._verbosity > 0:
                    style = "dim" if action == "unchanged" else ""
                    text = f"{ref} {action} {detail}"
                    self._screen.write([_Line(text, lead="    ", style=style)])
            case _:
                pass


def open_view(*, output: str, verbosity: int) -> View:
    """The view for `-o`: ``text`` or ``json``."""
    # A stream that was closed, as by `>&-`, is None.
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
    # YAML and JSON are UTF-8 whatever the locale says; a message says what the locale can.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")
    if output == "json":
        return JsonView(sys.stdout)
    return TextView(sys.stdout, sys.stderr, verbosity=verbosity)


def _put(stream: TextIO, text: str) -> None:
    """Write the text as a line of its own, at once.

    Raises:
        BrokenPipeError: the reader has gone.
        KubekitError: it cannot be written, as on a full disk.
    """
    with _told(stream, "stdout"):
        stream.write(f"{text}\n")
        stream.flush()


@contextlib.contextmanager
def _told(stream: TextIO, name: str) -> Iterator[None]:
    """A stream that cannot be written is given up, and that is told; a reader may just leave."""
    try:
        yield
    except OSError as error:
        discard(stream)
        if isinstance(error, BrokenPipeError):
            raise
        raise KubekitError(f"cannot write to {name}: {error.strerror}", id=name) from error


def discard(*streams: TextIO) -> None:
    """Send what is still written to nowhere, so that Python's exit does not fail on it either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def abandon() -> None:
    """Make the cursor visible on an empty line, at once: for a signal handler that exits."""
    with contextlib.suppress(OSError):
        if os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb":
            os.write(2, b"\r\x1b[J\x1b[?25h")


@dataclasses.dataclass(frozen=True)
class _Line:
    """A line that stays.

    Attributes:
        lead: what it begins with, in a style of its own; `style` where that is empty.
        tail: a remark at its end.
        barred: the lead begins the wrapped rest too.
    """

    text: str
    lead: str
    lead_style: str = ""
    style: str = ""
    tail: str = ""
    barred: bool = False


class _Screen(Protocol):
    """The place for lines that stay and for what is waited for."""

    def write(self, lines: list[_Line]) -> None:
        """Print lines that stay."""

    def wait_for(self, text: str) -> None:
        """Say what is waited for from now on."""

    def begin(self, step: str) -> None:
        """Show a step of a build as running."""

    def printed(self, step: str, line: str) -> None:
        """Show the running step's last line."""

    def end(self, step: str) -> None:
        """Show the step no more."""

    def rest(self) -> None:
        """Nothing is waited for: take the live lines away."""


class _Plain:
    """No terminal: each thing waited for is a line of its own, once, and no line is wrapped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said = ""
        self._at = float("-inf")

    def write(self, lines: list[_Line]) -> None:
        texts = (_clean(f"{line.lead}{line.text} {line.tail}").rstrip() for line in lines)
        self._stream.write("".join(f"{text}\n" for text in texts))
        self._stream.flush()

    def wait_for(self, text: str) -> None:
        now = time.monotonic()
        # Where only a number has moved, as in a pull, a line now and then is enough.
        moved = re.sub(r"\d+", "", text) == re.sub(r"\d+", "", self._said)
        if text == self._said or (moved and now - self._at < _REPEAT_SECONDS):
            return
        self._said, self._at = text, now
        self.write([_Line(text, lead="  ")])

    def begin(self, step: str) -> None:
        pass

    def printed(self, step: str, line: str) -> None:
        pass

    def end(self, step: str) -> None:
        pass

    def rest(self) -> None:
        pass


class _Terminal:
    """A terminal: what is waited for and the running steps of a build, below the lines that stay.

    The live lines are cropped to the width; each of them that matters stays later, in full.
    """

    def __init__(self, stream: TextIO, signs: _Signs) -> None:
        import rich.console

        self._stream = stream
        self._console = rich.console.Console(file=stream, highlight=False, markup=False)
        self._signs = signs
        self._live: rich.live.Live | None = None
        self._text = ""
        self._since = 0.0
        self._steps: dict[str, tuple[float, str]] = {}

    def write(self, lines: list[_Line]) -> None:
        for line in lines:
            for text in _wrapped(line, self._console):
                self._console.print(text, soft_wrap=True)

    def wait_for(self, text: str) -> None:
        import rich.live

        self._text = text
        if self._live is None:
            self._since = time.monotonic()
            self._live = rich.live.Live(
                console=self._console,
                get_renderable=self._render,
                refresh_per_second=8,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
                vertical_overflow="crop",
            )
            self._live.start()

    def begin(self, step: str) -> None:
        self._steps = {**self._steps, step: (time.monotonic(), "")}

    def printed(self, step: str, line: str) -> None:
        if step in self._steps and line.strip():
            self._steps = {**self._steps, step: (self._steps[step][0], line.strip())}

    def end(self, step: str) -> None:
        self._steps = {name: state for name, state in self._steps.items() if name != step}

    def rest(self) -> None:
        self._steps = {}
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._stream.write("\r\x1b[K")  # the ^C that the terminal itself has shown

    def _render(self) -> rich.console.Group:
        from rich.console import Group

        now = time.monotonic()
        if now - self._since < _QUIET_SECONDS:
            return Group()
        sign = self._signs.turning[int(now * 8) % len(self._signs.turning)]
        lines = [self._cropped(f"{sign} ", self._text, _passed(now - self._since))]
        steps = self._steps  # replaced, never changed: this runs in rich's own thread
        for step, (since, said) in list(steps.items())[:_SHOWN_STEPS]:
            lines.append(self._cropped("    ", step, _passed(now - since)))
            if said:
                lines.append(self._cropped(f"      {self._signs.bar} ", said, "", style="dim"))
        if len(steps) > _SHOWN_STEPS:
            lines.append(self._cropped("    ", f"and {len(steps) - _SHOWN_STEPS} more", ""))
        return Group(*lines)

    def _cropped(self, lead: str, text: str, tail: str, style: str = "") -> rich.text.Text:
        from rich.cells import cell_len, set_cell_size
        from rich.text import Text

        text = _clean(text)
        # One column stays free: some terminals wrap when the last one is written.
        room = max(self._console.width - cell_len(lead) - cell_len(tail) - 2, 1)
        if cell_len(text) > room:
            text = set_cell_size(text, max(room - len(self._signs.more), 0)) + self._signs.more
        return Text.assemble((f"{lead}{text}", style), (f" {tail}" if tail else "", "dim"))


def _wrapped(line: _Line, console: rich.console.Console) -> Iterator[rich.text.Text]:
    """The line as what fits into the terminal, broken between words; words are never broken."""
    from rich.cells import cell_len
    from rich.text import Text

    lead, body, tail = _clean(line.lead), _clean(line.text), _clean(line.tail)
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Signs:
    ok: str = "ok"
    same: str = "=="
    warn: str = "warning:"
    bad: str = "error:"
    bar: str = "|"
    more: str = "..."
    turning: str = "|/-\\"


def _signs(stream: TextIO) -> _Signs:
    """Signs the stream's encoding has."""
    signs = _Signs(ok="✓", same="=", warn="!", bad="✗", bar="│", more="…", turning="⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
    try:
        "".join(dataclasses.astuple(signs)).encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return _Signs()
    return signs


def _failure(event: Failed, signs: _Signs) -> list[_Line]:
    """Cause and place, then the evidence, then what to do."""
    lines = [_Line(event.message, lead=f"{signs.bad} ", style="bold red")]
    if event.place:
        lines.append(_Line(f"at {event.place}", lead="  "))
    said = [text for detail in event.details for text in detail.splitlines() or [""]]
    return [*lines, *(_evidence(text, signs, indent="  ") for text in said), *_hints(event.hints)]


def _evidence(text: str, signs: _Signs, *, indent: str) -> _Line:
    """What others said, behind a bar, so that it is not taken for kubekit's own words."""
    return _Line(text, lead=f"{indent}{signs.bar} ", lead_style="dim", barred=True)


def _hints(hints: tuple[str, ...]) -> list[_Line]:
    return [_Line(hint, lead="  hint: ", style="cyan") for hint in hints]


def _clean(text: str) -> str:
    """One line without what would steer a terminal."""
    return _CONTROL.sub("", text).expandtabs(4).replace("\n", " ")


def _seconds(value: float) -> str:
    return f"({value:.1f} s)"


def _passed(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} m {rest:02} s" if minutes else f"{rest} s"
