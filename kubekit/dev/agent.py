"""A session with the agent in a container: requests to `kubekit/pod/agent.py`, and its answers."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from kubekit.dev.adapt import FOLDER
from kubekit.dev.difference import Difference, is_below
from kubekit.dev.entries import Entry, Source
from kubekit.dev.syncerrors import NoPythonError, SilentError
from kubekit.dev.tree import Tree
from kubekit.model import Cancel, Object
from kubekit.streams.exec import EndedError, GoneError

PROGRAM = f"{FOLDER}/agent.py"
_LENGTH = struct.Struct(">I")
_BLOCK = 1 << 20
_AT_ONCE = 2000
"""Of more paths than this, the answer would take more memory than all that is kept of them."""

_ANSWER_SECONDS = 60.0
"""For what only takes as long as reading or writing files does, also with a tenth of a core."""

_NOT_BEGUN = 126
_NOT_STARTED = ("no such file or directory", "executable file not found", "permission denied")


class Program(Protocol):
    """The program as `Exec` runs it."""

    def send(self, data: bytes, cancel: Cancel | None = None, /) -> None:
        """Write to its input."""

    def receive(self, cancel: Cancel | None = None, /) -> bytes:
        """What it wrote next; empty if nothing for a moment."""

    def close(self) -> None:
        """End its input."""


class Agent:
    """One session, from the program's start to its end; used by one thread at a time.

    Attributes:
        python: the version that runs it.
        mounts: what else is mounted below the destinations.
        states: of each destination ``fine``, ``missing`` (made by now), ``denied``, ``readonly``,
            or the system's own words why nothing can be written there.

    Raises:
        NoPythonError: the container cannot run it.
        GoneError: the container does not run any more.
        BrokenError, CancelledError: as `Exec`; so do all the methods.
    """

    def __init__(
        self, program: Program, *, dests: Sequence[str], cancel: Cancel | None = None
    ) -> None:
        self._program = program
        self._buffer = b""
        self._cancel = cancel
        self._newer: Callable[[], bool] | None = None
        hello = self._hello(dests)
        self.python = str(hello["python"])
        self.mounts: tuple[str, ...] = tuple(hello["mounts"])
        self.states = dict(zip(dests, (dest["state"] for dest in hello["dests"]), strict=True))

    def _hello(self, dests: Sequence[str]) -> Object:
        try:
            return self.ask({"do": "hello", "dests": list(dests)})
        except EndedError as error:
            if error.code == 0 or not _could_not_run(error):
                raise GoneError(error.message, details=error.details) from error
            raise NoPythonError(
                "the container has no Python that files could be synced with",
                hints=("every change is built into a new image instead",),
                details=error.details,
            ) from error

    def find(self, paths: Sequence[str]) -> dict[str, Entry]:
        """What there is of these paths, which are sorted and have the folders of all they hold."""
        have: dict[str, Entry] = {}
        links: set[str] = set()  # what lies behind one is not looked at
        for start in range(0, len(paths), _AT_ONCE):
            some = [path for path in paths[start : start + _AT_ONCE] if not is_below(path, links)]
            entries = self.ask({"do": "list", "paths": some})["entries"]
            have |= {path: Entry(*one) for path, one in zip(some, entries, strict=True) if one}
            links.update(path for path in some if path in have and have[path].kind == "link")
        return have

    def sync(
        self,
        changes: Difference,
        tree: Tree,
        *,
        reload: bool,
        patience: float,
        probe: Object | None,
        newer: Callable[[], bool] | None = None,
    ) -> Iterator[Object]:
        """Send a change set; yields the agent's answers as they come, without the last.

        When the files are written and something `newer` is to come, the app is not waited for.
        """
        entries, sources = tree.entries, tree.sources
        request = {
            "do": "sync",
            "clears": changes.clears,
            "folders": changes.folders,
            "puts": [
                (path, entries[path].executable, sources[path].size, entries[path].content)
                for path in changes.puts
            ],
            "links": [(path, entries[path].content) for path in changes.links],
            "modes": [(path, entries[path].executable) for path in changes.modes],
            "deletes": changes.deletes,
            "reload": reload,
            "patience": patience,
            "probe": probe,
        }
        for block in _joined(_frame(request), (sources[path] for path in changes.puts)):
            self._program.send(block, self._cancel)
        while (answer := self.answer(_ANSWER_SECONDS + patience))["re"] != "done":
            if answer["re"] == "written":
                self._newer = newer
            yield answer
        self._newer = None

    def use(self, cancel: Cancel | None) -> None:
        """From now on, stop when this is set."""
        self._cancel = cancel

    def ask(self, request: Mapping[str, object]) -> Object:
        """Send a request that has one answer."""
        self._program.send(_frame(request), self._cancel)
        return self.answer(_ANSWER_SECONDS)

    def answer(self, seconds: float) -> Object:
        """The next answer.

        Raises:
            SilentError: it did not come in time.
        """
        until = time.monotonic() + seconds
        body = self._exactly(_LENGTH.unpack(self._exactly(_LENGTH.size, until))[0], until)
        answer: Object = json.loads(body)
        return answer

    def close(self) -> None:
        """Have it end."""
        self._program.close()

    def _exactly(self, size: int, until: float) -> bytes:
        parts, missing = [self._buffer], size - len(self._buffer)
        while missing > 0:
            if time.monotonic() > until:
                raise SilentError("the agent in the container does not answer")
            if self._newer is not None and self._newer():
                self._newer = None
                self._program.send(_frame({"do": "stop"}), self._cancel)
            parts.append(self._program.receive(self._cancel))
            missing -= len(parts[-1])
        data = b"".join(parts)
        self._buffer = data[size:]
        return data[:size]


def _could_not_run(error: EndedError) -> bool:
    if error.code is not None and error.code != _NOT_BEGUN:
        # Killed by a signal is the container's end, not the program's own.
        return error.code < 128  # noqa: PLR2004
    # A container that ends just then has no processes any more to begin another one beside.
    text = error.text.lower()
    return any(words in text for words in _NOT_STARTED) and "/proc/" not in text


def _frame(request: Mapping[str, object]) -> bytes:
    body = json.dumps(request, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


def _joined(head: bytes, sources: Iterable[Source]) -> Iterator[bytes]:
    """The request and the content of its files in blocks: of many small files few messages."""
    block = bytearray(head)
    for source in sources:
        for part in _content(source):
            block += part
            if len(block) >= _BLOCK:
                yield bytes(block)
                block.clear()
    if block:
        yield bytes(block)


def _content(source: Source) -> Iterator[bytes]:
    """As many bytes as were told; of a file that is shorter by now zeros, which the agent notes."""
    missing = source.size
    try:
        with open(source.at, "rb", buffering=0) as stream:  # noqa: PTH123 - a Path for each costs
            while missing and (part := stream.read(min(missing, _BLOCK))):
                missing -= len(part)
                yield part
    except OSError:
        pass
    while missing:
        part = bytes(min(missing, _BLOCK))
        missing -= len(part)
        yield part
