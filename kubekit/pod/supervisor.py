"""Process 1 of a container in `kubekit dev`: runs its program, and runs it anew on request.

Usage: supervisor.py [--synced FOLDER]... [--grace SECONDS] -- COMMAND...

A program that uvicorn serves is forked from this process, which has imported the packages of others
once: the new one imports the project's own modules alone, and serves on the same sockets. When it
does, the old one gives its idle connections away and ends. Any other program is ended and started.

`$KUBEKIT_DEV` names an abstract Unix socket that takes `{"do": "reload"}` and `{"do": "state"}`,
one JSON object a line. Standard library only, Python 3.10 and later; nothing here polls.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from kubekit.pod import changes, serving, warm
    from kubekit.pod import program as programs
else:

    def _beside(name: str) -> Any:
        """A file beside this one, under a name that no module of the project has."""
        place = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")
        spec = spec_from_file_location(f"_kubekit_{name}", place)
        sys.modules[spec.name] = module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    changes, programs, serving, warm = map(_beside, ("changes", "program", "serving", "warm"))

START_SECONDS = 60.0
"""How long a new program may take until it serves; then the old one is kept."""

_LEFT_SECONDS = 2.0
_CRASH_SECONDS = 10.0
_KILL_SECONDS = 5.0
_FORWARDED = tuple(
    getattr(signal, f"SIG{name}")
    for name in ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "WINCH", "TTIN", "TTOU")
)
_SIGNALS = (*_FORWARDED, signal.SIGCHLD)


class Forked(Exception):  # noqa: N818
    """Unwinds the stack of the supervisor in the process that is to become the program."""

    def __init__(self, channel: serving.Channel) -> None:
        super().__init__()
        self.channel = channel


class Options:
    """The command line: see the usage above; `--child` and `--started` are its own."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.synced: list[str] = []
        self.grace = 5.0
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
            elif word == "--child":
                self.child = int(words.pop(0))
        self.command = words[1:]
        if not self.command:
            sys.exit("usage: supervisor.py [--synced FOLDER]... [--grace SECONDS] -- COMMAND...")

    def again(self, *own: str) -> list[str]:
        """The command line for another process of the same options."""
        synced = [part for one in self.synced for part in ("--synced", one)]
        grace = ["--grace", str(self.grace)]
        return [os.path.abspath(__file__), *own, *synced, *grace, "--", *self.command]


class Generation:
    """One process, with its workers, that runs the program."""

    def __init__(self, number: int, pid: int, mode: str) -> None:
        self.number, self.pid, self.mode = number, pid, mode
        self.since = time.monotonic()
        self.channels: list[serving.Channel] = []
        self.servers: dict[serving.Key, list[serving.Channel]] = {}
        self.workers = 1
        self.ready = False
        self.left = 0
        self.text = ""
        self.ending = False


class Supervisor:
    """The loop: programs, requests and signals, each answered when it comes."""

    def __init__(self, options: Options, program: programs.Program, path: list[str]) -> None:
        self.options, self.program = options, program
        self.path = path
        self.manner, self.why = programs.manner(program, os.environ)
        self.held: dict[serving.Key, list[int]] = {}
        self.current: Generation | None = None
        self.candidate: Generation | None = None
        self.leaver: Generation | None = None
        self.others: list[Generation] = []
        self.clients: list[socket.socket] = []
        self.failure: dict[str, Any] | None = None
        self.preload = warm.Preload(options.synced)
        self.served = False
        self.ended: int | None = None
        self.requested = 0.0
        self._number = 0
        self._restart = False
        self._stopping = False
        self._alarms: list[tuple[float, Callable[[], None]]] = []
        self._poll = select.poll()
        self._calls: dict[int, tuple[Any, Callable[[], None]]] = {}
        self._wake, self._woken = socket.socketpair()

    # ---- the loop

    def run(self) -> int:
        """Until the program ends; returns the exit code for this process."""
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        for number in _SIGNALS:
            signal.signal(number, _noted)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        self._watch(self._wake, self._signalled)
        self._listen()
        self.current = self._start(self.manner)
        while self.ended is None:
            for fd, _ in self._poll.poll(self._patience()):
                if fd in self._calls:
                    self._calls[fd][1]()
            now = time.monotonic()
            due = [one for one in self._alarms if one[0] <= now]
            self._alarms = [one for one in self._alarms if one[0] > now]
            for _, call in due:
                call()
            if self.preload.busy and self.ended is None:
                self.preload.step()
        return self.ended

    def _patience(self) -> float | None:
        if self.preload.busy:
            return 0
        if not self._alarms:
            return None
        return max(0.0, min(one[0] for one in self._alarms) - time.monotonic()) * 1000 + 1

    def _watch(self, what: Any, call: Callable[[], None]) -> None:
        self._calls[what.fileno()] = (what, call)
        self._poll.register(what.fileno(), select.POLLIN)

    def _forget(self, what: Any) -> None:
        with contextlib.suppress(KeyError, ValueError):
            del self._calls[what.fileno()]
            self._poll.unregister(what.fileno())
        what.close()

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self._alarms.append((time.monotonic() + seconds, call))

    # ---- processes

    def _start(self, mode: str) -> Generation:
        """Start the program: in a fork of this process, in a new Python, or just as it is."""
        self._number += 1
        ours, theirs = serving.pair()
        if self.manner != "warm":
            pid = self._spawn(self.program.words, None)
        elif mode == "cold":
            python = [sys.executable, *self.program.flags]
            words = [*python, *self.options.again("--child", str(theirs.end.fileno()))]
            pid = self._spawn(words, theirs)
        else:
            pid = self._fork(ours, theirs)
        theirs.end.close()
        generation = Generation(self._number, pid, mode)
        self._join(generation, ours)
        keys = [[*key, len(fds)] for key, fds in self.held.items()]
        fds = [fd for each in self.held.values() for fd in each]
        ours.tell({"do": "start", "held": keys}, fds)
        return generation

    def _fork(self, ours: serving.Channel, channel: serving.Channel) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            self._close(ours)
            raise Forked(channel)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return pid

    def _close(self, ours: serving.Channel) -> None:
        """In a program: close what is the supervisor's."""
        ours.end.close()
        for what, _ in list(self._calls.values()):
            what.close()
        self._woken.close()
        for each in self.held.values():
            for fd in each:
                os.close(fd)

    def _spawn(self, words: list[str], channel: serving.Channel | None) -> int:
        if channel is not None:
            os.set_inheritable(channel.end.fileno(), True)
        # Python ignores these two; a program must find them as they are by default.
        defaults = (signal.SIGPIPE, signal.SIGXFSZ)
        try:
            return os.posix_spawnp(words[0], words, programs.environ(), setsigdef=defaults)
        except OSError as error:
            sys.stderr.write(f"{words[0]}: {error.strerror}\n")
            os._exit(127 if isinstance(error, FileNotFoundError) else 126)

    def _join(self, generation: Generation, channel: serving.Channel) -> None:
        channel.end.setblocking(False)
        generation.channels.append(channel)
        self._watch(channel.end, lambda: self._heard(generation, channel))

    def _heard(self, generation: Generation, channel: serving.Channel) -> None:
        """Take what a program tells, as far as it has told it."""
        while True:
            try:
                heard = channel.hear()
            except (BlockingIOError, OSError):
                return
            if heard is None:
                self._forget(channel.end)
                return
            self._told(generation, channel, *heard)

    def _told(
        self, generation: Generation, channel: serving.Channel, message: Any, fds: list[int]
    ) -> None:
        say = message["say"]
        key = tuple(message.get("key") or ())
        if say == "hold":
            for fd in self.held.pop(key, []):
                os.close(fd)
            self.held[key] = fds
        elif say == "serving":
            generation.servers.setdefault(key, []).append(channel)
            self._serving(generation)
        elif say == "worker":
            self._join(generation, serving.Channel(socket.socket(fileno=fds[0])))
        elif say == "workers":
            generation.workers = int(message["count"])
        elif say == "news":
            self.preload.learn(message)
        elif say == "left":
            generation.left += 1
            if generation.left >= sum(map(len, generation.servers.values())):
                self._has_left(generation)
        elif say == "connection":
            self._pass_on(key, fds[0])
        elif say == "failed":
            generation.text = generation.text or message["text"]

    def _pass_on(self, key: serving.Key, fd: int) -> None:
        """Give a connection to the program that serves now, one worker after the other."""
        takers = self.current.servers.get(key, []) if self.current else []
        if takers:
            takers.append(takers.pop(0))
            takers[-1].tell({"do": "take", "key": key}, [fd])
        os.close(fd)

    def _serving(self, generation: Generation) -> None:
        """A program serves: if it is the new one, the old one has to leave."""
        if generation.ready or max(map(len, generation.servers.values())) < generation.workers:
            return
        generation.ready = self.served = True
        if generation is not self.candidate:
            self._answer({"state": "ready", "mode": generation.mode, "why": self.why})
            return
        self.leaver, self.current, self.candidate = self.current, generation, None
        if self.leaver is None:
            self._ready()
        else:
            self._leave(self.leaver)

    def _leave(self, old: Generation) -> None:
        old.ending = True
        self.others.append(old)
        for channel in old.channels:
            channel.tell({"do": "leave", "grace": self.options.grace})
        self._later(_LEFT_SECONDS, lambda: self._has_left(old))
        self._later(self.options.grace + _KILL_SECONDS, lambda: self._kill(old))

    def _has_left(self, old: Generation) -> None:
        """The old program takes no more connections: whoever asks now is answered by the new one."""
        if old is self.leaver:
            self.leaver = None
            self._ready()

    def _ready(self) -> None:
        if self.current and self.candidate is None:
            mode = self.current.mode
            why = self.preload.cold if mode == "cold" else ""
            self._answer({"state": "ready", "mode": mode, "why": why})

    def _kill(self, generation: Generation) -> None:
        if generation in (self.current, self.candidate, *self.others):
            with contextlib.suppress(ProcessLookupError):
                os.kill(generation.pid, signal.SIGKILL)

    # ---- requests

    def _listen(self) -> None:
        name = os.environ.get("KUBEKIT_DEV", "")
        if not name:
            return
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(f"\0kubekit-dev-{name}")
        listener.listen()
        listener.setblocking(False)
        self._watch(listener, lambda: self._accept(listener))

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client, _ = listener.accept()
            peer = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            if struct.unpack("3i", peer)[1] not in (0, os.getuid()):
                client.close()
                return
            rest = bytearray()
            self._watch(client, lambda: self._asked(client, rest))

    def _asked(self, client: socket.socket, rest: bytearray) -> None:
        try:
            data = client.recv(4096)
        except OSError:
            data = b""
        rest += data
        while b"\n" in rest:
            line, _, after = bytes(rest).partition(b"\n")
            rest[:] = after
            self._request(client, line)
        if not data:
            self.clients = [one for one in self.clients if one is not client]
            self._forget(client)

    def _request(self, client: socket.socket, line: bytes) -> None:
        try:
            do = json.loads(line).get("do")
        except (ValueError, AttributeError):
            do = ""
        if do == "reload":
            self.clients.append(client)
            self._reload()
        elif do == "state":
            self._send(client, self._state())
        else:
            self._send(client, {"state": "failed", "kept": True, "text": "not a request"})

    def _state(self) -> dict[str, Any]:
        if self.failure:
            return self.failure
        serves = self.current is not None and (self.current.ready or not self._is_warm())
        state = "ready" if serves and not self.candidate else "starting"
        mode = self._mode()
        return {"state": state, "mode": mode, "seconds": 0.0, "why": self._reason(mode)}

    def _is_warm(self) -> bool:
        return self.manner == "warm" and self.served

    def _mode(self) -> str:
        if not self._is_warm():
            return "own" if self.manner in ("own", "hup") else "restart"
        return "cold" if self.preload.cold else "warm"

    def _reason(self, mode: str) -> str:
        if mode == "cold":
            return self.preload.cold
        if mode == "restart" and self.manner == "warm":
            return "no server of uvicorn has been seen in this program"
        return self.why

    def _answer(self, answer: dict[str, Any]) -> None:
        """Answer all who wait: a request that another one overtook is answered with that one."""
        self.failure = answer if answer["state"] == "failed" else None
        answer.setdefault("seconds", round(time.monotonic() - self.requested, 3))
        for client in self.clients:
            self._send(client, answer)
        self.clients = []

    @staticmethod
    def _send(client: socket.socket, answer: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            client.sendall(json.dumps(answer).encode() + b"\n")

    def _reload(self) -> None:
        self.requested = time.monotonic()
        mode = self._mode()
        if self._stopping:
            self._answer({"state": "failed", "kept": False, "text": "the container is stopping"})
        elif mode == "own":
            if self.manner == "hup" and self.current:
                os.kill(self.current.pid, signal.SIGHUP)
            self._answer({"state": "ready", "mode": mode, "why": self.why})
        elif mode == "restart":
            self._again()
        else:
            self._supersede()
            if not self.preload.cold and warm.threads() > 1:
                self.preload.cold = "a thread runs in the process to be forked"
            generation = self.candidate = self._start(self._mode())
            self._later(START_SECONDS, lambda: self._too_slow(generation))

    def _supersede(self) -> None:
        """End a new program that does not serve yet: what it would serve is old by now."""
        if self.candidate is not None:
            self._end(self.candidate, _LEFT_SECONDS)
            self.candidate = None

    def _end(self, generation: Generation, grace: float) -> None:
        generation.ending = True
        self.others.append(generation)
        with contextlib.suppress(ProcessLookupError):
            os.kill(generation.pid, signal.SIGTERM)
        self._later(grace, lambda: self._kill(generation))

    def _too_slow(self, generation: Generation) -> None:
        if generation is self.candidate:
            generation.text = f"the new program does not serve after {START_SECONDS:.0f} s"
            self._kill(generation)

    def _again(self) -> None:
        """End the program and start it when it has gone: its port is free then."""
        if self.current is None:
            self._anew()
        elif not self._restart:
            self._restart = True
            old, self.current = self.current, None
            self._end(old, self.options.grace)

    def _anew(self) -> None:
        self._restart = False
        self.current = self._start(self.manner)
        self._answer({"state": "ready", "mode": "restart", "why": self._reason("restart")})

    # ---- signals and ends

    def _signalled(self) -> None:
        for number in self._wake.recv(4096):
            if number == signal.SIGCHLD:
                self._reap()
                continue
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stopping = True
            for one in filter(None, (self.current, self.candidate, *self.others)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one.pid, number)
            if self._stopping and self.current is None and not self.others:
                self.ended = 0

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            code = os.waitstatus_to_exitcode(status)
            for one in filter(None, (self.current, self.candidate, *self.others)):
                if one.pid == pid:
                    self._gone(one, code)
                    break

    def _gone(self, generation: Generation, code: int) -> None:
        for channel in list(generation.channels):
            if channel.end.fileno() >= 0:
                self._heard(generation, channel)
                self._forget(channel.end)
        if generation in self.others:
            self.others.remove(generation)
            self._has_left(generation)
            if self._restart and not self._stopping:
                self._anew()
        elif generation is self.candidate:
            self.candidate = None
            self._failed(generation, code)
        else:
            self.current = None
            self._fallen(generation, code)
        if self._stopping and not self.others and self.current is None:
            self.ended = self.ended if self.ended is not None else _exit_code(code, asked=True)

    def _failed(self, generation: Generation, code: int) -> None:
        """A new program has ended before it served."""
        ending = f"with exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
        text = generation.text or f"the program ended {ending}: its output says why"
        kept = self.current is not None
        self._answer({"state": "failed", "kept": kept, "text": text, "mode": generation.mode})
        if not kept and generation.mode != "restart" and self.served:
            self.ended = _exit_code(code)

    def _fallen(self, generation: Generation, code: int) -> None:
        """The program has ended by itself: so does this process, unless a new one is to come."""
        age = time.monotonic() - generation.since
        if self._stopping or self.candidate is not None:
            return
        if generation.number > 1 and not generation.ready and age < _CRASH_SECONDS:
            self._failed(generation, code)
        else:
            self.ended = _exit_code(code)


def _noted(_number: int, _frame: object) -> None:
    """The number is written to the wake-up socket; this is what makes Python do it."""


def _exit_code(code: int, *, asked: bool = False) -> int:
    """The code of a program as a container has it.

    A server raises the signal again that has ended it, which kills it here, and would be ignored
    in process 1: there it ends well.
    """
    if asked and os.getpid() == 1 and code in (-signal.SIGTERM, -signal.SIGINT):
        return 0
    return code if code >= 0 else 128 - code


# ---- the program


def run_program(options: Options, program: programs.Program, path: list[str], end: Any) -> NoReturn:
    """Become the program; ends as Python would."""
    heard = end.hear()
    if heard is None:
        sys.exit(1)
    atexit.register(end.end.close)  # the last of them: not left to a warning in `-X dev`
    fds = iter(heard[1])
    held = {tuple(one[:3]): [next(fds) for _ in range(one[3])] for one in heard[0]["held"]}
    sys.path[:] = programs.search_path(program, path)
    modules = warm.Modules(options.synced)
    serves = serving.Serving(end, held, modules.news)
    warm.load_fresh(options.synced)
    warm.reseed()
    changes.hook(serves)
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
    options = Options(sys.argv[1:])
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
        try:
            code = Supervisor(options, program, path).run()
        except Forked as forked:
            channel = forked.channel
        else:
            # Not by way of what the imported packages registered for the end of a program.
            os._exit(code)
    run_program(options, program, path, channel)


if __name__ == "__main__":
    main()
