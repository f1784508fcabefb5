"""What stands at the paths of a container, and where it comes from: tens of thousands of them."""

from __future__ import annotations

import binascii
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from kubekit.dev.packed import Packed
from kubekit.image.files.walk import STAMP
from kubekit.model import ContextFile

_LENGTH = len(binascii.b2a_base64(bytes(STAMP.size), newline=False))


class Entry(NamedTuple):
    """What stands at one path.

    Attributes:
        kind: ``file``, ``folder`` or ``link``; of what is found in a pod also ``other``.
        content: a file's SHA-256, where a link leads to; of folders nothing.
        executable: by its owner, which is all that is kept of the permissions of a file.
    """

    kind: str
    content: str = ""
    executable: bool = False


class Source(NamedTuple):
    """Where the content of a file is on this machine, and its bytes."""

    at: str
    size: int


class Part(NamedTuple):
    """What one rule adds to a tree.

    Attributes:
        src: the folder on this machine, without links in its path.
        dest: the folder in the container.
        files: path in the container -> `record`.
    """

    src: str
    dest: str
    files: Packed


def record(file: ContextFile, fingerprint: str, *, settled: bool) -> str:
    """What is kept of a file.

    Args:
        file: as the walk has found it.
        fingerprint: what it held then.
        settled: whether another write would show in its stamp. If not, it gets one that no file
            has, and is read again.
    """
    stamp = file.stamp if settled else STAMP.pack(file.size, 0, 0, 0, file.mode)
    return f"{_shown(stamp)}{fingerprint}"


def known(file: ContextFile, kept: str | None) -> str | None:
    """The fingerprint in the record of a file, None where it does not hold any more."""
    if kept is None or not kept.startswith(_shown(file.stamp)):
        return None
    return kept[_LENGTH:]


def _shown(stamp: bytes) -> str:
    return binascii.b2a_base64(stamp, newline=False).decode()


def entry(fingerprint: str) -> Entry:
    """What stands where something has this fingerprint."""
    kind, _, rest = fingerprint.partition(":")
    if kind == "file":
        mode, _, digest = rest.partition(":")
        return Entry(kind, digest, bool(int(mode, 8) & 0o100))
    return Entry(kind, rest if kind == "link" else "")


class Entries(Mapping[str, Entry]):
    """Path in the container -> what should stand there; sorted, folders before theirs."""

    def __init__(self, parts: Sequence[Packed]) -> None:
        """Take what the parts hold; where they overlap, the later one has its way."""
        self.parts = tuple(parts)

    def __getitem__(self, path: str) -> Entry:
        if (fingerprint := self._fingerprint(path)) is None:
            raise KeyError(path)
        return entry(fingerprint)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({path for part in self.parts for path in part}))

    def __len__(self) -> int:
        return len(self.parts[0]) if len(self.parts) == 1 else sum(1 for _ in self)

    def differing(self, other: Mapping[str, Entry]) -> AbstractSet[str]:
        """Paths at which the other may have something else; what is shared is not looked at."""
        if not isinstance(other, Entries) or len(self.parts) != len(other.parts):
            return self.keys() | other.keys()
        both = zip(self.parts, other.parts, strict=True)
        return {path for ours, theirs in both for path in ours.differing(theirs)}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return all(self.get(path) == other.get(path) for path in self.differing(other))

    __hash__ = None  # type: ignore[assignment]

    def without(self, is_out: Callable[[str], bool]) -> Entries:
        """All but some paths."""
        parts = [part.patched([path for path in part if is_out(path)], {}) for part in self.parts]
        return Entries(parts)

    def hold(self, fingerprints: Mapping[str, str]) -> bool:
        """Whether it is these paths, and at each what a build plan says of it."""
        return len(self) == len(fingerprints) and all(
            self._fingerprint(path) == one for path, one in fingerprints.items()
        )

    def _fingerprint(self, path: str) -> str | None:
        kept = (part.get(path) for part in reversed(self.parts))
        return next((one[_LENGTH:] for one in kept if one is not None), None)


class Sources:
    """Path in the container -> the file on this machine."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(reversed(parts))

    def __getitem__(self, path: str) -> Source:
        for src, dest, files in self._parts:
            if (kept := files.get(path)) is not None:
                size, _, _, _, mode = STAMP.unpack(binascii.a2b_base64(kept[:_LENGTH]))
                return Source(src + path[len(dest) :], size if stat.S_ISREG(mode) else 0)
        raise KeyError(path)

    def has(self, at: str) -> bool:
        """Whether a file on this machine is one of them."""
        places = (
            (dest + at[len(src) :], files)
            for src, dest, files in self._parts
            if at.startswith(f"{src}/")
        )
        return any(path in files and self[path].at == at for path, files in places)
