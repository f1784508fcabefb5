"""What `lab env` prints is read back unchanged by a shell, and is nothing if the lab is not up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab import LabError, environment, paths, status
from lab.__main__ import exports
from lab.cluster import search_path
from lab.record import Record, load

ROOT = Path(__file__).parents[2]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUBEKIT_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KUBEKIT_LAB_STATE", str(tmp_path / "state"))
    return tmp_path


def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_values_survive_a_shell() -> None:
    nasty = {"A": 'it\'s $HOME `id` "x" \\', "B": "two\nlines", "C": "", "D": "a b;c"}
    script = (
        exports(nasty)
        + "\n"
        + sys.executable
        + " -c 'import os, json;"
        + ('print(json.dumps({name: os.environ[name] for name in "ABCD"}))' + "'")
    )
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert __import__("json").loads(said) == nasty


def test_nothing_on_stdout_when_not_up(elsewhere: Path) -> None:
    done = lab("env")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the lab is not up" in done.stderr
    assert "python -m lab up" in done.stderr


@pytest.mark.parametrize("do", ["up", "down"])
def test_no_further_profile_without_the_lab(elsewhere: Path, do: str) -> None:
    done = lab("profile", "containerd", do)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the lab is not up" in done.stderr
    # Nothing was begun: what began would be there.
    assert not paths.places().minikube_home.exists()


def test_a_further_profile_that_the_lab_does_not_know_is_refused(elsewhere: Path) -> None:
    done = lab("profile", "cri-o", "up")
    assert done.returncode == 2
    assert "'containerd', 'two-node'" in done.stderr


def test_not_up_is_an_error_for_python_too(elsewhere: Path) -> None:
    with pytest.raises(LabError, match="not up"):
        environment()
    assert status()[0] is False


@pytest.mark.parametrize("text", ["", "{", "{}", '{"engine": "ours", "unknown": 1}'])
def test_a_record_of_another_form_is_none(elsewhere: Path, text: str) -> None:
    places = paths.places()
    places.state.mkdir()
    places.record.write_text(text)
    assert load(places) is None


def test_a_record_without_a_server_is_not_up(elsewhere: Path) -> None:
    record = Record("found", "found", "", "", "", "", {})
    record.save(paths.places())
    assert load(paths.places()) == record
    assert not record.alive()


def test_the_labs_programs_come_first_and_once(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = paths.places()
    monkeypatch.setenv("PATH", f"/usr/bin:{places.bin}:/bin")
    assert search_path(places) == f"{places.bin}:/usr/bin:/bin"
