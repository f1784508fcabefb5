"""The build context: which files are sent, what their content is called, and how they are sent.

Pure: reads the user's files, knows no daemon.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubekit.errors import FilesError, Place, shown
from kubekit.image import dockerignore
from kubekit.model import BuildPlan, BuildSettings, ContextFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

ALIAS = ".kubekit.Dockerfile"
"""The name a Dockerfile from outside the context, or with a very long path, is sent under."""

_BLOCK = 1 << 20
_YEAR_2000 = 946_684_800
_FORMAT = "kubekit-build-1"


def plan(settings: BuildSettings, *, name: str) -> BuildPlan:
    """Walk and hash what the image is built from.

    The digest covers the Dockerfile, target, args, and of each file the path, the permissions and
    the content (of a link where it leads); times and owners do not count. Permissions count in
    full, because they arrive in the image: a `chmod` must lead to another image.

    Args:
        settings: context, Dockerfile, target and args.
        name: the image's name.

    Raises:
        FilesError: context or Dockerfile missing, a malformed `.dockerignore`, an unreadable file.
    """
    dockerfile = _dockerfile(settings)
    files = {file.path: file for file in walk(settings.context, ignore_file(settings))}
    apart = dockerfile.path not in files
    files[dockerfile.path] = dockerfile
    hashes: dict[str, str] = {}
    for path in sorted(files):
        try:
            hashes[path] = _fingerprint(files[path])
        except FileNotFoundError:
            # Editors write beside the file and rename: what is gone by now was never part of it.
            continue
    if dockerfile.path not in hashes:
        raise _no_dockerfile(settings.dockerfile)
    digest = _digest(settings, dockerfile.path, hashes)
    return BuildPlan(
        settings=settings,
        name=name,
        digest=digest,
        dockerfile=dockerfile.path,
        apart=apart,
        files=tuple(files[path] for path in hashes),
        hashes=hashes,
    )


def ignore_file(settings: BuildSettings) -> dockerignore.Ignore:
    """Read `<Dockerfile>.dockerignore`, or else the context's `.dockerignore`, or no rules."""
    own = settings.dockerfile.with_name(f"{settings.dockerfile.name}.dockerignore")
    for file in (own, settings.context / ".dockerignore"):
        try:
            text = file.read_bytes().decode("utf-8", "surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise _unreadable(file, error) from error
        return dockerignore.parse(text, file=file)
    return dockerignore.Ignore()


def walk(root: Path, ignore: dockerignore.Ignore) -> list[ContextFile]:
    """List files, folders and links that are sent, sorted by path.

    Links are not followed; sockets, pipes and devices are left out, as Docker leaves them out.
    A folder that is excluded itself is listed all the same when something below it is sent.

    Raises:
        FilesError: the context is missing, is no folder, or holds a folder that cannot be read.
    """
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise FilesError(
            f"the build context `{shown(root)}` {what}",
            hints=("set `build.context` in kubekit.yaml to the folder the image is built from",),
            id="context-missing",
        )
    found: dict[str, ContextFile] = {}
    _Walk(root=root, ignore=ignore, found=found).folder(root, "", None)
    return [found[path] for path in sorted(found)]


@dataclass(frozen=True, kw_only=True)
class _Walk:
    root: Path
    ignore: dockerignore.Ignore
    found: dict[str, ContextFile]

    def folder(self, folder: Path, base: str, above: dockerignore.Matched | None) -> None:
        for entry in self._entries(folder, above):
            path = base + entry.name
            matched = self.ignore.matched(path, above)
            if not matched.excluded:
                self._add(entry, path)
            if entry.is_dir(follow_symlinks=False) and (
                not matched.excluded or self.ignore.may_hold_exceptions(path)
            ):
                self.folder(folder / entry.name, f"{path}/", matched)

    def _entries(self, folder: Path, above: dockerignore.Matched | None) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return list(entries)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except PermissionError as error:
            if above is not None and above.excluded:
                return []
            raise _unreadable(folder, error) from error

    def _add(self, entry: os.DirEntry[str], path: str) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return
        if stat.S_IFMT(status.st_mode) not in {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}:
            return
        self._add_parents(path)
        self.found[path] = _entry(self.root, path, status)

    def _add_parents(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent and parent not in self.found:
            self._add_parents(parent)
            self.found[parent] = _entry(self.root, parent, (self.root / parent).lstat())


def _entry(root: Path, path: str, status: os.stat_result) -> ContextFile:
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    return ContextFile(path=path, source=root / path, mode=status.st_mode, size=size)


def _dockerfile(settings: BuildSettings) -> ContextFile:
    """Name the Dockerfile in the upload, where it lies even if `.dockerignore` excludes it."""
    file = settings.dockerfile
    try:
        status = file.stat()
    except FileNotFoundError:
        raise _no_dockerfile(file) from None
    except OSError as error:
        raise _unreadable(file, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise FilesError(f"the Dockerfile `{shown(file)}` is not a file", id="dockerfile-missing")
    path = ALIAS
    if file.is_relative_to(settings.context):
        inside = file.relative_to(settings.context).as_posix()
        # A longer path needs a second tar header, which `tar` must not begin with.
        path = inside if len(os.fsencode(inside)) < tarfile.LENGTH_NAME else ALIAS
    return ContextFile(path=path, source=file, mode=status.st_mode, size=status.st_size)


def _no_dockerfile(file: Path) -> FilesError:
    return FilesError(
        f"there is no Dockerfile at `{shown(file)}`",
        hints=("set `build.dockerfile` in kubekit.yaml; without `build` nothing is built",),
        id="dockerfile-missing",
    )


def _unreadable(file: Path, error: OSError) -> FilesError:
    return FilesError(
        f"`{shown(file)}` cannot be read: {(error.strerror or str(error)).lower()}",
        hints=(f"make it readable, or exclude it in `.dockerignore`: `chmod u+r {shown(file)}`",),
        place=Place(file=file),
        id="context-unreadable",
    )


def _fingerprint(file: ContextFile) -> str:
    """Name the content: ``file:644:<sha256>``, ``link:<target>`` or ``folder:755``."""
    permissions = f"{stat.S_IMODE(file.mode):o}"
    if stat.S_ISDIR(file.mode):
        return f"folder:{permissions}"
    try:
        if stat.S_ISLNK(file.mode):
            return f"link:{file.source.readlink()}"
        with file.source.open("rb", buffering=0) as stream:
            return f"file:{permissions}:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unreadable(file.source, error) from error


def _digest(settings: BuildSettings, dockerfile: str, hashes: Mapping[str, str]) -> str:
    content = [
        _FORMAT,
        dockerfile,
        settings.target,
        sorted(settings.args.items()),
        sorted(hashes.items()),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


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
    except OSError as error:
        raise _unreadable(file.source, error) from error
    if size != file.size or not fingerprint.endswith(seen.hexdigest()):
        raise FilesError(
            f"`{shown(file.source)}` changed while it was sent",
            hints=("run it again; a file that is always written belongs into `.dockerignore`",),
            id="context-changed",
        )
    if held:
        yield held


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
