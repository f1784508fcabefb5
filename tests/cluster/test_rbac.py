"""The rights of docs/rbac.md are enough for every command, and nothing is said to be missing."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import SERVER, Project
from tests.cluster.leftovers import leftovers
from tests.cluster.test_rights import narrowed
from tests.conftest import KUBEKIT, ROOT

pytestmark = pytest.mark.cluster


def documented() -> tuple[dict[str, Any], dict[str, Any]]:
    """The Role and the ClusterRole of the page."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/rbac.md").read_text(), re.DOTALL)
    role, cluster = map(yaml.safe_load, blocks)
    assert (role["kind"], cluster["kind"]) == ("Role", "ClusterRole")
    return role, cluster


@pytest.fixture
def limited(project: Project, tmp_path: Path) -> Iterator[tuple[Project, dict[str, str]]]:
    """A project whose commands run with these rights, and the environment of the owner."""
    owner = project.env
    role, cluster = documented()
    narrowed(project, tmp_path, role["rules"])
    name = f"kubekit-{project.name}"
    narrow, project.env = project.env, owner
    cluster["metadata"]["name"] = name
    subprocess.run(
        ["kubectl", "--context", project.context, "apply", "-f", "-"],
        input=json.dumps(cluster),
        env=owner,
        text=True,
        check=True,
        capture_output=True,
    )
    account = f"--serviceaccount={project.name}:narrow"
    project.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", account)
    project.env = narrow
    yield project, owner
    project.env = owner
    project.kubectl("delete", "clusterrolebinding,clusterrole", name)


def well(project: Project, *command: str) -> list[dict[str, Any]]:
    """A command that ends well and warns of nothing; its events."""
    done = project.run(*command, "-o", "json")
    assert done.code == 0, done.out + done.err
    assert done.of("warning") == []
    return done.events


def test_every_command_works_and_nothing_is_missed(
    limited: tuple[Project, dict[str, str]],
) -> None:
    narrow, owner = limited
    well(narrow, "build-and-apply")
    assert "nothing changed" in well(narrow, "build-and-apply")[-1]["text"]
    for version in range(4):  # so many that old images are deleted
        narrow.write("app/server.py", f"{SERVER.read_text()}# {version}\n")
        narrow.write(".env", f"GREETING=hello {version}\n")
        well(narrow, "build-and-apply")
    well(narrow, "rollback")
    assert narrow.run("status").code == 0
    assert narrow.run("why").code == 0
    assert narrow.run("logs").code == 0

    command = [KUBEKIT, "dev", "-o", "json"]
    with subprocess.Popen(
        command, cwd=narrow.folder, env=narrow.env, stdout=subprocess.PIPE, text=True
    ) as dev:
        assert dev.stdout is not None
        for line in dev.stdout:
            event = json.loads(line)
            assert event["type"] not in ("failed", "report"), line
            if event["type"] == "watching" and event["well"]:
                dev.terminate()
    assert dev.returncode == 0

    well(narrow, "build-and-apply")
    well(narrow, "teardown")
    kept = {"ServiceAccount/narrow", "Role/narrow", "RoleBinding/narrow"}
    narrow.env = owner
    assert leftovers(narrow) == kept


def test_a_stateful_set_goes_back_and_nothing_is_missed(
    limited: tuple[Project, dict[str, str]],
) -> None:
    narrow, _ = limited
    own = "kind: StatefulSet", "serviceName: web\n  replicas: 1"
    narrow.edit("manifests/app.yaml.j2", "kind: Deployment", own[0])
    narrow.edit("manifests/app.yaml.j2", "replicas: 1", own[1])
    well(narrow, "build-and-apply")
    narrow.write("app/server.py", "import sys\nsys.exit('broken')\n")
    assert narrow.fail()["id"] == "crash-loop"
    told = well(narrow, "rollback")
    assert any((it.get("ref"), it.get("action")) == ("Pod/web-0", "deleted") for it in told)
    assert narrow.run("status").code == 0


def test_who_may_not_list_controller_revisions_takes_the_deployments_back(
    project: Project, tmp_path: Path
) -> None:
    """So is a Role that was made for a kubekit which took back no StatefulSet."""
    rules = documented()[0]["rules"]
    for rule in rules:
        rule["resources"] = [one for one in rule["resources"] if one != "controllerrevisions"]
    owner = project.env
    web = (project.folder / "manifests/app.yaml.j2").read_text().partition("---")[0]
    db = web.replace("kind: Deployment", "kind: StatefulSet").replace("app: web", "app: db")
    project.write("manifests/db.yaml.j2", db.replace("name: web", "name: db"))
    rules.append({"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]})
    narrowed(project, tmp_path, rules)
    project.apply()
    project.write(".env", "GREETING=howdy\n")
    project.apply()
    for command in ("rollback", "status"):
        done = project.run(command, "-o", "json")
        assert done.code == 0, done.out + done.err
        (warned,) = done.of("warning")
        assert warned["text"].startswith("the revisions of StatefulSet/db are not known")
    project.env = owner
    assert project.answer() == "hello 1"
