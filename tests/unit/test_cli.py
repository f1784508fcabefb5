"""The command line's own parts: signals, and whose flags are whose."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
import typer

from kubekit import outlet
from kubekit.cli import app, running
from kubekit.model import Cancel


@pytest.fixture
def cancel() -> Iterator[Cancel]:
    """What the signals of this process set, for the time of a test."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    cancel = Cancel()
    running.on_signals(cancel)
    yield cancel
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cannot_wait_for_what_it_interrupts(cancel: Cancel, number: int) -> None:
    # What the main thread holds at some moments of `cancel.wait` and `cancel.on_set`.
    with cancel._event._cond, cancel._lock:
        os.kill(os.getpid(), number)
    assert cancel.wait(60)


def test_a_second_ctrl_c_does_not_ask(monkeypatch: pytest.MonkeyPatch, cancel: Cancel) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(outlet, "abandon", lambda: None)
    # Nothing can be set while this is held: the first signal is still being heard.
    with cancel._event._cond:
        os.kill(os.getpid(), signal.SIGINT)
        assert codes == []
        os.kill(os.getpid(), signal.SIGINT)
        assert codes == [130]


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_teardown_elsewhere_does_not_kill_what_ends_already(
    monkeypatch: pytest.MonkeyPatch, cancel: Cancel, first: int
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(outlet, "abandon", lambda: None)
    os.kill(os.getpid(), first)
    assert cancel.wait(60)
    os.kill(os.getpid(), signal.SIGTERM)
    assert codes == []


@pytest.mark.parametrize(
    ("given", "docker", "profile"),
    [
        (["ps", "-q"], ["ps", "-q"], None),
        (["-p", "dev", "ps", "-q", "-f", "x=y"], ["ps", "-q", "-f", "x=y"], "dev"),
        (["--", "ps", "-q"], ["ps", "-q"], None),
        (["run", "-p", "80", "x", "--", "-n"], ["run", "-p", "80", "x", "--", "-n"], None),
        (["--version"], ["--version"], None),
    ],
)
def test_what_follows_dockers_command_is_dockers(
    given: list[str], docker: list[str], profile: str | None
) -> None:
    command = typer.main.get_command(app.app)
    context = command.make_context("kubekit", ["docker", *given])
    _, docker_command, rest = command.resolve_command(context, ["docker", *given])  # type: ignore[attr-defined]
    parsed = docker_command.make_context("docker", rest, parent=context).params
    assert (parsed["arguments"], parsed["profile"]) == (docker, profile)
    assert parsed["quiet"] is False
