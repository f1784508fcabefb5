"""Which touches of files are told."""

from __future__ import annotations

import errno
import queue
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog.events import FileSystemEvent
from watchdog.observers.inotify import InotifyEmitter, InotifyObserver

from kubekit.dev import watch
from kubekit.dev.watch import Watch
from kubekit.events import Event, Warned
from tests.conftest import alive, open_files


class Told:
    """What was told, taken as it comes."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[frozenset[Path]] = queue.SimpleQueue()
        self.events: list[Event] = []
        self.watch = Watch(self.queue.put, emit=self.events.append)

    def until(self, path: Path) -> set[Path]:
        """All that is told until this path is."""
        found: set[Path] = set()
        while path not in found:
            found |= self.queue.get(timeout=90)
        return found


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    yield told
    told.watch.close()


def test_saves_of_every_kind_are_told(told: Told, tmp_path: Path) -> None:
    told.watch.on({tmp_path: True})
    (tmp_path / "a.py").write_text("1")
    told.until(tmp_path / "a.py")
    (tmp_path / "b.tmp").write_text("2")
    (tmp_path / "b.tmp").rename(tmp_path / "a.py")
    assert tmp_path / "b.tmp" in told.until(tmp_path / "a.py")
    (tmp_path / "a.py").chmod(0o755)
    told.until(tmp_path / "a.py")
    (tmp_path / "a.py").unlink()
    told.until(tmp_path / "a.py")
    (tmp_path / "new/deep").mkdir(parents=True)
    (tmp_path / "new/deep/c.py").write_text("3")
    told.until(tmp_path / "new/deep/c.py")
    shutil.rmtree(tmp_path / "new")
    told.until(tmp_path / "new")


def test_reading_is_no_touch(told: Told, tmp_path: Path) -> None:
    (tmp_path / "read.py").write_text("1")
    told.watch.on({tmp_path: True})
    (tmp_path / "read.py").read_text()
    list(tmp_path.iterdir())
    (tmp_path / "written.py").write_text("1")
    assert tmp_path / "read.py" not in told.until(tmp_path / "written.py")


def test_of_files_that_are_read_the_system_tells_nothing(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[FileSystemEvent] = []
    queue_event = InotifyEmitter.queue_event

    def hear(self: InotifyEmitter, event: FileSystemEvent) -> None:
        heard.append(event)
        queue_event(self, event)

    monkeypatch.setattr(InotifyEmitter, "queue_event", hear)
    (tmp_path / "read.py").write_text("1")
    told.watch.on({tmp_path: True})
    (tmp_path / "read.py").read_text()
    (tmp_path / "written.py").write_text("1")
    told.until(tmp_path / "written.py")
    assert heard
    assert str(tmp_path / "read.py") not in {event.src_path for event in heard}


def test_what_is_not_deep_is_watched_at_its_top_alone(told: Told, tmp_path: Path) -> None:
    (tmp_path / "node_modules").mkdir()
    told.watch.on({tmp_path: False})
    (tmp_path / "node_modules/a.js").write_text("1")
    (tmp_path / "top").write_text("1")
    assert tmp_path / "node_modules/a.js" not in told.until(tmp_path / "top")


def test_other_folders_take_the_place_of_the_first(told: Told, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    told.watch.on({tmp_path / "one": True})
    told.watch.on({tmp_path / "two": True, tmp_path / "missing": True})
    (tmp_path / "one/a").write_text("1")
    (tmp_path / "two/a").write_text("1")
    assert tmp_path / "one/a" not in told.until(tmp_path / "two/a")


def test_a_burst_is_told_whole(told: Told, tmp_path: Path) -> None:
    told.watch.on({tmp_path: True})
    names = {tmp_path / f"{number}.py" for number in range(3000)}
    for name in names:
        name.write_text("1")
    found: set[Path] = set()
    while not names <= found:
        found |= told.queue.get(timeout=90)


def test_where_no_more_folders_may_be_watched_they_are_looked_through(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr(InotifyObserver, "schedule", full)
    told.watch.on({tmp_path: True})
    (warned,) = told.events
    assert isinstance(warned, Warned)
    assert "max_user_watches" in " ".join(warned.hints)
    (tmp_path / "a.py").write_text("1")
    told.until(tmp_path / "a.py")


def watches() -> int:
    """The watches of folders that this process has open."""
    return open_files().count("anon_inode:inotify")


@pytest.mark.skipif(sys.platform != "linux", reason="UNTESTED: open files are counted by /proc")
def test_nothing_is_left_of_a_watch(tmp_path: Path, threads: list[threading.Thread]) -> None:
    before = watches()
    told = Told()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        told.watch.on({tmp_path / name: True})
    assert watches() > before
    told.watch.close()
    assert threads
    assert not alive(threads)
    assert watches() == before


def test_a_folder_that_is_made_again_is_watched_and_told_whole(told: Told, tmp_path: Path) -> None:
    src = tmp_path / "far/src"
    src.mkdir(parents=True)
    told.watch.on({src: True})
    shutil.rmtree(src)
    told.until(src)
    (src / "deep").mkdir(parents=True)
    told.until(src)
    (src / "deep/a.py").write_text("1")
    told.until(src / "deep/a.py")


def test_a_folder_that_takes_the_place_of_one_is_watched(told: Told, tmp_path: Path) -> None:
    for name in ("src", "other"):
        (tmp_path / name / "pkg").mkdir(parents=True)
    told.watch.on({tmp_path: False, tmp_path / "src": True})
    (tmp_path / "src").rename(tmp_path / "old")
    (tmp_path / "other").rename(tmp_path / "src")
    told.until(tmp_path / "src")
    (tmp_path / "src/pkg/a.py").write_text("1")
    told.until(tmp_path / "src/pkg/a.py")


def test_a_link_that_leads_to_another_folder_is_followed(told: Told, tmp_path: Path) -> None:
    for name in ("v1", "v2"):
        (tmp_path / name / "src").mkdir(parents=True)
    (tmp_path / "current").symlink_to("v1")
    src = tmp_path / "current/src"
    told.watch.on({tmp_path: False, src: True})
    (tmp_path / "next").symlink_to("v2")
    (tmp_path / "next").rename(tmp_path / "current")
    told.until(src)
    (tmp_path / "v2/src/a.py").write_text("1")
    told.until(src / "a.py")


def test_a_folder_that_is_moved_in_is_watched(told: Told, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "out/pkg/sub").mkdir(parents=True)
    told.watch.on({tmp_path / "src": True})
    (tmp_path / "out/pkg").rename(tmp_path / "src/pkg")
    told.until(tmp_path / "src/pkg")
    (tmp_path / "src/pkg/sub/b.py").write_text("1")
    told.until(tmp_path / "src/pkg/sub/b.py")


def test_a_folder_that_was_missing_is_told_once_it_comes(told: Told, tmp_path: Path) -> None:
    told.watch.on({tmp_path / "far/src": True})
    (tmp_path / "far/src").mkdir(parents=True)
    told.until(tmp_path / "far/src")
    (tmp_path / "far/src/a.py").write_text("1")
    told.until(tmp_path / "far/src/a.py")


def test_more_touches_than_the_system_may_keep_are_told_as_folders(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_MANY", 50)
    (tmp_path / "top/src").mkdir(parents=True)
    told.watch.on({tmp_path: False, tmp_path / "top": True, tmp_path / "top/src": True})
    for number in range(300):
        (tmp_path / f"top/{number}.py").write_text("1")
    told.until(tmp_path / "top/src")


def test_a_folder_that_nobody_wants_is_not_watched_anew(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.watch.on({tmp_path: True})
    monkeypatch.setattr(InotifyObserver, "schedule", lambda *_, **__: pytest.fail("anew"))
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "a.py").write_text("1")
    told.until(tmp_path / "a.py")
    assert not told.events


def test_a_folder_that_is_a_link_is_watched_where_it_leads(told: Told, tmp_path: Path) -> None:
    (tmp_path / "real/sub").mkdir(parents=True)
    (tmp_path / "src").symlink_to("real")
    told.watch.on({tmp_path / "src": True})
    (tmp_path / "src/a.py").write_text("1")
    told.until(tmp_path / "src/a.py")
    (tmp_path / "real/sub/b.py").write_text("1")
    told.until(tmp_path / "src/sub/b.py")
