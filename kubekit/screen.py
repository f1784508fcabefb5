"""The screen: lines that stay, and below them, in a terminal, what is being waited for.

Knows nothing of events. Only user of rich.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    import rich.console
    import rich.live
    import rich.text

_SHOWN_STEPS = 4
_SHOWN_ROWS = 4
"""Of what the running steps print, shared among them."""
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
class _Running:
    """A step of a build that runs, and the last lines that it printed."""

    since: float
    said: tuple[str, ...] = ()

    def printing(self, line: str) -> _Running:
        return dataclasses.replace(self, said=(*self.said, line)[-_SHOWN_ROWS:])


class Screen(Protocol):
    """The place for lines that stay and for what is waited for."""

    def write(self, lines: list[Line]) -> None:
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


class Plain:
    """No terminal: each thing waited for is a line of its own, once, and no line is wrapped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said = ""
        self._at = float("-inf")

    def write(self, lines: list[Line]) -> None:
        """Print lines that stay."""
        texts = (_clean(f"{line.lead}{line.text} {line.tail}").rstrip() for line in lines)
        self._stream.write("".join(f"{text}\n" for text in texts))
        self._stream.flush()

    def wait_for(self, text: str) -> None:
        """Say what is waited for from now on."""
        now = time.monotonic()
        # Where only a number has moved, as in a pull, a line now and then is enough.
        moved = re.sub(r"\d+", "", text) == re.sub(r"\d+", "", self._said)
        if text == self._said or (moved and now - self._at < _REPEAT_SECONDS):
            return
        self._said, self._at = text, now
        self.write([Line(text, lead="  ")])

    def begin(self, step: str) -> None:  # noqa: ARG002 - of the protocol
        """A step of a build runs: it is told when it ends, and before if that takes long."""
        self._at = time.monotonic()

    def printed(self, step: str, line: str) -> None:
        """Show now and then what a running step prints, as a sign of life."""
        now = time.monotonic()
        if line.strip() and now - self._at >= _REPEAT_SECONDS:
            self._at = now
            self.write([Line(f"{step}: {line.strip()}", lead="    ")])

    def end(self, step: str) -> None:
        """Show the step no more."""

    def rest(self) -> None:
        """Take the live lines away."""


class Terminal:
    """A terminal: what is waited for and the running steps of a build, below the lines that stay.

    The live lines are cropped to the width; each of them that matters stays later, in full.
    """

    def __init__(self, stream: TextIO, signs: Signs) -> None:
        import rich.console

        self._stream = stream
        self._console = rich.console.Console(file=stream, highlight=False, markup=False)
        self.signs_for = signs
        self._live: rich.live.Live | None = None
        self._text = ""
        self._since = 0.0
        self._steps: dict[str, _Running] = {}

    def write(self, lines: list[Line]) -> None:
        """Print lines that stay."""
        for line in lines:
            rows = [self._row(line)] if line.one_row else _wrapped(line, self._console)
            for text in rows:
                self._console.print(text, soft_wrap=True)

    def wait_for(self, text: str) -> None:
        """Say what is waited for from now on."""
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
        """Show a step of a build as running."""
        self._steps = {**self._steps, step: _Running(since=time.monotonic())}

    def printed(self, step: str, line: str) -> None:
        """Show the running step's last line."""
        if step in self._steps and line.strip():
            self._steps = {**self._steps, step: self._steps[step].printing(line.strip())}

    def end(self, step: str) -> None:
        """Show the step no more."""
        self._steps = {name: state for name, state in self._steps.items() if name != step}

    def rest(self) -> None:
        """Take the live lines away."""
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
        sign = self.signs_for.turning[int(now * 8) % len(self.signs_for.turning)]
        lines = [self._cropped(f"{sign} ", self._text, _passed(now - self._since))]
        steps = self._steps  # replaced, never changed: this runs in rich's own thread
        rows = max(_SHOWN_ROWS // min(len(steps) or 1, _SHOWN_STEPS), 1)
        for step, running in list(steps.items())[:_SHOWN_STEPS]:
            lines.append(self._cropped("    ", step, _passed(now - running.since)))
            lead = f"      {self.signs_for.bar} "
            lines += [self._cropped(lead, said, "", "dim") for said in running.said[-rows:]]
        if len(steps) > _SHOWN_STEPS:
            lines.append(self._cropped("    ", f"and {len(steps) - _SHOWN_STEPS} more", ""))
        return Group(*lines)

    def _row(self, line: Line) -> rich.text.Text:
        return self._cropped(line.lead, line.text, line.tail, line.style)

    def _cropped(self, lead: str, text: str, tail: str, style: str = "") -> rich.text.Text:
        from rich.cells import cell_len, set_cell_size
        from rich.text import Text

        text = _clean(text)
        # One column stays free: some terminals wrap when the last one is written.
        room = max(self._console.width - cell_len(lead) - cell_len(tail) - 2, 1)
        if cell_len(text) > room:
            text = (
                set_cell_size(text, max(room - len(self.signs_for.more), 0)) + self.signs_for.more
            )
        return Text.assemble((f"{lead}{text}", style), (f" {tail}" if tail else "", "dim"))


def _wrapped(line: Line, console: rich.console.Console) -> Iterator[rich.text.Text]:
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
class Signs:
    """The signs a stream can show; these are for one that has only ASCII."""

    ok: str = "ok"
    same: str = "=="
    warn: str = "warning:"
    bad: str = "error:"
    bar: str = "|"
    more: str = "..."
    turning: str = "|/-\\"


def signs_for(stream: TextIO) -> Signs:
    """Signs the stream's encoding has."""
    signs = Signs(ok="✓", same="=", warn="!", bad="✗", bar="│", more="…", turning="⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
    try:
        "".join(dataclasses.astuple(signs)).encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return Signs()
    return signs


def _clean(text: str) -> str:
    """One line without what would steer a terminal."""
    return _CONTROL.sub("", text).expandtabs(4).replace("\n", " ")


def _passed(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} m {rest:02} s" if minutes else f"{rest} s"
