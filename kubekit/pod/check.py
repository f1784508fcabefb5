"""Whether gunicorn can load the app, asked before it has to: it ends when its new workers cannot.

Mounted into pods beside `supervisor.py`: standard library only, Python 3.10 and later.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubekit.pod import processes
    from kubekit.pod import program as programs
    from kubekit.pod.loop import Loop
else:
    processes, programs = (sys.modules[f"_kubekit_{one}"] for one in ("processes", "program"))

_LARGEST = 1 << 17
_MARK = "Error while loading the application:\n"

_CODE = """
import os, runpy, sys, traceback
kind, name, *sys.argv[1:] = sys.argv[1:]
if kind != "module" and not sys.path[0]:
    sys.path[0] = os.path.dirname(os.path.realpath(name))
from gunicorn.app.base import Application
load = Application.load_config
def as_served(app):
    load(app)
    os.environ.update(app.cfg.env)
    sys.path[:0] = filter(None, (app.cfg.pythonpath or "").split(","))
Application.load_config = as_served
code = 0
try:
    if kind == "module":
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        sys.argv[0] = name
        runpy.run_path(name, run_name="__main__")
except SystemExit as end:
    code = end.code
    if isinstance(code, str):
        sys.stderr.write(code)
except BaseException:
    code = 1
    traceback.print_exc()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code if isinstance(code, int) else bool(code))
"""
"""`--check-config` alone knows nothing of `raw_env` and `pythonpath`, which the workers have.

It ends at once: the app may have started threads that never end, and have plans for its own end.
"""

_FRAME = re.compile(r'^  File "(?P<file>[^"\n]+)", line .*\n(?:    .*\n)*', re.MULTILINE)
_NOT_THEIRS = re.compile(
    r"<(frozen |string>)|.*/((site|dist)-packages/gunicorn|lib/python3[^/]*/importlib)/"
)


class Check:
    """Runs one check at a time, beside the program; a further one ends the one before.

    Args:
        program: the program that gunicorn is.
        seconds: how long a check may take.
    """

    def __init__(self, loop: Loop, program: programs.Program, seconds: float) -> None:
        self._loop, self._program, self._seconds = loop, program, seconds
        self._pid = 0
        self._late = False
        self._output = -1
        self._done: Callable[[str], None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a check runs."""
        return self._done is not None

    def start(self, done: Callable[[str], None]) -> None:
        """Check; `done` is called with what the new code fails with, "" if it loads."""
        self.cancel()
        program = self._program
        argv = [program.kind, program.name, "--check-config", *program.argv[1:]]
        words = [program.python, *program.flags, "-c", _CODE, *argv]
        self._output = _scratch()
        self._late = False
        try:
            self._pid = pid = processes.spawn(words, output=self._output)
        except OSError as error:
            self._close()
            done(f"{words[0]}: {error.strerror}")
            return
        self._done = done
        self._loop.later(self._seconds, lambda: self._too_late(pid))

    def cancel(self) -> None:
        """End the check that runs: nobody hears of it."""
        if self.busy:
            self._kill()
            self._close()

    def ended(self, pid: int, code: int) -> None:
        """A process has ended; if it is the check, tell what came of it."""
        if pid != self._pid or self._done is None:
            return
        said = os.pread(self._output, _LARGEST, max(0, os.fstat(self._output).st_size - _LARGEST))
        text = "" if code == 0 else _told(said.decode(errors="replace"))
        if self._late:
            text = f"the new code did not start within {self._seconds:.0f} s"
        elif code and not text:
            text = f"gunicorn's check of the new code ended {processes.how(code)}"
        # What it has started in its own imports goes with it.
        self._kill()
        done = self._done
        self._close()
        done(text)

    def _too_late(self, pid: int) -> None:
        if pid == self._pid:
            self._late = True
            self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)

    def _close(self) -> None:
        os.close(self._output)
        self._pid, self._done = 0, None


def _scratch() -> int:
    """A file without a name: in memory, as many a container can write nowhere else.

    Some builds of Python cannot make one there, and then the text may be lost, not the check.
    """
    with contextlib.suppress(AttributeError, OSError):
        return os.memfd_create("kubekit-check")
    with contextlib.suppress(AttributeError, OSError):
        return os.open("/tmp", os.O_TMPFILE | os.O_RDWR, 0o600)  # noqa: S108
    return os.open(os.devnull, os.O_RDWR)


def _told(output: str) -> str:
    """The error, without the frames of gunicorn and of the import system."""
    error = output.rpartition(_MARK)[2]
    return _FRAME.sub(lambda one: "" if _NOT_THEIRS.match(one["file"]) else one[0], error).strip()
