"""What the working tree holds below each sync rule, by content: what the pods should have."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from kubekit.errors import FilesError, Place, shown
from kubekit.image.files.context import ignore_file
from kubekit.image.files.dockerignore import Ignore
from kubekit.image.files.hashes import HashCache, fingerprints
from kubekit.image.files.sources import ALL, Sources
from kubekit.image.files.walk import STAMP, walk
from kubekit.model import BuildSettings, ContextFile, SyncRule

_FRESH = 2 * 10**9
"""Nanoseconds; see `kubekit.image.files.hashes`: what is younger is read again."""

_NOISE = re.compile(
    r"(?:^|/)(?:"
    r"(?:__pycache__|\.git|\.hg|\.svn|\.venv|node_modules|\.(?:mypy|ruff|pytest)_cache)(?:/|$)"
    # Bytecode; swap files of editors, what they write beside a file first, their locks.
    r"|(?:[^/]*\.py[co]|[^/]*~|\.\#[^/]*|\#[^/]*\#|[^/]*\.sw[a-z]|4913|[^/]*___jb_(?:tmp|old)___"
    r"|\.goutputstream-[^/]*|\.DS_Store|\.kubekit-[^/]*)$)",
    re.DOTALL,
)
"""Paths that are nobody's source, whatever the rules of the project say."""


class Entry(NamedTuple):
    """What stands at one path; there may be tens of thousands.

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


@dataclass(frozen=True)
class Tree:
    """What should be in a container, path there -> what it is; sorted, folders before theirs.

    Attributes:
        entries: without the destinations themselves.
        sources: of the files.
        known: what was read and may be relied on, by rule: path -> stamp and fingerprint.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    known: Mapping[SyncRule, Mapping[str, tuple[bytes, str]]] = field(
        default_factory=dict, compare=False, repr=False
    )


def is_noise(path: str) -> bool:
    """Whether a path is never synced: bytecode, what editors leave, what version control keeps."""
    return _NOISE.search(path) is not None


def read(
    rules: Sequence[SyncRule], build: BuildSettings | None, before: Tree | None = None
) -> Tree:
    """Read the working tree; what `before` knows of unchanged files is not read again.

    What `.dockerignore` keeps out of the image is kept out here, too. Where rules overlap, the
    later one has its way.

    Raises:
        FilesError: a folder to sync is none, or a file cannot be read.
    """
    entries: dict[str, Entry] = {}
    sources: dict[str, Source] = {}
    known: dict[SyncRule, Mapping[str, tuple[bytes, str]]] = {}
    ignore = ignore_file(build) if build else Ignore()
    for rule in rules:
        files = list(_walked(rule, build, ignore))
        cache = HashCache.of(rule.src, Path(rule.dest))
        now = time.time_ns()
        stamped = before.known.get(rule, {}) if before else {}
        unchanged = {
            file.path: stamped[file.path][1]
            for file in files
            if file.path in stamped and stamped[file.path][0] == file.stamp
        }
        prints = fingerprints(files, cache, unchanged)
        known[rule] = {
            file.path: (file.stamp, prints[file.path])
            for file in files
            if file.path in prints and _is_old(file, now)
        }
        dest = rule.dest.rstrip("/")
        for file in files:
            if file.path in prints:
                entry = _entry(prints[file.path])
                entries[f"{dest}/{file.path}"] = entry
                sources[f"{dest}/{file.path}"] = Source(file.at, file.size)
    return Tree({path: entries[path] for path in sorted(entries)}, sources, known)


def _walked(rule: SyncRule, build: BuildSettings | None, ignore: Ignore) -> Iterator[ContextFile]:
    """The files of a rule, with their paths from its folder."""
    src = rule.src.resolve()
    if not src.is_dir():
        raise _no_folder(rule)
    context = build.context.resolve() if build else None
    if context is None or not src.is_relative_to(context):
        yield from (file for file in walk(src, Ignore()) if not is_noise(file.path))
        return
    parts = src.relative_to(context).parts
    prefix = "".join(f"{part}/" for part in parts)
    for file in walk(context, ignore, Sources((parts,)) if parts else ALL):
        path = file.path.removeprefix(prefix)
        if file.path.startswith(prefix) and not is_noise(path):
            yield file._replace(path=path)


def _no_folder(rule: SyncRule) -> FilesError:
    what = "is not a folder" if rule.src.exists() else "does not exist"
    return FilesError(
        f"`{shown(rule.src)}`, which is to be synced to `{rule.dest}`, {what}",
        hints=("correct `src` under `dev.sync` in kubekit.yaml",),
        place=Place(file=rule.src),
        id="sync-source",
    )


def _is_old(file: ContextFile, now: int) -> bool:
    _, modified, changed, _, _ = STAMP.unpack(file.stamp)
    return bool(max(modified, changed) < now - _FRESH)


def _entry(fingerprint: str) -> Entry:
    kind, _, rest = fingerprint.partition(":")
    if kind == "file":
        mode, _, digest = rest.partition(":")
        return Entry(kind, digest, bool(int(mode, 8) & 0o100))
    return Entry(kind, rest if kind == "link" else "")
