"""What a person, or a program, sees: events as text or as JSON lines.

Data goes to stdout, all else to stderr. In a terminal prose is wrapped between words, but nothing
is cut and nothing between backticks is broken, so that a path or a command can be copied. (Only
the steps of a build that end well are cut to one row each: `-v` shows all of them.)
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import json
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TextIO

from kubekit import browser, drawing, keys
from kubekit.drawing import answer, end, evidence_line, failure, hint_lines, passed, unrepeated
from kubekit.errors import KubekitError
from kubekit.events import (
    BuildLog,
    BuildStep,
    Checked,
    ContextSent,
    Debugging,
    Diagnosed,
    Ended,
    Event,
    Failed,
    FilesChanged,
    FileWritten,
    Following,
    Found,
    Listening,
    LogLine,
    Noted,
    ObjectChanged,
    Output,
    Progress,
    Reported,
    StageDone,
    StageStarted,
    Synced,
    Warned,
    Watching,
)
from kubekit.lines import Line, Signs, signs_for
from kubekit.logview import Marks, Probes
from kubekit.outlet import is_pipe, put, told
from kubekit.screen import Plain, Screen, Terminal
from kubekit.statusline import HELP, Status, after, row

VERSION = 1
"""Of the JSON events: raised when a field changes its meaning or goes."""


_REMEMBERED = 300
"""Lines of the log that are taken to be in sight still."""

Ask = Callable[[str], None]
"""Takes a key that is not the view's own: ``r``, ``s`` or ``q``. Called in a thread of its own."""

_ASKED = "rsq"


class View(Protocol):
    """Shows events until it is closed."""

    def __call__(self, event: Event, /) -> None:
        """Show one event."""

    def keys(self, ask: Ask, /) -> contextlib.AbstractContextManager[None]:
        """Read keys, where there is somebody to press them, for as long as the block lasts."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class JsonView:
    """One JSON object a line on stdout, each with ``v``, ``type`` and the event's own fields."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._last: Event | None = None

    def __call__(self, event: Event, /) -> None:
        """Print the event as one line; what is waited for still is no news."""
        data = {"v": VERSION, "type": event.type, **vars(event)}
        with self._lock:
            if isinstance(event, Progress) and event == self._last:
                return
            self._last = event
            try:
                put(self._out, json.dumps(data, default=str))
            except KubekitError:
                self._out = sys.stderr  # where the end of the run can still be told
                raise

    def keys(self, _ask: Ask, /) -> contextlib.AbstractContextManager[None]:
        """A program presses no keys."""
        return contextlib.nullcontext()

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
        self._signs = signs_for(err)
        self._screen = _screen_for(err, self._signs)
        # What reads our stdout, as in `kubekit dev | tee`, writes to the same terminal: no place
        # in it is ours for long.
        self._live = self._screen.live and not is_pipe(out)
        self._status = Status()
        self._marks = Marks()
        self._logged: deque[str] = deque(maxlen=_REMEMBERED)
        self._said: Watching | None = None
        self._probes = Probes()

    def __call__(self, event: Event, /) -> None:
        """Print what the event means to a person.

        Raises:
            BrokenPipeError: nobody reads stderr any more.
            KubekitError: stdout or stderr cannot be written, as on a full disk.
        """
        if isinstance(event, LogLine):  # thousands a second
            with self._lock:
                self._log(event)
            return
        with self._lock, told(self._err, "stderr"):
            self._show(event)
            self._stand(after(self._status, event))

    @contextlib.contextmanager
    def keys(self, ask: Ask, /) -> Iterator[None]:
        """Read keys while the block lasts, if this is a terminal and a person sits at it.

        What is only about the view is done here; `ask` gets the rest.
        """
        person = sys.stdin is not None and sys.stdin.isatty()
        if not person or not isinstance(self._screen, Terminal):
            yield
            return
        pressed = functools.partial(self._pressed, ask)
        with keys.Keys(sys.stdin.fileno(), pressed=pressed, drawn=self._screen):
            self._restate(keys=True)
            try:
                yield
            finally:
                self._restate(keys=False)

    def close(self) -> None:
        """Take the live lines away."""
        with self._lock, contextlib.suppress(KubekitError), told(self._err, "stderr"):
            self._screen.close()

    def _show(self, event: Event) -> None:
        match event:
            case Output(text=text):
                self._screen.rest()
                with contextlib.suppress(BrokenPipeError):  # as in `kubekit render | head`
                    put(self._out, text.rstrip("\n"))
            case Diagnosed(wrong=wrong) | Checked(wrong=wrong) | Found(wrong=wrong):
                if wrong or self._verbosity >= 0:
                    self._screen.rest()
                    self._answer(event)
            case Failed():
                self._screen.rest()
                self._screen.write(failure(event, self._signs))
            case Reported():  # of a sync, perhaps, while a build goes on
                self._screen.write(failure(unrepeated(event, self._logged), self._signs))
            case Warned(text=text, hints=hints):
                lead = f"{self._signs.warn} "
                self._screen.write([Line(text, lead=lead, style="yellow"), *hint_lines(hints)])
            case Ended():
                self._screen.rest()
                self._screen.write(end(event, self._signs))
            case Following(pods=pods, probes=probes):
                self._marks.follow(pods)
                self._probes.paths = probes
            case _ if self._verbosity >= 0:
                self._work(event)

    def _pressed(self, ask: Ask, key: str) -> None:
        with contextlib.suppress(KubekitError, BrokenPipeError):  # the next event meets it, too
            if key == "l":
                self._restate(muted=not self._status.muted)
            elif key == "o":
                self._open(self._status.url)
            elif key in ("?", "h"):
                self._say([Line(text, lead=f"  {name}  ") for name, text in HELP])
            elif key in _ASKED:
                ask(key)

    def _open(self, url: str | None) -> None:
        if url is None:
            self._say([Line("no port leads to the app yet", lead="  ")])
        elif browser.can_open(os.environ):
            browser.open_url(url)
            self._say([Line(f"opening {url}", lead="  ")])
        else:
            self._say([Line(f"this machine shows no browser: open {url} yourself", lead="  ")])

    def _say(self, lines: list[Line]) -> None:
        with self._lock, told(self._err, "stderr"):
            self._screen.write(lines)

    def _restate(self, **new: Any) -> None:
        with (
            self._lock,
            contextlib.suppress(KubekitError, BrokenPipeError),
            told(self._err, "stderr"),
        ):
            self._stand(dataclasses.replace(self._status, **new))

    def _stand(self, status: Status) -> None:
        """Show how it stands, where that has changed."""
        if status == self._status:
            return
        self._status = status
        signs = self._signs
        if self._verbosity >= 0 and self._live:
            self._screen.status(lambda width: row(status, width, signs))

    def _answer(self, event: Diagnosed | Checked | Found) -> None:
        """What was asked for, so on stdout; wrapped where that is a terminal."""
        signs = signs_for(self._out)
        with contextlib.suppress(BrokenPipeError), told(self._out, "stdout"):
            _screen_for(self._out, signs).write(answer(event, signs))

    def _log(self, line: LogLine) -> None:
        """What a container says is data, so on stdout, above the live lines of that terminal."""
        if self._status.muted or self._leaves_out(line):
            return
        self._logged.append(line.line.strip())
        mark, style = self._marks.of(line)
        with told(self._out, "stdout"):
            self._logs.stream(line.line, lead=f"{mark} " if mark else "", style=style)

    def _leaves_out(self, line: LogLine) -> bool:
        """Whether it is one of the probes that pass each second: told once, and not in a pipe."""
        if self._logs is not self._screen or not self._probes.passed(line.line):
            return False
        if news := self._probes.news():
            with told(self._err, "stderr"):
                self._screen.write([Line(news, lead="  ", style="dim")])
        return True

    @functools.cached_property
    def _logs(self) -> Screen:
        return self._screen if self._screen.live and self._out.isatty() else Plain(self._out)

    def _work(self, event: Event) -> None:
        match event:
            case StageStarted(text=text):
                self._screen.rest()
                self._screen.wait_for(text)
            case Progress(text=text):
                self._screen.wait_for(text)
            case StageDone(stage=stage, text=text, seconds=seconds, changed=changed):
                self._screen.rest()
                sign = self._signs.ok if changed else self._signs.same
                lead = f"{sign} {stage:<8} "
                style = "green" if changed else "dim"
                line = Line(text, lead=lead, lead_style=style, tail=passed(seconds))
                self._screen.write([line])
            case BuildStep() | BuildLog() | ContextSent():
                self._build(event)
            case ObjectChanged():
                self._screen.write(drawing.change(event, more=self._verbosity > 0))
            case Noted() | FileWritten():
                self._screen.write(drawing.written(event, self._signs))
            case _:
                self._loop(event)

    def _build(self, event: BuildStep | BuildLog | ContextSent) -> None:
        match event:
            case BuildStep(step=step, state="started"):
                self._screen.begin(step)
            case BuildStep(step=step, state=state, seconds=seconds):
                self._screen.end(step)
                style = {"cached": "dim", "failed": "red"}.get(state, "")
                tail = {"cached": "cached", "failed": "failed"}.get(state, passed(seconds))
                one_row = state != "failed" and self._verbosity <= 0
                line = Line(step, lead="    ", style=style, tail=tail, one_row=one_row)
                self._screen.write([line])
            case ContextSent(text=text):
                self._screen.write([Line(text, lead="    ", style="dim")])
            case BuildLog(step=step, line=line) if self._verbosity <= 0:
                self._screen.printed(step, line)
            case BuildLog(line=line):
                self._screen.write([evidence_line(line, self._signs, indent="      ")])

    def _loop(self, event: Event) -> None:
        """What only `dev` and `logs` tell."""
        match event:
            case FilesChanged(text=text):
                self._screen.write([Line(text, lead=f"{self._signs.changed} ", style="cyan")])
            case Synced(text=text):
                self._screen.write([Line(text, lead=f"{self._signs.ok} ", lead_style="green")])
            case Listening(text=text):
                self._screen.write([Line(text, lead="  ")])
            case Debugging(text=text, launch=launch):
                entry = json.dumps(launch, indent=2).splitlines()
                self._screen.write([Line(text, lead="  "), *(Line(one, lead="") for one in entry)])
            case Watching() if self._live:
                self._screen.rest()  # whatever was waited for, now it is for the next save
            case Watching() if event != self._said:
                self._said = event
                where = f" at {event.url}" if event.well and event.url else ""
                lead = f"  live{where}: " if event.well else "  "
                self._screen.write([Line(event.text, lead=lead)])
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


def _screen_for(stream: TextIO, signs: Signs) -> Screen:
    live = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return Terminal(stream, signs) if live else Plain(stream)
