"""How `dev` ends: what comes after the session, and until when keys are read.

The session is a stand-in here; tests/cluster/dev has real ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from kubekit import workflow
from kubekit.api.kube import Kube
from kubekit.api.lease import Lease
from kubekit.api.ownership import OwnedSet
from kubekit.dev import command
from kubekit.errors import KubekitError, SupersededError, UnreachableError
from kubekit.events import Ended, Event, Warned
from kubekit.model import DevSettings, Object, Settings
from kubekit.session import Run
from kubekit.turn import Turn


class Stage:
    """What happened, in order; `session` is what the session does."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.events: list[Event] = []
        self.namespace: Object | KubekitError | None = {"metadata": {}}
        self.run = Run(emit=self.events.append)
        self.session: Callable[[], None] = lambda: None
        self.press: Callable[[str], None] = lambda _: None

    @contextlib.contextmanager
    def keyboard(self, press: Callable[[str], None]) -> Iterator[None]:
        self.press = press
        self.said.append("keys")
        yield
        self.said.append("no keys")

    def dev(self, *, keep: bool = False) -> None:
        """One run of the command."""
        settings = Settings(
            file=Path("/p/kubekit.yaml"),
            name="x",
            namespace="x",
            profile="x",
            manifests=(),
            dev=DevSettings(),
        )
        command.dev(lambda: settings, self.run, keep=keep, keyboard=self.keyboard)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()

    class Session:
        def __init__(self, *_: object) -> None:
            pass

        def go_on(self, _keys: object, _lease: object) -> None:
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

    class Cluster:
        def __init__(self, **_: object) -> None:
            pass

        def get(self, path: str, **_: object) -> Object | None:
            assert path == "/api/v1/namespaces/x"
            if isinstance(stage.namespace, KubekitError):
                raise stage.namespace
            return stage.namespace

    monkeypatch.setattr(command, "its_turn", turn)
    monkeypatch.setattr(command, "connect", lambda *_: (SimpleNamespace(context="x"), None))
    monkeypatch.setattr(command, "Kube", Cluster)
    monkeypatch.setattr(command, "_Session", Session)
    monkeypatch.setattr(workflow, "teardown", teardown)
    return stage


def test_keys_are_read_and_no_other_run_begins_until_the_teardown_is_done(stage: Stage) -> None:
    stage.dev()
    assert stage.said == ["keys", "turn", "session", "teardown of x", "over", "no keys"]


def test_what_another_run_has_taken_over_is_left_to_it(stage: Stage) -> None:
    def taken() -> None:
        raise SupersededError("`ada@engine` has taken over")

    stage.session = taken
    with pytest.raises(SupersededError):
        stage.dev()
    assert "teardown of x" not in stage.said
    assert not stage.events


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


@pytest.mark.parametrize("error", [ZeroDivisionError(), KubekitError("pods may not be listed")])
def test_after_a_failure_it_is_told_how_what_runs_is_taken_away(
    stage: Stage, error: Exception
) -> None:
    def break_down() -> None:
        raise error

    stage.session = break_down
    with pytest.raises(type(error)):
        stage.dev()
    (told,) = stage.events
    assert isinstance(told, Warned)
    assert "namespace `x` stays" in told.text
    assert told.hints == ("take it away with `kubekit teardown`",)
    assert "teardown of x" not in stage.said


@pytest.mark.parametrize(
    ("namespace", "stays"),
    [
        ({"metadata": {}}, True),
        (UnreachableError("away"), True),
        (None, False),
        ({"metadata": {"deletionTimestamp": "now"}}, False),
    ],
)
def test_what_is_kept_is_told_only_where_there_is_something(
    stage: Stage, namespace: Object | KubekitError | None, stays: bool
) -> None:
    stage.namespace = namespace
    stage.dev(keep=True)
    (told,) = stage.events
    assert isinstance(told, Ended)
    assert ("stays" in told.text, bool(told.hints)) == (stays, stays)
    assert stays or told.text == "nothing runs: there is no namespace `x`"
