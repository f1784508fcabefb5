"""When `dev` reads its settings anew, and what it says of those that it cannot use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kubekit.checks import prepare
from kubekit.config.load import load
from kubekit.dev.classify import classify, roots
from kubekit.errors import FilesError
from kubekit.events import FilesChanged, Reported
from kubekit.model import Settings
from tests.unit.test_dev_loop import Release, Stage, stage

__all__ = ["stage"]


def real(stage: Stage, text: str = "") -> None:
    """Let the settings come from a real kubekit.yaml from now on."""
    file = stage.folder / "kubekit.yaml"
    file.write_text(f"name: x\nprofile: x\nbuild: {{context: .}}\nmanifests: [manifests]\n{text}")

    def read() -> Settings:
        return load(flags={}, environ={}, cwd=stage.folder, active_profile=lambda: None)

    stage.loop._load = read
    stage.loop._settings = read()


def test_an_env_file_that_comes_is_found_and_one_that_goes_is_missed(stage: Stage) -> None:
    stage.live()
    real(stage)
    env = stage.folder / ".env"
    assert env.parent in roots(stage.loop._settings, None)
    stage.save(".env", "A=1\n")
    assert stage.loop._settings.env_file == env
    assert Release.begun[-1].settings.env_file == env
    assert stage.of(FilesChanged)[-1].files == (".env",)
    env.unlink()
    stage.touch(".env")
    assert stage.loop._settings.env_file is None
    Release.begun[-1].end()
    stage.take()
    assert Release.begun[-1].settings.env_file is None
    assert stage.of(Reported) == []


def test_one_that_is_named_and_goes_is_told_with_what_to_do_until_it_is_back(stage: Stage) -> None:
    stage.live()
    (stage.folder / ".env.example").write_text("A=\n")
    env = stage.folder / "prod.env"
    env.write_text("A=1\n")
    real(stage, "env_file: prod.env\n")
    env.unlink()
    stage.touch("prod.env")
    (told,) = stage.of(Reported)
    assert "env.example" in told.hints[0]
    assert "prod.env" in told.message
    assert len(Release.begun) == 1
    stage.save("prod.env", "A=2\n")
    assert len(Release.begun) == 2


def test_the_default_is_nothing_where_another_one_is_named(stage: Stage) -> None:
    (stage.folder / "prod.env").write_text("A=1\n")
    real(stage, "env_file: prod.env\n")
    settings = stage.loop._settings
    (stage.folder / ".env").write_text("A=1\n")
    assert classify([stage.folder / ".env"], settings, None).apply == ()
    found = replace(settings, env_file=None)
    assert classify([stage.folder / ".env"], found, None).apply == (stage.folder / ".env",)


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_kubekit_yaml_is_not_saved_yet(stage: Stage, text: str) -> None:
    stage.live()
    real(stage)
    whole = (stage.folder / "kubekit.yaml").read_text()
    stage.save("kubekit.yaml", text)
    assert stage.events == []
    assert len(Release.begun) == 1
    stage.save("kubekit.yaml", f"{whole}timeout: 7\n")
    assert Release.begun[-1].settings.timeout == 7
    assert len(Release.begun) == 2


def test_an_env_file_that_goes_before_it_is_read_has_the_hint_of_the_start(tmp_path: Path) -> None:
    settings = Settings(
        file=tmp_path / "kubekit.yaml",
        name="x",
        namespace="x",
        profile="x",
        env_file=tmp_path / ".env",
    )
    with pytest.raises(FilesError) as caught:
        prepare(settings)
    assert "create" in caught.value.hints[0]


def test_what_is_refused_leaves_what_is_known_of_the_pods(stage: Stage) -> None:
    stage.live()
    stage.save("manifests/app.yaml")
    release = Release.begun[-1]
    before = stage.loop._pods._containers
    release.make(())
    release.end(FilesError("no such field"))
    stage.take()
    assert stage.loop._pods._containers == before
    stage.save("src/main.py", "2\n")
    stage.settle()
    assert len(Release.begun) == 2
