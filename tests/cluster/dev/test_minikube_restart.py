"""A Minikube that is stopped and started again under `kubekit dev`: on a profile of its own.

Only with `--rounds`, as in `make soak`: all but a few seconds of it is Minikube's own time.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cluster.conftest import Project, small_project
from tests.cluster.dev import harness
from tests.cluster.dev.harness import Dev, waited
from tests.cluster.dev.project import free_port

pytestmark = pytest.mark.cluster

SERVER = "app/server.py"
TIMES = 2


@pytest.mark.timeout(900)
@pytest.mark.parametrize("further", ["containerd"], indirect=True)
def test_a_minikube_that_goes_and_comes_is_waited_for(
    further: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--rounds", default=1) == 1:
        pytest.skip("for `make soak`: Minikube alone takes a minute to go and come")
    # Minikube chooses a context for its user, whom the other tests are.
    own = shutil.copy(further["KUBECONFIG"], tmp_path / "kubeconfig")
    project = small_project(tmp_path, {**further, "KUBECONFIG": str(own)})
    sync = f"{{port: {free_port()}, sync: [{{src: app, dest: /app}}]}}"
    project.write("kubekit.yaml", f"name: {project.name}\nbuild: {{context: app}}\ndev: {sync}\n")
    with harness.dev(project) as dev:
        assert dev.get() == "hello 1"
        for number in range(TIMES):
            goes_and_comes(dev, number)
        dev.edit(SERVER, f"later {TIMES - 1}", "at once")
        dev.until("synced")
        waited(lambda: dev.get() == "hello at once", "what was saved afterwards")
        assert dev.stop() == 0


def goes_and_comes(dev: Dev, number: int) -> None:
    """Stop Minikube, save a file, start it: what was saved is live, on the port of before."""
    project = dev.project
    dev.mark()
    minikube(project, "stop")
    dev.until("watching", lambda event: "does not answer" in event["text"])
    text = (project.folder / SERVER).read_text()
    version = next(line for line in text.splitlines() if line.startswith("VERSION"))
    (project.folder / SERVER).write_text(text.replace(version, f'VERSION = "later {number}"'))
    minikube(project, "start")
    dev.until("files-changed", lambda event: "answers again" in event["text"])
    waited(lambda: dev.get() == f"hello later {number}", "what was saved meanwhile")
    waited(lambda: dev.is_well, "the end of it")
    dev.same(dest="/app", src="app")


def minikube(project: Project, what: str) -> None:
    """Stop or start the profile, behind kubekit's back."""
    argv = ["minikube", what, "-p", project.context]
    done = subprocess.run(
        argv, env=project.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
