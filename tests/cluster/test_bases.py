"""Base images from a registry that refuses, fails, is slow, hangs up, or wants a login."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kubekit.errors import BuildError, CancelledError
from kubekit.events import Event, Progress, Warned
from kubekit.image.docker.engine import Engine
from kubekit.image.registries import credentials
from kubekit.model import Cancel
from tests.cluster.conftest import Project, small_project
from tests.cluster.scenarios.running import Running, finished, start

pytestmark = pytest.mark.cluster

Heal = Callable[[str], None]

PORT = 5079
SOURCE = Path(__file__).with_name("moody.py")
USER, PASSWORD = "tester", "a-password-of-the-tests"
CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {image: "{{ image }}"}
"""


@pytest.fixture(scope="module")
def heal(engine: Engine) -> Iterator[Heal]:
    """The registry, in the node's own network; makes a name of it fine."""
    api = engine._connected()
    host = api.create_host_config(network_mode="host", auto_remove=True)
    command = ["python", "-u", "-c", SOURCE.read_text(), str(PORT)]
    made = api.create_container("python:3.13-slim", command, host_config=host)["Id"]
    address = f"http://{urlsplit(engine.endpoint.host).hostname}:{PORT}"
    try:
        api.start(made)
        until_it_answers(f"{address}/v2/")

        def heal(name: str) -> None:
            urllib.request.urlopen(f"{address}/heal/{name}", data=b"", timeout=10).close()

        yield heal
    finally:
        api.remove_container(made, force=True)


def until_it_answers(url: str) -> None:
    late = time.monotonic() + 90
    while True:
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        assert time.monotonic() < late
        time.sleep(0.1)


@pytest.fixture(autouse=True, scope="module")
def tidy(engine: Engine) -> Iterator[None]:
    """What was pulled is removed in the end."""
    yield
    for port in (PORT, PORT + 1):
        for image in engine._connected().images(name=f"127.0.0.1:{port}/*/*"):
            for tag in image["RepoTags"]:
                engine.remove(tag)


@pytest.fixture
def project(cluster: dict[str, str], tmp_path: Path) -> Iterator[Project]:
    """A project that is an image and a ConfigMap."""
    project = small_project(tmp_path, cluster)
    project.write("manifests/app.yaml.j2", CONFIG_MAP)
    yield project
    project.run("teardown", "--images")


def new(mood: str, port: int = PORT) -> str:
    """An image of this mood that nobody has asked for yet."""
    return f"127.0.0.1:{port}/{mood}-{uuid.uuid4().hex[:8]}/app:1"


def name_of(reference: str) -> str:
    """Its name in the registry."""
    return reference.partition("/")[2].removesuffix(":1")


@dataclass
class Puller:
    """Pulls, as a build does it first."""

    engine: Engine
    events: list[Event] = field(default_factory=list)

    def pull(self, reference: str) -> None:
        assert self.engine.image_id(reference) is None
        self.engine.pull(reference, emit=self.events.append, cancel=Cancel())
        assert self.engine.image_id(reference) is not None

    def fail(self, reference: str) -> BuildError:
        with pytest.raises(BuildError) as caught:
            self.pull(reference)
        assert caught.value.details
        assert self.engine.image_id(reference) is None
        return caught.value

    def warnings(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Warned)]


@pytest.fixture
def puller(engine: Engine, heal: Heal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Puller:
    """With a Docker config of the test's own, in which there is nothing."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return Puller(engine)


@pytest.mark.parametrize(
    ("mood", "port", "id_", "hint"),
    [
        ("fine", PORT + 1, "image-denied", "log in to its registry: `docker login {host}`"),
        (
            "limit",
            PORT,
            "registry-limit",
            "wait, or log in for a higher limit: `docker login {host}`",
        ),
        ("broken", PORT, "registry-busy", "run it again in a while; it was tried three times"),
    ],
)
def test_a_registry_that_refuses_is_named(
    puller: Puller, mood: str, port: int, id_: str, hint: str
) -> None:
    reference = new(mood, port)
    failed = puller.fail(reference)
    assert failed.message.startswith(f"the base image `{reference}` is not in Minikube's Docker")
    assert (failed.id, failed.hints[0]) == (id_, hint.format(host=f"127.0.0.1:{port}"))
    assert len(failed.hints) == 2
    assert puller.warnings() == []


def test_a_registry_that_fails_for_a_moment_is_tried_again(puller: Puller) -> None:
    puller.pull(new("flaky"))


def test_a_registry_that_hangs_up_is_asked_again_by_the_daemon_and_that_is_told(
    puller: Puller,
) -> None:
    puller.pull(new("drops"))
    told = [event.text for event in puller.events if isinstance(event, Progress)]
    assert any(text.endswith("the registry hung up, retrying in 5 seconds") for text in told), told


@pytest.mark.parametrize("ask", [Engine.pull, Engine.digest])
def test_ctrl_c_ends_the_asking_of_a_registry_that_says_nothing(
    puller: Puller, ask: Callable[..., object]
) -> None:
    cancel = Cancel()
    timer = threading.Timer(1, cancel.set)
    timer.start()
    with pytest.raises(CancelledError):
        ask(puller.engine, new("silent"), emit=puller.events.append, cancel=cancel)


def helper(config: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential helper `tests` on PATH, for all registries."""
    file = config / "docker-credential-tests"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{config}:{os.environ['PATH']}")
    (config / "config.json").write_text('{"credsStore": "tests"}')


def test_the_users_login_is_used(puller: Puller, tmp_path: Path) -> None:
    entry = {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
    config = {"auths": {f"127.0.0.1:{PORT + 1}": entry}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    puller.pull(new("fine", PORT + 1))
    assert puller.warnings() == []
    assert PASSWORD not in str(puller.events)


def test_the_login_of_a_helper_is_used(
    puller: Puller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = json.dumps({"Username": USER, "Secret": PASSWORD})
    script = f"grep -q '^127.0.0.1:{PORT + 1}$' && echo '{answer}'"
    helper(tmp_path, script, monkeypatch)
    puller.pull(new("fine", PORT + 1))
    assert puller.warnings() == []


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo the vault is locked; exit 1", "failed: the vault is locked"),
        ("exec sleep 60", "did not answer within 0 s"),
    ],
)
def test_a_helper_that_fails_or_hangs_is_told_and_stops_no_pull_without_a_login(
    puller: Puller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    monkeypatch.setattr(credentials, "HELPER_SECONDS", 0.4)
    helper(tmp_path, script, monkeypatch)
    puller.pull(new("fine"))
    assert puller.fail(new("fine", PORT + 1)).id == "image-denied"
    expected = f"without a login at the registry: `docker-credential-tests` {said}"
    assert puller.warnings() == [expected, expected]


def test_a_failed_pull_has_its_line_and_a_killed_one_leaves_nothing_behind(
    project: Project, heal: Heal
) -> None:
    reference = new("limit")
    project.write("app/Dockerfile", f"# a base\nFROM {reference}\nCOPY server.py /\n")
    failed = project.fail()
    assert (failed["exit_code"], failed["id"]) == (4, "registry-limit")
    assert failed["place"].endswith("app/Dockerfile:2")
    heal(name_of(reference))
    assert project.apply().of("build-step")

    reference = new("slow")
    project.write("app/Dockerfile", f"FROM {reference}\nCOPY server.py /\n")

    def kill(_project: Project, run: Running) -> None:
        run.until("pulling")
        time.sleep(1)
        run.process.kill()

    assert finished(project, start(project), kill).code == -9
    heal(name_of(reference))
    assert project.apply().of("build-step")
