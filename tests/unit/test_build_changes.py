"""The sentence that says why there is a build."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from kubekit.image.changes import Memory, Record, reason, unchanged
from kubekit.image.files import context
from kubekit.model import BuildPlan, BuildSecret, BuildSettings, Settings

HASHES = {
    "Dockerfile": "file:644:aa",
    "app": "folder:755",
    "app/a.py": "file:644:bb",
    "app/b.py": "file:644:cc",
    "link": "link:app",
}


def files(hashes: Mapping[str, str | None]) -> str:
    return "\0".join(f"{path}\0{held}" for path, held in sorted(hashes.items()) if held)


BEFORE = Record(
    digest="1",
    dockerfile="Dockerfile",
    target=None,
    args="x",
    files=files(HASHES),
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
        (
            {"app/a.py": None, "Dockerfile": None, "requirements.txt": "file:644:00"},
            "3 files changed: Dockerfile, requirements.txt, app/a.py",
        ),
    ],
)
def test_files(hashes: dict[str, str | None], expected: str) -> None:
    now = replace(BEFORE, digest="2", files=files({**HASHES, **hashes}))
    assert reason(BEFORE, now) == expected


@pytest.mark.parametrize(
    ("path", "other", "said"),
    [
        ("app/a.py", {}, True),
        ("app", {}, True),
        ("requirements.txt", {}, False),
        ("Dockerfile", {}, False),
        ("app/a.py", {"target": "builder"}, False),
        ("app/a.py", {"args": "y"}, False),
        ("app/a.py", {"dockerfile": "app/a.py"}, False),
        ("app/a.py", {"bases": {}}, False),
        (None, {}, False),
    ],
)
def test_dependencies_are_told_to_be_unchanged(
    path: str | None, other: dict[str, str], said: bool
) -> None:
    with_them = {**HASHES, "requirements.txt": "file:644:dd"}
    before = replace(BEFORE, files=files(with_them))
    edited = {**with_them, path: "file:600:00"} if path else with_them
    now = replace(before, digest="2", files=files(edited), **other)  # type: ignore[arg-type]
    assert unchanged(before, now) == ("; dependencies unchanged" if said else "")


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("requirements-dev.in", True),
        ("backend/requirements/base.txt", True),
        ("pyproject.toml", True),
        ("svc/uv.lock", True),
        ("poetry.lock", True),
        ("Pipfile.lock", True),
        ("setup.cfg", True),
        ("app/setup.py.txt", False),
        ("notes.txt", False),
    ],
)
def test_what_counts_as_dependencies(path: str, is_one: bool) -> None:
    before = replace(BEFORE, files=files({**HASHES, path: "file:644:dd"}))
    now = replace(before, digest="2", files=files({**HASHES, path: "file:644:dd", "c": "link:x"}))
    assert (unchanged(before, now) != "") is is_one


def test_of_dependencies_that_are_not_there_nothing_is_said() -> None:
    now = replace(BEFORE, digest="2", files=files({**HASHES, "app/a.py": "file:644:00"}))
    assert unchanged(BEFORE, now) == ""
    assert unchanged(None, now) == ""


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


def test_of_a_secret_only_its_name_counts(plan: BuildPlan, tmp_path: Path) -> None:
    def planned(**secrets: BuildSecret) -> BuildPlan:
        return context.plan(replace(plan.settings, secrets=secrets), name="tasks")

    one, other = (
        planned(token=BuildSecret(file=tmp_path / "one")),
        planned(token=BuildSecret(file=tmp_path / "other")),
    )
    assert one.digest == other.digest != plan.digest
    assert planned(token=BuildSecret(env="TOKEN")).digest not in {one.digest, plan.digest}
    said = reason(Record.of(plan, {}), Record.of(one, {}))
    assert said == "other build secrets are given"
    memory(one).write(Record.of(one, {}))
    assert memory(one).read() == Record.of(one, {})


def test_a_strange_name_and_a_record_cut_short_do_no_harm(plan: BuildPlan) -> None:
    strange = {"\udcff\n": "file:644:aa", "b": "file:644:bb"}
    record = replace(Record.of(plan, {}), files=files(strange))
    memory(plan).write(record)
    assert (read := memory(plan).read()) is not None
    assert read.hashes == strange
    file = memory(plan).file
    file.write_bytes(file.read_bytes()[:-9])
    assert (cut := memory(plan).read()) is not None
    assert reason(cut, replace(record, digest="2"))


def test_another_cluster_has_another_record(plan: BuildPlan) -> None:
    memory(plan).write(Record.of(plan, {}))
    assert memory(plan, "other").read() is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"digest": ""}\nx',
        '{"digest": "", "dockerfile": "", "target": "", "args": "", "bases": 1}\nx',
        '{"digest": "", "dockerfile": "", "target": "", "args": "", "bases": {}, "x": 1}\nx',
    ],
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
