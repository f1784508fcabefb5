"""Scenarios that are played anew, while others must be alone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.scenarios import harness
from tests.cluster.scenarios.scenario import Scenario


def test_what_is_played_anew_has_its_turn_between_those_that_are_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = threading.Lock()
    first, go_on = threading.Event(), threading.Event()

    @contextlib.contextmanager
    def using() -> Iterator[None]:
        with cluster:
            yield

    def play(_parent: Path, _environ: object, scenario: Scenario, **_: object) -> Any:
        if scenario.title == "first":
            first.set()
            assert go_on.wait(60)
        return scenario.title

    for name, what in (("alone", using), ("beside", using), ("play", play)):
        monkeypatch.setattr(harness, name, what)
    recorder: Any = None
    stage = harness.Stage(tmp_path, {}, recorder=recorder, workers=1, beside=False)
    try:
        played = [stage.add(Scenario(title=title, alone=True)) for title in ("first", "second")]
        assert first.wait(60)
        played.append(stage.add(Scenario(title="anew")))
        go_on.set()
        assert [one.result(60) for one in played] == ["first", "second", "anew"]
    finally:
        stage._leave_cluster()
        stage.close()
