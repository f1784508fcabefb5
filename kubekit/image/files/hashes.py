"""What files hold, in short, and what was known of it: unchanged files are not read again.

As in git's index, a file counts as unchanged while size, times, inode and mode are the same. The
time of change cannot be set back, but it advances in steps: of a file that was written just before
it was read nothing is kept, because a write just after could leave the same times. (Just before: by
this machine's clock. On a file system whose own clock is seconds behind and goes in coarse steps,
as over a network, a second write of the same size within one step is missed.)
"""

from __future__ import annotations

import hashlib
import stat
import struct
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import platformdirs

from kubekit.image.files.walk import GONE, STAMP, unreadable
from kubekit.model import ContextFile
from kubekit.text.cache import keep

_BLOCK = 1 << 20
_MAGIC = b"kubekit1"
_HEAD = struct.Struct("<8sIIQ")
"""Magic bytes, checksum of all that follows, number of files, bytes of text.

Another layout of what follows, or of a stamp, gets other magic bytes.
"""

_FRESH = 2 * 10**9
"""Nanoseconds: the coarsest time of a file there is, that of FAT."""

_WORTH = 4 << 20
_OPENING = 16 << 10
"""Below so many bytes to read, of which opening a file costs as much as some, nothing is kept."""

Kept: TypeAlias = tuple[str, bytes, str]
"""What is known of a file: its path, its stamp, and its fingerprint while it has that stamp."""

_END = ("", None, "")


def fingerprints(
    files: Sequence[ContextFile], cache: HashCache, known: Mapping[str, str]
) -> dict[str, str]:
    """Name the content by path: ``file:644:<sha256>``, ``link:<target>`` or ``folder:755``.

    In the order of `files`. Files that are gone by now are left out.

    Args:
        files: what is to be named, sorted by path.
        cache: what was known of them.
        known: path -> fingerprint, of those among them that were just read.

    Raises:
        FilesError: one cannot be read.
    """
    now = time.time_ns()
    found, changed = _compared(files, cache.read() if _is_worth(files) else ())
    found.update(known)
    missed = []
    for file in changed:
        if file.path in known:
            continue
        try:
            found[file.path] = _fingerprint(file)
        except GONE:
            # Editors write beside the file and rename: what is gone by now was never part of it.
            del found[file.path]
            continue
        if stat.S_ISREG(file.mode):
            missed.append(file)
    if _is_worth(missed):
        kept = [
            file
            for file in files
            if stat.S_ISREG(file.mode) and is_settled(file, now) and file.path in found
        ]
        cache.write([(file.path, file.stamp, found[file.path]) for file in kept])
    return found


def _compared(
    files: Sequence[ContextFile], kept: Iterable[Kept]
) -> tuple[dict[str, str], list[ContextFile]]:
    """What was kept of each file, empty where that does not hold, and the files where it does not.

    Both are sorted by path, and so gone through side by side: a dict of what was kept would cost
    as much again as the comparing. Were one not sorted, more would be read than need be.
    """
    found: dict[str, str] = {}
    changed = []
    rest = iter(kept)
    kept_path, kept_stamp, fingerprint = next(rest, _END)
    for file in files:
        path = file.path
        while kept_path < path and kept_stamp is not None:
            kept_path, kept_stamp, fingerprint = next(rest, _END)
        if kept_path == path and kept_stamp == file.stamp:
            found[path] = fingerprint
        else:
            found[path] = ""  # to keep the order
            changed.append(file)
    return found, changed


def _is_worth(files: Sequence[ContextFile]) -> bool:
    opening = len(files) * _OPENING
    return opening > _WORTH or opening + sum(file.size for file in files) > _WORTH


def is_settled(file: ContextFile, now: int) -> bool:
    """Whether another write would show in its stamp, at this time in nanoseconds."""
    _, modified, changed, _, _ = STAMP.unpack(file.stamp)
    return bool(max(modified, changed) < now - _FRESH)


def _fingerprint(file: ContextFile) -> str:
    if stat.S_ISDIR(file.mode):
        return f"folder:{stat.S_IMODE(file.mode):o}"
    try:
        if stat.S_ISLNK(file.mode):
            return f"link:{file.source.readlink()}"
        seen = hashlib.sha256()
        with open(file.at, "rb", buffering=0) as stream:  # noqa: PTH123 - a Path for each file costs
            while block := stream.read(_BLOCK):
                seen.update(block)
    except GONE:
        raise
    except OSError as error:
        raise unreadable(file.source, error) from error
    return regular(file.mode, seen)


def regular(mode: int, seen: hashlib._Hash) -> str:
    """The fingerprint of a file with these permissions and this content."""
    return f"file:{stat.S_IMODE(mode):o}:{seen.hexdigest()}"


class HashCache:
    """What was known of the files of one build, in the user's cache.

    Attributes:
        file: where it is kept.
        key: whose it is, so that another build's is not taken for it.
    """

    def __init__(self, file: Path, key: str) -> None:
        self.file = file
        self.key = key

    @classmethod
    def of(cls, context: Path, dockerfile: Path) -> HashCache:
        """Choose the file for what this Dockerfile makes of this context."""
        key = f"{context}\n{dockerfile}"
        name = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return cls(platformdirs.user_cache_path("kubekit") / "contexts" / name, key)

    def read(self) -> Iterable[Kept]:
        """Return what was written; nothing if the file is missing or damaged."""
        try:
            data = self.file.read_bytes()
            magic, checksum, count, length = _HEAD.unpack_from(data)
            body = memoryview(data)[_HEAD.size :]
            if magic != _MAGIC or checksum != zlib.crc32(body):
                return ()
            key, *text = str(body[:length], "utf-8", "surrogateescape").split("\0")
            if key != self.key or len(text) != 2 * count:
                return ()
            stamps = struct.unpack(f"{STAMP.size}s" * count, body[length:])
            return zip(text[:count], stamps, text[count:], strict=True)
        except (OSError, ValueError, struct.error):
            return ()

    def write(self, entries: Sequence[Kept]) -> None:
        """Keep these, sorted by path; a cache that cannot be written is no error."""
        paths, stamps, prints = zip(*entries, strict=True) if entries else ((), (), ())
        text = "\0".join([self.key, *paths, *prints]).encode("utf-8", "surrogateescape")
        body = text + b"".join(stamps)
        keep(self.file, _HEAD.pack(_MAGIC, zlib.crc32(body), len(entries), len(text)) + body)
