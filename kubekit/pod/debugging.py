"""debugpy in the program, and the one port of the container that leads a debugger to the newest.

Mounted into pods beside `supervisor.py`: standard library only, Python 3.10 and later. debugpy
comes as a zip file beside, since no image has to have it, and is unpacked because it does not run
from within one.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
import re
import socket
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubekit.pod.loop import Loop
    from kubekit.pod.program import Program

_HOST = "127.0.0.1"
_OTHER, _OPTIONS = "other", {"module": ["-m"], "code": ["-c"]}
_SLOW = "PYDEVD_UNBLOCK_THREADS_ON_VARIABLES_TIMEOUT"
_TRY_SECONDS = 0.05
_PATIENCE_SECONDS = 60.0
_FULL_SECONDS = 0.02
_LEAVE_SECONDS = 1.0
"""How long a program that is to end may be held at a breakpoint by a debugger that was told so."""

_BYE_SECONDS = 20.0
"""How long a debugger is given to say good-bye to a program that is to end, or has ended."""

_GREET_SECONDS = 1.0
"""How long debugpy may take to greet a debugger."""

_SETTLE_SECONDS = 0.5
"""How long debugpy may take, once it has hung up, until it has forgotten a debugger."""

_PORTS = range(20_000, 30_000)
"""Where no connection that goes out begins, and few programs listen."""

_SIZE = re.compile(rb"Content-Length: *(\d+)", re.IGNORECASE)
_HEAD = b"\r\n\r\n"
_LONGEST_HEAD = 4096
_LEAVE = "disconnect"


def prepare(folder: str, *, forks: bool) -> None:
    """Make debugpy ready for the programs to come; a failure is only told.

    Args:
        folder: where `zip/debugpy.zip` is.
        forks: programs are forked from this process, and find it imported.
    """
    try:
        unpack(folder)
        if forks:
            load(folder)
    except Exception as error:  # noqa: BLE001
        tell(f"{type(error).__name__}: {error}")


def tell(why: str) -> None:
    """Say in the log why there is no debugger."""
    sys.stderr.write(f"kubekit: no debugger: {why}\n")
    sys.stderr.flush()


def unpack(folder: str) -> None:
    """Unpack `zip/debugpy.zip` of a folder there, once for all containers that start in it."""
    done = os.path.join(folder, "done")
    if os.path.exists(done):
        return
    import compileall
    import zipfile

    with zipfile.ZipFile(os.path.join(folder, "zip", "debugpy.zip")) as file:
        file.extractall(folder)
    # What a program of its own imports at each reload, whatever `PYTHONDONTWRITEBYTECODE` says.
    compileall.compile_dir(os.path.join(folder, "debugpy", "adapter"), quiet=2)
    with open(done, "w", encoding="utf-8"):
        pass


def load(folder: str) -> Any:
    """Import debugpy, from this folder and without leaving a trace in `sys.path`."""
    path, environ, writes = list(sys.path), dict(os.environ), sys.dont_write_bytecode
    sys.path.insert(0, folder)
    # It would warn that it cannot stop in modules of the standard library that are frozen.
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    # When to read variables takes longer, it lets all threads run and may never `continue` again.
    os.environ.setdefault(_SLOW, "30")
    sys.dont_write_bytecode = False
    try:
        debugpy = importlib.import_module("debugpy")
        importlib.import_module("debugpy.server.api")
    finally:
        sys.dont_write_bytecode = writes
        sys.path[:] = path
        if environ != dict(os.environ):
            os.environ.clear()
            os.environ.update(environ)
    return debugpy


def listen(port: int, folder: str) -> None:
    """Let a debugger attach to this process at a port of the loopback; a failure is only told."""
    try:
        load(folder).listen((_HOST, port))
    except Exception as error:  # noqa: BLE001
        tell(f"{type(error).__name__}: {error}")


def words(program: Program, port: int, folder: str) -> list[str]:
    """The command that starts a program in a process of its own, with debugpy if it has a port."""
    if not port:
        return program.words
    if program.kind == _OTHER:
        tell(f"it is not known what `{program.name}` runs")
        return program.words
    start = [program.python, *program.flags, os.path.join(folder, "debugpy")]
    what = [*_OPTIONS.get(program.kind, []), program.name, *program.argv[1:]]
    return [*start, "--listen", f"{_HOST}:{port}", *what]


def free_port() -> int:
    """A port that nobody listens on, and that nobody takes by chance until debugpy does.

    Raises:
        OSError: there is none.
    """
    for _ in range(len(_PORTS)):
        port = _PORTS[int.from_bytes(os.urandom(4), "big") % len(_PORTS)]
        with contextlib.suppress(OSError), socket.create_server((_HOST, port)):
            return port
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


class Door:
    """A port that leads to the debugger of the program that serves.

    Raises:
        OSError: somebody has the port.
    """

    def __init__(self, loop: Loop, port: int) -> None:
        self._loop = loop
        self._to = 0
        self._links: list[_Link] = []
        self._listener = socket.create_server((_HOST, port))
        self._listener.setblocking(False)
        loop.watch(self._listener, self._accept)

    def lead(self, port: int) -> None:
        """Lead here from now on, 0: nowhere yet, and nobody to the program of before."""
        self._to = port
        self.part()

    def part(self) -> None:
        """Send whoever debugs to attach anew: what is held at a breakpoint goes on, and can end."""
        for one in self._links:
            one.leave()
        self._links = []

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        # After it was heard that another one goes, which may be the same one that comes back.
        until = time.monotonic() + _PATIENCE_SECONDS
        self._loop.later(0, lambda: self._connect(client, until))

    def _connect(self, client: socket.socket, until: float) -> None:
        """Connect a client as soon as the program listens.

        It takes none any more after one that came while another one went.
        """
        self._links = [one for one in self._links if not one.is_settled]
        try:
            if any(one.is_ending for one in self._links):
                raise BlockingIOError
            server = socket.create_connection((_HOST, self._to), timeout=_TRY_SECONDS)
        except OSError:
            if time.monotonic() > until:
                client.close()
            else:
                self._loop.later(_TRY_SECONDS, lambda: self._connect(client, until))
            return
        self._links.append(_Link(self._loop, client, server))


class _Link:
    """A connection between a client and debugpy's adapter, which speak DAP."""

    def __init__(self, loop: Loop, client: socket.socket, adapter: socket.socket) -> None:
        self._loop, self._client, self._adapter = loop, client, adapter
        self._rest = {client: b"", adapter: b""}  # of what each sent, the message that has begun
        self._late = {client: b"", adapter: b""}  # what each has not taken yet
        self._since = time.monotonic()
        self._is_part = self._leaves = self._is_answered = self._is_deaf = False
        self.is_closed = self.is_ending = False
        self._gone: float | None = None
        for one in (client, adapter):
            one.setblocking(False)
            loop.watch(one, partial(self._read, one))

    @property
    def is_settled(self) -> bool:
        """Whether debugpy knows of it no more."""
        return self._gone is not None and time.monotonic() > self._gone + _SETTLE_SECONDS

    def leave(self) -> None:
        """Its program is to end: tell the client to start again, which attaches to the next one.

        A client that debugs a further process of the program does not: it is told of the next one.
        """
        body = {} if self._is_part else {"restart": True}
        event = {"seq": 0, "type": "event", "event": "terminated", "body": body}
        if not (self.is_closed or self._leaves):
            self._leaves = True
            self._write(self._client, framed(event))
            self._loop.later(_LEAVE_SECONDS, self._let_go)
            self._loop.later(_BYE_SECONDS, self._close)

    def _let_go(self) -> None:
        """What is held at a breakpoint goes on, though the client has said nothing yet."""
        if not self._is_answered:
            self._hang_up()

    def _hang_up(self) -> None:
        """At debugpy, which may say something still."""
        self._is_deaf = True
        with contextlib.suppress(OSError):
            self._adapter.shutdown(socket.SHUT_WR)

    def _read(self, source: socket.socket) -> None:
        try:
            data = source.recv(1 << 16)
            whole, self._rest[source] = messages(self._rest[source] + data)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            data, whole = b"", []
        if self.is_closed:
            if not data:
                self._forget_adapter()
            return
        for message in whole:
            if source is self._client:
                self._ask(message)
            elif not self._leaves or not _is_of_the_end(message):
                self._write(self._client, message)
        if not data:
            self._ended(source)

    def _ask(self, message: bytes) -> None:
        self._is_part = self._is_part or b'"subProcessId"' in message
        bye = _read(message).get("command") == _LEAVE
        self.is_ending = self.is_ending or bye
        if self._leaves and bye:
            # The adapter may have gone with its program, and an editor waits for the answer.
            self._is_answered = True
            self._write(self._client, framed(_bye(message)))
        if not self._is_deaf:
            self._write(self._adapter, message)
        elif self._is_answered:
            self._close()

    def _ended(self, source: socket.socket) -> None:
        """One hangs up; a client that is to say good-bye need not do so at once."""
        if source is self._adapter:
            self._forget_adapter()
        if source is self._client or not self._leaves or self._is_answered:
            self._close()

    def _forget_adapter(self) -> None:
        self._is_deaf = True
        self._loop.forget(self._adapter)
        if self._gone is None:
            self._gone = time.monotonic()

    def _write(self, to: socket.socket, data: bytes) -> None:
        waits = bool(self._late[to])
        self._late[to] += data
        if not waits:
            self._flush(to)

    def _flush(self, to: socket.socket) -> None:
        if self.is_closed:
            return
        try:
            self._late[to] = self._late[to][to.send(self._late[to]) :]
        except BlockingIOError:
            pass
        except OSError:
            self._close()
            return
        if self._late[to]:
            self._loop.later(_FULL_SECONDS, lambda: self._flush(to))

    def _close(self) -> None:
        """Hang up, but not at debugpy while it greets: who goes then is the last one it takes."""
        if not self.is_closed:
            self.is_closed = self.is_ending = True
            self._loop.forget(self._client)
            greets = max(0.0, self._since + _GREET_SECONDS - time.monotonic())
            self._loop.later(greets, self._hang_up)
            self._loop.later(greets + _LEAVE_SECONDS, self._forget_adapter)


def messages(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole messages of DAP at the start of what came, and the rest.

    Raises:
        ValueError: it is something else.
    """
    found: list[bytes] = []
    while True:
        head, mark, _ = data.partition(_HEAD)
        size = _SIZE.search(head)
        if not mark and len(head) < _LONGEST_HEAD:
            return found, data
        if size is None:
            raise ValueError
        end = len(head) + len(_HEAD) + int(size[1])
        if len(data) < end:
            return found, data
        found.append(data[:end])
        data = data[end:]


def _is_of_the_end(message: bytes) -> bool:
    """That the old program ended must not end what begins anew; a good-bye is answered here."""
    told = _read(message)
    return told.get("type") == "event" or told.get("command") == _LEAVE


def _read(message: bytes) -> dict[str, Any]:
    """What a message says, as far as it is one."""
    try:
        told = json.loads(message.partition(_HEAD)[2])
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _bye(message: bytes) -> dict[str, Any]:
    """The answer to a request that says good-bye."""
    answer = {"type": "response", "request_seq": _read(message).get("seq"), "success": True}
    return {"seq": 0, **answer, "command": _LEAVE}


def framed(message: dict[str, Any]) -> bytes:
    """A message as DAP has it."""
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
