"""The wheel as others install it, on each Python there is, with the libraries it allows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from functools import cache
from pathlib import Path

import pytest

from tests import drawn
from tests.cli.world import World
from tests.conftest import ROOT

UV = str(Path(sys.executable).parent / "uv")
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
MINE = f"{sys.version_info.major}.{sys.version_info.minor}"
THIRDS = 3
IMPORT_ALL = """
import importlib, pathlib, pkgutil, kubekit, kubekit.pod
for module in pkgutil.walk_packages(kubekit.__path__, "kubekit."):
    if not module.name.startswith("kubekit.pod."):
        importlib.import_module(module.name)
# Programs for another place, which nothing here imports.
for file in pathlib.Path(kubekit.pod.__path__[0]).glob("*.py"):
    compile(file.read_text("utf-8"), file, "exec")
"""


def call(*argv: str | Path, cwd: Path = ROOT) -> str:
    """Run a program that must end well, away from this venv."""
    env = {
        key: text for key, text in os.environ.items() if key not in {"VIRTUAL_ENV", "PYTHONPATH"}
    }
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@cache
def interpreter(version: str) -> str | None:
    """A Python of this version, of pyenv or on PATH, that really runs."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for candidate in (*pyenv, shutil.which(f"python{version}")):
        done = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
            if candidate
            else ["false"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.stdout.strip() == version:
            return str(candidate)
    return None


def venv(folder: Path, version: str, *install: str | Path) -> Path:
    """A fresh venv with these installed; gives its folder of programs."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"Python {version} is not on this machine: UNTESTED with it")
    call(UV, "venv", "--quiet", "--python", python, folder)
    call(UV, "pip", "install", "--quiet", "--python", folder, *install)
    return folder / "bin"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built in a copy of what belongs to it."""
    folder = tmp_path_factory.mktemp("wheel")
    call(UV, "build", "--quiet", "--wheel", ROOT, "--out-dir", folder)
    (found,) = folder.glob("*.whl")
    return found


def test_what_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        about = Parser().parsestr(archive.read(metadata).decode())
    places = {name.partition("/")[0] for name in names}
    assert places == {"kubekit", metadata.partition("/")[0]}
    assert "kubekit/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "kubekit").rglob("*.py")}
    assert modules <= set(names)
    templates = (ROOT / "kubekit/templates").rglob("*")
    wanted = {str(path.relative_to(ROOT)) for path in templates if path.is_file()}
    assert {path for path in wanted if "__pycache__" not in path} <= set(names)
    assert "kubekit/templates/new/gitignore" in names
    assert about["License-Expression"] == "MIT"
    assert about["Requires-Python"] == ">=3.11"
    assert about["Description-Content-Type"] == "text/markdown"
    assert about.get_payload() == (ROOT / "README.md").read_text()


@pytest.mark.parametrize("version", VERSIONS)
def test_it_runs_from_another_folder(
    wheel: Path, tmp_path: Path, world: World, version: str
) -> None:
    # The oldest `kubernetes` where all other tests have a newer one.
    kubernetes = "kubernetes==36.0.2" if version == MINE else "kubernetes"
    programs = venv(tmp_path / "venv", version, wheel, kubernetes)
    call(programs / "python", "-W", "error", "-c", IMPORT_ALL, cwd=tmp_path)
    for name in ("kubekit.yaml", "manifests", "backend"):
        source = ROOT / name
        ignore = shutil.ignore_patterns(".venv", "__pycache__", ".*_cache")
        if source.is_dir():
            shutil.copytree(source, world.folder / name, ignore=ignore)
        else:
            shutil.copy(source, world.folder)
    world.write(".env", "BETTER_AUTH_SECRET=0123456789abcdef0123456789abcdef\n", mode=0o600)
    program = programs / "kubekit"
    assert world.run("--version", program=program).out.startswith("kubekit ")
    assert '"namespace"' in world.run("schema", program=program).out
    rendered = world.run("render", program=program)
    assert rendered.code == 0, rendered.err
    assert "kind: Deployment" in rendered.out
    assert "0123456789abcdef" not in rendered.out
    # A context that is only loaded shows that this `kubernetes` can read a kubeconfig.
    world.context("far-away")
    world.write("far.yaml", "name: tasks\ncontext: far-away\nallow_contexts: [far-away]\n")
    silent = world.run("status", "-f", "far.yaml", program=program)
    assert (silent.code, "does not answer" in silent.err) == (8, True), silent.err


@pytest.mark.timeout(1800)
def test_the_unit_tests_on_another_python(
    wheel: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """The newest there is, for all other tests run on this one; if this one is it, the oldest.

    A third of them in `make test`, drawn by lot; all in `make soak`.
    """
    there = [version for version in VERSIONS if interpreter(version)]
    version = there[-1] if there[-1] != MINE else there[0]
    group = f"{ROOT / 'pyproject.toml'}:test"
    programs = venv(tmp_path / "venv", version, wheel, "--group", group)
    # The lab and the documentation are no part of the wheel; what runs in pods is tested by every
    # Python there is already.
    others = ("lab_*", "docs.py", "supervisor*", "sync_supervised.py")
    found = sorted((ROOT / "tests/unit").glob("test_*.py"))
    files = [file for file in found if not any(file.match(f"test_{name}") for name in others)]
    third = drawn.one(pytestconfig, "a third of the unit tests", range(THIRDS))
    flags = ("-q", "-p", "no:cacheprovider")
    said = call(
        *(programs / "python", "-m", "pytest", *flags),
        *(files if third is None else files[third::THIRDS]),
    )
    assert " passed" in said
