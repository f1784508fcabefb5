"""Built parts, each under a key of everything it is built from: what is there is right."""

from __future__ import annotations

import hashlib
import os
import shutil
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from lab.progress import Progress

# One part compiles while another downloads and unpacks; more would only share the same cores.
_LANES = 2


@dataclass(frozen=True)
class Part:
    """Something that takes long to make, and all that decides how it comes out."""

    name: str
    make: Callable[[Path, Store], None]
    recipe: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    needs: tuple[Part, ...] = field(default=())
    # Of one group only one is made at a time: two Go builds would compile what they share twice.
    group: str = ""

    @cached_property
    def key(self) -> str:
        """The digest of recipe, files (names and content) and the keys of the parts it needs."""
        digest = hashlib.sha256(self.name.encode())
        for text in self.recipe:
            digest.update(b"\0recipe\0" + text.encode())
        for root in self.files:
            for path in _files(root):
                name = path.relative_to(root.parent).as_posix()
                mode = "x" if os.access(path, os.X_OK) else "-"
                digest.update(f"\0file\0{name}\0{mode}\0".encode() + path.read_bytes())
        for part in self.needs:
            digest.update(b"\0part\0" + part.key.encode())
        return digest.hexdigest()[:16]


def _files(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    return sorted(path for path in root.rglob("*") if path.is_file())


@dataclass(frozen=True)
class Store:
    """The folder of built parts. A part is there once its folder has its final name."""

    root: Path
    logs: Path

    def path(self, part: Part) -> Path:
        """Tell where the part is, or will be."""
        return self.root / f"{part.name}-{part.key}"

    def has(self, part: Part) -> bool:
        """Tell whether it was made, to its end."""
        return self.path(part).is_dir()

    def build(self, part: Part) -> None:
        """Make a part in a folder of another name, and rename it when nothing is missing."""
        temporary = self.root / f".making-{part.name}-{os.getpid()}"
        temporary.mkdir(parents=True)
        part.make(temporary, self)
        os.sync()  # After a power cut the name must not be there without the content.
        temporary.rename(self.path(part))
        self._forget_older(part)

    def _forget_older(self, part: Part) -> None:
        for path in self.root.glob(f"{part.name}-*"):
            # A key has no dash: `python-3.11` must not take `python-3.11-x` for its own.
            if path != self.path(part) and path.name.rpartition("-")[0] == part.name:
                shutil.rmtree(path)


def ensure(parts: Iterable[Part], store: Store, progress: Progress) -> None:
    """Build what is missing, each part as soon as those it needs are there."""
    for abandoned in store.root.glob(".making-*"):
        shutil.rmtree(abandoned)
    waiting = _missing(parts, store)
    running: dict[Future[None], Part] = {}
    with ThreadPoolExecutor(_LANES) as pool:

        def work(part: Part) -> None:
            with progress.step(part.name):
                store.build(part)

        while waiting or running:
            while len(running) < _LANES and (part := _next(waiting, running.values(), store)):
                waiting.remove(part)
                running[pool.submit(work, part)] = part
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                running.pop(done)
                done.result()


def _next(waiting: list[Part], running: Iterable[Part], store: Store) -> Part | None:
    busy = {part.group for part in running} - {""}
    return next(
        (part for part in waiting if part.group not in busy and all(map(store.has, part.needs))),
        None,
    )


def _missing(parts: Iterable[Part], store: Store) -> list[Part]:
    found: dict[str, Part] = {}

    def visit(part: Part) -> None:
        if not store.has(part) and part.name not in found:
            for need in part.needs:
                visit(need)
            found[part.name] = part

    for part in parts:
        visit(part)
    return list(found.values())
