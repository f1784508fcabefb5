"""One run at a time for a project in a namespace: who is at work is told, and nothing stays."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cluster.conftest import Project
from tests.cluster.plain import CONFIG
from tests.cluster.scenarios.running import Running, dev, finished, start
from tests.conftest import KUBEKIT, until

pytestmark = pytest.mark.cluster

SLOW = "import time\ntime.sleep(8)\nexec(open('/app/real.py').read())\n"


def slow(project: Project) -> None:
    """It takes seconds to become ready."""
    project.write("app/real.py", (project.folder / "app/server.py").read_text())
    project.write("app/server.py", SLOW)
    project.edit("app/Dockerfile", "COPY server.py", "COPY real.py /app/real.py\nCOPY server.py")


def leases(project: Project) -> list[dict[str, Any]]:
    return project.objects("leases")


def foreign(project: Project, *, seconds_ago: int) -> None:
    """A Lease as a run on another machine has it, renewed so long ago."""
    renewed = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    stamp = renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": f"kubekit-{project.name}",
            "labels": {
                "app.kubernetes.io/managed-by": "kubekit",
                "app.kubernetes.io/part-of": project.name,
            },
            "annotations": {"kubekit.dev/command": "dev", "kubekit.dev/lock": "elsewhere/x"},
        },
        "spec": {
            "holderIdentity": "ada@engine",
            "leaseDurationSeconds": 30,
            "acquireTime": stamp,
            "renewTime": stamp,
        },
    }
    subprocess.run(
        ["kubectl", "--context", project.context, "-n", project.name, "apply", "-f", "-"],
        input=json.dumps(lease),
        env=project.env,
        text=True,
        check=True,
        capture_output=True,
    )


def test_a_second_run_says_who_is_at_work_and_nothing_stays(project: Project) -> None:
    slow(project)

    def meddle(_project: Project, run: Running) -> None:
        run.until('"stage": "rollout"')
        (lease,) = leases(project)
        assert lease["metadata"]["annotations"]["kubekit.dev/command"] == "build-and-apply"
        for command in (("build-and-apply",), ("teardown",)):
            failed = project.run(*command, "-o", "json")
            assert failed.code == 2
            told = failed.of("failed")[0]
            assert told["id"] == "busy"
            assert f"pid {run.process.pid}" in told["message"]
            assert "`kubekit build-and-apply`" in told["message"]

    outcome = finished(project, start(project), meddle)
    assert outcome.code == 0, outcome.last
    assert leases(project) == []

    before = project.objects("leases,deployments,configmaps,secrets")
    assert "nothing changed" in project.apply().of("ended")[0]["text"]
    assert project.objects("leases,deployments,configmaps,secrets") == before


def test_a_run_on_another_machine_keeps_this_one_off_until_it_falls_silent(
    project: Project,
) -> None:
    project.kubectl("create", "namespace", project.name)
    foreign(project, seconds_ago=0)
    failed = project.fail()
    assert failed["id"] == "busy"
    assert "`ada@engine` runs `kubekit dev`" in failed["message"]
    assert project.objects("deployments,secrets") == []

    foreign(project, seconds_ago=60)
    project.apply()
    assert leases(project) == []

    foreign(project, seconds_ago=0)
    refused = project.run("teardown", "-o", "json")
    assert (refused.code, refused.of("failed")[0]["id"]) == (2, "busy")
    assert len(project.objects("deployments")) == 1
    foreign(project, seconds_ago=60)
    assert project.run("teardown").code == 0
    assert project.objects("deployments,leases") == []


def test_what_a_killed_run_held_is_taken_over_at_once(project: Project) -> None:
    slow(project)

    def kill(_project: Project, run: Running) -> None:
        run.until('"stage": "rollout"')
        run.process.kill()

    assert finished(project, start(project), kill).code == -9
    assert len(leases(project)) == 1
    project.edit("manifests/app.yaml.j2", "replicas: 1", "replicas: 2")
    project.apply()
    assert leases(project) == []

    assert finished(project, start(project, "-n", project.name)).code == 0
    project.edit("manifests/app.yaml.j2", "replicas: 2", "replicas: 3")
    assert finished(project, start(project), kill).code == -9
    assert project.run("teardown").code == 0
    assert project.kubectl("get", "namespace", project.name, check=False) == ""


@pytest.mark.parametrize("keep", [False, True])
def test_teardown_ends_a_dev_of_the_project(project: Project, *, keep: bool) -> None:
    with dev(project, *(["--keep"] if keep else [])) as run:
        run.until('"type": "watching"', 120)
        failed = project.run("build-and-apply", "-o", "json")
        assert failed.of("failed")[0]["id"] == "busy"
        assert "`kubekit dev`" in failed.of("failed")[0]["message"]
        done = project.run("teardown", "-o", "json")
        assert done.code == 0, done.out
        assert any("asking `kubekit dev`" in event["text"] for event in done.of("progress"))
        assert run.process.wait(timeout=60) == 0
    assert project.kubectl("get", "namespace", project.name, check=False) == ""


def test_a_dev_of_another_project_or_namespace_is_left_alone(project: Project) -> None:
    with dev(project) as run:
        run.until('"type": "watching"', 120)
        elsewhere = f"{project.name}-x"
        assert project.run("teardown", "-n", elsewhere).code == 0
        assert run.process.poll() is None
        os.kill(run.process.pid, signal.SIGINT)
        assert run.process.wait(timeout=60) == 0
    until(lambda: project.kubectl("get", "namespace", project.name, check=False) == "")


def test_a_dev_that_was_taken_over_ends_and_leaves_what_runs(project: Project) -> None:
    with dev(project) as run:
        run.until('"type": "watching"', 120)
        foreign(project, seconds_ago=0)
        assert run.process.wait(timeout=60) == 10
    failed = next(json.loads(line) for _, line in run.lines if '"type": "failed"' in line)
    assert failed["message"].startswith(f"`ada@engine` has taken over `{project.name}`")
    assert project.objects("deployments")
    assert leases(project)[0]["spec"]["holderIdentity"] == "ada@engine"
    project.kubectl("delete", "lease", f"kubekit-{project.name}")
    assert project.run("teardown").code == 0


def test_a_teardown_leaves_a_dev_to_end_that_ends_already(project: Project) -> None:
    project.write("manifests/settings.yaml", CONFIG)

    def hold(finalizers: list[str] | None) -> None:
        patch = json.dumps({"metadata": {"finalizers": finalizers}})
        project.kubectl("patch", "cm", "settings", "--type=merge", "-p", patch, check=False)

    with dev(project) as run, contextlib.ExitStack() as stack:
        run.until('"type": "watching"', 120)
        hold(["example.com/held"])
        stack.callback(hold, None)
        run.process.send_signal(signal.SIGINT)
        run.until("example.com/held")
        teardown = subprocess.Popen(
            [KUBEKIT, "teardown", "-o", "json"],
            cwd=project.folder,
            env=project.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(teardown.kill)
        assert teardown.stdout is not None
        assert any("asking `kubekit dev`" in line for line in teardown.stdout)
        hold(None)
        rest = teardown.communicate()[0]
        assert teardown.returncode == 0, rest
        assert run.process.wait(timeout=60) == 0
    assert project.kubectl("get", "namespace", project.name, check=False) == ""
