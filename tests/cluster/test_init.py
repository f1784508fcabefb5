"""`kubekit init --new` on the real Minikube: from nothing to an answer, and back to nothing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import Project
from tests.cluster.kinds import KINDS
from tests.conftest import kubekit

pytestmark = pytest.mark.cluster


@pytest.fixture
def nothing(cluster: dict[str, str], tmp_path: Path) -> Iterator[Project]:
    """A project that has only its name; nothing of it is left afterwards."""
    name = f"b-{uuid.uuid4().hex[:8]}"
    project = Project(folder=tmp_path / name, name=name, env=dict(cluster))
    yield project
    project.run("teardown", "--data", "--images", "--yes")
    project.kubectl("delete", "namespace", name, "--wait=false", check=False)


@pytest.fixture
def begun(nothing: Project) -> Project:
    """A project that was begun a moment ago."""
    made = kubekit("init", "--new", nothing.name, cwd=nothing.folder.parent, env=nothing.env)
    assert made.code == 0, made.err
    return nothing


def ask(project: Project, path: str) -> dict[str, str]:
    service = f"/api/v1/namespaces/{project.name}/services/{project.name}:http"
    answer: dict[str, str] = json.loads(project.kubectl("get", "--raw", f"{service}/proxy{path}"))
    return answer


def test_from_nothing_to_an_answer_and_back(begun: Project) -> None:
    begun.apply()
    assert ask(begun, "/api/greetings/Ada") == {"message": "hello, Ada"}
    (pod,) = begun.objects("pods")
    assert ask(begun, "/version")["image"] == pod["spec"]["containers"][0]["image"]
    assert begun.kubectl("exec", f"pod/{pod['metadata']['name']}", "--", "id", "-u") == "10001\n"

    begun.edit("src/app/main.py", "hello, ", "hola, ")
    begun.apply()
    assert ask(begun, "/api/greetings/Ada") == {"message": "hola, Ada"}

    again = begun.apply()
    assert again.of("ended")[0]["text"].startswith("nothing changed")

    gone = begun.run("teardown", "--data", "--yes")
    assert gone.code == 0, gone.err
    assert begun.objects("deployments,services,pods,networkpolicies,serviceaccounts") == []


def test_several_replicas_are_kept_apart_and_disrupted_one_by_one(begun: Project) -> None:
    begun.edit("kubekit.yaml", "replicas: 1", "replicas: 2")
    begun.apply()
    (budget,) = begun.objects("poddisruptionbudgets")
    assert budget["spec"]["maxUnavailable"] == 1
    assert len(begun.objects("pods")) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_backend_that_is_there(nothing: Project, kind: str) -> None:
    """A read-only root, a user that is nobody, one port: none of these servers minds."""
    nothing.folder.mkdir()
    arguments = KINDS[kind](nothing.folder)
    made = nothing.run("init", "--yes", "--name", nothing.name, *arguments)
    assert made.code == 0, made.err
    nothing.apply()
    assert ask(nothing, "/hello")["message"] == "hello"
    (pod,) = nothing.objects("pods")
    (status,) = pod["status"]["containerStatuses"]
    assert (status["ready"], status["restartCount"]) == (True, 0)
    log = nothing.kubectl("logs", pod["metadata"]["name"])
    assert "Read-only" not in log
    assert "Traceback" not in log
