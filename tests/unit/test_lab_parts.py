"""What is built is found again, and what is half built is not."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.parts import Part, Store, ensure
from lab.progress import Progress


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "parts").mkdir()
    return Store(tmp_path / "parts", tmp_path / "logs")


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress(io.StringIO(), tmp_path / "durations.json")


def write_name(target: Path, _: Store) -> None:
    (target / "made").write_text("whole")


def test_the_key_follows_every_input(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "main.go").write_text("one")
    need = Part("need", write_name, recipe=("v1",))
    part = Part("tool", write_name, recipe=("-s",), files=(source,), needs=(need,))
    keys = {part.key}
    keys.add(replace(part, recipe=("-w",)).key)
    keys.add(replace(part, recipe=("-s", "")).key)
    keys.add(replace(part, needs=(replace(need, recipe=("v2",)),)).key)
    keys.add(replace(part, name="other").key)
    (source / "main.go").write_text("two")
    keys.add(replace(part).key)
    (source / "main.go").rename(source / "other.go")
    keys.add(replace(part).key)
    (source / "other.go").chmod(0o755)
    keys.add(replace(part).key)
    assert len(keys) == 8


def test_the_key_does_not_follow_the_place(tmp_path: Path) -> None:
    keys = set()
    for checkout in ("here", "there"):
        folder = tmp_path / checkout / "go"
        folder.mkdir(parents=True)
        (folder / "main.go").write_text("same")
        keys.add(Part("tool", write_name, files=(folder,)).key)
    assert len(keys) == 1


def test_a_part_is_made_once(store: Store, progress: Progress) -> None:
    made = []

    def make(target: Path, _: Store) -> None:
        made.append(target)

    part = Part("tool", make)
    ensure([part], store, progress)
    ensure([replace(part)], store, progress)
    assert len(made) == 1


def test_needs_come_first(store: Store, progress: Progress) -> None:
    low = Part("low", write_name)

    def make(_: Path, store: Store) -> None:
        assert (store.path(low) / "made").read_text() == "whole"

    ensure([Part("high", make, needs=(low,))], store, progress)


def test_half_made_is_not_taken_as_done(store: Store, progress: Progress) -> None:
    def fail(target: Path, _: Store) -> None:
        (target / "made").write_text("half")
        raise LabError("killed")

    broken = Part("tool", fail)
    with pytest.raises(LabError):
        ensure([broken], store, progress)
    assert not store.has(broken)
    ensure([replace(broken, make=write_name)], store, progress)
    assert (store.path(broken) / "made").read_text() == "whole"
    assert [path.name for path in store.root.iterdir()] == [store.path(broken).name]


def test_a_new_version_takes_the_place_of_the_old(store: Store, progress: Progress) -> None:
    parts = [Part("tool", write_name, recipe=(version,)) for version in ("v1", "v2")]
    longer = Part("tool-x", write_name)
    for part in (longer, *parts):
        ensure([part], store, progress)
    assert not store.has(parts[0])
    assert store.has(parts[1])
    assert store.has(longer)


def test_one_group_shares_nothing_with_itself(store: Store, progress: Progress) -> None:
    inside: list[str] = []
    together: list[frozenset[str]] = []

    def part(name: str, group: str) -> Part:
        def make(_: Path, __: Store) -> None:
            inside.append(name)
            time.sleep(0.05)
            together.append(frozenset(inside))
            inside.remove(name)

        return Part(name, make, group=group)

    ensure([part("a", "go"), part("b", "go"), part("c", ""), part("d", "go")], store, progress)
    assert len(together) == 4
    assert not any(len(names - {"c"}) > 1 for names in together)
