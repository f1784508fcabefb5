"""How `dev` ends: what comes after the session, and until when keys are read.

The session is a stand-in here; tests/cluster/dev has real ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from kubekit import workflow
from kubekit.api.kube import Kube
from kubekit.api.lease import Lease
from kubekit.api.ownership import OwnedSet
from kubekit.dev import command
from kubekit.errors import KubekitError
from kubekit.model import DevSettings, Settings
from kubekit.session import Run
from kubekit.turn import Turn


class Stage:
    """What happened, in order; `session` is what the session does."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.run = Run(emit=lambda _: None)
        self.session: Callable[[], None] = lambda: None
        self.press: Callable[[str], None] = lambda _: None

    @contextlib.contextmanager
    def keyboard(self, press: Callable[[str], None]) -> Iterator[None]:
        self.press = press
        self.said.append("keys")
        yield
        self.said.append("no keys")

    def dev(self) -> None:
        """One run of the command."""
        settings = Settings(
            file=Path("/p/kubekit.yaml"),
            name="x",
            namespace="x",
            profile="x",
            manifests=(),
            dev=DevSettings(),
        )
        command.dev(lambda: settings, self.run, keyboard=self.keyboard)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()

    class Session:
        def __init__(self, *_: object) -> None:
            pass

        def go_on(self, _keys: object) -> None:
            stage.said.append("session")
            stage.session()

    class Unheld:
        def guard(self, kube: Kube) -> Kube:
            return kube

    def teardown(*_: object, turn: Turn) -> None:
        stage.press("x")
        stage.said.append(f"teardown of {turn.owned.project}")

    @contextlib.contextmanager
    def turn(*_: object, **__: object) -> Iterator[Turn]:
        stage.said.append("turn")
        yield Turn(owned=OwnedSet(project="x", namespace="x"), lease=cast("Lease", Unheld()))
        stage.said.append("over")

    monkeypatch.setattr(command, "its_turn", turn)
    monkeypatch.setattr(command, "connect", lambda *_: (None, None))
    monkeypatch.setattr(command, "_Session", Session)
    monkeypatch.setattr(workflow, "teardown", teardown)
    return stage


def test_keys_are_read_and_no_other_run_begins_until_the_teardown_is_done(stage: Stage) -> None:
    stage.dev()
    assert stage.said == ["keys", "turn", "session", "teardown of x", "over", "no keys"]


def test_what_ctrl_c_cut_off_is_no_failure(stage: Stage) -> None:
    def cut_off() -> None:
        stage.run.cancel.set()
        raise KubekitError("the connection was closed")

    stage.session = cut_off
    stage.dev()
    assert stage.said[-3:] == ["teardown of x", "over", "no keys"]


def test_what_fails_by_itself_is_told_and_nothing_is_taken_down(stage: Stage) -> None:
    def fail() -> None:
        raise KubekitError("pods may not be listed")

    stage.session = fail
    with pytest.raises(KubekitError, match="may not be listed"):
        stage.dev()
    assert "teardown of x" not in stage.said
