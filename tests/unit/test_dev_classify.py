"""What a save asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kubekit.dev.classify import Change, classify, held, roots
from kubekit.image.files import context
from kubekit.model import BuildPlan, BuildSettings, DevSettings, Settings, SyncRule

DOCKERFILE = """\
FROM python:3.13-slim
COPY requirements.txt .
COPY src /app/src
COPY data /app/data
"""


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    for name, text in {
        "kubekit.yaml": "name: x\n",
        ".env": "A=1\n",
        "manifests/app.yaml.j2": "",
        "backend/Dockerfile": DOCKERFILE,
        "backend/.dockerignore": "data/ignored.txt\n",
        "backend/requirements.txt": "fastapi\n",
        "backend/src/app/main.py": "",
        "backend/src/requirements.txt": "",
        "backend/data/words.txt": "a\n",
        "backend/data/ignored.txt": "a\n",
        "backend/notes.md": "",
        "README.md": "",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    build = BuildSettings(context=tmp_path / "backend", dockerfile=tmp_path / "backend/Dockerfile")
    rule = SyncRule(src=tmp_path / "backend/src", dest="/app/src")
    return Settings(
        file=tmp_path / "kubekit.yaml",
        name="x",
        namespace="x",
        profile="minikube",
        build=build,
        manifests=(tmp_path / "manifests",),
        env_file=tmp_path / ".env",
        dev=DevSettings(sync=(rule,)),
    )


def plan_of(project: Settings) -> BuildPlan:
    """As the loop holds it."""
    assert project.build is not None
    return held(context.plan(project.build, name="x"), project)


def saved(project: Settings, name: str, text: str = "other\n") -> Change:
    """What to do when this file is saved."""
    plan = plan_of(project)
    file = project.root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return classify([file], project, plan)


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("backend/src/app/main.py", "sync"),
        ("backend/src/app/new/template.html", "sync"),
        ("backend/src/requirements.txt", "rebuild"),
        ("backend/requirements.txt", "rebuild"),
        ("backend/data/words.txt", "rebuild"),
        ("backend/Dockerfile", "rebuild"),
        ("manifests/app.yaml.j2", "apply"),
        ("manifests/more.yaml", "apply"),
        ("manifests/sedxYz1", ""),
        (".env", "apply"),
        ("kubekit.yaml", "apply"),
        ("backend/data/ignored.txt", ""),
        ("backend/notes.md", ""),
        ("README.md", ""),
        ("backend/src/app/__pycache__/main.cpython-313.pyc", ""),
        ("backend/src/app/.main.py.swp", ""),
        ("backend/src/app/main.py~", ""),
        (".git/index", ""),
    ],
)
def test_what_a_save_asks_for(project: Settings, name: str, action: str) -> None:
    text = f"{DOCKERFILE}RUN true\n" if name.endswith("Dockerfile") else "other\n"
    change = saved(project, name, text)
    wanted = dict.fromkeys(("sync", "rebuild", "apply"), ())
    if action:
        wanted |= {action: (project.root / name,)}
    assert change == Change(**wanted)


def test_a_file_of_the_image_saved_as_it_was_asks_for_nothing(project: Settings) -> None:
    assert saved(project, "backend/requirements.txt", "fastapi\n") == Change()


def test_rules_that_let_another_file_in_ask_for_a_build(project: Settings) -> None:
    change = saved(project, "backend/.dockerignore", "")
    assert change.rebuild == (project.root / "backend/.dockerignore",)


def test_a_malformed_dockerfile_is_for_the_build_to_tell(project: Settings) -> None:
    change = saved(project, "backend/Dockerfile", "FORM python\n")
    assert change.rebuild == (project.root / "backend/Dockerfile",)


def test_what_is_not_sent_is_not_watched(project: Settings) -> None:
    (project.root / "backend/node_modules/a").mkdir(parents=True)
    watched = roots(project, plan_of(project))
    deep = {path.relative_to(project.root).as_posix() for path in watched if watched[path]}
    assert deep == {"manifests", "backend/src", "backend/data"}
    assert project.root in watched


def test_of_what_is_synced_only_the_folders_to_watch_are_held(project: Settings) -> None:
    rule = SyncRule(src=project.root / "backend/src/app", dest="/app/src/app")
    project = replace(project, dev=DevSettings(sync=(rule,)))
    (rule.src / "other.py").write_text("")
    (project.root / "backend/src/requirements.txt").unlink()
    plan = plan_of(project)
    assert not {"src/app/main.py", "src/app/other.py"} & {*plan.hashes}
    assert roots(project, plan)[project.root / "backend/src"]
    assert saved(project, "backend/src/more/words.txt").rebuild


def test_what_an_editor_has_taken_away_again_is_not_named(project: Settings) -> None:
    folder = project.root / "backend"
    file, source = folder / "requirements.txt", folder / "src/app/main.py"
    paths = [file, folder / "sedAbC123", source, folder / "src/app/sedAbC123"]
    change = classify(paths, project, None, known=lambda _: False)
    assert change == Change(rebuild=(file,), sync=(source,))
    source.unlink()
    assert classify([source], project, None, known=lambda _: True).sync == (source,)
    file.unlink()
    assert classify([file], project, None).rebuild == (file,)
