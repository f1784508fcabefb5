"""All that is missing is told at once, each with what to do."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab import engine, gobuild, preflight
from lab.errors import LabError
from lab.paths import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "cache", tmp_path / "state", tmp_path / "run")


@pytest.fixture
def silent_socket(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield path


@pytest.fixture
def poor(monkeypatch: pytest.MonkeyPatch, silent_socket: Path) -> None:
    texts = {"/etc/os-release": 'ID="fedora"', "/proc/meminfo": "MemAvailable: 1024000 kB"}
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(preflight, "_read", lambda path: texts.get(path, ""))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 << 30))
    monkeypatch.setattr(gobuild, "find_go", lambda: None)
    monkeypatch.setattr(gobuild, "pip", lambda: None)
    monkeypatch.setattr(engine, "SOCKET", silent_socket)
    monkeypatch.setattr(engine, "answers", lambda: False)


@pytest.mark.usefixtures("poor")
def test_every_problem_is_told_at_once(places: Places) -> None:
    with pytest.raises(LabError) as caught:
        preflight.check(places, found=False)
    lines = str(caught.value).splitlines()[1:]
    problems = [line for line in lines if line.startswith("  - ")]
    for number, word in enumerate(
        (
            "not root",
            "not Debian but fedora",
            "overlay",
            "no Go 1.26.2",
            "3 GiB free",
            "1000 MiB of memory",
            "docker.sock is held",
        )
    ):
        assert word in problems[number]
    remedies = [line for line in lines if line.startswith("    ")]
    assert len(remedies) == len(problems) == 7


@pytest.mark.usefixtures("poor")
def test_nothing_is_asked_of_a_machine_that_has_a_minikube(places: Places) -> None:
    preflight.check(places, found=True)


def test_a_socket_left_behind_is_nobodys(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    monkeypatch.setattr(engine, "SOCKET", path)
    monkeypatch.setattr(engine, "answers", lambda: False)
    assert not engine.held_by_other(places)
