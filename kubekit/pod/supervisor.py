"""Process 1 of a container in `kubekit dev`: runs its program, and runs it anew on request.

Usage: supervisor.py [--synced FOLDER]... [--grace SECONDS] [--drain SECONDS] [--early SECONDS]
    [--debug PORT FOLDER] -- COMMAND...

A program that uvicorn serves is forked from this process, which has imported the packages of others
once: the new one imports the project's own modules alone, and serves on the same sockets. When it
does, the old one gives its idle connections away and ends. Any other program is ended and started.

`$KUBEKIT_DEV` names an abstract Unix socket that takes `{"do": "reload"}` and `{"do": "state"}`,
one JSON object a line; who waits long for a reload hears `{"state": "waiting"}` before its answer.
Standard library only, Python 3.10 and later; nothing here polls.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from kubekit.pod import (
        asking,
        changes,
        check,
        debugging,
        early,
        families,
        processes,
        serving,
        warm,
        whereabouts,
    )
    from kubekit.pod import loop as loops
    from kubekit.pod import program as programs
else:

    def _beside(name: str) -> Any:
        """A file beside this one, under a name that no module of the project has."""
        place = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")
        spec = spec_from_file_location(f"_kubekit_{name}", place)
        sys.modules[spec.name] = module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    programs, early, serving, warm, changes, loops, asking, families = map(
        _beside,
        ("program", "early", "serving", "warm", "changes", "loop", "asking", "families"),
    )
    debugging, processes, whereabouts, check = map(
        _beside, ("debugging", "processes", "whereabouts", "check")
    )

START_SECONDS = 60.0
"""How long a new program may take until it serves; then the old one is kept."""

_SLOW_SECONDS = 3.0
"""After so long, who waits for a new program is told where it is."""

_NOTE_SECONDS = 1.0
_LEFT_SECONDS = 5.0
_GLANCE_SECONDS = 0.03
_CRASH_SECONDS = 10.0
_LIVED_SECONDS = 2.0
"""A program that listens on nothing is up when it has lived so long."""

_KILL_SECONDS = 5.0
_FORWARDED = tuple(
    getattr(signal, f"SIG{name}")
    for name in ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "WINCH", "TTIN", "TTOU")
)
_SIGNALS = (*_FORWARDED, signal.SIGCHLD)


class Supervisor:
    """Decides which program serves: told by requests, by the programs, by signals.

    Attributes:
        current: what serves; None while it is ended to be started again.
        candidate: what is to serve next, while it starts.
        leaver: the last one, until it takes no more connections.
        others: all that are to end.
        preload: what this process has imported for its forks.
    """

    def __init__(self, options: processes.Options, program: programs.Program) -> None:
        self._options = options
        self._manner, self._why = programs.manner(program, os.environ)
        self._loop = loops.Loop(_SIGNALS, self._signalled)
        self._processes = processes.Processes(
            self._loop,
            program,
            options.again,
            self._told,
            options.debugger,
            early=_listening(program) if options.early and self._manner == "warm" else None,
        )
        self._check = check.Check(self._loop, program, START_SECONDS)
        self._door = debugging.Door(self._loop, options.debug) if options.debug else None
        self.current: processes.Generation | None = None
        self.candidate: processes.Generation | None = None
        self.leaver: processes.Generation | None = None
        self.others: list[processes.Generation] = []
        self._clients: list[asking.Client] = []
        self._failure: dict[str, Any] | None = None
        self.preload = warm.Preload(options.synced)
        self._served = self._stopping = False
        self._awaited: processes.Generation | None = None
        self._starting: processes.Generation | None = None
        self._listened = False
        self._ended: int | None = None
        self._last: int | None = None
        self._requested = 0.0

    def run(self) -> int:
        """Until the program ends; returns the exit code for this process."""
        try:
            asking.listen(self._loop, os.environ.get("KUBEKIT_DEV", ""), self._request)
        except OSError as error:
            sys.stderr.write(f"kubekit: no reload can be asked for: {error.strerror}\n")
            sys.stderr.flush()
        if self._options.debug:
            debugging.prepare(self._options.debugger, forks=self._manner == "warm")
        first = self._processes.start(self._manner)
        self._serve(first)
        while self._ended is None:
            self._loop.turn(idle=not self.preload.busy)
            if self.preload.busy:
                self.preload.step()
        self._check.cancel()
        return self._ended

    def _serve(self, generation: processes.Generation) -> None:
        """From now on, this one is the program."""
        self.current = generation
        if self._door:
            self._door.lead(generation.debug)

    def _all(self) -> list[processes.Generation]:
        return [one for one in (self.current, self.candidate, *self.others) if one]

    # ---- what the programs tell

    def _told(
        self, of: processes.Generation, channel: serving.Channel, message: Any, fds: list[int]
    ) -> None:
        """Do what a message is for. What comes wrongly from a program is no end of this one."""
        try:
            self._heard(of, channel, message, fds)
        except Exception:  # noqa: BLE001
            sys.stderr.write(f"kubekit: not understood: {message!r}\n{traceback.format_exc()}")
            sys.stderr.flush()

    def _heard(
        self, of: processes.Generation, channel: serving.Channel, message: Any, fds: list[int]
    ) -> None:
        key = tuple(message.get("key") or ())
        told: dict[str, Callable[[], None]] = {
            "hold": lambda: self._processes.hold(key, fds),
            "serving": lambda: self._serving(of, key, channel),
            "worker": lambda: self._processes.worker(of, fds[0]),
            "workers": lambda: setattr(of, "workers", int(message["count"])),
            "news": lambda: self.preload.learn(message),
            "left": lambda: self._left(of),
            "connection": lambda: self._pass_on(key, fds[0]),
            "failed": lambda: setattr(of, "text", of.text or message["text"]),
            "whereabouts": lambda: setattr(of, "note", fds[0]),
        }
        told[message["say"]]()

    def _pass_on(self, key: serving.Key, fd: int) -> None:
        """Give a connection to the program that serves now, one worker after the other."""
        takers = self.current.servers.get(key, []) if self.current else []
        if takers:
            takers.append(takers.pop(0))
            takers[-1].tell({"do": "take", "key": key}, [fd])
        os.close(fd)

    def _serving(
        self, generation: processes.Generation, key: serving.Key, channel: serving.Channel
    ) -> None:
        """A program serves: if it is the new one, the old one has to leave."""
        generation.servers.setdefault(key, []).append(channel)
        if generation.ready or max(map(len, generation.servers.values())) < generation.workers:
            return
        generation.ready = self._served = True
        if generation is self.current:
            self._failure = None
        if generation is not self.candidate:
            return
        self.leaver, self.candidate = self.current, None
        self._serve(generation)
        if self.leaver is None:
            self._ready()
        else:
            self._leave(self.leaver)

    def _leave(self, old: processes.Generation) -> None:
        self.others.append(old)
        old.tell({"do": "leave", "grace": self._options.grace})
        self._loop.later(_LEFT_SECONDS, lambda: self._has_left(old))
        self._loop.later(self._options.grace + _KILL_SECONDS, lambda: self._kill(old))

    def _left(self, generation: processes.Generation) -> None:
        generation.left += 1
        if generation.has_left:
            self._has_left(generation)

    def _has_left(self, old: processes.Generation) -> None:
        """The old program takes no connections: whoever asks now is answered by the new one."""
        if old is self.leaver:
            self.leaver = None
            self._ready()

    def _ready(self) -> None:
        if self.current and self.candidate is None:
            mode = self.current.mode
            self._answer({"state": "ready", "mode": mode, "why": self._reason(mode)})

    def _kill(self, generation: processes.Generation) -> None:
        if generation in self._all():
            generation.end(signal.SIGKILL)

    # ---- requests

    def _request(self, do: str, client: asking.Client) -> None:
        if do == "reload":
            self._clients.append(client)
            self._reload()
        elif do == "state":
            client.tell(self._state())
        else:
            client.tell({"state": "failed", "kept": True, "text": "not a request"})

    def _state(self) -> dict[str, Any]:
        if self._stopping:
            return {"state": "stopping"}
        if self._failure:
            return self._failure
        serves = self.current is not None and (self.current.ready or self._manner != "warm")
        starting = self.candidate or self._starting or self._check.busy
        state = "ready" if serves and not starting else "starting"
        mode = self._mode()
        return {"state": state, "mode": mode, "seconds": 0.0, "why": self._reason(mode)}

    def _mode(self) -> str:
        if self._manner in ("own", "hup"):
            return "own"
        if self._manner == "restart" or not self._served:
            return "restart"
        return "cold" if self.preload.cold else "warm"

    def _reason(self, mode: str) -> str:
        if mode == "cold":
            return self.preload.cold
        if mode == "restart" and self._manner == "warm":
            return "no server of uvicorn has been seen in this program"
        return self._why

    def _answer(self, answer: dict[str, Any]) -> None:
        """Answer all who wait: a request that another one overtook is answered with that one."""
        if self._stopping:
            answer = {"state": "stopping"}
        answer.setdefault("seconds", round(time.monotonic() - self._requested, 3))
        self._failure = answer if answer["state"] == "failed" else None
        for client in self._clients:
            client.tell(answer)
        self._clients = []

    def _reload(self) -> None:
        self._requested = time.monotonic()
        mode = self._mode()
        if self._stopping:
            self._answer({"state": "stopping"})
        elif mode == "own":
            if self._manner == "hup" and self.current:
                self._check_first(self.current)
            else:
                self._answer({"state": "ready", "mode": mode, "why": self._why})
        elif mode == "restart":
            self._again()
        else:
            self._anew()

    def _check_first(self, generation: processes.Generation) -> None:
        """Replace its workers if new ones can load the app: without any it would end."""
        requested = self._requested
        self._check.start(lambda text: self._checked(generation, text))
        self._loop.later(_SLOW_SECONDS, lambda: self._slow_check(requested))

    def _slow_check(self, requested: float) -> None:
        if self._check.busy and requested == self._requested:
            self._waiting("")

    def _checked(self, generation: processes.Generation, text: str) -> None:
        if self._stopping or generation is not self.current:
            self._answer({"state": "stopping"})
        elif text:
            self._answer({"state": "failed", "kept": True, "text": text, "mode": "own"})
        else:
            before = families.family(generation.pid)
            generation.signal(signal.SIGHUP)
            until = time.monotonic() + _CRASH_SECONDS
            self._when_replaced(generation, before, self._requested, until)

    def _when_replaced(
        self, generation: processes.Generation, before: set[int], requested: float, until: float
    ) -> None:
        """Answer when none of its workers of before is left, which may take them a while."""
        if generation is not self.current or requested != self._requested:
            return
        left = families.family(generation.pid) - {generation.pid}
        if (left and not left & before) or time.monotonic() > until:
            self._answer({"state": "ready", "mode": "own", "why": self._why})
        else:
            again = (generation, before, requested, until)
            self._loop.later(_GLANCE_SECONDS, lambda: self._when_replaced(*again))

    def _anew(self) -> None:
        """Start a new program beside the one that serves."""
        if self.candidate is not None:
            # What it would serve is old by now.
            self._end(self.candidate, _LEFT_SECONDS)
        if not self.preload.cold and warm.threads() > 1:
            self.preload.cold = "a thread runs in the process to be forked"
        generation = self.candidate = self._processes.start(self._mode())
        self._loop.later(_SLOW_SECONDS, lambda: self._slow(generation))
        self._loop.later(START_SECONDS, lambda: self._too_slow(generation))

    def _slow(self, generation: processes.Generation) -> None:
        """Tell those who wait where a program is that has not started yet."""
        if generation in (self.candidate, self._starting):
            if generation.note >= 0:
                generation.signal(whereabouts.SIGNAL)
            self._tell_slow(generation, time.monotonic() + _NOTE_SECONDS)

    def _tell_slow(self, generation: processes.Generation, until: float) -> None:
        if generation not in (self.candidate, self._starting):
            return
        own = warm.Modules(self._options.synced).own
        found = whereabouts.noted(generation.note, own) if generation.note >= 0 else ""
        if found is None and time.monotonic() < until:
            self._loop.later(_GLANCE_SECONDS, lambda: self._tell_slow(generation, until))
            return
        self._waiting(found or "")

    def _waiting(self, text: str) -> None:
        for client in self._clients:
            client.tell({"state": "waiting", "seconds": _SLOW_SECONDS, "text": text})

    def _too_slow(self, generation: processes.Generation) -> None:
        if generation is self.candidate:
            generation.text = f"the new code did not start within {START_SECONDS:.0f} s"
            self._kill(generation)

    def _end(self, generation: processes.Generation, grace: float) -> None:
        self.others.append(generation)
        generation.end(signal.SIGTERM)
        self._loop.later(grace, lambda: self._kill(generation))

    def _again(self) -> None:
        """End the program, and start it when it has gone: its port is free then."""
        if self.current is not None:
            self._listened |= families.listen(families.family(self.current.pid))
            self._awaited, self.current = self.current, None
            if self._door:
                self._door.lead(0)
            # One that has not started yet has nothing to finish.
            new = self._awaited is self._starting
            self._starting = None
            self._end(self._awaited, _LEFT_SECONDS if new else self._options.grace)
        elif self._awaited is None:
            self._start_again()

    def _when_gone(self, old: processes.Generation, until: float) -> None:
        """Start again when nothing is left of the old one, which may have the port."""
        if self._stopping:
            return
        if not old.end(0):
            self._start_again()
            return
        if time.monotonic() > until:
            old.end(signal.SIGKILL)
        self._loop.later(_GLANCE_SECONDS, lambda: self._when_gone(old, until))

    def _start_again(self) -> None:
        self._awaited = None
        self._starting = generation = self._processes.start(self._manner)
        self._serve(generation)
        self._loop.later(_SLOW_SECONDS, lambda: self._slow(generation))
        self._when_up(generation)

    def _when_up(self, generation: processes.Generation) -> None:
        """Answer when the program that was started again is as far as the one before it was."""
        if generation is not self._starting:
            return
        age = time.monotonic() - generation.since
        up = age > _LIVED_SECONDS
        if self._listened:
            up = families.listen(families.family(generation.pid))
        if up or generation.ready:
            self._starting = None
            self._answer({"state": "ready", "mode": "restart", "why": self._reason("restart")})
        elif age > START_SECONDS:
            self._starting = None
            text = f"the new code does not listen on a port after {START_SECONDS:.0f} s"
            self._answer({"state": "failed", "kept": False, "text": text, "mode": "restart"})
        else:
            self._loop.later(max(_GLANCE_SECONDS, age / 20), lambda: self._when_up(generation))

    # ---- signals and ends

    def _signalled(self, number: int) -> None:
        if number == signal.SIGCHLD:
            for pid, code in processes.ended():
                self._check.ended(pid, code)
                for one in self._all():
                    if one.pid == pid:
                        self._gone(one, code)
            return
        if number == signal.SIGTERM and self._drains():
            return
        if number in (signal.SIGTERM, signal.SIGINT):
            self._stopping = True
            if self._door:
                self._door.part()
        for one in self._all():
            one.signal(number)
        if self._stopping and not self._all():
            self._ended = 0

    def _drains(self) -> bool:
        """Whether the program serves on for a moment before it gets the signal.

        Kubernetes takes a pod out of its Services while it ends: connections come until all know.
        """
        current = self.current
        if self._stopping or not self._options.drain or current is None or self.candidate:
            return False
        self._stopping = True
        current.tell({"do": "drain"})
        self._loop.later(self._options.drain, lambda: self._signalled(signal.SIGTERM))
        return True

    def _gone(self, generation: processes.Generation, code: int) -> None:
        self._processes.finish(generation)
        if generation in self.others:
            self.others.remove(generation)
            self._has_left(generation)
            if generation is self._awaited and not self._stopping:
                self._when_gone(generation, time.monotonic() + self._options.grace)
        elif generation is self.candidate:
            self.candidate = None
            self._failed(generation, code)
        else:
            self.current = None
            self._fallen(generation, code)
        if self._stopping:
            if generation.ready or self._last is None:
                self._last = code
            if not self._all() and self._ended is None:
                self._ended = processes.exit_code(self._last, asked=True)

    def _failed(self, generation: processes.Generation, code: int) -> None:
        """A new program has ended before it served, and a restarted one early."""
        text = generation.text or f"the program ended {processes.how(code)}: its output says why"
        kept = self.current is not None
        self._answer({"state": "failed", "kept": kept, "text": text, "mode": generation.mode})
        if not kept and self._served:
            # The old one has crashed meanwhile: nothing is left to serve.
            self._ended = processes.exit_code(code)

    def _fallen(self, generation: processes.Generation, code: int) -> None:
        """The program has ended by itself: so does this process, unless a new one is to come."""
        age = time.monotonic() - generation.since
        if self._stopping or self.candidate is not None:
            return
        early = age < _CRASH_SECONDS or generation is self._starting
        self._starting = None
        if generation.number > 1 and not generation.ready and early:
            self._failed(generation, code)
        else:
            self._ended = processes.exit_code(code)


def _listening(program: programs.Program) -> dict[serving.Key, socket.socket]:
    """Listen where the program will, as far as its command line tells."""
    at = early.address(program, os.environ)
    sock = early.listen(at) if at else None
    return {(*at, ""): sock} if at and sock else {}


# ---- the program


def run_program(
    options: processes.Options, program: programs.Program, path: list[str], end: Any
) -> NoReturn:
    """Become the program; ends as Python would."""
    heard = end.hear()
    if heard is None:
        sys.exit(1)
    atexit.register(end.end.close)  # the last of them: not left to a warning in `-X dev`
    fds = iter(heard[1])
    held = {tuple(one[:3]): [next(fds) for _ in range(one[3])] for one in heard[0]["held"]}
    keys = heard[0]["early"]
    ahead = early.Early(
        0 if keys is None else options.early,
        {tuple(key): socket.socket(fileno=next(fds)) for key in keys or ()},
    )
    sys.path[:] = programs.search_path(program, path)
    modules = warm.Modules(options.synced)
    serves = serving.Serving(end, held, modules.news, ahead)
    warm.load_fresh(options.synced)
    warm.reseed()
    changes.hook(serves)
    whereabouts.listen(end)
    if heard[0]["debug"]:
        debugging.listen(heard[0]["debug"], options.debugger)
    try:
        programs.run(program)
    except SystemExit as error:
        if error.code:
            end.tell({"say": "failed", "text": "\n".join(serves.errors)})
        raise
    except BaseException as error:  # noqa: BLE001
        end.tell({"say": "failed", "text": programs.told(error)})
        error.__traceback__ = programs.own_frames_cut(error)
        sys.excepthook(type(error), error, error.__traceback__)
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 1)
    sys.exit()


def main() -> NoReturn:
    """Supervise a command, or be the program in it."""
    options = processes.Options(sys.argv[1:])
    folder = os.path.dirname(os.path.abspath(__file__))
    path = [one for one in sys.path if os.path.abspath(one or os.curdir) != folder]
    program = programs.understand(options.command, os.environ)
    if options.child < 0 and not options.started and programs.needs_other_python(program):
        python = [program.python, *program.flags]
        words = [*python, *options.again("--started")]
        os.execve(program.python, words, programs.environ())  # noqa: S606
    os.environ.update(program.env)
    if options.child >= 0:
        channel = serving.Channel(socket.socket(fileno=options.child))
    else:
        supervisor = Supervisor(options, program)
        try:
            code = supervisor.run()
        except processes.Forked as forked:
            channel = forked.channel
            path += supervisor.preload.added
            del supervisor
        else:
            # Not by way of what the imported packages registered for the end of a program.
            os._exit(code)
    run_program(options, program, path, channel)


if __name__ == "__main__":
    main()
