"""The build context: which files are sent, what their content is called, and how they are sent.

Pure: reads the user's files, knows no daemon.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import json
import os
import stat
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

from kubekit.errors import FilesError, shown
from kubekit.image.files import demands, dockerignore, links, plain, sources
from kubekit.image.files.dockerfile import load, parse
from kubekit.image.files.hashes import HashCache, fingerprints, regular
from kubekit.image.files.walk import GONE, entry, unreadable, walk
from kubekit.model import BuildPlan, BuildSettings, ContextFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

ALIAS = ".kubekit.Dockerfile"
"""The name a Dockerfile from outside the context, or with a very long path, is sent under."""

_BLOCK = 1 << 20
_YEAR_2000 = 946_684_800
_FORMAT = "kubekit-build-2"


def plan(settings: BuildSettings, *, name: str, whole: bool = False) -> BuildPlan:
    """Walk and hash what the image is built from.

    That is what the Dockerfile's instructions take of the context. The digest covers the
    Dockerfile, target, args, and of each file the path, the permissions and the content (of a link
    where it leads); times and owners do not count. Permissions count in full, because they arrive
    in the image: a `chmod` must lead to another image.

    Args:
        settings: context, Dockerfile, target and args.
        name: the image's name.
        whole: take all of the context, for what may ask for more than the Dockerfile says: ONBUILD
            of a base image, or a builder that builds stages the target does not need.

    Raises:
        FilesError: context or Dockerfile missing, a malformed `.dockerignore`, an unreadable file,
            or a Dockerfile that asks for what kubekit cannot give, or for what lies elsewhere.
    """
    dockerfile, text = _dockerfile(settings)
    decoded = text.decode("utf-8", "replace")
    parsed = parse(decoded)
    demands.check(parsed, settings)
    links.check(parsed, settings)
    taken = sources.ALL
    if not whole:
        taken = sources.of(parsed, decoded, target=settings.target, args=settings.args)
    found = walk(settings.context, ignore_file(settings), taken)
    files = [file for file in found if file.path != dockerfile.path]
    apart = len(files) == len(found)
    bisect.insort(files, dockerfile)
    cache = HashCache.of(settings.context, settings.dockerfile)
    # What was read of it decides which files are taken: that, and nothing newer, is sent.
    known = {dockerfile.path: regular(dockerfile.mode, hashlib.sha256(text))}
    hashes = fingerprints(files, cache, known)
    if len(hashes) < len(files):
        files = [file for file in files if file.path in hashes]
    return BuildPlan(
        settings=settings,
        name=name,
        digest=_digest(settings, dockerfile.path, hashes),
        dockerfile=dockerfile.path,
        apart=apart,
        whole=taken.all,
        files=tuple(files),
        hashes=hashes,
    )


def everything(made: BuildPlan) -> BuildPlan:
    """The plan with all of the context to send, for a builder that builds stages nobody needs.

    Its digest, and so the image's name, stays what follows from the files that are taken.

    Raises:
        FilesError: one of these is no longer what was hashed, or a file cannot be read.
    """
    if made.whole:
        return made
    whole = plan(made.settings, name=made.name, whole=True)
    for file in made.files:
        if whole.hashes.get(file.path) != made.hashes[file.path]:
            raise _changed(file)
    return replace(whole, digest=made.digest)


def ignore_file(settings: BuildSettings) -> dockerignore.Ignore:
    """Read the rules of what is left out; without a file there are none.

    Raises:
        FilesError: it cannot be read, is no text, or one of its patterns is malformed.
    """
    file = ignore_path(settings)
    try:
        data = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return dockerignore.Ignore()
    except OSError as error:
        raise unreadable(file, error) from error
    plain.check(data, file)
    return dockerignore.parse(data.decode("utf-8", "surrogateescape"), file=file)


def ignore_path(settings: BuildSettings) -> Path:
    """Where the rules stand: `<Dockerfile>.dockerignore`, or else the context's `.dockerignore`."""
    own = settings.dockerfile.with_name(f"{settings.dockerfile.name}.dockerignore")
    return own if own.exists() else settings.context / ".dockerignore"


def _dockerfile(settings: BuildSettings) -> tuple[ContextFile, bytes]:
    """The Dockerfile in the upload, where it lies even if `.dockerignore` excludes it."""
    file = settings.dockerfile
    text, status = load(file)
    path = ALIAS
    if file.is_relative_to(settings.context):
        inside = file.relative_to(settings.context).as_posix()
        # A longer path needs a second tar header, which `tar` must not begin with.
        path = inside if len(os.fsencode(inside)) < tarfile.LENGTH_NAME else ALIAS
    return entry(path, str(file), status)._replace(size=len(text)), text


def _digest(settings: BuildSettings, dockerfile: str, hashes: Mapping[str, str]) -> str:
    head: list[object] = [_FORMAT, dockerfile, settings.target, sorted(settings.args.items())]
    if settings.secrets:
        head.append(settings.secret_names)
    seen = hashlib.sha256(json.dumps(head).encode())
    # In the order of their paths, as they were found, with a NUL byte before each.
    content = "\0".join(["", *itertools.chain.from_iterable(hashes.items())])
    seen.update(content.encode("utf-8", "surrogateescape"))
    return seen.hexdigest()


def tar(plan: BuildPlan) -> Iterator[bytes]:
    """Write the context as a tar stream that depends on nothing but the plan.

    GNU format with the Dockerfile first: BuildKit takes an upload for a context only if its first
    1024 bytes hold a whole tar header, and those of Python's default format do not fit.

    Raises:
        FilesError: a file is no longer what was hashed; the image must not get the plan's name.
    """
    first = [file for file in plan.files if file.path == plan.dockerfile]
    rest = [file for file in plan.files if file.path != plan.dockerfile]
    yield from _joined(_members([*first, *rest], plan.hashes))


def _members(files: Iterable[ContextFile], hashes: Mapping[str, str]) -> Iterator[bytes]:
    for file in files:
        info = _header(file, hashes[file.path])
        yield info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
        if info.isreg():
            yield from content(file, hashes[file.path])
            yield bytes(-file.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _header(file: ContextFile, fingerprint: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(file.path)
    info.mode = stat.S_IMODE(file.mode)
    info.mtime = modified(fingerprint) // 10**9
    kind, _, rest = fingerprint.partition(":")
    if kind == "folder":
        info.type = tarfile.DIRTYPE
    elif kind == "link":
        info.type, info.linkname = tarfile.SYMTYPE, rest
    else:
        info.size = file.size
    return info


def modified(fingerprint: str) -> int:
    """A time of modification that follows from the content, in nanoseconds since the epoch.

    Never before 1980, which zip and so `pip install .` refuse, and for other bytes another one: in
    whole seconds, which .pyc files and ETags go by, and in all digits, by which BuildKit tells
    whether it has the file already.

    Args:
        fingerprint: what the file holds, as in `BuildPlan.hashes`.
    """
    if not fingerprint.startswith("file:"):
        return _YEAR_2000 * 10**9
    return (_YEAR_2000 + int(fingerprint[-6:], 16)) * 10**9 + int(fingerprint[-14:-6], 16) % 10**9


def content(file: ContextFile, fingerprint: str) -> Iterator[bytes]:
    """The bytes of a file in blocks, the last only if all of them are what was hashed.

    Raises:
        FilesError: they are not, or the file cannot be read.
    """
    seen = hashlib.sha256()
    size = 0
    held = b""
    try:
        with file.source.open("rb", buffering=0) as stream:
            while block := stream.read(_BLOCK):
                if held:
                    yield held
                seen.update(block)
                size += len(block)
                held = block
    except GONE as error:
        raise _changed(file) from error
    except OSError as error:
        raise unreadable(file.source, error) from error
    if size != file.size or not fingerprint.endswith(seen.hexdigest()):
        raise _changed(file)
    if held:
        yield held


def _changed(file: ContextFile) -> FilesError:
    return FilesError(
        f"`{shown(file.source)}` changed while it was sent",
        hints=("run it again; a file that is always written belongs into `.dockerignore`",),
        id="context-changed",
    )


def _joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Collect small parts: each becomes a chunk of its own on the wire."""
    buffer = bytearray()
    for part in parts:
        buffer += part
        if len(buffer) >= _BLOCK:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)
