"""The screen: lines that stay, and below them, in a terminal, what is being waited for.

Knows nothing of events. With lines.py, the user of rich.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TextIO

from kubekit.lines import Line, Signs, clean, cropped, wrapped
from kubekit.live import Live

if TYPE_CHECKING:
    import rich.text

_SHOWN_STEPS = 4
_SHOWN_ROWS = 4
"""Of what the running steps print, shared among them."""
_QUIET_SECONDS = 0.3
"""What ends within this time shows no live line: it would only flicker."""
_REPEAT_SECONDS = 10.0

StatusRow = Callable[[int], list[tuple[str, str]]]
"""What stands at the bottom of a terminal of this width: pieces of text, each with its style."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Running:
    """A step of a build that runs, and the last lines that it printed."""

    since: float
    said: tuple[str, ...] = ()

    def printing(self, line: str) -> _Running:
        return dataclasses.replace(self, said=(*self.said, line)[-_SHOWN_ROWS:])


class Screen(Protocol):
    """The place for lines that stay and for what is waited for.

    Attributes:
        live: whether a status is seen; where it is not, what it would say must be a line.
    """

    live: bool

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
        """Nothing is waited for: take the live lines away, but not the status."""

    def status(self, row: StatusRow | None) -> None:
        """Show this at the bottom from now on, or nothing."""

    def stream(self, text: str, *, lead: str = "", style: str = "") -> None:
        """Print a line behind its lead, which has the style: fast, and never wrapped by us."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Plain:
    """No terminal: each thing waited for is a line of its own, once, and no line is wrapped."""

    live = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said = ""
        self._at = float("-inf")

    def write(self, lines: list[Line]) -> None:
        """Print lines that stay."""
        texts = (clean(f"{line.lead}{line.text} {line.tail}").rstrip() for line in lines)
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

    def status(self, row: StatusRow | None) -> None:
        """There is no place for it."""

    def stream(self, text: str, *, lead: str = "", style: str = "") -> None:  # noqa: ARG002 - of the protocol
        """Print a line behind its lead."""
        self._stream.write(f"{lead}{clean(text)}\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing to put back."""


class Terminal:
    """A terminal: what is waited for, the running steps of a build, and at the bottom the status.

    These live lines are cropped to the width; each of them that matters stays later, in full.
    """

    live = True

    def __init__(self, stream: TextIO, signs: Signs) -> None:
        import rich.console

        self._stream = stream
        self._console = rich.console.Console(file=stream, highlight=False, markup=False)
        self._signs = signs
        self._text: str | None = None
        self._since = 0.0
        self._steps: dict[str, _Running] = {}
        self._status: Callable[[int], str] | None = None
        self._styled = functools.lru_cache(maxsize=256)(self._one)
        self._live = Live(stream, self._rows, lambda: self._text is not None)
        self.suspend, self.resume = self._live.suspend, self._live.resume

    def write(self, lines: list[Line]) -> None:
        """Print lines that stay."""
        texts: list[rich.text.Text] = []
        for line in lines:
            if line.one_row:
                texts.append(cropped(line, self._console.width, self._signs))
            else:
                texts += wrapped(line, self._console)
        self._live.write("".join(f"{self._ansi(text)}\n" for text in texts))

    def wait_for(self, text: str) -> None:
        """Say what is waited for from now on."""
        if self._text is None:
            self._since = time.monotonic()
        self._text = text
        self._live.watch()

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
        """Take what is waited for away."""
        self._steps = {}
        self._text = None
        self._live.wipe()

    def status(self, row: StatusRow | None) -> None:
        """Show this at the bottom from now on, or nothing."""
        self._status = functools.lru_cache(maxsize=1)(self._fitted(row)) if row else None
        self._live.show()

    def stream(self, text: str, *, lead: str = "", style: str = "") -> None:
        """Print a line behind its lead; many of them are written together."""
        self._live.stream(f"{self._styled(lead, style)}{clean(text)}\n")

    def close(self) -> None:
        """Take all live lines away."""
        self._steps, self._text, self._status = {}, None, None
        self._live.close()

    def _fitted(self, row: StatusRow) -> Callable[[int], str]:
        from rich.text import Text

        return lambda width: self._ansi(Text.assemble(*row(width)))

    def _one(self, text: str, style: str) -> str:
        from rich.text import Text

        return self._ansi(Text(text, style))

    def _ansi(self, text: rich.text.Text) -> str:
        with self._console.capture() as captured:
            self._console.print(text, soft_wrap=True, end="")
        return captured.get()

    def _rows(self) -> list[str]:
        rows = [self._ansi(text) for text in self._activity()]
        return [*rows, self._status(self._console.width)] if self._status else rows

    def _activity(self) -> list[rich.text.Text]:
        now = time.monotonic()
        if self._text is None or now - self._since < _QUIET_SECONDS:
            return []
        sign = self._signs.turning[int(now * 8) % len(self._signs.turning)]
        lines = [Line(self._text, lead=f"{sign} ", tail=_passed(now - self._since))]
        steps = self._steps  # replaced, never changed: this runs in the thread that draws
        rows = max(_SHOWN_ROWS // min(len(steps) or 1, _SHOWN_STEPS), 1)
        for step, running in list(steps.items())[:_SHOWN_STEPS]:
            lines.append(Line(step, lead="    ", tail=_passed(now - running.since)))
            lead = f"      {self._signs.bar} "
            lines += [Line(said, lead=lead, style="dim") for said in running.said[-rows:]]
        if len(steps) > _SHOWN_STEPS:
            lines.append(Line(f"and {len(steps) - _SHOWN_STEPS} more", lead="    "))
        return [cropped(line, self._console.width, self._signs) for line in lines]


def _passed(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} m {rest:02} s" if minutes else f"{rest} s"
