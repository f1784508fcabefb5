"""A Minikube that is stopped and started again under `kubekit dev`, also on another port."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cluster.conftest import PROFILE, Project, small_project
from tests.cluster.dev import harness
from tests.cluster.dev.harness import Dev, waited
from tests.cluster.dev.project import free_port
from tests.cluster.faultproxy import in_front_of

pytestmark = pytest.mark.cluster

SERVER = "app/server.py"
TIMES = 2


def syncing(project: Project) -> Project:
    """The project with its code synced."""
    sync = f"{{port: {free_port()}, sync: [{{src: app, dest: /app}}]}}"
    project.write("kubekit.yaml", f"name: {project.name}\nbuild: {{context: app}}\ndev: {sync}\n")
    return project


@pytest.mark.timeout(240)
def test_an_api_server_that_comes_back_on_another_port(
    cluster: dict[str, str], tmp_path: Path
) -> None:
    project = syncing(small_project(tmp_path, cluster))
    original, copy = Path(cluster["KUBECONFIG"]), tmp_path / "kubeconfig"
    with in_front_of(server_of(project)) as proxy:
        proxy.kubeconfig(original, copy, PROFILE)
        with harness.dev(project, kubeconfig=copy) as dev:
            before = proxy.port
            proxy.cut()
            dev.until("watching", lambda event: "does not answer" in event["text"])
            save(dev, "while away")
            proxy.port = 0
            proxy.restore()
            proxy.kubeconfig(original, copy, PROFILE)
            assert proxy.port != before
            is_back(dev, "while away")


@pytest.mark.timeout(900)
@pytest.mark.skipif(
    "config.getoption('--rounds', default=1) == 1",
    reason="for `make soak`: Minikube alone takes a minute to stop and start",
)
@pytest.mark.parametrize("further", ["containerd"], indirect=True)
def test_a_minikube_that_goes_and_comes_is_waited_for(
    further: dict[str, str], tmp_path: Path
) -> None:
    # Minikube chooses a context for its user, whom the other tests are.
    own = shutil.copy(further["KUBECONFIG"], tmp_path / "kubeconfig")
    project = syncing(small_project(tmp_path, {**further, "KUBECONFIG": str(own)}))
    with harness.dev(project) as dev:
        assert dev.get() == "hello 1"
        for number in range(TIMES):
            dev.mark()
            minikube(project, "stop")
            dev.until("watching", lambda event: "does not answer" in event["text"])
            save(dev, f"later {number}")
            minikube(project, "start")
            is_back(dev, f"later {number}")
        save(dev, "at once")
        dev.until("synced")
        waited(lambda: dev.get() == "hello at once", "what was saved afterwards")
        assert dev.stop() == 0


def save(dev: Dev, version: str) -> None:
    """Have the app answer this."""
    text = (dev.project.folder / SERVER).read_text()
    line = next(line for line in text.splitlines() if line.startswith("VERSION"))
    (dev.project.folder / SERVER).write_text(text.replace(line, f'VERSION = "{version}"'))


def is_back(dev: Dev, version: str) -> None:
    """It says so, and what was saved meanwhile is live on the port of before."""
    dev.until("files-changed", lambda event: "answers again" in event["text"])
    waited(lambda: dev.get() == f"hello {version}", "what was saved meanwhile")
    waited(lambda: dev.is_well, "the end of it")
    dev.same(dest="/app", src="app")


def minikube(project: Project, what: str) -> None:
    """Stop or start the profile, behind kubekit's back."""
    argv = ["minikube", what, "-p", project.context]
    done = subprocess.run(
        argv, env=project.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def server_of(project: Project) -> str:
    """The address of the API server, as the kubeconfig has it."""
    view = project.kubectl("config", "view", "--minify", "-o", "json")
    return str(json.loads(view)["clusters"][0]["cluster"]["server"])
