"""The sentence that says why there is a build."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from kubekit.image import context
from kubekit.image.changes import Memory, Record, reason
from kubekit.model import BuildPlan, BuildSettings, Settings

BEFORE = Record(
    digest="1",
    dockerfile="Dockerfile",
    target=None,
    args="x",
    hashes={
        "Dockerfile": "file:644:aa",
        "app": "folder:755",
        "app/a.py": "file:644:bb",
        "app/b.py": "file:644:cc",
        "link": "link:app",
    },
    bases={"python:3.13": "sha256:1"},
)


@pytest.mark.parametrize(
    ("hashes", "expected"),
    [
        ({"app/a.py": "file:644:00"}, "app/a.py changed"),
        ({"Dockerfile": "file:644:00"}, "Dockerfile changed"),
        ({"app/a.py": "file:755:bb"}, "app/a.py has other permissions, 755"),
        ({"app": "folder:700"}, "app has other permissions, 700"),
        ({"link": "link:elsewhere"}, "link changed"),
        ({"app/a.py": "link:b.py"}, "app/a.py changed"),
        ({"app/a.py": None}, "app/a.py is gone"),
        ({"c.py": "file:644:dd"}, "c.py is new"),
        ({"new": "folder:755"}, "new is new"),
        ({"new": "folder:755", "new/c.py": "file:644:dd"}, "new/c.py is new"),
        (
            {"app/a.py": "file:644:00", "app/b.py": "file:644:00"},
            "2 files changed: app/a.py, app/b.py",
        ),
        (
            {f"{name}.py": "file:644:00" for name in "cdefg"},
            "5 files changed: c.py, d.py, e.py and 2 more",
        ),
    ],
)
def test_files(hashes: dict[str, str | None], expected: str) -> None:
    merged = {**BEFORE.hashes, **hashes}
    now = replace(BEFORE, digest="2", hashes={k: v for k, v in merged.items() if v is not None})
    assert reason(BEFORE, now) == expected


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"target": "builder"}, "the target is now `builder`"),
        ({"args": "y"}, "the build arguments changed"),
        ({"dockerfile": "other/Dockerfile"}, "another Dockerfile"),
        (
            {"bases": {"python:3.13": "sha256:2"}},
            "the base image `python:3.13` is another one",
        ),
        ({}, "the way kubekit builds changed"),
        ({"args": "y", "target": "t"}, "the build arguments changed, the target is now `t`"),
    ],
)
def test_settings(other: dict[str, str], expected: str) -> None:
    now = replace(BEFORE, digest="2", **other)  # type: ignore[arg-type]
    assert reason(BEFORE, now) == expected


def test_nothing_and_first() -> None:
    assert reason(BEFORE, BEFORE) == "nothing changed"
    assert reason(None, BEFORE) == "first build"


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildPlan:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "project"
    root.mkdir()
    (root / "Dockerfile").write_text("FROM scratch\n")
    settings = BuildSettings(
        context=root, dockerfile=root / "Dockerfile", args={"TOKEN": "hunter2-hunter2"}
    )
    return context.plan(settings, name="tasks")


def memory(plan: BuildPlan, profile: str = "minikube") -> Memory:
    file = plan.settings.context / "kubekit.yaml"
    return Memory.of(Settings(file=file, name="tasks", namespace="tasks", profile=profile))


def test_the_record_comes_back_and_is_private(plan: BuildPlan) -> None:
    memory(plan).write(Record.of(plan, {}))
    assert memory(plan).read() == Record.of(plan, {})
    assert stat.S_IMODE(memory(plan).file.stat().st_mode) == 0o600
    assert "hunter2" not in memory(plan).file.read_text()
    assert [file.name for file in memory(plan).file.parent.iterdir()] == [memory(plan).file.name]


def test_another_cluster_has_another_record(plan: BuildPlan) -> None:
    memory(plan).write(Record.of(plan, {}))
    assert memory(plan, "other").read() is None


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"hashes": 1}', '{"hashes": {}}', '{"hashes": {}, "bases": {}, "x": 1}'],
)
def test_a_damaged_record_is_none(plan: BuildPlan, content: str) -> None:
    file = memory(plan).file
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert memory(plan).read() is None


def test_a_cache_that_cannot_be_written_is_no_error(plan: BuildPlan) -> None:
    file = memory(plan).file
    file.parent.parent.parent.mkdir(parents=True, exist_ok=True)
    file.parent.parent.write_text("a file where a folder should be")
    memory(plan).write(Record.of(plan, {}))
    assert memory(plan).read() is None
