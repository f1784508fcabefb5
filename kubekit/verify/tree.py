"""The files of an image: what each layer brings, and what of it a container sees. Pure."""

from __future__ import annotations

import posixpath
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_LIBRARIES = re.compile(r"(^|/)(site-packages|dist-packages|lib/python3[^/]*|node_modules)(/|$)")
_SYSTEM = frozenset(
    "bin boot dev etc lib lib32 lib64 libx32 media mnt proc root run sbin sys usr var".split()  # noqa: SIM905 - as a list it would be a line per word
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file, folder or link.

    Attributes:
        mode: the full `st_mode`.
        link: what a link leads to.
        content: of the few files that are read.
    """

    path: str
    mode: int
    size: int = 0
    owner: int = 0
    link: str = ""
    content: bytes | None = field(default=None, repr=False)

    @property
    def is_file(self) -> bool:
        """Whether it is no folder, link or device."""
        return stat.S_ISREG(self.mode)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What one layer brings, and in which files secrets were found, by the secret's name.

    Attributes:
        name: as the archive calls it.
        size: bytes of its files.
    """

    name: str
    entries: tuple[Entry, ...]
    secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(entry.size for entry in self.entries)


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The layers of an image, the lowest first, and the files a container sees, by their paths."""

    layers: tuple[Layer, ...]
    files: Mapping[str, Entry]

    @classmethod
    def of(cls, layers: Iterable[Layer]) -> Tree:
        """Lay them one over the other."""
        layers = tuple(layers)
        seen: dict[str, Entry] = {}
        for layer in layers:
            _cover(seen, layer)
        return cls(layers=layers, files=seen)

    def everywhere(self) -> Iterator[tuple[Entry, bool]]:
        """Each entry of each layer, and whether a container sees it: what is deleted stays."""
        for layer in self.layers:
            for entry in layer.entries:
                if not _base(entry.path).startswith(_WHITEOUT):
                    yield entry, self.files.get(entry.path) is entry

    def environments(self) -> tuple[str, ...]:
        """The folders of Python's virtual environments."""
        found = (posixpath.split(path) for path in self.files)
        return tuple(sorted(folder for folder, name in found if name == "pyvenv.cfg" and folder))

    def is_app(self, path: str) -> bool:
        """Whether it is the app's own, not the system's or an installed package's."""
        system = path.partition("/")[0] in _SYSTEM and not path.startswith("usr/src/")
        if system or in_libraries(path):
            return False
        return not any(path.startswith(f"{folder}/") for folder in self.environments())


def in_libraries(path: str) -> bool:
    """Whether it belongs to Python itself or to a package installed for it."""
    return _LIBRARIES.search(path) is not None


def _cover(seen: dict[str, Entry], layer: Layer) -> None:
    for entry in layer.entries:
        folder, name = posixpath.split(entry.path)
        if name == _OPAQUE:
            _drop(seen, folder, itself=False)
        elif name.startswith(_WHITEOUT):
            _drop(seen, posixpath.join(folder, name.removeprefix(_WHITEOUT)), itself=True)
    for entry in layer.entries:
        if not _base(entry.path).startswith(_WHITEOUT):
            before = seen.get(entry.path)
            if before is not None and stat.S_ISDIR(before.mode) and not stat.S_ISDIR(entry.mode):
                _drop(seen, entry.path, itself=True)
            seen[entry.path] = entry


def _drop(seen: dict[str, Entry], path: str, *, itself: bool) -> None:
    under = f"{path}/" if path else ""
    for one in [one for one in seen if one.startswith(under)]:
        del seen[one]
    if itself:
        seen.pop(path, None)


def _base(path: str) -> str:
    return path.rpartition("/")[2]
