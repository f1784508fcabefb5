"""What makes one tree of files into another, in an order that works. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from kubekit.dev.entries import Entries, Entry


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What is to be done, in this order; each sorted so that it works from its start to its end.

    Attributes:
        clears: what must go first, because something else comes in its place: deepest first.
        folders: to be made.
        puts: files whose content is to be written, in the place of whatever file or link is there.
        links: to be made, likewise.
        modes: files of which only the permission to execute differs.
        deletes: what is gone: deepest first. A folder goes if nothing foreign is in it.
    """

    clears: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    puts: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many paths are touched."""
        return sum(len(getattr(self, field.name)) for field in fields(self))


def difference(have: Mapping[str, Entry], wanted: Mapping[str, Entry]) -> Difference:
    """Tell what makes `have` into `wanted`.

    Args:
        have: what is ours there; what is in it and not wanted is deleted.
        wanted: with the folders of all it holds.
    """
    todo: dict[str, list[str]] = {"folder": [], "file": [], "link": []}
    clears: set[str] = set()
    modes = []
    gone = []
    for path in wanted.differing(have) if isinstance(wanted, Entries) else {*have, *wanted}:
        found, want = have.get(path), wanted.get(path)
        if found == want:
            continue
        if want is None:
            gone.append(path)
            continue
        if found and found[:2] == want[:2]:
            modes.append(path)
            continue
        if found and found.kind != want.kind and "folder" in (found.kind, want.kind):
            clears.add(path)
        todo[want.kind].append(path)
    clears.update(path for path in gone if is_below(path, clears))
    return Difference(
        clears=tuple(sorted(clears, reverse=True)),
        folders=tuple(sorted(todo["folder"])),
        puts=tuple(sorted(todo["file"])),
        links=tuple(sorted(todo["link"])),
        modes=tuple(sorted(modes)),
        deletes=tuple(sorted((path for path in gone if path not in clears), reverse=True)),
    )


def is_below(path: str, folders: set[str]) -> bool:
    """Whether a path lies below one of these."""
    if not folders:
        return False
    above = path.rpartition("/")[0]
    while above:
        if above in folders:
            return True
        above = above.rpartition("/")[0]
    return False
