"""The trial beside the build: when it counts, when it does not, and what is told of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kubekit import ahead
from kubekit.ahead import Ahead
from kubekit.errors import CancelledError, Place, RefusedError
from kubekit.events import Emit, Event, Progress, Warned
from kubekit.model import Cancel, Manifest, Manifests

STEPS: list[Any] = ["a step"]


def objects(name: str) -> Manifests:
    origin = Place(file=Path("/p/app.yaml"))
    return Manifests(items=(Manifest(data={"metadata": {"name": name}}, origin=origin),))


@contextlib.contextmanager
def tried(trial: ahead.Try, expected: Manifests | None = None) -> Iterator[Ahead]:
    with contextlib.closing(Ahead(expected or objects("web"), trial, Cancel())) as one:
        yield one


def test_the_steps_of_the_expected_objects_are_taken_with_what_was_told() -> None:
    said: list[Event] = []

    def trial(_: Manifests, emit: Emit, __: Cancel) -> list[Any]:
        emit(Warned(text="deprecated"))
        return STEPS

    with tried(trial) as one:
        assert one.take(objects("web"), said.append) == STEPS
    assert said == [Warned(text="deprecated")]


def test_what_is_told_while_it_is_waited_for_comes_at_once() -> None:
    said: list[Event] = []
    begun, go = threading.Event(), threading.Event()

    def trial(_: Manifests, emit: Emit, __: Cancel) -> list[Any]:
        emit(Warned(text="deprecated"))
        begun.set()
        while not go.wait(0.01):
            emit(Progress(stage="apply", text="waiting"))
        return STEPS

    def hear(event: Event) -> None:
        said.append(event)
        go.set()

    with tried(trial) as one:
        assert begun.wait(30)
        assert one.take(objects("web"), hear) == STEPS
    assert isinstance(said[0], Progress)
    assert said[-1] == Warned(text="deprecated")


def test_of_other_objects_nothing_is_taken_or_told() -> None:
    said: list[Event] = []

    def trial(_: Manifests, emit: Emit, __: Cancel) -> list[Any]:
        emit(Warned(text="of the others"))
        return STEPS

    with tried(trial) as one:
        assert one.take(objects("other"), said.append) is None
    assert not said


def warns_and(ends: Callable[[], list[Any]]) -> ahead.Try:
    def trial(_: Manifests, emit: Emit, __: Cancel) -> list[Any]:
        emit(Warned(text="deprecated"))
        return ends()

    return trial


def refuse() -> list[Any]:
    raise RefusedError("no")


def test_what_is_refused_is_told_once() -> None:
    said: list[Event] = []
    with tried(warns_and(refuse)) as one, pytest.raises(RefusedError, match="no"):
        one.take(objects("web"), said.append)
    assert said == [Warned(text="deprecated")]


@pytest.mark.parametrize("ends", [lambda: STEPS, refuse])
def test_what_was_asked_long_ago_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, ends: Callable[[], list[Any]]
) -> None:
    monkeypatch.setattr(ahead, "_FRESH_SECONDS", -1.0)
    said: list[Event] = []
    with tried(warns_and(ends)) as one:
        assert one.take(objects("web"), said.append) is None
    assert not said, "the trial of now tells it"


@pytest.mark.parametrize("ends", [lambda: STEPS, refuse])
def test_of_a_long_trial_only_the_end_is_of_now(
    monkeypatch: pytest.MonkeyPatch, ends: Callable[[], list[Any]]
) -> None:
    now, begun, go = [100.0], threading.Event(), threading.Event()
    monkeypatch.setattr(ahead, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def trial(_: Manifests, emit: Emit, __: Cancel) -> list[Any]:
        begun.set()
        while not go.wait(0.01):
            emit(Progress(stage="apply", text="waiting for a Job to end"))
        return ends()

    def hear(_: Event) -> None:
        now[0] = 160.0
        go.set()

    with tried(trial) as one:
        assert begun.wait(30)
        if ends is refuse:
            with pytest.raises(RefusedError):
                one.take(objects("web"), hear)
        else:
            assert one.take(objects("web"), hear) is None


def test_a_defect_is_left_to_the_trial_of_now() -> None:
    with tried(warns_and(lambda: [1 // 0])) as one:
        assert one.take(objects("web"), lambda _: None) is None


def test_without_expected_objects_nothing_is_asked() -> None:
    def trial(*_: object) -> list[Any]:
        raise AssertionError("asked")

    one = Ahead(None, trial, Cancel())
    assert one.take(objects("web"), lambda _: None) is None
    one.close()


@pytest.mark.parametrize("by", ["close", "the run"])
def test_it_ends_with_what_it_is_beside(by: str) -> None:
    outer, ended = Cancel(), threading.Event()

    def trial(_: Manifests, __: Emit, cancel: Cancel) -> list[Any]:
        assert cancel.wait(30)
        ended.set()
        return STEPS

    one = Ahead(objects("web"), trial, outer)
    if by == "the run":
        outer.set()
        assert ended.wait(30)
    one.close()
    assert ended.wait(30)


def test_a_request_that_hangs_holds_up_no_end_and_is_not_heard_after_it() -> None:
    outer, begun, go, ended = Cancel(), *(threading.Event() for _ in range(3))
    said: list[Event] = []

    def trial(_: Manifests, emit: Emit, __: Cancel) -> list[Any]:
        begun.set()
        assert go.wait(60)
        emit(Progress(stage="apply", text="waiting"))
        emit(Warned(text="deprecated"))
        ended.set()
        return STEPS

    one = Ahead(objects("web"), trial, outer)
    assert begun.wait(30)
    outer.set()
    with pytest.raises(CancelledError):
        one.take(objects("web"), said.append)
    one.close()
    go.set()
    assert ended.wait(30)
    assert not said
