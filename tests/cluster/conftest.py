"""Small projects on the real cluster, each in a namespace of its own that is gone afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import lab
from kubekit.cluster.dockerenv import docker_env
from kubekit.image.docker.engine import Engine
from kubekit.model import Cancel, DockerEndpoint
from lab.paths import Kind
from tests.conftest import Result, kubekit
from tests.together import further_of

PROFILE = "kubekit-lab"
SERVER = Path(__file__).parent / "server.py"
DOCKERFILE = """\
FROM python:3.13-slim
COPY server.py /app/server.py
USER 10001:10001
CMD ["python", "/app/server.py"]
"""
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 2
      enableServiceLinks: false
      containers:
        - name: app
          image: "{{ image }}"
          ports: [{name: http, containerPort: 8000}]
          envFrom: [{secretRef: {name: "{{ secret }}"}}]
          readinessProbe:
            httpGet: {path: /ready, port: http}
            periodSeconds: 1
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-docs", action="store_true", help="write docs/endings.md anew from what was seen"
    )
    parser.addoption(
        "--timed",
        action="store_true",
        help="scenarios end as quickly as their tier promises: on a machine that does nothing else",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if further_of(item):
            # The first test of each pays for the start, the last for the deletion.
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def profiles(cluster: dict[str, str]) -> Iterator[Callable[[Kind], dict[str, str]]]:
    """Starts a further profile of the lab, and deletes it when another one is asked for.

    pytest itself would end a parametrized fixture with each module.
    """
    with contextlib.ExitStack() as stack:
        running: dict[Kind, dict[str, str]] = {}

        def start(kind: Kind) -> dict[str, str]:
            if kind not in running:
                stack.close()
                running.clear()
                running[kind] = stack.enter_context(lab.profile(kind))
            return {**os.environ, **cluster, **running[kind]}

        yield start


@pytest.fixture
def further(
    request: pytest.FixtureRequest, profiles: Callable[[Kind], dict[str, str]]
) -> dict[str, str]:
    """The environment of a shell on a further profile of the lab.

    Used as `@pytest.mark.parametrize("further", ["containerd"], indirect=True)`.
    """
    return profiles(request.param)


@pytest.fixture(scope="session")
def endpoint(cluster: dict[str, str]) -> DockerEndpoint:
    """Where the Docker of the lab's node is."""
    return docker_env(PROFILE, cancel=Cancel())


@pytest.fixture(scope="module")
def engine(endpoint: DockerEndpoint) -> Iterator[Engine]:
    """The Docker of the lab's node."""
    with contextlib.closing(Engine(endpoint)) as engine:
        yield engine


def running(command: str) -> bool:
    """Whether a command that begins so runs, here or in a node, which is a container."""
    found = subprocess.run(["pgrep", "-f", f"^{command}"], stdout=subprocess.DEVNULL, check=False)
    return found.returncode == 0


@dataclass(kw_only=True)
class Project:
    """A backend of a few lines in a folder, and the commands of a person working on it."""

    folder: Path
    name: str
    env: dict[str, str]
    values: dict[str, str] = field(default_factory=dict)

    @property
    def context(self) -> str:
        """The profile it is deployed to, and its context."""
        return self.env.get("KUBEKIT_PROFILE", PROFILE)

    def write(self, path: str, text: str) -> None:
        """Write a file of the project."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if path == ".env":
            file.chmod(0o600)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that must be there."""
        text = (self.folder / path).read_text()
        assert old in text, f"{old!r} is not in {path}"
        self.write(path, text.replace(old, new))

    def run(self, *arguments: str, **options: Any) -> Result:
        """Run kubekit in the project's folder."""
        return kubekit(*arguments, cwd=self.folder, **{"env": self.env, **options})

    def apply(self, *arguments: str) -> Result:
        """`kubekit build-and-apply` that must end well, with its events."""
        result = self.run("build-and-apply", "-o", "json", *arguments)
        assert result.code == 0, result.out + result.err
        return result

    def fail(self, *arguments: str) -> dict[str, Any]:
        """`kubekit build-and-apply` that must fail; the event that says why."""
        result = self.run("build-and-apply", "-o", "json", *arguments)
        assert result.code != 0, result.out
        assert "Traceback" not in result.err
        failed = result.of("failed")[-1]
        assert failed["exit_code"] == result.code
        return failed

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        """What kubectl prints, in the project's namespace."""
        done = subprocess.run(
            ["kubectl", "--context", self.context, "-n", self.name, *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def objects(self, kinds: str) -> list[dict[str, Any]]:
        """Live objects of these kinds."""
        return list(json.loads(self.kubectl("get", kinds, "-o", "json"))["items"])

    def answer(self, path: str = "/") -> str:
        """What the app answers through its Service, by way of the API server."""
        return self.kubectl(
            "get", "--raw", f"/api/v1/namespaces/{self.name}/services/web:http/proxy{path}"
        )


def small_project(parent: Path, env: dict[str, str]) -> Project:
    """A project in a new folder; its name, and so its namespace, is used by nobody else."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    project = Project(folder=parent / name, name=name, env=dict(env))
    project.write("kubekit.yaml", f"name: {name}\nbuild: {{context: app}}\ntimeout: 180s\n")
    project.write("app/Dockerfile", DOCKERFILE)
    project.write("app/server.py", SERVER.read_text())
    project.write("manifests/app.yaml.j2", MANIFEST)
    project.write(".env", "GREETING=hello\n")
    return project


@pytest.fixture
def new_project(cluster: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Project]]:
    """Makes projects; what they left in the cluster is removed afterwards, also after a failure."""
    made: list[Project] = []

    def make() -> Project:
        project = small_project(tmp_path, cluster)
        made.append(project)
        return project

    yield make
    for project in made:
        project.kubectl("delete", "namespace", project.name, "--wait=false", check=False)


@pytest.fixture
def project(new_project: Callable[..., Project]) -> Project:
    """One project."""
    return new_project()
