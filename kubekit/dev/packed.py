"""Texts by path, of tens of thousands of files, in a fifth of the memory that a dict takes. Pure.

Every object of Python costs some 50 bytes beside what it holds, and a file needs several. Here many
files share one text: which one follows from the path, so that it makes no difference how they lie.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

_SHELVES = 1024
_START = "\0\0"
"""Before each path; after it is one more, and no text is empty: nowhere else are there two."""


class Packed(Mapping[str, str]):
    """Path -> text, neither empty nor with a NUL character in it. Nothing of it ever changes.

    What is made from another one shares with it what is the same, and is quickly compared.
    """

    __slots__ = ("_shelves",)

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        """Take each path once."""
        found: list[list[str]] = [[] for _ in range(_SHELVES)]
        for path, text in items:
            found[hash(path) % _SHELVES].append(f"{_START}{path}\0{text}")
        self._shelves: list[str] = []
        while found:  # one after the other, so that not all of it is there twice
            records = found.pop()
            self._shelves.append("".join([*records, _START]) if records else "")
        self._shelves.reverse()

    def __getitem__(self, path: str) -> str:
        shelf = self._shelves[hash(path) % _SHELVES]
        at = shelf.find(f"{_START}{path}\0")
        if at < 0:
            raise KeyError(path)
        start = at + len(path) + 3
        return shelf[start : shelf.index(_START, start)]

    def __iter__(self) -> Iterator[str]:
        return (path for path, _ in self._pairs())

    def __len__(self) -> int:
        return sum(max(shelf.count(_START) - 1, 0) for shelf in self._shelves)

    def items(self) -> ItemsView[str, str]:
        """Go through them without looking for each."""
        return _Items(self)

    def patched(self, gone: Iterable[str], new: Mapping[str, str]) -> Packed:
        """Leave out what is gone, put in what is new or has another text."""
        made = Packed()
        made._shelves = list(self._shelves)
        for path in {*gone, *new}:
            number = hash(path) % _SHELVES
            shelf = made._shelves[number]
            at = shelf.find(f"{_START}{path}\0")
            if at >= 0:
                shelf = shelf[:at] + shelf[shelf.index(_START, at + len(path) + 3) :]
            if path in new:
                shelf = f"{_START}{path}\0{new[path]}{shelf or _START}"
            made._shelves[number] = "" if shelf == _START else shelf
        return made

    def sharing(self, other: Packed) -> Packed:
        """Hold the same, in one memory with the other as far as it does."""
        both = zip(self._shelves, other._shelves, strict=True)
        self._shelves = [theirs if ours == theirs else ours for ours, theirs in both]
        return self

    def differing(self, other: Packed) -> AbstractSet[str]:
        """Paths that only one of them has, or with another text."""
        found: set[str] = set()
        for ours, theirs in zip(self._shelves, other._shelves, strict=True):
            if ours != theirs:
                found.update(path for path, _ in {*_records(ours)} ^ {*_records(theirs)})
        return found

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for shelf in self._shelves:
            yield from _records(shelf)


class _Items(ItemsView[str, str]):
    _mapping: Packed

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return self._mapping._pairs()  # noqa: SLF001


def _records(shelf: str) -> Iterator[tuple[str, str]]:
    for record in shelf.split(_START)[1:-1]:
        path, _, text = record.partition("\0")
        yield path, text
