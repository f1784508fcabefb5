"""What a terminal of some width shows: rows that are cut, rows that are wrapped."""

from __future__ import annotations

import io
import os

import pytest

from kubekit.console import TextView
from kubekit.events import BuildLog, BuildStep, Following, LogLine, Progress, Watching
from kubekit.lines import Line, Signs
from kubekit.screen import Plain, Terminal

COMMAND = "[2/3] RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt"


class Tty(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[20, 40, 80])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The width of the terminal."""
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    return int(request.param)


def rows(*events: BuildStep, verbosity: int = 0) -> list[str]:
    out = Tty()
    view = TextView(io.StringIO(), out, verbosity=verbosity)
    for event in events:
        view(event)
    return out.getvalue().splitlines()


@pytest.mark.parametrize(("state", "tail"), [("done", "(12.3 s)"), ("cached", "cached")])
def test_a_step_that_ends_well_takes_one_row(columns: int, state: str, tail: str) -> None:
    shown = rows(BuildStep(step=COMMAND, state=state, seconds=12.3))
    assert len(shown) == 1
    plain = shown[0].replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert len(plain) < columns
    assert plain.endswith(f"... {tail}")


def test_a_failed_step_and_a_verbose_view_are_whole(columns: int) -> None:
    failed = " ".join(rows(BuildStep(step=COMMAND, state="failed")))
    verbose = " ".join(rows(BuildStep(step=COMMAND, state="done"), verbosity=1))
    for word in COMMAND.split():
        assert word in failed
        assert word in verbose


def test_the_running_steps_share_the_rows_for_what_they_print(columns: int) -> None:
    terminal = Terminal(Tty(), Signs())
    terminal.begin("one")
    for number in range(9):
        terminal.printed("one", f"line {number}")
    assert _shown(terminal) == ["one", "line 5", "line 6", "line 7", "line 8"]
    terminal.begin("two")
    terminal.printed("two", "other")
    assert _shown(terminal) == ["one", "line 7", "line 8", "two", "other"]
    terminal.end("one")
    assert _shown(terminal) == ["two", "other"]


def _shown(terminal: Terminal) -> list[str]:
    """The rows below the first, which says what is waited for; without times and bars."""
    terminal._text, terminal._since = "", -1.0  # as if it had been waited for long enough
    rendered = [str(row).removeprefix("      | ").strip() for row in terminal._activity()]
    return [row.removesuffix(" 0 s") for row in rendered[1:]]


def test_a_log_shows_now_and_then_that_a_long_step_is_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, clock = io.StringIO(), [1000.0]
    monkeypatch.setattr("kubekit.screen.time.monotonic", lambda: clock[0])
    plain = Plain(out)
    plain.begin(COMMAND)
    for second in range(25):
        clock[0] = 1000.0 + second
        plain.printed(COMMAND, f"line {second}")
    assert out.getvalue().splitlines() == [f"    {COMMAND}: line {at}" for at in (10, 20)]


def test_what_is_kept_of_a_step_does_not_grow(columns: int) -> None:
    view = TextView(io.StringIO(), Tty(), verbosity=0)
    view(Progress(stage="image", text="building"))
    view(BuildStep(step=COMMAND, state="started"))
    for number in range(1000):
        view(BuildLog(step=COMMAND, line=f"line {number}"))
    screen = view._screen
    assert isinstance(screen, Terminal)
    assert len(screen._steps[COMMAND].said) < 10
    view.close()


def test_an_ordinary_line_is_wrapped_and_whole(columns: int) -> None:
    out = Tty()
    Terminal(out, Signs()).write([Line(COMMAND, lead="    ")])
    assert out.getvalue().split() == COMMAND.split()


@pytest.mark.parametrize("piped", [True, False])
def test_a_terminal_shared_with_what_reads_us_gets_lines(columns: int, piped: bool) -> None:
    reader, writer = os.pipe()
    shown = Tty()
    with os.fdopen(reader), os.fdopen(writer, "w") as pipe:
        view = TextView(pipe if piped else io.StringIO(), shown, verbosity=0)
        view(Watching(text="2 pods", well=True))
        view(Watching(text="2 pods", well=True))
        view.close()
    assert shown.getvalue().count("  live: 2 pods\n") == piped
    assert ("* live" in shown.getvalue()) != piped


@pytest.mark.parametrize("known", [True, False])
def test_probes_that_pass_are_left_out_of_a_terminal_once_that_is_told(
    columns: int, known: bool
) -> None:
    shown = Tty()
    view = TextView(shown, shown, verbosity=0)
    view(Following(pods={"web": ("app",)}, probes=("/ready",) if known else ()))
    probe = 'INFO:     10.244.0.1:53450 - "GET /ready HTTP/1.1" 200 OK'
    for text in (probe, "mine", probe):
        view(LogLine(pod="web", container="app", at="", line=text))
    view.close()
    assert shown.getvalue().count("200 OK") == (0 if known else 2)
    assert shown.getvalue().count("`kubekit logs`") == known
    assert "mine" in shown.getvalue()


def test_a_pipe_gets_the_probes_too() -> None:
    out = io.StringIO()
    view = TextView(out, Tty(), verbosity=0)
    view(Following(pods={"web": ("app",)}, probes=("/ready",)))
    probe = 'INFO:     10.244.0.1:53450 - "GET /ready HTTP/1.1" 200 OK'
    view(LogLine(pod="web", container="app", at="", line=probe))
    view.close()
    assert out.getvalue() == f"{probe}\n"
