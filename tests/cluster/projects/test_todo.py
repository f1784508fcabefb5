"""todo-backend on the cluster: its secrets are seen nowhere, and it lives without its database."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import Project
from tests.cluster.projects.five import FIVE, removed

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

TODO = next(one for one in FIVE if one.letter == "d")
SECRETS = {
    "DATABASE_URL": "sqlite:////app/data/seen-nowhere.db",
    "OPENAI_API_KEY": "key-seen-nowhere",
    "BETTER_AUTH_SECRET": "secret-that-is-seen-nowhere-at-all",
}
AWAY = "postgresql://nobody:hidden-password@127.0.0.1:9/none"
ASK = """
import sys, urllib.error, urllib.request
for path in sys.argv[1:]:
    try:
        print(urllib.request.urlopen("http://127.0.0.1:8000" + path, timeout=10).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""


@pytest.fixture
def project(cluster: dict[str, str], tmp_path: Path) -> Iterator[Project]:
    with removed(TODO.copied(tmp_path, cluster, base_is_there=True)) as project:
        yield project


def write_env(project: Project, **changed: str) -> None:
    lines = (f"{key}={value}\n" for key, value in {**SECRETS, **changed}.items())
    project.write(".env", "".join(lines))


def statuses(project: Project) -> list[list[str]]:
    """What each pod answers to live and ready."""
    pods = [pod for pod in project.objects("pods") if "deletionTimestamp" not in pod["metadata"]]
    ask = ("python", "-c", ASK, "/health/live", "/health/ready")
    names = [pod["metadata"]["name"] for pod in pods]
    return sorted(project.kubectl("exec", name, "--", *ask).split() for name in names)


def test_secrets_and_a_database_that_goes(project: Project) -> None:
    write_env(project)
    done = project.apply()
    (secret,) = project.objects("secrets")
    held = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    assert held == SECRETS
    (deployment,) = project.objects("deployments")
    rendered = project.run("render")
    logs = project.kubectl("logs", f"deployment/{project.name}")
    shown = done.out + done.err + rendered.out + rendered.err + logs + json.dumps(deployment)
    assert not [name for name, value in SECRETS.items() if value in shown]
    assert statuses(project) == [["200", "200"]]

    # The new pod lives, and is given no requests; the old one goes on.
    write_env(project, DATABASE_URL=AWAY)
    failed = project.fail("--timeout", "60s")
    assert "503" in json.dumps(failed), failed
    assert "hidden-password" not in json.dumps(failed)
    assert statuses(project) == [["200", "200"], ["200", "503"]]

    write_env(project)
    project.apply()
    assert project.run("teardown", "--images").code == 0
    assert project.kubectl("get", "namespace", project.name, check=False) == ""
