"""What `kubekit lint` looks at, and rules that need the files beside a Dockerfile."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from kubekit.errors import UsageError
from kubekit.lint.files import loose, project
from kubekit.lint.look import Look
from kubekit.model import BuildSettings, Settings

HEAD = "FROM python:3.13-slim\nWORKDIR /app\n"
TAIL = 'USER 10001:10001\nCMD ["uvicorn", "app.main:app"]\n'


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def ids(folder: Path) -> set[str]:
    return {one.id for one in loose([folder], Look(extra=True)).findings}


def test_a_module_that_lies_where_python_does_not_look(tmp_path: Path) -> None:
    files = {"src/app/main.py": "", "Dockerfile": f"{HEAD}COPY src /app/src\n{TAIL}"}
    assert "app-not-importable" in ids(put(tmp_path, files))
    files["Dockerfile"] = f"{HEAD}COPY src /app/src\nENV PYTHONPATH=/app/src\n{TAIL}"
    assert "app-not-importable" not in ids(put(tmp_path, files))
    files["Dockerfile"] = f"{HEAD}COPY src /app\n{TAIL}"
    assert "app-not-importable" not in ids(put(tmp_path, files))
    option = TAIL.replace('"app.main:app"', '"app.main:app", "--app-dir", "src"')
    files["Dockerfile"] = f"{HEAD}COPY src /app/src\n{option}"
    assert "app-not-importable" not in ids(put(tmp_path, files))


def test_a_file_that_the_dockerignore_keeps_out(tmp_path: Path) -> None:
    files = {
        "src/a.py": "",
        ".dockerignore": "src\n",
        "Dockerfile": f"{HEAD}COPY src /app/\n{TAIL}",
    }
    assert "copy-ignored" in ids(put(tmp_path, files))
    files[".dockerignore"] = "*\n!src/**\n**/.env*\n**/__pycache__\n"
    found = ids(put(tmp_path, files))
    assert found.isdisjoint({"copy-ignored", "nested-not-ignored"})


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("shopp", "did you mean `shop`?"),
        ("src/shp/main.py", "did you mean `src/shop/main.py`?"),
        ("src/shop/mian.py", "did you mean `src/shop/main.py`?"),
        ("elsewhere", "correct the path, or create it and add `!elsewhere` to `.dockerignore`"),
        ("b.py/c", "correct the path, or create it and add `!b.py/c` to `.dockerignore`"),
    ],
)
def test_a_file_that_is_not_there_is_not_said_to_be_kept_out(
    path: str, hint: str, tmp_path: Path
) -> None:
    files = {
        "shop/a.py": "",
        "b.py": "",
        "src/shop/main.py": "",
        ".dockerignore": "*\n!shop\n!src/shop/main.py\n",
        "Dockerfile": f"{HEAD}COPY {path} /app/shop\n{TAIL}",
    }
    found = loose([put(tmp_path, files)], Look()).findings
    (one,) = (one for one in found if one.id == "copy-missing")
    assert "copy-ignored" not in {one.id for one in found}
    assert one.text == f"`{path}` does not exist in the build context"
    assert one.hints == (hint,)


@pytest.mark.parametrize(
    ("copied", "path", "hint"),
    [
        ("shopp /app/shop", "shopp", "did you mean `shop`?"),
        ("shop shop/b.py /app/", "shop/b.py", "did you mean `shop/a.py`?"),
        ("elsewhere /app/", "elsewhere", "correct the path, or create it"),
        ("shop /app/", None, ""),
        ("*.toml /app/", None, ""),
        ("$WHAT /app/", None, ""),
        ("--from=builder /opt /opt", None, ""),
        ("<<EOF /app/x\nEOF", None, ""),
    ],
)
def test_what_is_not_there_is_told_without_a_dockerignore(
    copied: str, path: str | None, hint: str, tmp_path: Path, web: Settings
) -> None:
    text = f"{HEAD}COPY {copied}\n{TAIL}"
    put(tmp_path, {"shop/a.py": "", "Dockerfile": text})
    build = BuildSettings(context=tmp_path, dockerfile=tmp_path / "Dockerfile")
    found = project(replace(web, build=build), Look()).findings
    told = [(one.text, one.hints, one.place.line) for one in found if one.id == "copy-missing"]
    missed = (f"`{path}` does not exist in the build context", (hint,), 3)
    assert told == ([missed] if path else [])


def test_a_stage_that_is_not_built_may_miss_anything(tmp_path: Path, web: Settings) -> None:
    text = f"{HEAD.replace('slim', 'slim AS a')}{TAIL}FROM a AS b\nCOPY none /\n"
    put(tmp_path, {"Dockerfile": text})
    build = BuildSettings(context=tmp_path, dockerfile=tmp_path / "Dockerfile", target="a")
    for target, count in (("a", 0), ("b", 1)):
        looked = project(replace(web, build=replace(build, target=target)), Look())
        assert [one.id for one in looked.findings].count("copy-missing") == count


def test_a_stage_that_a_build_argument_names_is_the_one_that_is_built(
    tmp_path: Path, web: Settings
) -> None:
    text = "ARG V=prod\nFROM a:1 AS dev\nCOPY none /\nFROM a:1 AS prod\nFROM ${V}\n"
    put(tmp_path, {"Dockerfile": text})
    build = BuildSettings(context=tmp_path, dockerfile=tmp_path / "Dockerfile")
    for args, count in (({}, 0), ({"V": "dev"}, 1)):
        looked = project(replace(web, build=replace(build, args=args)), Look())
        assert [one.id for one in looked.findings].count("copy-missing") == count


def test_what_a_heredoc_holds_is_no_instruction(tmp_path: Path) -> None:
    text = f"{HEAD}COPY <<robots.txt /app/\nDisallow: /\nrobots.txt\n{TAIL}"
    assert "unknown-instruction" not in ids(put(tmp_path, {"Dockerfile": text}))


def test_a_dockerfile_that_may_be_built_in_another_folder_is_let_pass(tmp_path: Path) -> None:
    text = f"{HEAD}COPY shop /app/shop\nCOPY shopp /app/\n{TAIL}"
    assert "copy-missing" not in ids(put(tmp_path, {"Dockerfile": text}))
    assert "copy-missing" in ids(put(tmp_path, {"shop/a.py": ""}))


def test_a_nested_env_that_a_pattern_of_the_top_misses(tmp_path: Path) -> None:
    files = {
        "src/a.py": "",
        ".dockerignore": ".git\n.env\n**/__pycache__\n",
        "Dockerfile": f"{HEAD}COPY src /app/\n{TAIL}",
    }
    found = loose([put(tmp_path, files)], Look()).findings
    places = [str(one.place.line) for one in found if one.id == "nested-not-ignored"]
    assert places == ["2"]


def test_all_of_a_context_without_a_dockerignore(tmp_path: Path) -> None:
    files = {"Dockerfile": f"{HEAD}COPY . /app/\n{TAIL}"}
    assert "dockerignore-missing" in ids(put(tmp_path, files))
    assert "dockerignore-missing" not in ids(put(tmp_path, {".dockerignore": "**/.env\n"}))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (f"{HEAD}COPY . /app/\n{TAIL}", "the image"),
        (f"{HEAD.replace('slim', 'slim AS base')}COPY . /app/\nFROM base\n{TAIL}", "the image"),
        (f"{HEAD.replace('slim', 'slim AS build')}COPY . .\n{HEAD}{TAIL}", "the stage `build`"),
        (f"{HEAD}COPY . .\n{HEAD}{TAIL}", "the stage `0`"),
        (f"{HEAD}COPY . .\n{HEAD}COPY . .\n{TAIL}", "the image"),
    ],
)
def test_where_all_of_a_context_gets_into(text: str, where: str, tmp_path: Path) -> None:
    found = loose([put(tmp_path, {"Dockerfile": text})], Look()).findings
    told = [one.text for one in found if one.id == "dockerignore-missing"]
    assert told == [f"all there is gets into {where}: `.env` and `.git`, too"]


def test_a_healthcheck_by_a_package_that_is_not_installed(tmp_path: Path) -> None:
    check = "HEALTHCHECK CMD python -c \"import requests; requests.get('http://localhost')\"\n"
    files = {"requirements.txt": "flask==3\n", "Dockerfile": f"{HEAD}{check}{TAIL}"}
    assert {"healthcheck-module", "healthcheck-any-status"} <= ids(put(tmp_path, files))
    assert "healthcheck-module" not in ids(put(tmp_path, {"requirements.txt": "requests==2\n"}))


def test_what_is_no_kubernetes_object_is_left_alone(tmp_path: Path) -> None:
    files = {
        "compose.yaml": "services: {web: {image: web, privileged: true}}\n",
        "chart/Chart.yaml": "apiVersion: v2\nname: web\n",
        "chart/templates/web.yaml": "apiVersion: v1\nkind: {{ .Kind }}\n",
        ".github/x.yaml": "apiVersion: v1\n",
        "kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
        "list.json": "[1, 2]",
        "broken.yaml": "{{ a }}: [\n",
        "crd.yaml": "apiVersion: example.com/v1\nkind: Web\nmetadata: {name: web}\nspec: 1\n",
    }
    looked = loose([put(tmp_path, files)], Look(extra=True))
    assert looked.findings == ()
    assert [file.name for file in looked.files] == ["crd.yaml"]


def test_a_file_that_is_named_has_to_be_one(tmp_path: Path) -> None:
    put(tmp_path, {"a.txt": "", "b.yaml": "a: [\n", "c.yaml": "a: 1\n"})
    with pytest.raises(UsageError):
        loose([tmp_path / "a.txt"], Look())
    with pytest.raises(UsageError):
        loose([tmp_path / "none.yaml"], Look())
    for name in ("b.yaml", "c.yaml"):
        (one,) = loose([tmp_path / name], Look()).findings
        assert (one.id, one.error) == ("unreadable", True)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("Dockerfile", True),
        ("dockerfile", True),
        ("Dockerfile.dev", True),
        ("Dockerfile.cpu-only", True),
        ("Dockerfile.python", True),
        ("web.Dockerfile", True),
        ("web.dockerfile", True),
        ("Containerfile", True),
        ("dockerfile.py", False),
        ("Dockerfile.py", False),
        ("Dockerfile.md", False),
        ("Dockerfile.txt", False),
        ("Dockerfile.j2", False),
        ("Dockerfile.dockerignore", False),
        ("test_dockerfile.py", False),
    ],
)
def test_names_of_dockerfiles(name: str, taken: bool, tmp_path: Path) -> None:
    put(tmp_path, {name: "FROM python\n"})
    assert [file.name for file in loose([tmp_path], Look()).files] == [name] * taken
    if not taken:
        with pytest.raises(UsageError):
            loose([tmp_path / name], Look())


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "Dockerfile").symlink_to("nowhere")
    assert loose([tmp_path], Look()).files == ()
    with pytest.raises(UsageError):
        loose([tmp_path / "pipe.yaml"], Look())


def test_one_broken_file_hides_no_other(tmp_path: Path) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {hostPID: true}\n"
    put(tmp_path, {"a.yaml": "apiVersion: v1\nkind: [\n", "b.yaml": pod})
    assert {"unreadable", "host-pid"} <= ids(tmp_path)


def test_a_patch_of_a_kustomization_is_no_object(tmp_path: Path) -> None:
    patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}\n"
    files = {
        "base/kustomization.yaml": "resources: [web.yaml]\n",
        "prod/replicas.yaml": patch,
        "prod/old.yaml": patch,
        "prod/kustomization.yml": (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
            "resources: [../base]\npatches: [{path: replicas.yaml}]\n"
            "patchesStrategicMerge: [old.yaml]\n"
        ),
    }
    assert loose([put(tmp_path, files)], Look()).files == ()
    assert ids(tmp_path) == set()
    assert loose([tmp_path / "prod/replicas.yaml"], Look()).findings


def test_what_kubekit_makes_itself_comes_from_no_file_that_is_looked_at(
    tmp_path: Path, web: Settings
) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {}\n"
    put(tmp_path, {"manifests/web.yaml": pod, ".env": "A=b\n"})
    looked = project(replace(web, env_file=tmp_path / ".env"), Look())
    assert [item.kind for item in looked.items] == ["Secret", "Pod"]
    assert looked.files == (tmp_path / "manifests/web.yaml",)
