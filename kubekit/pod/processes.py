"""The processes that run the program: started, spoken with, ended.

Mounted into pods beside `supervisor.py`: standard library only, Python 3.10 and later.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubekit.pod import debugging, serving
    from kubekit.pod.loop import Loop
    from kubekit.pod.program import Program
else:
    debugging, serving = (sys.modules[f"_kubekit_{one}"] for one in ("debugging", "serving"))

_SUPERVISOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "supervisor.py")
_NOT_FOUND, _NOT_RUN = 127, 126
"""What a shell ends with when it cannot start a program."""

_UNCOMPILED = {"PYTHONDONTWRITEBYTECODE": "1"}
"""A compiled file is known by a time in seconds: the second save in one would be lost."""


class Forked(BaseException):
    """Unwinds the stack of the supervisor in the process that is to become the program."""

    def __init__(self, channel: serving.Channel) -> None:
        super().__init__()
        self.channel = channel


class Options:
    """The command line of the supervisor; `--child` and `--started` it gives itself."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.synced: list[str] = []
        self.grace = 5.0
        self.drain = 0.0
        self.early = 0.0
        self.debug, self.debugger = 0, ""
        self.child = -1
        self.started = False
        words = list(argv)
        while words and words[0] != "--":
            word = words.pop(0)
            if word == "--started":
                self.started = True
            elif word == "--synced":
                self.synced.append(os.path.realpath(words.pop(0)))
            elif word == "--grace":
                self.grace = float(words.pop(0))
            elif word == "--drain":
                self.drain = float(words.pop(0))
            elif word == "--early":
                self.early = float(words.pop(0))
            elif word == "--debug":
                self.debug, self.debugger = int(words.pop(0)), words.pop(0)
            elif word == "--child":
                self.child = int(words.pop(0))
        self.command = words[1:]
        if not self.command:
            options = "[--synced FOLDER]... [--grace SECONDS] [--drain SECONDS] [--early SECONDS]"
            sys.exit(f"usage: supervisor.py {options} [--debug PORT FOLDER] -- COMMAND...")

    def again(self, *own: str) -> list[str]:
        """The command line for another process of the same options."""
        synced = [part for one in self.synced for part in ("--synced", one)]
        seconds = ["--grace", str(self.grace), "--drain", str(self.drain)]
        seconds += ["--early", str(self.early)]
        debug = ["--debug", str(self.debug), self.debugger] if self.debug else []
        return [_SUPERVISOR, *own, *synced, *seconds, *debug, "--", *self.command]


class Generation:
    """One process, with its workers, that runs the program.

    Attributes:
        number: 1 for the first one.
        mode: how it was started: `warm`, `cold` or otherwise.
        servers: what it serves, and which of its processes do.
        workers: how many of them must serve until it is ready.
        left: how many servers have stopped taking connections.
        text: why it did not start, as far as it has told.
        debug: the port of its debugger, 0 without one.
        note: the file where it writes down where it is, when it is asked; -1 without one.
    """

    def __init__(self, number: int, pid: int, mode: str, debug: int) -> None:
        self.number, self.pid, self.mode, self.debug = number, pid, mode, debug
        self.since = time.monotonic()
        self.channels: list[serving.Channel] = []
        self.servers: dict[serving.Key, list[serving.Channel]] = {}
        self.workers = 1
        self.ready = False
        self.left = 0
        self.text = ""
        self.note = -1

    def tell(self, message: serving.Message) -> None:
        """Tell each of its processes."""
        for channel in self.channels:
            channel.tell(message)

    def signal(self, number: int) -> None:
        """Send it a signal; if it has ended, that is told by another way."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self, number: int) -> bool:
        """Send a signal to all that it has started, too; False if nothing is left of them.

        A shell ends at once and leaves behind what it runs. Programs that were forked here look
        after their own.
        """
        try:
            if self.mode in ("warm", "cold"):
                os.kill(self.pid, number)
            else:
                os.killpg(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    @property
    def has_left(self) -> bool:
        """Whether none of its servers takes connections any more."""
        return self.left >= sum(map(len, self.servers.values()))


Heard = Callable[[Generation, "serving.Channel", "serving.Message", "list[int]"], None]


class Processes:
    """Starts programs, and passes on what they say.

    Args:
        program: what is run.
        again: the command line of this process for one that is to become the program.
        heard: called with each message of a program.
        debugger: the folder of debugpy if programs are to be debugged.
        early: the socket of the first of them, and where it listens before it is loaded; None if
            none is to.
    """

    def __init__(
        self,
        loop: Loop,
        program: Program,
        again: Callable[..., list[str]],
        heard: Heard,
        debugger: str = "",
        *,
        early: dict[serving.Key, socket.socket] | None = None,
    ) -> None:
        self._loop, self._program, self._again, self._heard = loop, program, again, heard
        self._debugger = debugger
        self._early = early
        self._number = 0
        self._held: dict[serving.Key, list[int]] = {}

    def start(self, mode: str) -> Generation:
        """Start the program: in a fork of this process, in a new Python, or just as it is."""
        self._number += 1
        ours, theirs = serving.pair()
        debug = debugging.free_port() if self._debugger else 0
        if mode == "warm":
            pid = self._fork(ours, theirs)
        elif mode == "cold":
            os.set_inheritable(theirs.end.fileno(), True)
            own = self._again("--child", str(theirs.end.fileno()))
            pid = self._spawn([sys.executable, *self._program.flags, *own], {})
        else:
            words = debugging.words(self._program, debug, self._debugger)
            pid = self._spawn(words, _UNCOMPILED)
        theirs.end.close()
        generation = Generation(self._number, pid, mode, debug)
        self.join(generation, ours)
        keys = [[*key, len(fds)] for key, fds in self._held.items()]
        fds = [fd for each in self._held.values() for fd in each]
        early, self._early = self._early, None
        ahead = None if early is None else [*early]
        message = {"do": "start", "held": keys, "debug": debug, "early": ahead}
        ours.tell(message, [*fds, *(sock.fileno() for sock in (early or {}).values())])
        for sock in (early or {}).values():
            sock.close()
        return generation

    def _fork(self, ours: serving.Channel, theirs: serving.Channel) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        with self._loop.held():
            pid = os.fork()
            if pid:
                return pid
            self._loop.close()
            ours.end.close()
            for each in self._held.values():
                for fd in each:
                    os.close(fd)
            for sock in (self._early or {}).values():
                sock.close()
        raise Forked(theirs)

    def _spawn(self, words: list[str], env: dict[str, str]) -> int:
        try:
            return spawn(words, env)
        except OSError as error:
            sys.stderr.write(f"{words[0]}: {error.strerror}\n")
            sys.stderr.flush()
            os._exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUN)

    def join(self, generation: Generation, channel: serving.Channel) -> None:
        """Hear what a process of a generation tells."""
        channel.end.setblocking(False)
        generation.channels.append(channel)
        self._loop.watch(channel.end, lambda: self.hear(generation, channel))

    def hear(self, generation: Generation, channel: serving.Channel) -> None:
        """Pass on what it has told by now."""
        while channel.end.fileno() >= 0:
            try:
                heard = channel.hear()
            except OSError:  # nothing yet, or closed
                return
            except ValueError:  # no message, or a part of one
                continue
            if heard is None:
                self._loop.forget(channel.end)
                return
            self._heard(generation, channel, *heard)

    def finish(self, generation: Generation) -> None:
        """It has ended: pass on the last of what it told."""
        for channel in list(generation.channels):
            self.hear(generation, channel)
            if channel.end.fileno() >= 0:
                self._loop.forget(channel.end)
        if generation.note >= 0:
            os.close(generation.note)
            generation.note = -1

    def hold(self, key: serving.Key, fds: list[int]) -> None:
        """Keep listening sockets for all programs to come."""
        for fd in self._held.pop(key, []):
            os.close(fd)
        self._held[key] = fds

    def worker(self, generation: Generation, fd: int) -> None:
        """A further process of a generation has a channel of its own."""
        self.join(generation, serving.Channel(socket.socket(fileno=fd)))


def spawn(
    words: list[str], env: Mapping[str, str] = _UNCOMPILED, *, output: int | None = None
) -> int:
    """Start a command in a group of its own, and with `output` write to that file what it says.

    Raises:
        OSError: it cannot be started.
    """
    # Python ignores these two; a program must find them as they are by default.
    defaults = (signal.SIGPIPE, signal.SIGXFSZ)
    environ = {**sys.modules["_kubekit_program"].environ(), **env}
    says = () if output is None else ((os.POSIX_SPAWN_DUP2, output, fd) for fd in (1, 2))
    return os.posix_spawnp(
        words[0], words, environ, setpgroup=0, setsigdef=defaults, file_actions=[*says]
    )


def ended() -> Iterator[tuple[int, int]]:
    """The processes that have ended, orphans among them: pid and exit code, -N for signal N."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def exit_code(code: int, *, asked: bool = False) -> int:
    """The code of a program as a container has it.

    A server raises the signal again that has ended it, which kills it here, and would be ignored
    in process 1: there it ends well.
    """
    if asked and os.getpid() == 1 and code in (-signal.SIGTERM, -signal.SIGINT):
        return 0
    return code if code >= 0 else 128 - code


def how(code: int) -> str:
    """How a program has ended, in words."""
    return f"with exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
