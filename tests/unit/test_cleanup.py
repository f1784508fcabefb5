"""Who may delete images when: the lock between runs; and how what was deleted is told."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kubekit.image import cleanup
from kubekit.image.cleanup import Cleaned, turn
from kubekit.image.docker import images as dockerimages
from kubekit.model import Cancel

HOLD = """
import sys
from kubekit.image.cleanup import turn
from kubekit.model import Cancel
with turn("here", "tasks", cancel=Cancel()) as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def may(context: str = "here", project: str = "tasks", *, alone: bool = False) -> bool:
    with turn(context, project, cancel=Cancel(), alone=alone) as mine:
        return mine


def test_who_deletes_is_alone() -> None:
    with turn("here", "tasks", cancel=Cancel()) as first:
        assert first
        assert may(), "runs build beside each other"
        assert not may(alone=True)
        assert may("elsewhere", alone=True)
        assert may(project="other", alone=True)
    assert may(alone=True)


def test_who_builds_waits_for_one_that_deletes() -> None:
    gone = threading.Event()

    def delete() -> None:
        with turn("here", "tasks", cancel=Cancel(), alone=True):
            ready.set()
            time.sleep(0.3)
            gone.set()

    ready = threading.Event()
    thread = threading.Thread(target=delete)
    thread.start()
    ready.wait()
    assert may()
    assert gone.is_set()
    thread.join()


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with turn("here", "tasks", cancel=Cancel(), alone=True):
        cancel = Cancel()
        threading.Timer(0.1, cancel.set).start()
        start = time.monotonic()
        with turn("here", "tasks", cancel=cancel) as mine:
            assert not mine
        assert time.monotonic() - start < 5
        monkeypatch.setattr(cleanup, "_TURN_SECONDS", 0.1)
        assert not may()


def test_a_killed_run_holds_nothing() -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert not may(alone=True)
        holder.kill()
    assert may(alone=True)


def test_where_the_cache_cannot_be_written_there_is_no_lock(cache: Path) -> None:
    cache.write_text("a file where a folder should be")
    with turn("here", "tasks", cancel=Cancel()) as first:
        assert first
        assert may(alone=True)


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
