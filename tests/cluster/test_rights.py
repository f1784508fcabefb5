"""A user who may not read events or logs still gets a cause, and is told what was not seen."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import PROFILE, Project

pytestmark = pytest.mark.cluster

APP = """\
import sys
sys.exit("the schema is too old")
"""
WRITE = ["get", "list", "watch", "create", "update", "patch", "delete"]
RULES = [
    {
        "apiGroups": ["", "apps"],
        "resources": ["pods", "secrets", "configmaps", "services", "deployments"],
        "verbs": WRITE,
    },
    {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
]


def narrowed(project: Project, folder: Path, rules: list[dict[str, Any]]) -> None:
    """Let the project's commands run as a ServiceAccount that may do only this."""
    name = project.name
    project.kubectl("create", "namespace", name)
    project.kubectl("create", "serviceaccount", "narrow")
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "narrow"},
        "rules": rules,
    }
    subprocess.run(
        ["kubectl", "--context", PROFILE, "-n", name, "apply", "-f", "-"],
        input=json.dumps(role),
        env=project.env,
        text=True,
        check=True,
        capture_output=True,
    )
    project.kubectl(
        "create", "rolebinding", "narrow", "--role=narrow", f"--serviceaccount={name}:narrow"
    )
    token = project.kubectl("create", "token", "narrow").strip()
    config = json.loads(
        project.kubectl("config", "view", "--raw", "--flatten", "--minify", "-o", "json")
    )
    config["users"] = [{"name": PROFILE, "user": {"token": token}}]
    file = folder / "narrow.json"
    file.write_text(json.dumps(config))
    project.env = {**project.env, "KUBECONFIG": str(file)}


@pytest.fixture
def narrow(project: Project, tmp_path: Path) -> Iterator[Project]:
    """A project whose commands run with these rights; its namespace is removed by the owner."""
    owner = project.env
    narrowed(project, tmp_path, RULES)
    yield project
    project.env = owner


def test_it_decides_and_says_what_it_could_not_see(narrow: Project) -> None:
    narrow.write("app/server.py", APP)
    failed = narrow.fail()
    assert failed["id"] == "crash-loop"
    assert "exit code 1" in failed["message"]
    (unseen,) = [line for line in failed["details"] if "may not read" in line]
    assert "events" in unseen
    assert "logs" in unseen


def test_ready_is_ready_and_what_was_not_proved_is_told(narrow: Project) -> None:
    done = narrow.apply()
    (warning,) = done.of("warning")
    assert "EndpointSlices" in warning["text"]
