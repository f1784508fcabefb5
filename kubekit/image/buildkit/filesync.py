"""The files of a build as BuildKit asks for them: the tree is told, what is new there is sent.

`moby.filesync.v1.FileSync` of moby/buildkit (session/filesync). Of each shared key the daemon keeps
what it got last time, so that an edit sends one file.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from kubekit.image.buildkit import packets
from kubekit.image.buildkit.calls import Code, Metadata, RefusedError
from kubekit.image.buildkit.packets import Kind
from kubekit.image.files import context
from kubekit.model import BuildPlan, ContextFile

METHOD = "/moby.filesync.v1.FileSync/DiffCopy"

_BATCH = 1 << 16
_WILD = set("*?[\\")


@dataclass(kw_only=True)
class Sent:
    """What went over the wire: how many files, and their bytes; `all` once that is everything."""

    files: int = 0
    size: int = 0
    all: bool = False

    def __str__(self) -> str:
        """For people."""
        files = "1 file" if self.files == 1 else f"{self.files} files"
        return f"sent {_bytes(self.size)} of {files}"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file, folder or link under the path it is told by, which is not always the plan's."""

    path: str
    file: ContextFile
    fingerprint: str


class Transfer:
    """One call: a tree, of which the daemon takes what it lacks."""

    def __init__(self, entries: Sequence[Entry], sent: Sent, *, last: bool = False) -> None:
        self._entries = entries
        self._sent = sent
        self._last = last
        self._asked: deque[int] = deque()
        self._flow = self._tell()
        self._finished = self._ended = False

    def take(self, message: bytes) -> None:
        """See Call."""
        packet = packets.read(message)
        match packet.kind:
            case Kind.REQ:
                self._asked.append(packet.id)
            case Kind.FIN:
                self._finished = True
                self._sent.all = self._last
            case Kind.ERR:
                raise RefusedError(Code.UNKNOWN, packet.data.decode("utf-8", "replace"))
            case _:
                raise RefusedError(Code.UNKNOWN, f"a packet of kind {packet.kind}")

    def give(self) -> bytes | None:
        """See Call."""
        while True:
            block = next(self._flow, None)
            if block is not None:
                return block
            if self._asked:
                self._flow = self._content(self._asked.popleft())
            elif self._finished and not self._ended:
                self._ended = True
                return packets.FINISHED
            else:
                return None

    def ended(self) -> bool:
        """See Call."""
        return self._ended

    def _tell(self) -> Iterator[bytes]:
        batch = bytearray()
        for entry in self._entries:
            batch += packets.entry(entry.file, entry.fingerprint, entry.path)
            if len(batch) >= _BATCH:
                yield bytes(batch)
                batch.clear()
        yield bytes(batch) + packets.END_OF_ENTRIES

    def _content(self, id_: int) -> Iterator[bytes]:
        if id_ >= len(self._entries):
            raise RefusedError(Code.NOT_FOUND, f"there is no file {id_}")
        entry = self._entries[id_]
        self._sent.files += 1
        for block in context.content(entry.file, entry.fingerprint):
            self._sent.size += len(block)
            yield packets.data(id_, block)
        yield packets.data(id_, b"")


class Files:
    """The trees of one build: `context`, and `dockerfile`, which holds nothing else.

    Attributes:
        sent: what the daemon has taken so far.
    """

    def __init__(self, plan: BuildPlan) -> None:
        self._plan = plan
        self._files = {
            file.path: file
            for file in plan.files
            if not (plan.apart and file.path == plan.dockerfile)
        }
        self.sent = Sent()

    def __call__(self, metadata: Metadata) -> Transfer:
        """Start one transfer.

        Raises:
            RefusedError: the tree is none that a build may read.
        """
        name = "".join(metadata.get("dir-name", ()))
        if name == "dockerfile":
            return Transfer([self._dockerfile()], self.sent)
        if name == "context":
            paths = _values(metadata, "followpaths") + _values(metadata, "include-patterns")
            last = paths != [".dockerignore"]  # which it wants beforehand, by itself
            return Transfer(self._context(paths), self.sent, last=last)
        raise RefusedError(Code.NOT_FOUND, f"there is no folder `{name}`")

    def _dockerfile(self) -> Entry:
        plan = self._plan
        file = next(file for file in plan.files if file.path == plan.dockerfile)
        name = plan.settings.dockerfile.name
        return Entry(path=name, file=file, fingerprint=plan.hashes[file.path])

    def _context(self, paths: Sequence[str]) -> list[Entry]:
        files, hashes = self._files, self._plan.hashes
        return [
            Entry(path=path, file=files[path], fingerprint=hashes[path])
            for path in sorted(wanted(files, paths), key=order)
        ]


def order(path: str) -> bytes:
    """What paths are sorted by: bytes, a folder before all that only begins like it."""
    return os.fsencode(path).replace(b"/", b"\0")


def wanted(there: Mapping[str, ContextFile], paths: Sequence[str]) -> Collection[str]:
    """Which of the paths that are there are told when a build names those it reads.

    More than those is allowed: where what it reads is not plain, because of a wildcard or a link,
    all the folder or the whole tree is told.

    Args:
        there: the files of the context by path.
        paths: what the build copies from; nothing is everything.
    """
    roots = {_plain(path) for path in paths}
    if not paths or "" in roots:
        return there
    chosen: set[str] = set()
    for root in roots:
        parts = root.split("/")
        for depth in range(1, len(parts) + 1):
            file = there.get("/".join(parts[:depth]))
            if file is None:
                break
            if stat.S_ISLNK(file.mode):
                return there
            chosen.add(file.path)
    below = tuple(f"{root}/" for root in roots)
    return chosen.union(path for path in there if path.startswith(below))


def _plain(path: str) -> str:
    """The part of a path before its first wildcard; empty is the whole tree."""
    parts: list[str] = []
    for part in path.split("/"):
        if _WILD.intersection(part) or part == "..":
            break
        if part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def _bytes(size: int) -> str:
    if size < 1000:  # noqa: PLR2004 - bytes are exact
        return f"{size} bytes"
    return f"{size / 1e3:.1f} kB" if size < 1e6 else f"{size / 1e6:.1f} MB"  # noqa: PLR2004


def _values(metadata: Metadata, key: str) -> list[str]:
    values = metadata.get(key, ())
    if "".join(metadata.get(f"{key}-encoded", ())) == "1":
        return [unquote_plus(value, errors="surrogateescape") for value in values]
    return list(values)
