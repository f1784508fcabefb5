"""Who may delete images when: the lock between runs; and how what was deleted is told."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from kubekit.errors import CancelledError
from kubekit.events import Event, Progress
from kubekit.image import cleanup
from kubekit.image.cleanup import Cleaned, alone, beside
from kubekit.image.docker import images as dockerimages
from kubekit.model import Cancel

HOLD = """
import sys
from kubekit.image.cleanup import beside
from kubekit.model import Cancel
with beside("here", "tasks", emit=print, cancel=Cancel()):
    print("mine", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def building(
    context: str = "here", *, told: list[Event] | None = None, cancel: Cancel | None = None
) -> AbstractContextManager[None]:
    emit = (told if told is not None else []).append
    return beside(context, "tasks", emit=emit, cancel=cancel or Cancel())


def may_delete(context: str = "here", project: str = "tasks") -> bool:
    with alone(context, project) as mine:
        return mine


def test_who_deletes_is_alone() -> None:
    with building():
        with building():
            assert not may_delete()
        assert may_delete("elsewhere")
        assert may_delete(project="other")
    assert may_delete()


@pytest.fixture
def deletion() -> Iterator[threading.Event]:
    """Another run deletes, until this is set."""
    ready, enough = threading.Event(), threading.Event()

    def delete() -> None:
        with alone("here", "tasks") as mine:
            assert mine
            ready.set()
            enough.wait(90)

    thread = threading.Thread(target=delete)
    thread.start()
    ready.wait()
    yield enough
    enough.set()
    thread.join()


def test_who_builds_waits_for_one_that_deletes_however_long_and_tells_it_once(
    deletion: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "_SOON", 0.1)
    told: list[Event] = []

    def heard(event: Event) -> None:
        told.append(event)
        threading.Timer(0.5, deletion.set).start()

    with beside("here", "tasks", emit=heard, cancel=Cancel()):
        assert deletion.is_set()
    (waiting,) = told
    assert isinstance(waiting, Progress)
    assert "deletes images of `tasks`" in waiting.text


def test_a_short_wait_is_not_told(
    deletion: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "_SOON", 60.0)
    told: list[Event] = []
    threading.Timer(0.2, deletion.set).start()
    with building(told=told):
        assert deletion.is_set()
    assert told == []


def test_a_wait_ends_with_ctrl_c_and_nothing_is_built(deletion: threading.Event) -> None:
    cancel = Cancel()
    threading.Timer(0.1, cancel.set).start()
    with pytest.raises(CancelledError), building(cancel=cancel):
        raise AssertionError
    assert not deletion.is_set()


def test_a_killed_run_holds_nothing() -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mine\n"
        assert not may_delete()
        holder.kill()
    assert may_delete()


def test_where_the_cache_cannot_be_written_there_is_no_lock(cache: Path) -> None:
    cache.write_text("a file where a folder should be")
    with building():
        assert may_delete()


@pytest.mark.parametrize(
    ("cleaned", "text"),
    [
        (Cleaned(), "0 images deleted"),
        (Cleaned(count=1), "1 image deleted"),
        (Cleaned(count=1) + Cleaned(count=2, size=14_400_000), "3 images deleted, 14 MB"),
    ],
)
def test_what_was_deleted_in_words(cleaned: Cleaned, text: str) -> None:
    assert cleaned.told() == text
    assert cleaned.told("old image") == text.replace("image", "old image")


def test_later_names_are_more_however_many_digits_go_leaves() -> None:
    times = ["2026-11-21T17:00:00Z", "2026-11-21T17:00:00.09Z", "2026-11-21T17:00:00.1Z"]
    times += ["2026-11-21T17:00:00.100000001Z", "2026-11-21T17:00:01Z"]
    keys = [dockerimages._named_at({"Metadata": {"LastTagTime": time}}) for time in times]
    assert keys == sorted(keys)
    assert dockerimages._named_at({"Created": times[0]}) == keys[0]


@pytest.mark.parametrize(
    ("image", "size"),
    [
        ({"Size": 10, "SharedSize": 4}, 6),
        ({"Size": 10, "SharedSize": -1}, None),
        ({"Size": 10}, None),
    ],
)
def test_the_size_of_its_own(image: dict[str, int], size: int | None) -> None:
    assert dockerimages._own_size(image) == size
