"""`kubekit dev` before anything runs: a project that cannot start, and Ctrl-C that early."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cluster.dev import harness
from tests.cluster.dev.project import root_project

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

ANSWER = "src/app/answer.py"


def test_a_project_with_a_syntax_error_is_waited_for(
    cluster: dict[str, str], tmp_path: Path
) -> None:
    project = root_project(tmp_path, cluster)
    project.write(ANSWER, 'TEXT = "x"\ndef broken(:\n')
    (project.folder / ".env").chmod(0o644)
    with harness.dev(project, begun=lambda dev: dev.report("crash-loop")) as dev:
        (told,) = dev.past("report")
        assert told["place"] == f"{ANSWER}:2"
        assert "SyntaxError" in told["message"]
        assert "BackOff" not in json.dumps(told)
        assert dev.past("warning")[0]["text"].startswith("`.env` may be read by")
        logged = "\n".join(line["line"] for line in dev.past("log"))
        assert "SyntaxError" in logged
        assert "/.kubekit" not in logged
        dev.say("mended")
        dev.calm()
        dev.everywhere(text="mended")
        # Crashing containers have shown nothing about whether files can be brought into them.
        dev.say("synced")
        assert dev.until("synced")["mode"] == "warm"
        dev.everywhere(text="synced")


def test_ctrl_c_before_anything_runs_leaves_nothing(
    cluster: dict[str, str], tmp_path: Path
) -> None:
    project = root_project(tmp_path, cluster)
    with harness.dev(project, begun=lambda _: None) as dev:
        assert dev.stop() == 0, dev.told()[-3000:] + dev.err()
        assert dev.past("ended")
    left = project.kubectl("get", "namespace", project.name, "--ignore-not-found", "-o", "name")
    assert left == ""
