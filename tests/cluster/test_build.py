"""Builds in the real daemon of the lab's Minikube."""

from __future__ import annotations

import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from kubekit.errors import (
    BuildError,
    CancelledError,
    FilesError,
    KubekitError,
    UnreachableError,
)
from kubekit.events import BuildLog, BuildStep, Emit, Event
from kubekit.image import build
from kubekit.image.changes import Memory
from kubekit.image.cleanup import delete_all
from kubekit.image.docker.engine import Engine
from kubekit.image.docker.store import DockerStore
from kubekit.image.files import context
from kubekit.model import BuildPlan, BuildSettings, BuiltImage, Cancel, DockerEndpoint
from tests.cluster.conftest import PROFILE, running
from tests.conftest import until

pytestmark = pytest.mark.cluster

DOCKERFILE = """\
ARG BASE=python:3.13-slim
FROM $BASE AS builder
WORKDIR /srv
COPY requirements.txt .
RUN cp requirements.txt installed.txt
FROM $BASE AS runtime
COPY --from=builder /srv /srv
COPY app /srv/app
RUN cat /srv/app/main.py
"""


@dataclass(kw_only=True)
class Project:
    root: Path
    name: str
    engine: Engine
    args: dict[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    cancel: Cancel = field(default_factory=Cancel)

    def plan(self) -> BuildPlan:
        settings = BuildSettings(
            context=self.root, dockerfile=self.root / "Dockerfile", args=self.args
        )
        return context.plan(settings, name=self.name)

    def reference(self) -> str:
        """What the image is called, whether it is there or not."""
        base = "python:3.13-slim"
        id_ = self.engine.image_id(base)
        assert id_ is not None
        return self.plan().reference({base: id_})

    def ensure(self, plan: BuildPlan | None = None, emit: Emit | None = None) -> BuiltImage:
        self.events.clear()
        return build.ensure(
            plan or self.plan(),
            DockerStore(self.engine),
            name=self.name,
            memory=Memory(self.root.parent / f"{self.name}.json"),
            emit=emit or self.events.append,
            cancel=self.cancel,
        )

    def delete_images(self) -> int:
        return delete_all(DockerStore(self.engine), self.name).count

    def fail(self, dockerfile: str) -> KubekitError:
        (self.root / "Dockerfile").write_text(dockerfile)
        with pytest.raises((BuildError, FilesError)) as caught:
            self.ensure()
        assert "\n" not in caught.value.message
        return caught.value

    def states(self, state: str) -> list[str]:
        steps = [event for event in self.events if isinstance(event, BuildStep)]
        return [step.step.partition("] ")[2] for step in steps if step.state == state]


@pytest.fixture
def project(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "backend"
    (root / "app").mkdir(parents=True)
    (root / "Dockerfile").write_text(DOCKERFILE)
    (root / "requirements.txt").write_text("fastapi\n")
    # Never the same twice, or a step would come from the cache of an earlier run.
    (root / "app/main.py").write_text(f"print('{uuid.uuid4()}')\n")
    project = Project(root=root, name=f"t-{uuid.uuid4().hex[:8]}", engine=engine)
    yield project
    project.delete_images()
    assert project.delete_images() == 0


def test_the_daemon_is_the_profiles_own(engine: Engine) -> None:
    assert engine.info()["Name"] == PROFILE


def test_first_then_nothing_then_an_edit_then_back(project: Project) -> None:
    first = project.ensure()
    assert (first.built, first.reason) == (True, "first build")
    assert first.ids == {project.engine.image_id(first.reference)}
    assert "FROM docker.io/library/python:3.13-slim" in project.states("done") + project.states(
        "cached"
    )

    again = project.ensure()
    assert (again.built, again.reason, again.ids) == (False, "nothing changed", first.ids)
    assert project.events == []

    before = (project.root / "app/main.py").read_text()
    (project.root / "app/main.py").write_text(f"{before}# edited\n")
    edited = project.ensure()
    assert (edited.built, edited.reason) == (
        True,
        "app/main.py changed; dependencies unchanged",
    )
    assert "RUN cp requirements.txt installed.txt" in project.states("cached")
    assert "COPY app /srv/app" in project.states("done")
    assert any("# edited" in e.line for e in project.events if isinstance(e, BuildLog))

    (project.root / "app/main.py").write_text(before)
    back = project.ensure()
    assert (back.built, back.ids) == (False, first.ids)
    assert back.reason == "app/main.py changed, but to what was built before"


def test_the_image_carries_project_and_digest(project: Project) -> None:
    image = project.ensure()
    store = DockerStore(project.engine)
    assert store.images(f"{project.name}x") == []
    assert [one.names for one in store.images(project.name)] == [(image.reference,)]


def test_an_image_that_is_gone_is_built_again(project: Project) -> None:
    project.ensure()
    assert project.delete_images() == 1
    again = project.ensure()
    assert (again.built, again.reason) == (True, "the image is gone")


def test_the_same_content_gives_the_same_layers_after_the_cache_is_lost(project: Project) -> None:
    first = project.ensure()
    for file in project.root.rglob("*"):
        file.touch()
    assert project.delete_images() == 1
    assert project.ensure().ids == first.ids


def test_target_and_args(project: Project) -> None:
    (project.root / "Dockerfile").write_text(
        "FROM python:3.13-slim AS one\nARG GREETING\nRUN echo $GREETING world\nFROM nowhere/two\n"
    )
    project.args = {"GREETING": project.name}
    plan = project.plan()
    one = replace(plan, settings=replace(plan.settings, target="one"))
    assert project.ensure(one).built
    assert any(e.line == f"{project.name} world" for e in project.events if isinstance(e, BuildLog))


def test_values_of_secret_looking_args_are_masked(project: Project) -> None:
    (project.root / "Dockerfile").write_text(
        "FROM python:3.13-slim\nARG API_TOKEN\nRUN echo $API_TOKEN && exit 9\n"
    )
    project.args = {"API_TOKEN": "hunter2-hunter2"}
    with pytest.raises(BuildError) as caught:
        project.ensure()
    said = f"{project.events} {caught.value.message} {caught.value.details}"
    assert "hunter2" not in said
    assert "***" in caught.value.details


def test_a_failing_step(project: Project) -> None:
    text = "FROM python:3.13-slim\n\nRUN echo before && \\\n    echo 'no such thing' && exit 3\n"
    error = project.fail(text)
    assert error.message.endswith("exit 3` ended with exit code 3")
    assert str(error.place).endswith("Dockerfile:3")
    assert error.details == ("before", "no such thing")
    assert project.engine.image_id(project.reference()) is None


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        (
            "FROM python:3.13-slim\nFOO bar\n",
            "the Dockerfile is wrong: unknown instruction: FOO",
            2,
        ),
        ("FROM python:3.13-slim\nCOPY nope /\n", "`nope` is not in the build context", 2),
        ("FROM python:3.13-slim AS a\nFROM a\nCOPY --from=a /no /\n", "`/no` is not in `a`", 3),
        ("FROM ${X}\n", "names no image", 1),
        ("FROM Python:3.13\n", "it is no image name", 1),
        (
            "FROM python:3.13-slim\nRUN --mount=type=secret,id=x,required=true true\n",
            "requires the secret `x`, which is not configured",
            2,
        ),
        ("FROM python:3.13-slim\nRUN --mount=type=ssh true\n", "type=ssh", 2),
        ("", "the Dockerfile has no `FROM`", 1),
        ("ARG X=1\n", "the Dockerfile has no `FROM`", 1),
    ],
)
def test_a_wrong_dockerfile(project: Project, text: str, message: str, line: int | None) -> None:
    error = project.fail(text)
    assert message in error.message
    assert error.place is not None
    assert error.place.line == line


def test_an_excluded_file_is_told_so(project: Project) -> None:
    (project.root / ".dockerignore").write_text("app\n")
    error = project.fail("FROM python:3.13-slim\nCOPY app /\n")
    assert "`app` is excluded by `.dockerignore`" in error.message


@pytest.mark.parametrize(
    ("text", "image", "line"),
    [
        ("FROM python:3.13-slim\nCOPY --from=nowhere.invalid/a:1 / /\n", "nowhere.invalid/a:1", 2),
        ("ARG V=9.99\nFROM nowhere.invalid/python:$V\n", "nowhere.invalid/python:9.99", 2),
        ("FROM Not:A:Name\n", "Not:A:Name", 1),
    ],
)
def test_a_base_that_cannot_be_had(project: Project, text: str, image: str, line: int) -> None:
    error = project.fail(text)
    assert error.message.startswith(f"the base image `{image}` is not in Minikube's Docker")
    assert error.place is not None
    assert error.place.line == line
    assert error.hints
    assert error.details


def test_a_syntax_image_that_cannot_be_had(project: Project) -> None:
    error = project.fail("# syntax=nowhere.invalid/dockerfile:1\nFROM python:3.13-slim\n")
    assert error.message.startswith("the syntax image `nowhere.invalid/dockerfile:1` cannot be")
    assert str(error.place).endswith("Dockerfile:1")


def test_a_file_that_changes_while_it_is_sent_names_no_image(project: Project) -> None:
    plan = project.plan()
    (project.root / "app/main.py").write_text("print('other')\n")
    with pytest.raises(FilesError, match="changed while it was sent"):
        project.ensure(plan)
    assert project.engine.image_id(project.reference()) is None
    assert project.ensure().built


def test_a_cancel_stops_the_build_in_the_daemon(project: Project) -> None:
    # The node is a container: what a build runs is seen from outside.
    mark = f"sleep {int(time.time()) + 10_000_000}"
    (project.root / "Dockerfile").write_text(f"FROM python:3.13-slim\nRUN echo up; {mark}\n")
    seen: list[bool] = []

    def emit(event: Event, /) -> None:
        if isinstance(event, BuildLog):
            seen.append(running(mark))
            threading.Timer(0.1, project.cancel.set).start()

    with pytest.raises(CancelledError):
        project.ensure(emit=emit)
    until(lambda: not running(mark))
    assert seen == [True]
    assert project.engine.image_id(project.reference()) is None
    project.cancel = Cancel()
    (project.root / "Dockerfile").write_text(DOCKERFILE)
    assert project.ensure().built


def test_a_cancel_before_the_upload_sends_nothing(project: Project) -> None:
    project.cancel.set()
    with pytest.raises(CancelledError):
        project.ensure()


def test_a_connection_lost_on_the_way_is_told(project: Project) -> None:
    (project.root / "Dockerfile").write_text("FROM python:3.13-slim\nRUN echo up; sleep 60\n")

    def emit(event: Event, /) -> None:
        if isinstance(event, BuildLog):
            # As if the network went: the read ends, and nobody asked for it.
            for stop in project.cancel._callbacks:
                stop()

    with pytest.raises(UnreachableError) as caught:
        project.ensure(emit=emit)
    assert "closed the connection" in caught.value.message


def test_the_environments_docker_proxies_and_ca_are_not_asked(
    project: Project, endpoint: DockerEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DOCKER_HOST", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "tcp://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nowhere/ca.pem")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "")
    project.engine = Engine(endpoint)
    assert project.ensure().built
    project.engine.close()


def test_another_certificate_is_a_tls_error(endpoint: DockerEndpoint, tmp_path: Path) -> None:
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
    names = ["-subj", "/CN=x", "-keyout", str(tmp_path / "key.pem")]
    certificate = tmp_path / "cert.pem"
    subprocess.run([*command.split(), *names, "-out", certificate], check=True, capture_output=True)
    (tmp_path / "ca.pem").write_bytes(certificate.read_bytes())
    stranger = Engine(DockerEndpoint(host=endpoint.host, cert_path=tmp_path, profile=PROFILE))
    with pytest.raises(UnreachableError, match="TLS with the Docker daemon") as caught:
        stranger.info()
    assert caught.value.id == "docker-tls"


def test_images_stay_while_a_container_runs_and_no_longer(project: Project) -> None:
    image = project.ensure()
    api = project.engine._connected()
    alone = api.create_host_config(network_mode="none")
    container = api.create_container(image.reference, ["sleep", "60"], host_config=alone)["Id"]
    try:
        api.start(container)
        assert project.delete_images() == 0
        assert {project.engine.image_id(image.reference)} == image.ids
        api.kill(container)
        api.wait(container)
        assert project.delete_images() == 1
    finally:
        api.remove_container(container, force=True)
