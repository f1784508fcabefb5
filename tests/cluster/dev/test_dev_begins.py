"""`kubekit dev` before anything runs: a project that cannot start, and Ctrl-C that early."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cluster.dev import harness
from tests.cluster.dev.harness import Dev, waited
from tests.cluster.dev.project import locked_project, root_project

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

ANSWER = "src/app/answer.py"
END = "import os, signal; os.kill(1, signal.SIGTERM)"


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


def test_what_an_earlier_run_left_crashing_is_made_anew(
    cluster: dict[str, str], tmp_path: Path
) -> None:
    """The image is the one of before, and only in the pod's volume the code that crashes."""
    project = locked_project(tmp_path, cluster)
    with harness.dev(project, "--keep") as dev:
        good = (project.folder / ANSWER).read_text()
        crash_for_good(dev)
        assert dev.stop() == 0
        (before,) = dev.pods()
        dev.project.write(ANSWER, good)
        with harness.dev(project) as again:
            assert not again.past("report"), again.told()
            (after,) = again.pods()
            assert after["metadata"]["uid"] != before["metadata"]["uid"]
            again.everywhere(text="first")
            again.same()
            crash_for_good(again)
            again.save(ANSWER, good)  # and so it is within one run
            again.calm()
            again.everywhere(text="first")


def crash_for_good(dev: Dev) -> None:
    """Code that cannot be loaded, and a container that is started again with it."""
    dev.save(ANSWER, 'raise RuntimeError("never")\n')
    dev.report("reload-failed")
    (pod,) = dev.pods()
    dev.inside(pod["metadata"]["name"], END, check=False)

    def crashes() -> bool:
        (status,) = dev.pods()[0]["status"]["containerStatuses"]
        return (status["state"].get("waiting") or {}).get("reason") == "CrashLoopBackOff"

    waited(crashes, "the container to crash")
