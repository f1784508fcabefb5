"""Container images written without an engine: any engine's `load` reads the archives.

The images are made while no engine runs, in parallel with all else, and an engine that has
a layer already does not unpack it again.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import stat
import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Image:
    """Layers from the lowest up, the names it gets, and how it is run."""

    names: tuple[str, ...]
    layers: tuple[Path, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


def digest(layer: Path) -> str:
    """The layer's sha256, kept beside it: the layers are large and never change."""
    kept = layer.with_suffix(".sha256")
    if not kept.exists():
        total = hashlib.sha256()
        with layer.open("rb") as file:
            while chunk := file.read(_CHUNK):
                total.update(chunk)
        kept.write_text(total.hexdigest())
    return kept.read_text()


def write_layer(target: Path, entries: Mapping[str, Path | str]) -> None:
    """Write a layer: path inside -> a file of this machine, or a text: a link's target.

    A target that begins with `=` is a hard link to an earlier entry, any other a symbolic link.
    """
    with tarfile.open(target, "w") as tar:
        for folder in _folders(entries):
            tar.addfile(folder)
        for inside, source in entries.items():
            if isinstance(source, str):
                tar.addfile(_link(inside, source))
            else:
                with source.open("rb") as content:
                    tar.addfile(_file(inside, source), content)
    digest(target)


def files_below(root: Path) -> dict[str, Path]:
    """List a folder's files as entries of a layer, at the same places below `/`."""
    return {
        path.relative_to(root).as_posix(): path
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def _folders(entries: Iterable[str]) -> Iterable[tarfile.TarInfo]:
    # Engines make folders that an archive leaves out unreadable for all but root.
    names = {parent.as_posix() for name in entries for parent in PurePosixPath(name).parents}
    for name in sorted(names - {"."}):
        entry = tarfile.TarInfo(name)
        entry.type = tarfile.DIRTYPE
        entry.mode = 0o755
        yield entry


def _link(inside: str, target: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(inside)
    entry.type = tarfile.LNKTYPE if target.startswith("=") else tarfile.SYMTYPE
    entry.linkname = target.lstrip("=")
    entry.mode = 0o755  # Of a hard link it becomes the file's.
    return entry


def _file(inside: str, source: Path) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(inside)
    status = source.stat()
    entry.size = status.st_size
    entry.mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
    return entry


def write_archive(stream: IO[bytes], images: Iterable[Image]) -> None:
    """Write what `docker load` reads; a layer shared by several images is in it once."""
    written: set[str] = set()
    manifest = []
    with tarfile.open(fileobj=stream, mode="w|") as tar:
        for image in images:
            names = []
            for layer in image.layers:
                names.append(f"{digest(layer)}.tar")
                if names[-1] not in written:
                    written.add(names[-1])
                    tar.add(layer, names[-1])
            name = f"{identity(image)}.json"
            _add_bytes(tar, name, _config(image))
            manifest.append({"Config": name, "RepoTags": list(image.names), "Layers": names})
        _add_bytes(tar, "manifest.json", json.dumps(manifest).encode())


def identity(image: Image) -> str:
    """What an engine calls it, once it is loaded: the sha256 of its configuration."""
    return hashlib.sha256(_config(image)).hexdigest()


def _config(image: Image) -> bytes:
    machine = platform.machine()
    return json.dumps(
        {
            "architecture": _ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "created": "2025-01-01T00:00:00Z",
            "config": dict(image.settings),
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{digest(layer)}" for layer in image.layers],
            },
        },
        sort_keys=True,
    ).encode()


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
