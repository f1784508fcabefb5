"""A release of `dev`: what it does by itself before it tells that it failed, and afterwards."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kubekit.api.feed import Feed
from kubekit.dev import job as jobs
from kubekit.dev.job import Ended, Job
from kubekit.errors import (
    CancelledError,
    FilesError,
    KubekitError,
    SupersededError,
    UnreachableError,
)
from kubekit.events import Event, Warned
from kubekit.session import Run

CHANGED = FilesError("`src/a.py` changed while it was sent", id="context-changed")
OTHER = FilesError("`src` is not a folder", id="context-missing")


class Around:
    """Of a job all but its order: what it calls, and what it tells."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.begun: list[Job] = []
        self.release: Callable[[], None] = lambda: None
        self.clear: Callable[[], None] = lambda: None
        self.order: list[str] = []
        self.told: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.ended: queue.SimpleQueue[object] = queue.SimpleQueue()
        manifests = SimpleNamespace(secret_values=frozenset())
        nothing = SimpleNamespace(image=None, manifests=manifests)
        patch.setattr(jobs, "check_tolerated", lambda _: None)
        patch.setattr(jobs, "prepare", lambda *_, **__: nothing)
        patch.setattr(jobs, "release", self._release)
        patch.setattr(jobs, "clear", lambda *_, **__: self.clear())

    def _release(self, *_: object, **__: object) -> Any:
        self.release()
        return SimpleNamespace(built=None)

    def begin(self, after: Job | None = None) -> Job:
        job = Job(
            SimpleNamespace(file=Path("x")),  # type: ignore[arg-type]
            None,  # type: ignore[arg-type]
            SimpleNamespace(until=lambda _: None),  # type: ignore[arg-type]
            Run(emit=self.told.put),
            built=None,
            config=None,
            syncs=True,
            deliver=self.ended.put,
            hide=lambda _: None,
            feed=Feed(None, "x"),  # type: ignore[arg-type]
            after=after,
        )
        self.begun.append(job)
        return job

    def end(self) -> None:
        for job in self.begun:
            job.cut_off()
            job.join()


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Iterator[Around]:
    around = Around(monkeypatch)
    yield around
    around.end()


@pytest.mark.parametrize(
    ("met", "ends"),
    [
        ([], None),
        ([CHANGED] * 3, None),
        ([CHANGED] * 4, CHANGED),
        ([OTHER], OTHER),
    ],
)
def test_files_that_change_while_they_are_sent_are_sent_anew(
    met: list[KubekitError], ends: KubekitError | None, around: Around
) -> None:
    left = list(met)

    def release() -> None:
        if left:
            raise left.pop(0)

    around.release = release
    job = around.begin()
    assert around.ended.get(timeout=90) == Ended(job=job, error=ends)
    assert around.told.qsize() == min(len(met), 3) * (ends is not OTHER)
    assert not left


def test_what_is_gone_is_pruned_once_the_release_has_ended_and_a_failure_is_told(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_TIDY_SECONDS", 0.0)

    def clear() -> None:
        assert not around.ended.empty()
        raise UnreachableError("nobody answers")

    around.clear = clear
    around.begin().join()
    told = around.told.get_nowait()
    assert isinstance(told, Warned)
    assert told.text.endswith("nobody answers")


def test_a_run_that_was_taken_over_meanwhile_is_told_elsewhere(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_TIDY_SECONDS", 0.0)

    def clear() -> None:
        raise SupersededError("another run")

    around.clear = clear
    around.begin().join()
    assert around.told.empty()


def test_a_release_waits_for_what_the_one_before_still_prunes_and_that_does_not_dawdle(
    around: Around,
) -> None:
    first = around.begin()
    around.ended.get(timeout=90)
    pruned = threading.Event()

    def clear() -> None:
        assert pruned.wait(90)
        around.order.append("pruned")

    around.clear = clear
    around.release = lambda: around.order.append("released")
    second = around.begin(after=first)
    first.hurry()
    cut_off = around.begin(after=first)
    cut_off.cut_off()
    ended = around.ended.get(timeout=90)
    assert isinstance(ended, Ended)
    assert (ended.job, ended.error.id if ended.error else "") == (cut_off, CancelledError("").id)
    third = around.begin(after=cut_off)
    assert not around.order
    pruned.set()
    assert {around.ended.get(timeout=90), around.ended.get(timeout=90)} == {
        Ended(job=second),
        Ended(job=third),
    }
    assert around.order[:3] == ["pruned", "released", "released"]
