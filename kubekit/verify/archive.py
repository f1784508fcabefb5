"""An image as the daemon hands it out, read as it comes: nothing of it is written to a disk."""

from __future__ import annotations

import io
import json
import lzma
import re
import stat
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from kubekit.errors import FilesError
from kubekit.verify.needles import Needles
from kubekit.verify.tree import Entry, Layer, Tree

_BLOCK = 1 << 20
_READ = re.compile(
    r"\.dist-info/METADATA$|^var/lib/dpkg/(status|status\.d/[^/]+)$|^(etc|usr/lib)/os-release$"
    r"|(^|/)(pyproject\.toml|setup\.cfg|setup\.py)$"
)
"""Files whose content is needed."""
_LARGEST = 16 << 20
_ZSTD = b"\x28\xb5\x2f\xfd"
"""How what is packed by zstd begins."""
_TYPES = {
    tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}


def read(chunks: Iterable[bytes], needles: Needles) -> Tree:
    """Read what `docker save` hands out, and look for secrets in every file of every layer.

    Both forms are known: a folder a layer, and that of the OCI, also with packed layers.

    Args:
        chunks: the archive.
        needles: what to look for.

    Raises:
        FilesError: it is cut off, or no such archive.
    """
    layers: dict[str, Layer] = {}
    same: dict[str, str] = {}
    notes: dict[str, Any] = {}
    try:
        with tarfile.open(fileobj=_Chunks(chunks), mode="r|") as archive:
            for member in archive:
                if member.issym() or member.islnk():
                    same[member.name] = _beside(member)
                elif member.isfile():
                    _take(archive, member, needles, layers, notes)
        order = _order(notes)
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError, KeyError) as error:
        raise FilesError(
            f"the image's archive cannot be read: {error}",
            hints=("see whether `docker save` of it ends well, and try again",),
            id="image-unreadable",
        ) from error
    return Tree.of(_layer(name, layers, same) for name in order)


def _take(
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    needles: Needles,
    layers: dict[str, Layer],
    notes: dict[str, Any],
) -> None:
    source = archive.extractfile(member)
    assert source is not None
    with source:
        head = source.read(len(_ZSTD))
        if head.startswith((b"{", b"[")):
            if member.size <= _LARGEST:
                notes[member.name] = json.loads(head + source.read())
        elif member.name.endswith("/layer.tar") or member.name.startswith("blobs/"):
            _check_packing(head)
            body = io.BufferedReader(_Chunks(_blocks(head, source)))
            layers[member.name] = _read_layer(member.name, body, needles)


def _check_packing(head: bytes) -> None:
    """Whether a layer is packed in a way that this Python knows.

    Raises:
        FilesError: it is packed by zstd, as stores of containerd may have it.
    """
    known = "zst" in tarfile.TarFile.OPEN_METH  # since Python 3.14
    if not known and head == _ZSTD:
        raise FilesError(
            "the image's layers are packed by zstd, which this Python cannot unpack",
            hints=("run kubekit by Python 3.14 or later", "or build the image without zstd"),
            id="image-unreadable",
        )


def _read_layer(name: str, body: IO[bytes], needles: Needles) -> Layer:
    entries: list[Entry] = []
    found: dict[str, list[str]] = {}
    with tarfile.open(fileobj=body, mode="r|*") as layer:
        hard: dict[str, Entry] = {}
        for member in layer:
            path = _clean(member.name)
            if member.islnk() and _clean(member.linkname) in hard:
                other = hard[_clean(member.linkname)]
                entries.append(
                    Entry(path=path, mode=other.mode, owner=other.owner, content=other.content)
                )
                continue
            content = None
            if member.isreg():
                content, hits = _content(layer, member, path, needles)
                for hit in hits:
                    found.setdefault(hit, []).append(path)
            entry = _entry(path, member, content)
            hard[path] = entry
            entries.append(entry)
    secrets = {key: tuple(paths) for key, paths in found.items()}
    return Layer(name=name, entries=tuple(entries), secrets=secrets)


def _content(
    layer: tarfile.TarFile, member: tarfile.TarInfo, path: str, needles: Needles
) -> tuple[bytes | None, set[str]]:
    kept = io.BytesIO() if _READ.search(path) and member.size <= _LARGEST else None
    search = needles.search(path)
    source = layer.extractfile(member)
    assert source is not None
    with source:
        while block := source.read(_BLOCK):
            search.feed(block)
            if kept is not None:
                kept.write(block)
    return (kept.getvalue() if kept is not None else None), search.found


def _entry(path: str, member: tarfile.TarInfo, content: bytes | None) -> Entry:
    return Entry(
        path=path,
        mode=_TYPES.get(member.type, stat.S_IFREG) | member.mode,
        size=member.size if member.isreg() else 0,
        owner=member.uid,
        link=member.linkname if member.issym() else "",
        content=content,
    )


def _order(notes: Mapping[str, Any]) -> list[str]:
    """The names of the layers, the lowest first."""
    if "manifest.json" in notes:
        return [str(name) for name in notes["manifest.json"][0]["Layers"]]
    (first, *_) = notes["index.json"]["manifests"]
    manifest = notes[_blob(first["digest"])]
    if "manifests" in manifest:  # of several platforms: of those that are there, the first
        there = (_blob(one["digest"]) for one in manifest["manifests"])
        manifest = next(notes[name] for name in there if name in notes)
    return [_blob(layer["digest"]) for layer in manifest["layers"]]


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _layer(name: str, layers: Mapping[str, Layer], same: Mapping[str, str]) -> Layer:
    seen: set[str] = set()
    while name not in layers and name in same and name not in seen:
        seen.add(name)
        name = same[name]
    if name not in layers:
        raise FilesError(f"the image's archive lacks the layer `{name}`", id="image-unreadable")
    return layers[name]


def _beside(member: tarfile.TarInfo) -> str:
    """What a link in the archive leads to, as it is called there."""
    if member.islnk():
        return member.linkname
    parts = [*member.name.split("/")[:-1], *member.linkname.split("/")]
    path: list[str] = []
    for part in parts:
        if part == "..":
            path = path[:-1]
        elif part not in ("", "."):
            path.append(part)
    return "/".join(path)


def _clean(name: str) -> str:
    return name.removeprefix("./").strip("/")


def _blocks(head: bytes, source: IO[bytes]) -> Iterator[bytes]:
    yield head
    while block := source.read(_BLOCK):
        yield block


class _Chunks(io.RawIOBase):
    """Chunks of bytes as a stream to read from."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = memoryview(next(self._chunks))
            except StopIteration:
                return 0
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
