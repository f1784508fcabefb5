"""The five backends of `tests/projects`: what differs between them, and their own tests."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tests.cluster.conftest import Project
from tests.cluster.dev.project import free_port
from tests.conftest import ROOT

PROJECTS = ROOT / "tests" / "projects"
_UV = Path(sys.executable).with_name("uv")
_NOT_COPIED = shutil.ignore_patterns(".venv", "__pycache__", ".pytest_cache")


@dataclass(frozen=True, kw_only=True)
class Five:
    """One of them.

    Attributes:
        letter: what its requirements are called by.
        python: the version its Dockerfile asks for.
        backend: the folder of its Dockerfile, below its own.
        main: the module of the app, below that folder.
        probe: a path that is asked of its health, and what it says of it.
        other: build arguments for the Python 3.13 of a machine that has no 3.12.
    """

    letter: str
    name: str
    python: str
    backend: str = "."
    main: str = "app/main.py"
    probe: tuple[str, str] = ("/health", "healthy")
    other: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where it is."""
        return PROJECTS / f"{self.letter}-{self.name}"

    @property
    def context(self) -> Path:
        """The folder that is built."""
        return self.folder / self.backend

    @cached_property
    def example(self) -> dict[str, str]:
        """The variables of its `.env.example`."""
        lines = (self.folder / ".env.example").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    def copied(self, parent: Path, env: Mapping[str, str], *, base_is_there: bool) -> Project:
        """A copy of it in a namespace of its own, on the Python that is there."""
        name = f"f-{self.letter}-{uuid.uuid4().hex[:8]}"
        project = Project(folder=parent / name, name=name, env=dict(env))
        shutil.copytree(self.folder, project.folder, ignore=_NOT_COPIED)
        settings = (self.folder / "kubekit.yaml").read_text()
        head, _, rest = settings.partition("\n")
        assert head.startswith("name: ")
        rest = rest.replace("dev:\n", f"dev:\n  port: {free_port()}\n")
        if self.other and not base_is_there:
            args = ", ".join(f'{key}: "{value}"' for key, value in self.other.items())
            rest = rest.replace("target:", f"args: {{{args}}}, target:")
            rest = rest.replace(f"python{self.python}", "python3.13")
        project.write("kubekit.yaml", f"name: {name}\n{rest}")
        project.write(".env", (self.folder / ".env.example").read_text())
        return project


FIVE = (
    Five(letter="a", name="quantum-router", python="3.11", backend="backend"),
    Five(letter="b", name="quantum-router", python="3.11", backend="backend"),
    Five(
        letter="c",
        name="second-brain",
        python="3.12",
        main="src/second_brain/main.py",
        probe=("/health", "ok"),
        other={"PYTHON_VERSION": "3.13", "SUITE": "slim"},
    ),
    Five(
        letter="d",
        name="todo-backend",
        python="3.13",
        main="src/app/main.py",
        probe=("/health/live", "healthy"),
    ),
    Five(letter="e", name="taskboard", python="3.12", other={"PYTHON_VERSION": "3.13"}),
)


def environment(five: Five) -> Path:
    """A virtual environment with the project's packages and those of its tests, kept by content."""
    names = ("requirements.txt", "requirements-dev.txt", "uv.lock", "pyproject.toml")
    files = [five.context / name for name in names if (five.context / name).exists()]
    content = b"".join(file.read_bytes() for file in files)
    key = hashlib.sha256(content + five.python.encode()).hexdigest()[:12]
    folder = ROOT / ".venv" / f"project-{five.letter}-{key}"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        own = sorted((Path.home() / ".pyenv/versions/").glob(f"{five.python}.*/bin/python"))
        _run("venv", "-q", "--python", str(own[-1]) if own else five.python, str(folder))
        python = str(folder / "bin/python")
        if (five.context / "uv.lock").exists():
            env = {"VIRTUAL_ENV": str(folder), "UV_PROJECT_ENVIRONMENT": str(folder)}
            _run("sync", "-q", "--locked", "--no-install-project", cwd=five.context, env=env)
        else:
            wanted = str(five.context / "requirements-dev.txt")
            _run("pip", "install", "-q", "--python", python, "-r", wanted)
        (folder / "done").touch()
    return folder / "bin/python"


def own_tests(five: Five) -> subprocess.CompletedProcess[str]:
    """The project's own tests, run as its people run them."""
    command = [environment(five), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    env |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": "src"}
    return subprocess.run(
        command, cwd=five.context, env=env, capture_output=True, text=True, check=False
    )


@contextmanager
def removed(project: Project) -> Iterator[Project]:
    """Have a project for a block; its namespace is not there afterwards."""
    try:
        yield project
    finally:
        project.kubectl("delete", "namespace", project.name, "--wait=false", check=False)


def _run(*arguments: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> None:
    subprocess.run([_UV, *arguments], cwd=cwd, env={**os.environ, **(env or {})}, check=True)
