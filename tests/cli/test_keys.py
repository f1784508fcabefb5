"""A terminal in which `dev` listens to keys: what each does, and that it is left as it was."""

from __future__ import annotations

import signal
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.cli.sitting import URL
from tests.cli.terminal import Terminal
from tests.cli.world import World

SITTING = Path(__file__).with_name("sitting.py")
LIVE = f"● live  {URL}   2 pods"


def sit(world: World, manner: str = "listen", *, columns: int = 80, **env: str) -> Terminal:
    """A terminal that waits for a key."""
    program = (sys.executable, SITTING)
    terminal = Terminal.run(world, manner, columns=columns, program=program, **env)
    terminal.until(is_live)
    return terminal


def last(terminal: Terminal) -> str:
    """The lowest row that is not empty, at this moment."""
    return (terminal.lines or [""])[-1]


def is_live(terminal: Terminal) -> bool:
    """Whether the status says that the app is live and that keys are read."""
    return last(terminal).startswith("● live") and last(terminal).endswith("? keys")


def saw(terminal: Terminal, text: str) -> None:
    """Wait until a row begins so."""
    terminal.until(lambda t: any(line.startswith(text) for line in t.lines))


def echoes(terminal: Terminal) -> bool:
    """Whether the terminal waits for whole lines and shows what is typed."""
    flags = termios.tcgetattr(terminal.follower)[3]
    return flags & (termios.ECHO | termios.ICANON) == termios.ECHO | termios.ICANON


def test_each_key_asks_and_what_is_no_key_does_nothing(world: World) -> None:
    terminal = sit(world)
    assert terminal.lines == [f"{LIVE}   ? keys"]
    terminal.type("\x1b[A")  # an arrow: its A must not count
    terminal.type("x\x04R")
    saw(terminal, "! asked for r")
    terminal.type("s")
    saw(terminal, "! asked for s")
    terminal.type("a quite long text with a q in it, pasted")
    terminal.type("\x1bq")  # Alt-q
    for _ in range(20):  # the first may be taken for the end of what was pasted
        terminal.type("?")
        time.sleep(0.2)
        if "  q  quit" in terminal.text:
            break
    terminal.type("q")
    assert terminal.end() == 0
    assert terminal.lines[:2] == ["! asked for r", "! asked for s"]
    assert terminal.lines[2] == "  r  build the image again and roll it out"
    assert terminal.lines[-2:] == ["! asked for q", "✓ nothing is left (1.0 s)"]


def test_the_log_is_turned_off_and_on(world: World) -> None:
    terminal = sit(world, LINES_LOGGED="3")
    terminal.until(lambda t: [line[-6:] for line in t.lines[:-1]] == ["line 0", "line 1", "line 2"])
    terminal.type("l")
    terminal.until(lambda t: "log off" in last(t))
    terminal.type("l")
    terminal.until(lambda t: "log off" not in last(t))
    terminal.type("q")
    assert terminal.end() == 0


def test_without_a_browser_the_url_is_said(world: World) -> None:
    terminal = sit(world)
    terminal.type("o")
    saw(terminal, f"  this machine shows no browser: open {URL} yourself")
    terminal.type("q")
    assert terminal.end() == 0


def test_a_browser_gets_the_url_and_its_noise_is_not_seen(world: World) -> None:
    browser, seen = world.home / "browser", world.home / "seen"
    browser.write_text(f"#!/bin/sh\necho noise; echo noise >&2; echo $1 > {seen}\n")
    browser.chmod(0o755)
    terminal = sit(world, BROWSER=str(browser))
    terminal.type("o")
    saw(terminal, f"  opening {URL}")
    terminal.until(lambda _: seen.exists() and seen.read_text() == f"{URL}\n")
    terminal.type("q")
    assert terminal.end() == 0
    assert "noise" not in terminal.text


def test_a_resize_fits_the_status_anew(world: World) -> None:
    terminal = sit(world)
    terminal.resize(32)
    terminal.until(lambda t: t.lines == [f"● live  {URL}"])
    terminal.resize(120)
    terminal.until(lambda t: t.lines == [f"{LIVE}   r rebuild  s re-sync  l logs  o open  q quit"])
    terminal.type("q")
    assert terminal.end() == 0


def test_narrow_and_without_colour(world: World) -> None:
    terminal = sit(world, columns=40, NO_COLOR="1")
    assert terminal.lines == [f"● live  {URL}   ? keys"]
    terminal.type("q")
    assert terminal.end() == 0
    assert b"\x1b[3" not in terminal.raw


def test_a_terminal_that_only_prints_is_left_alone(world: World) -> None:
    program = (sys.executable, SITTING)
    terminal = Terminal.run(world, "listen", program=program, TERM="dumb")
    saw(terminal, f"  live at {URL}: 2 pods")
    assert echoes(terminal)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 0
    assert b"\x1b" not in terminal.raw


@pytest.mark.parametrize("number", [None, signal.SIGINT, signal.SIGTERM])
def test_interrupted_once_it_ends_in_order(world: World, number: signal.Signals | None) -> None:
    terminal = sit(world)
    assert not echoes(terminal)
    if number is None:
        terminal.type("\x03")
    else:
        terminal.process.send_signal(number)
    assert terminal.end() == 0
    assert terminal.lines == ["✓ nothing is left (1.0 s)"]


def test_interrupted_twice_it_ends_at_once(world: World) -> None:
    terminal = sit(world, "stubborn")
    terminal.type("\x03")
    saw(terminal, "! tearing down")
    terminal.type("\x03")
    assert terminal.end() == 130
    assert terminal.lines == ["! tearing down"]


def test_a_defect_leaves_the_terminal_usable(world: World) -> None:
    terminal = Terminal.run(world, "fail", program=(sys.executable, SITTING))
    assert terminal.end() == 1
    assert terminal.lines[-1] == "AssertionError"


def test_quitting_by_force_leaves_the_terminal_usable(world: World) -> None:
    world.env["PATH"] += ":/usr/bin:/bin"
    script = f"ulimit -c 0; {sys.executable} {SITTING} listen; exit 7"
    terminal = Terminal.run(world, "-c", script, program=("/bin/bash",))
    terminal.until(is_live)
    terminal.type("\x1c")
    terminal.end()
    assert LIVE not in terminal.text


def test_ctrl_z_gives_the_shell_its_terminal_and_fg_takes_it_again(world: World) -> None:
    world.env["PATH"] += ":/usr/bin:/bin"
    terminal = Terminal.run(world, "--norc", "-i", program=("/bin/bash",), PS1="$ ")
    saw(terminal, "$")
    terminal.type(f"{sys.executable} {SITTING} listen\r")
    terminal.until(is_live)
    terminal.type("\x1a")
    saw(terminal, "[1]+  Stopped")
    terminal.until(lambda t: last(t) == "$")
    assert LIVE not in terminal.text
    terminal.type("stty -a | grep -o ' echo\\b'; bg\r")
    saw(terminal, " echo")
    terminal.type("echo a $((40 + 2)) q\r")  # read by the shell, and by nobody else
    saw(terminal, "a 42 q")
    assert LIVE not in terminal.text
    terminal.type("fg\r")
    terminal.until(is_live)
    terminal.type("r")
    saw(terminal, "! asked for r")
    terminal.type("q")
    saw(terminal, "✓ nothing is left")
    terminal.type("exit\r")
    assert terminal.end() == 0
