"""What takes files of a context beside COPY: triggers of a base image, and mounts."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kubekit.image import build
from kubekit.image.changes import Memory
from kubekit.image.docker.engine import Engine
from kubekit.image.docker.store import DockerStore
from kubekit.image.files import context
from kubekit.model import BuildSettings, BuiltImage, Cancel
from tests.cluster.dockercli import Docker, Listing

pytestmark = pytest.mark.cluster


@dataclass(frozen=True, kw_only=True)
class Project:
    root: Path
    name: str
    engine: Engine
    docker: Docker

    def write(self, dockerfile: str, **files: str) -> None:
        (self.root / "Dockerfile").write_text(dockerfile)
        for name, content in files.items():
            (self.root / name).write_text(content)

    def ensure(self) -> BuiltImage:
        settings = BuildSettings(context=self.root, dockerfile=self.root / "Dockerfile")
        return build.ensure(
            context.plan(settings, name=self.name),
            DockerStore(self.engine),
            name=self.name,
            memory=Memory(self.root.parent / "record"),
            emit=lambda _: None,
            cancel=Cancel(),
        )

    def held(self, image: BuiltImage) -> Listing:
        """What is in an image."""
        dockerfile = self.root.parent / "Dockerfile"
        dockerfile.write_text(f"FROM scratch\nCOPY --from={image.reference} / /\n")
        found = self.docker.made(self.root, dockerfile)
        assert found is not None
        return found

    def base(self, dockerfile: str) -> str:
        """An image to start from, made by docker itself."""
        tag = f"{self.name}-base:1"
        command = [self.docker.program, "build", "--quiet", "--tag", tag, "-"]
        subprocess.run(
            command, env=self.docker.env, input=dockerfile.encode(), capture_output=True, check=True
        )
        return tag


@pytest.fixture
def project(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "backend").mkdir()
    docker, name = Docker.of(engine.endpoint), f"ctx-{uuid.uuid4().hex[:8]}"
    yield Project(root=tmp_path / "backend", name=name, engine=engine, docker=docker)
    for image in engine.images(name):
        for tag in image.names:
            engine.remove(tag)
    engine.remove(f"{name}-base:1")


def test_triggers_of_a_base_image_take_what_they_like(project: Project) -> None:
    base = project.base("FROM scratch\nONBUILD COPY . /all\n")
    project.write(f"FROM {base}\nCOPY a /a\n", a="a", b="b")
    first = project.ensure()
    assert first.built
    assert {"a", "all/a", "all/b"} <= set(project.held(first))

    assert not project.ensure().built
    (project.root / "b").write_text("edited")
    edited = project.ensure()
    assert (edited.built, edited.reason) == (True, "b changed")
    assert project.held(edited)["all/b"] != project.held(first)["all/b"]


def test_a_base_image_without_triggers_takes_nothing(project: Project) -> None:
    base = project.base("FROM scratch\nENV A=1\n")
    project.write(f"FROM {base}\nCOPY a /a\n", a="a", b="b")
    assert project.ensure().built
    (project.root / "b").write_text("edited")
    again = project.ensure()
    assert (again.built, again.reason) == (False, "nothing changed")


def test_the_dockerfiles_own_rules_win(project: Project) -> None:
    rules = {".dockerignore": "a\n", "Dockerfile.dockerignore": "b\n"}
    project.write("FROM scratch\nCOPY . /x\n", a="a", b="b", **rules)
    held = set(project.held(project.ensure()))
    assert "x/a" in held
    assert "x/b" not in held


def test_a_mount_shows_what_it_names(project: Project) -> None:
    project.write(
        "FROM python:3.13-slim AS one\n"
        "RUN --mount=type=bind,source=a,target=/m --mount=source=/b,target=/n cat /m /n >/out\n"
        "FROM scratch\nCOPY --from=one /out /out\n",
        a="a",
        b="b",
        c="c",
    )
    plan = context.plan(
        BuildSettings(context=project.root, dockerfile=project.root / "Dockerfile"), name="x"
    )
    assert {file.path for file in plan.files} == {"Dockerfile", "a", "b"}
    assert set(project.held(project.ensure())) == {"out"}
