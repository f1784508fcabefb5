"""What a terminal and its scrollback hold after lines have gone by above what is drawn."""

from __future__ import annotations

import errno
import io
import time

import pyte
import pytest

from kubekit.console import TextView
from kubekit.events import Reported, StageStarted, Synced, Watching
from kubekit.lines import Line, Signs
from kubekit.live import Live
from kubekit.screen import Terminal

STATUS = "* live"


class Tty(io.StringIO):
    """A terminal of 20 rows, on which kubekit writes."""

    columns = 40

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.shown = pyte.HistoryScreen(self.columns, 20, history=100_000, ratio=1)
        self._reader = pyte.Stream(self.shown)

    def isatty(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        self.writes += 1
        self._reader.feed(text.replace("\n", "\r\n"))
        return len(text)

    @property
    def gone_by(self) -> list[str]:
        """The scrollback above the screen."""
        rows = self.shown.history.top
        return ["".join(row[x].data for x in range(self.columns)).rstrip() for row in rows]

    @property
    def rows(self) -> list[str]:
        """The screen, without what is empty."""
        return [row.rstrip() for row in self.shown.display if row.strip()]


@pytest.fixture(autouse=True)
def _colourless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(Tty.columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")


def test_a_burst_is_whole_in_order_and_written_in_few_pieces() -> None:
    tty = Tty()
    terminal = Terminal(tty, Signs())
    terminal.status(lambda _width: [(STATUS, "")])
    lines = [f"line {number}" for number in range(5000)]
    for line in lines:
        terminal.stream(line, lead="pod | ")
    terminal.write([Line("after it", lead="! ")])
    assert tty.rows[-1] == STATUS
    assert tty.writes < len(lines)
    terminal.close()
    assert tty.gone_by + tty.rows == [*(f"pod | {line}" for line in lines), "! after it"]
    assert not tty.shown.cursor.hidden


def test_a_lone_line_does_not_wait_for_another() -> None:
    tty = Tty()
    terminal = Terminal(tty, Signs())
    terminal.stream("one")
    assert tty.rows == ["one"]
    terminal.close()


def test_drawing_goes_on_after_a_hiccup_of_the_terminal() -> None:
    class Failing(Tty):
        failures = 0

        def write(self, text: str, /) -> int:
            if self.failures:
                self.failures -= 1
                raise OSError(errno.EIO, "it does not answer")
            return super().write(text)

    tty, rows = Failing(), ["before"]
    live = Live(tty, lambda: rows, lambda: True)
    live.show()
    with live._lock:
        tty.failures, rows = 1, ["after"]
    end = time.monotonic() + 30
    while tty.rows != ["after"] and time.monotonic() < end:
        time.sleep(0.05)
    assert not tty.failures
    assert tty.rows == ["after"]
    live.close()


def test_lines_longer_than_the_terminal_do_not_move_the_status() -> None:
    tty = Tty()
    terminal = Terminal(tty, Signs())
    terminal.status(lambda _width: [(STATUS, "")])
    for text in ("x" * 40, "y" * 41, "z" * 119):
        terminal.stream(text)
    terminal.write([Line("end", lead="")])
    rows = ["x" * 40, "y" * 40, "y", *["z" * 40] * 2, "z" * 39, "end", STATUS]
    assert tty.rows == rows
    terminal.close()
    assert tty.rows == rows[:-1]


def test_what_is_waited_for_stands_above_the_status_and_goes() -> None:
    tty = Tty()
    terminal = Terminal(tty, Signs())
    terminal.status(lambda _width: [(STATUS, "")])
    terminal.wait_for("building")
    terminal._since -= 9  # as if it had been waited for long enough to be shown
    terminal.begin("step")
    terminal.write([Line("one", lead="")])
    rows = [row.rstrip("0123456789s ").lstrip("|/-\\ ") for row in tty.rows]
    assert rows == ["one", "building", "step", STATUS]
    assert tty.shown.cursor.hidden
    terminal.rest()
    assert tty.rows == ["one", STATUS]
    terminal.status(None)
    assert tty.rows == ["one"]
    assert not tty.shown.cursor.hidden
    terminal.close()


def test_what_is_told_of_a_sync_leaves_the_build_that_goes_on_in_sight() -> None:
    tty = Tty()
    view = TextView(io.StringIO(), tty, verbosity=0)
    view(StageStarted(stage="image", text="building"))
    assert isinstance(view._screen, Terminal)
    view._screen._since -= 9  # as if it had been waited for long enough to be shown
    view(Synced(text="live", seconds=0.1, files=1, size=1, mode="warm"))
    assert "building" in tty.rows[-2]
    view(Reported(id="x", exit_code=3, message="it broke"))
    assert "building" in tty.rows[-2]
    view(Watching(text="1 pod", well=True))
    assert tty.rows == ["ok live", "error: it broke", "* live  1 pod"]
    view.close()
    assert tty.rows == ["ok live", "error: it broke"]
