"""Brings a container's files to those of the working tree, from within; `dev` runs it by exec.

It needs Python 3.10 and nothing else: no tar, no shell. On its input come frames, on its output go
frames: four bytes of length, a JSON object of that length, and after a ``sync`` the content of all
its files, one after the other. It ends when its input does. Paths are absolute and, as in Python,
UTF-8 with surrogates for other bytes; inside they are bytes, whatever the container's locale is.

``hello`` {dests} -> {re: hello, python, pid, uid, dests: [{state: fine | missing | denied |
readonly | ...}], mounts: what is mounted below them, which is none of our business}.

``list`` {paths} -> {re: listed, entries: for each path null, ["folder"], ["link", target],
["file", sha256, executable] or ["other"]}; null also where something above it is no folder.

``sync`` {clears, folders, puts: [path, executable, size, sha256], links: [path, target],
modes: [path, executable], deletes, reload, patience, probe} -> as it goes on {re: written} |
{re: syntax, faults, kept} | {re: changed, path} | {re: failed, errno, path}, {re: waiting, text},
{re: reloaded, ...}, {re: ready, ...}, and {re: done}. Python files are compiled first; nothing is
written unless all of them can be. Content is staged beside the destination and renamed to its
place. From {re: written} on a ``stop`` {} ends the wait for the app: {re: overtaken}, {re: done};
one that comes too late has no answer.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import select
import socket
import stat
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

Frame = dict[str, Any]

_LENGTH = struct.Struct(">I")
_BLOCK = 1 << 18
_COMPILED = 4 << 20
"""Bytes: a larger Python file is data, and to compile it could cost the container its memory."""

_STAGE = b".kubekit-"
_CACHES = b"__pycache__"
_FAULTS = 20
_EXECUTABLE = 0o111
_WELL = range(200, 400)
_TRY_SECONDS = 0.5
"""What every try to reach the app is given, also when the time is nearly up."""

_STATE_SECONDS = 1.0
"""It answers at once, unless it imports something."""

_START_SECONDS = 3.0
"""How long the supervisor of a container that has just been started may take to listen."""


class EndError(Exception):
    """Nobody asks any more."""


class StopError(Exception):
    """Something newer is to come: how the app takes this is of no interest any more."""


class ClashError(OSError):
    """A folder must make room and holds files that are not ours."""


class Wire:
    """The two ends of the session, kept away from what might print."""

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self._in = os.fdopen(source, "rb", buffering=_BLOCK)
        self._out = os.fdopen(sink, "wb", buffering=0)

    def read(self) -> Frame:
        """The next request.

        Raises:
            EndError: there is none.
        """
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        frame: Frame = json.loads(self._exactly(length))
        return frame

    def blocks(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes, in blocks."""
        while size:
            block = self._exactly(min(size, _BLOCK))
            size -= len(block)
            yield block

    def tell(self, **frame: Any) -> None:
        """Send an answer."""
        body = json.dumps(frame, separators=(",", ":")).encode()
        rest = memoryview(_LENGTH.pack(len(body)) + body)
        while rest:
            rest = rest[self._out.write(rest) :]

    def stirs(self, seconds: float) -> bool:
        """Wait; True as soon as something comes."""
        return bool(select.select([self.source], [], [], seconds)[0])

    def interrupted(self) -> NoReturn:
        """What came while we wait for the app can only be a ``stop``, or the end."""
        self.read()
        raise StopError

    def _exactly(self, size: int) -> bytes:
        data = self._in.read(size)
        if len(data) < size:
            raise EndError
        return data


def main() -> None:
    """Answer until the input ends."""
    wire = Wire(os.dup(0), os.dup(1))
    # Whatever prints must not print between the frames.
    os.dup2(2, 1)
    dests: list[bytes] = []
    with contextlib.suppress(EndError, BrokenPipeError):
        while True:
            request = wire.read()
            if request["do"] == "hello":
                dests = [encoded(dest) for dest in request["dests"]]
                hello(wire, dests)
            elif request["do"] == "list":
                with locked(dests):
                    entries = list(listed([encoded(path) for path in request["paths"]]))
                wire.tell(re="listed", entries=entries)
            elif request["do"] == "sync":
                sync(wire, request, dests)
                wire.tell(re="done")


def encoded(path: str) -> bytes:
    """A path as the system has it."""
    return path.encode("utf-8", "surrogateescape")


def decoded(path: bytes) -> str:
    """A path as frames have it."""
    return path.decode("utf-8", "surrogateescape")


# ---- hello


def hello(wire: Wire, dests: list[bytes]) -> None:
    """Say who we are and what can be written; clear away what an agent that died has left."""
    states = [{"state": tried(dest)} for dest in dests]
    wire.tell(
        re="hello",
        python=".".join(map(str, sys.version_info[:3])),
        pid=os.getpid(),
        uid=os.geteuid(),
        dests=states,
        mounts=[decoded(path) for mount in mounts() for path in below(mount, dests)],
    )


def tried(dest: bytes) -> str:
    """Whether files can be written there, found out by making a folder there."""
    try:
        missing = not os.path.isdir(dest)
        os.makedirs(dest, exist_ok=True)
        clear_stages(dest)
        probe = Stage.name(dest)
        os.mkdir(probe)
        os.rmdir(probe)
    except OSError as error:
        known = {errno.EROFS: "readonly", errno.EACCES: "denied", errno.EPERM: "denied"}
        return known.get(error.errno or 0, os.strerror(error.errno or 0))
    return "missing" if missing else "fine"


def clear_stages(dest: bytes) -> None:
    """Remove stages that no living agent holds; an emptyDir outlives the container."""
    for name in os.listdir(dest):
        if not name.startswith(_STAGE):
            continue
        with contextlib.suppress(OSError), held(os.path.join(dest, name), fcntl.LOCK_NB):
            remove_stage(os.path.join(dest, name))


def mounts() -> list[bytes]:
    """Where something is mounted."""
    try:
        with open("/proc/self/mountinfo", "rb") as stream:
            fields = [line.split(b" ")[4] for line in stream]
    except OSError:
        return []
    return [unescaped(field) for field in fields]


def unescaped(field: bytes) -> bytes:
    r"""A path of mountinfo, which writes a space, a tab, a line's end and `\` in octal."""
    head, *rest = field.split(b"\\")
    return head + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in rest)


def below(mount: bytes, dests: list[bytes]) -> list[bytes]:
    """What a mount point is called from the destinations it is strictly below, being none itself.

    A destination may be a link; the kernel tells of mounts without any.
    """
    real = {dest: os.path.realpath(dest).rstrip(b"/") + b"/" for dest in dests}
    if mount + b"/" in real.values():
        return []
    return [
        os.path.join(dest, mount[len(top) :]) for dest, top in real.items() if mount.startswith(top)
    ]


@contextlib.contextmanager
def held(path: bytes, how: int = 0) -> Iterator[None]:
    """Hold a folder's lock: another agent, whose session broke, may not be done yet."""
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(opened)


@contextlib.contextmanager
def locked(dests: list[bytes]) -> Iterator[None]:
    """Hold all destinations that are there, on file systems that know locks."""
    with contextlib.ExitStack() as stack:
        for dest in sorted(set(map(os.path.realpath, dests))):
            with contextlib.suppress(OSError):
                stack.enter_context(held(dest))
        yield


# ---- list


def listed(paths: list[bytes]) -> Iterator[list[Any] | None]:
    """What stands at each path; nothing is followed, nothing beside them is looked at."""
    folders: dict[bytes, bool] = {}
    for path in paths:
        above = os.path.dirname(path)
        if not folders.setdefault(above, True):
            folders[path] = False
            yield None
            continue
        found = looked(path)
        folders[path] = found == ["folder"]
        yield found


def looked(path: bytes) -> list[Any] | None:
    """What stands there."""
    try:
        status = os.lstat(path)
        if stat.S_ISDIR(status.st_mode):
            return ["folder"]
        if stat.S_ISLNK(status.st_mode):
            return ["link", decoded(os.readlink(path))]
        if stat.S_ISREG(status.st_mode):
            return ["file", hashed(path), bool(status.st_mode & stat.S_IXUSR)]
    except (FileNotFoundError, NotADirectoryError):
        return None
    return ["other"]


def hashed(path: bytes) -> str:
    """The content in short; of what cannot be read nothing."""
    seen = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as stream:
            while block := stream.read(_BLOCK):
                seen.update(block)
    except PermissionError:
        return ""
    return seen.hexdigest()


# ---- sync


class Stage:
    """Where content waits for its place: a folder in each destination, made when it is needed."""

    def __init__(self, dests: list[bytes]) -> None:
        self._dests = sorted(dests, key=len, reverse=True)
        self._made: dict[bytes, bytes] = {}
        self._holds = contextlib.ExitStack()
        self._count = 0

    @staticmethod
    def name(dest: bytes) -> bytes:
        """A name that nothing has."""
        return os.path.join(dest, _STAGE + os.urandom(6).hex().encode())

    def new(self, path: bytes) -> bytes:
        """The name of a new file on the file system of `path`."""
        inside = (dest for dest in self._dests if path.startswith(dest.rstrip(b"/") + b"/"))
        dest = next(inside)
        if dest not in self._made:
            self._made[dest] = self.name(dest)
            os.mkdir(self._made[dest], 0o700)
            with contextlib.suppress(OSError):
                self._holds.enter_context(held(self._made[dest]))
        self._count += 1
        return os.path.join(self._made[dest], str(self._count).encode())

    def __enter__(self) -> Stage:  # noqa: PYI034 - Self is of Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        for folder in self._made.values():
            with contextlib.suppress(OSError):
                remove_stage(folder)
        self._holds.close()


def remove_stage(folder: bytes) -> None:
    """Remove a stage with what is left in it."""
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)


class Arrival:
    """What became of the files while they came in; after a fault they are only read past."""

    def __init__(self, stage: Stage) -> None:
        self.staged: list[tuple[bytes, bytes, bool]] = []
        self.faults: list[Frame] = []
        self.problem: Frame | None = None
        self._stage = stage

    @property
    def well(self) -> bool:
        """Whether all can be written so far."""
        return not self.faults and self.problem is None

    def take(self, wire: Wire, put: list[Any]) -> None:
        """Take one file."""
        path, executable, size, digest = put
        blocks = wire.blocks(size)
        try:
            if path.endswith(".py") and size <= _COMPILED:
                blocks = iter([self._compiled(path, b"".join(blocks))])
            if self.well:
                self._store(path, executable, digest, blocks)
        except OSError as error:
            self.problem = failed(error, path)
        finally:
            for _ in blocks:
                pass

    def _compiled(self, path: str, source: bytes) -> bytes:
        fault = fault_of(source, path)
        if fault and len(self.faults) < _FAULTS:
            self.faults.append(fault)
        return source

    def _store(self, path: str, executable: bool, digest: str, blocks: Iterator[bytes]) -> None:
        at = self._stage.new(encoded(path))
        seen = hashlib.sha256()
        opened = os.open(at, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "wb", buffering=0) as stream:
            for block in blocks:
                seen.update(block)
                write(stream, block)
        self.staged.append((at, encoded(path), executable))
        if seen.hexdigest() != digest:
            self.problem = {"re": "changed", "path": path}


def write(stream: BinaryIO, block: bytes) -> None:
    """Write all of it: a file system that fills up takes a part first."""
    rest = memoryview(block)
    while rest:
        rest = rest[stream.write(rest) :]


def fault_of(source: bytes, path: str) -> Frame | None:
    """What this Python says against a file; None if it can be imported as far as syntax goes."""
    try:
        # By its own name, Python would quote the line from the file that is there still.
        compile(source, "<synced>", "exec", dont_inherit=True)
    except SyntaxError as error:
        lines = source.splitlines()[: error.lineno or 0]
        text = lines[-1].decode("utf-8", "replace")[:500] if lines else ""
        message = f"{type(error).__name__}: {error.msg}"
        fault = {"line": error.lineno or None, "column": error.offset or None, "text": text}
        return {"path": path, "message": message, **fault}
    except ValueError as error:
        # Before 3.12 that is what a NUL byte is.
        message = f"SyntaxError: {error}"
        return {"path": path, "line": None, "column": None, "text": "", "message": message}
    except (MemoryError, RecursionError, OverflowError):
        return None  # nested too deep for this moment; the import has the last word
    return None


def failed(error: OSError, path: str) -> Frame:
    """An error of the system as an answer."""
    name = "CLASH" if isinstance(error, ClashError) else errno.errorcode.get(error.errno or 0, "")
    text = os.strerror(error.errno) if error.errno else str(error)
    return {"re": "failed", "errno": name, "path": path, "text": text}


def sync(wire: Wire, request: Frame, dests: list[bytes]) -> None:
    """Write a change set, have the app take it, and see it answer."""
    began = time.monotonic()
    with Stage(dests) as stage:
        arrival = Arrival(stage)
        for put in request["puts"]:
            arrival.take(wire, put)
        if arrival.faults:
            with Supervisor(wire) as supervisor:
                kept = stands(supervisor.ask("state", _STATE_SECONDS))
            wire.tell(re="syntax", faults=arrival.faults, kept=kept)
            return
        problem = arrival.problem or commit(request, arrival.staged, dests)
    if problem:
        wire.tell(**problem)
        return
    wire.tell(re="written", seconds=time.monotonic() - began)
    try:
        take(wire, request)
    except StopError:
        wire.tell(re="overtaken")


def stands(state: Frame) -> bool | None:
    """Whether the app runs with what it has; None where that is not known."""
    if state["state"] == "failed":
        kept: bool | None = state.get("kept")
        return kept
    return True if state["state"] == "ready" else None


def take(wire: Wire, request: Frame) -> None:
    """Have the app take what was written, and see it answer."""
    until = time.monotonic() + request["patience"]
    with Supervisor(wire) as supervisor:
        if request["reload"]:
            answer = supervisor.ask("reload", request["patience"])
            if answer["state"] == "late":
                text = f"nothing is known of the new code after {request['patience']:.0f} s"
                answer = {"state": "failed", "kept": None, "text": text}
            wire.tell(re="reloaded", answer=answer)
            if answer["state"] != "ready":
                return
        if request["probe"]:
            found = answered(wire, request["probe"], until, supervisor)
            wire.tell(**found)


def commit(
    request: Frame, staged: list[tuple[bytes, bytes, bool]], dests: list[bytes]
) -> Frame | None:
    """Bring everything to its place; what makes room goes first, what is only gone goes last."""
    at = b""
    try:
        with locked(dests):
            for at in map(encoded, request["clears"]):
                delete(at, must=True)
            for at in map(encoded, request["folders"]):
                make_folder(at)
            for source, at, executable in staged:
                put(source, at, executable)
            for path, target in request["links"]:
                at = encoded(path)
                make_link(at, encoded(target))
            for path, executable in request["modes"]:
                at = encoded(path)
                os.chmod(at, with_executable(os.lstat(at).st_mode, executable))
            for at in map(encoded, request["deletes"]):
                delete(at, must=False)
    except OSError as error:
        return failed(error, decoded(at))
    return None


def make_folder(path: bytes) -> None:
    """Make a folder, whatever the umask is, if there is none."""
    try:
        os.mkdir(path)
    except FileExistsError:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise
        return
    os.chmod(path, 0o755)  # noqa: S103 - as an image's folders are
    give(path, os.stat(os.path.dirname(path)))


def put(source: bytes, path: bytes, executable: bool) -> None:
    """Rename a staged file to its place.

    Python goes by whole seconds to tell whether bytecode is of this source, and servers that watch
    their files by later ones: so it is always in a later second than what stood there.
    """
    now = time.time()
    try:
        old = os.lstat(path)
    except FileNotFoundError:
        mode = 0o644
        give(source, os.stat(os.path.dirname(path)))
    else:
        mode = stat.S_IMODE(old.st_mode) & 0o777
        give(source, old)
        if old.st_mtime >= int(now):
            now = int(old.st_mtime) + 1
            os.utime(source, (now, now))
    os.chmod(source, with_executable(mode, executable))
    os.rename(source, path)
    drop_bytecode(path)


def give(path: bytes, like: os.stat_result) -> None:
    """As root, leave a file to whom its like belongs: the app may have given up root."""
    if os.geteuid() == 0 and (like.st_uid, like.st_gid) != (0, 0):
        with contextlib.suppress(PermissionError):  # a root without that capability
            os.chown(path, like.st_uid, like.st_gid)


def with_executable(mode: int, executable: bool) -> int:
    """The permissions, with execution by all who may read, or by nobody."""
    mode = stat.S_IMODE(mode) & 0o777 & ~_EXECUTABLE
    return mode | (mode & 0o444) >> 2 if executable else mode


def make_link(path: bytes, target: bytes) -> None:
    """Put a link in the place of whatever file or link is there."""
    beside = Stage.name(os.path.dirname(path))
    os.symlink(target, beside)
    try:
        os.rename(beside, path)
    except OSError:
        os.unlink(beside)
        raise


def delete(path: bytes, *, must: bool) -> None:
    """Delete what is there; a folder only when nothing is in it but bytecode.

    Raises:
        ClashError: it must go, and holds what is not ours.
    """
    try:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            drop_bytecode(path)
            return
        if os.listdir(path) == [_CACHES]:
            empty(os.path.join(path, _CACHES))
        os.rmdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if must:
            raise ClashError(errno.ENOTEMPTY, "holds other files") from error


def drop_bytecode(path: bytes) -> None:
    """Delete the bytecode of a source; an `unchecked` one would win over any newer source."""
    folder, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    if suffix != b".py":
        return
    caches = os.path.join(folder, _CACHES)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        of = [found for found in os.listdir(caches) if is_bytecode(found, stem)]
        for found in of:
            os.unlink(os.path.join(caches, found))
        if of:
            with contextlib.suppress(OSError):
                os.rmdir(caches)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, stem + b".pyc"))


def is_bytecode(name: bytes, stem: bytes) -> bool:
    """Whether it is `STEM.cpython-313.pyc` or `STEM.cpython-313.opt-1.pyc`."""
    head, _, rest = name[len(stem) :].partition(b".")
    return name.startswith(stem) and not head and rest.endswith(b"pyc") and rest.count(b".") < 3  # noqa: PLR2004


def empty(caches: bytes) -> None:
    """Remove a folder of bytecode, unless something else is in it."""
    names = os.listdir(caches)
    if all(name.endswith(b".pyc") for name in names):
        for name in names:
            os.unlink(os.path.join(caches, name))
        os.rmdir(caches)


# ---- reload and readiness


def address(name: str) -> str:
    """The supervisor's socket, as `asking.py` has it."""
    own = ""
    with contextlib.suppress(OSError):
        own = str(os.stat("/proc/self/ns/mnt").st_ino)
    return f"\0kubekit-dev-{name[:60]}-{own}"


class Supervisor:
    """Process 1 of this container, which runs the app; asked on one connection."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._name = os.environ.get("KUBEKIT_DEV")
        self._line: socket.socket | None = None

    def __enter__(self) -> Supervisor:  # noqa: PYI034 - Self is of Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        if self._line:
            self._line.close()

    def ask(self, do: str, seconds: float) -> Frame:
        """Its own answer, or that there is none."""
        if not self._name:
            return {"state": "ready", "mode": "none", "seconds": 0.0, "why": "nothing reloads it"}
        if self._line is None:
            self._line, why = self._connected(address(self._name))
            if self._line is None:
                why = f"what reloads it does not listen: {why}"
                return {"state": "ready", "mode": "none", "seconds": 0.0, "why": why}
        try:
            self._line.sendall(json.dumps({"do": do}).encode() + b"\n")
            return self._heard(self._line, seconds)
        except ConnectionError:
            return {"state": "stopping"}

    def state(self) -> Frame:
        """What has become of the app since it was asked to reload."""
        return self.ask("state", _STATE_SECONDS) if self._line else {"state": "late"}

    def _connected(self, at: str) -> tuple[socket.socket | None, str]:
        """The connection, or why there is none."""
        until = time.monotonic() + _START_SECONDS
        line = socket.socket(socket.AF_UNIX)
        while True:
            try:
                line.connect(at)
            except OSError as error:
                if time.monotonic() > until:
                    line.close()
                    return None, error.strerror or str(error)
            else:
                return line, ""
            if self._wire.stirs(0.02):
                line.close()
                self._wire.interrupted()

    def _heard(self, line: socket.socket, seconds: float) -> Frame:
        """The line that it answers: if it ends, so does the container."""
        text = b""
        until = time.monotonic() + seconds
        while True:
            ends: list[Any] = [line, self._wire.source]
            ready = select.select(ends, [], [], max(0.0, until - time.monotonic()))[0]
            if self._wire.source in ready:
                self._wire.interrupted()
            if not ready:
                return {"state": "late"}
            if not (data := line.recv(_BLOCK)):
                return {"state": "stopping"}
            text += data
            if text.endswith(b"\n"):
                # Before the last there may be one to a request that was not waited for.
                answer: Frame = json.loads(text.splitlines()[-1])
                if answer["state"] != "waiting":
                    return answer
                self._wire.tell(re="waiting", text=answer["text"], seconds=answer["seconds"])
                text = b""


def answered(wire: Wire, probe: Frame, until: float, supervisor: Supervisor) -> Frame:
    """Ask as the readiness probe does until it passes; what it met last if it never does.

    A program that is started again may die of its new code meanwhile: that ends it.
    """
    began = time.monotonic()
    pause = 0.005
    while True:
        well, text = asked(
            probe, max(_TRY_SECONDS, min(probe["seconds"], until - time.monotonic()))
        )
        seconds = time.monotonic() - began
        if well or time.monotonic() > until:
            return {"re": "ready", "well": well, "text": text, "seconds": seconds}
        state = supervisor.state()
        if state["state"] in ("failed", "stopping"):
            return {"re": "reloaded", "answer": state}
        if wire.stirs(pause):
            wire.interrupted()
        pause = min(0.1, pause * 1.5)


def asked(probe: Frame, seconds: float) -> tuple[bool, str]:
    """One try: whether it passed, and what was met."""
    place = (probe["host"] or "127.0.0.1", probe["port"])
    try:
        with socket.create_connection(place, timeout=seconds) as line:
            if probe["path"] is None:
                return True, "it takes connections"
            return status_of(line, probe)
    except (OSError, ValueError) as error:
        return False, str(error) or type(error).__name__


def status_of(line: socket.socket, probe: Frame) -> tuple[bool, str]:
    """The status of one GET, by hand: to import an HTTP client would take longer than all else."""
    if probe["scheme"] == "HTTPS":
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        line = context.wrap_socket(line)
    headers = {"host": f"localhost:{probe['port']}", "user-agent": "kubekit", "accept": "*/*"}
    headers |= {name.lower(): value for name, value in probe["headers"]}
    path = "/" + probe["path"].lstrip("/")
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    line.sendall("\r\n".join([*lines, "connection: close", "", ""]).encode("utf-8"))
    with line.makefile("rb") as stream:
        words = stream.readline(1000).split(None, 2)
    if len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004
        return False, "it speaks no HTTP"
    return int(words[1]) in _WELL, f"HTTP {int(words[1])}"


if __name__ == "__main__":
    main()
