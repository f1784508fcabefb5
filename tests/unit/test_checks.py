"""An unknown cause to tolerate is told with where it was named, before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.checks import check_tolerated, objects, prepare
from kubekit.config.load import load
from kubekit.errors import UsageError
from kubekit.manifests.lint import TOLERABLE
from kubekit.model import Settings
from kubekit.rollout.catalogue import CATALOGUE


def loaded(folder: Path, text: str, *flags: str, variable: str = "") -> Settings:
    (folder / "kubekit.yaml").write_text(text)
    return load(
        flags={"tolerate": list(flags)} if flags else {},
        environ={"KUBEKIT_TOLERATE": variable},
        cwd=folder,
        active_profile=lambda: None,
        check=False,
    )


def test_every_cause_and_every_error_of_lint_can_be_tolerated(tmp_path: Path) -> None:
    ids = [*(cause.id for cause in CATALOGUE), *TOLERABLE]
    settings = loaded(tmp_path, "name: a\n", *ids)
    check_tolerated(settings)
    assert settings.tolerate == tuple(ids)


TEXT = "name: a\ntolerate:\n  - crash-loop\n  - crsh-loop\n  - xyz\n"


@pytest.mark.parametrize(
    ("flags", "variable", "message", "details"),
    [
        (
            (),
            "",
            "there is no cause `crsh-loop`; did you mean `crash-loop`?",
            ["kubekit.yaml:5: there is no cause `xyz`"],
        ),
        (
            ("crash-loop", "probe-faling"),
            "",
            "flag --tolerate: there is no cause `probe-faling`; did you mean `probe-failing`?",
            [],
        ),
        (
            (),
            "qqq,crash-loop,zzz",
            "environment KUBEKIT_TOLERATE: there is no cause `qqq`",
            ["environment KUBEKIT_TOLERATE: there is no cause `zzz`"],
        ),
    ],
)
def test_an_unknown_cause(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: tuple[str, ...],
    variable: str,
    message: str,
    details: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        check_tolerated(loaded(tmp_path, TEXT, *flags, variable=variable))
    error = caught.value
    assert (error.exit_code, error.message, list(error.details)) == (2, message, details)
    assert str(error.place) == ("None" if flags or variable else "kubekit.yaml:4")
    assert error.hints


def test_the_environment_is_read_once_so_that_all_of_it_is_masked(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_KEY=first-value\n")
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/a.yaml.j2").write_text(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: {{ env.API_KEY }}}}"
    )
    settings = loaded(tmp_path, "name: a\n")
    prepared = prepare(settings)
    (tmp_path / ".env").write_text("API_KEY=second-value\n")
    again = objects(settings, image="a:1", env=prepared.env)
    assert "first-value" in again.secret_values
    assert again.secret_values == prepared.manifests.secret_values
    assert "second-value" not in str(again.items)


def test_with_an_image_that_is_there_nothing_is_planned(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/a.yaml.j2").write_text(
        "{apiVersion: v1, kind: Pod, metadata: {name: a},"
        " spec: {containers: [{name: a, image: '{{ image }}'}]}}"
    )
    prepared = prepare(loaded(tmp_path, "name: a\nbuild: {context: .}\n"), built="a:kk-1")
    assert (prepared.plan, prepared.image) == (None, "a:kk-1")
    assert "a:kk-1" in str(prepared.manifests.items)
    (tmp_path / "manifests/a.yaml.j2").write_text(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}"
    )
    assert prepare(loaded(tmp_path, "name: a\n"), built="a:kk-1").image is None
