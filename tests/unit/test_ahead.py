"""The trial beside the build: when it counts, when it does not, and what is told of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubekit import ahead
from kubekit.ahead import Ahead
from kubekit.errors import Place, RefusedError
from kubekit.events import Emit, Event, Warned
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
        emit(Warned(text="before"))
        begun.set()
        assert go.wait(30)
        emit(Warned(text="while"))
        return STEPS

    def hear(event: Event) -> None:
        said.append(event)
        go.set()

    with tried(trial) as one:
        assert begun.wait(30)
        assert one.take(objects("web"), hear) == STEPS
    assert [event.text for event in said if isinstance(event, Warned)] == ["before", "while"]


def test_of_other_objects_nothing_is_taken_or_told() -> None:
    said: list[Event] = []

    def trial(_: Manifests, emit: Emit, __: Cancel) -> list[Any]:
        emit(Warned(text="of the others"))
        return STEPS

    with tried(trial) as one:
        assert one.take(objects("other"), said.append) is None
    assert not said


def test_a_refusal_is_left_to_the_trial_of_now() -> None:
    def trial(*_: object) -> list[Any]:
        raise RefusedError("no")

    with tried(trial) as one:
        assert one.take(objects("web"), lambda _: None) is None


def test_what_was_asked_long_ago_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_FRESH_SECONDS", -1.0)
    with tried(lambda *_: STEPS) as one:
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
    assert ended.is_set()
