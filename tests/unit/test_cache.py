"""What is kept between runs: whole files, and none for ever."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from kubekit.text.cache import keep

DAY = 86_400


def test_a_file_is_whole_and_its_owners(tmp_path: Path) -> None:
    file = tmp_path / "kubekit/builds/a"
    keep(file, "one")
    keep(file, b"two")
    assert file.read_bytes() == b"two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("name", "days", "stays"),
    [
        (".part-x1", 2, False),
        (".part-x1", 0.5, True),
        ("tasks.record", 89, True),
        ("tasks.record", 91, False),
    ],
)
def test_what_killed_runs_and_old_projects_leave_goes(
    tmp_path: Path, name: str, days: float, *, stays: bool
) -> None:
    other = tmp_path / name
    other.write_text("x")
    written = time.time() - days * DAY
    os.utime(other, (written, written))
    keep(tmp_path / "new", "x")
    assert other.exists() is stays
    assert (tmp_path / "new").exists()


def test_a_write_that_is_cut_short_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path / "a", "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    keep(tmp_path / "a", "new")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a", "old")]


def test_what_cannot_be_kept_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    keep(tmp_path / "file/a", "x")
