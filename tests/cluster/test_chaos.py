"""kubekit killed with -9 at any moment: the next teardown leaves nothing, the next run is Ready.

Four moments in `make test`, a hundred with `--rounds 3`; each is a test of its own, named by its
seed, so that one that failed can be run again.
"""

from __future__ import annotations

import random
import subprocess
import threading

import pytest

from tests.cluster.conftest import Project
from tests.cluster.leftovers import leftovers
from tests.conftest import KUBEKIT

pytestmark = pytest.mark.cluster

COMMANDS = ("build-and-apply", "dev", "teardown")
SAMPLE, WHOLE = 4, 100


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    rounds = metafunc.config.getoption("--rounds")
    metafunc.parametrize("seed", range(SAMPLE if rounds == 1 else WHOLE))


def killed(project: Project, command: str, after: float) -> bool:
    """Kill a run of it so many seconds after its start; whether it was still there."""
    with subprocess.Popen(
        [KUBEKIT, command, "-o", "json"],
        cwd=project.folder,
        env=project.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        timer = threading.Timer(after, run.kill)
        timer.start()
        code = run.wait()
        timer.cancel()
    return code == -9


def test_killed_at_any_moment(project: Project, seed: int) -> None:
    chance = random.Random(f"chaos-{seed}")
    command = COMMANDS[seed % len(COMMANDS)]
    project.write("manifests/extra.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    if command == "teardown":
        project.apply()
    # Most of a run is waiting: half the moments are of its first seconds, where it writes.
    moment = chance.uniform(0.3, 4.0 if chance.random() < 0.5 else 12.0)
    hit = killed(project, command, moment)
    told = f"seed {seed}: {command} killed after {moment:.2f} s" + ("" if hit else ", too late")
    print(told)

    if chance.random() < 0.5:
        done = project.run("build-and-apply", "-o", "json")
        assert done.code == 0, f"{told}: {done.out}"
        assert project.answer() == "hello 1", told
    done = project.run("teardown", "-o", "json")
    assert done.code == 0, f"{told}: {done.out}"
    assert leftovers(project) == set(), told
    gone = project.kubectl("get", "namespace", project.name, check=False)
    assert gone == "", told

    done = project.run("build-and-apply", "-o", "json")
    assert done.code == 0, f"{told}: {done.out}"
    assert project.answer() == "hello 1", told
    assert project.run("teardown").code == 0
    assert leftovers(project) == set(), told
