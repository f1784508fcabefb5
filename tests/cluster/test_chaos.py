"""kubekit killed with -9 at any moment: the next teardown leaves nothing, the next run is Ready.

Every other one is of an update: something ran already, and changes, and something is pruned.

Four moments in `make test`; with `--rounds 3`, as in `make soak`, a hundred, but for those that
have passed since anything was changed. Each is a test of its own, named by its seed:
`pytest "tests/cluster/test_chaos.py::test_killed_at_any_moment[3]"`.
"""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import threading
from pathlib import Path

import platformdirs
import pytest

from tests.cluster import chaotic
from tests.cluster.chaotic import Moment
from tests.cluster.conftest import Project
from tests.cluster.leftovers import everything, leftovers
from tests.conftest import KUBEKIT

pytestmark = pytest.mark.cluster

COMMANDS = ("build-and-apply", "dev", "teardown")
SAMPLE, WHOLE = 4, 100
EXTRA = "manifests/extra.yaml"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    whole = metafunc.config.getoption("--rounds") > 1
    # What has failed once has failed.
    once = [pytest.mark.flaky(reruns=0)] if whole else []
    seeds = range(WHOLE if whole else SAMPLE)
    metafunc.parametrize("seed", [pytest.param(seed, marks=once, id=str(seed)) for seed in seeds])


def killed(project: Project, moment: Moment) -> None:
    """Kill a run of its command so many seconds after its start."""
    said = project.folder / "said.jsonl"
    with (
        said.open("w") as out,
        subprocess.Popen(
            [KUBEKIT, moment.command, "-o", "json"],
            cwd=project.folder,
            env=project.env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.DEVNULL,
        ) as run,
    ):
        timer = threading.Timer(moment.after, run.kill)
        timer.start()
        code = run.wait()
        timer.cancel()
    assert code in (0, -9), said.read_text()
    moment.during = "over" if code == 0 else stage_of(said.read_text())


def stage_of(said: str) -> str:
    """What a run was at by the events that it has told; the last line may be half of one."""
    stage = "start"
    for line in said.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            break
        if event["type"] == "stage-started":
            stage = event["stage"]
        elif event["type"] == "watching":
            stage = "watching"
    return stage


def locks(project: Project) -> list[str]:
    """What runs of this project have left on this machine."""
    runs = Path(platformdirs.user_state_path("kubekit")) / "runs"
    return [file.name for file in runs.glob(f"{project.name}-*")]


def update(project: Project, chance: random.Random) -> None:
    """Leave the next run something to change, and something to prune."""
    (project.folder / EXTRA).unlink()
    if chance.random() < 0.5:
        project.write(".env", "GREETING=howdy\n")
    else:
        project.edit("manifests/app.yaml.j2", "replicas: 1", "replicas: 2")


def ready(project: Project) -> None:
    """The next run ends well, with the values of now and nothing that is not in the files."""
    done = project.run("build-and-apply", "-o", "json")
    assert done.code == 0, done.out
    _, _, greeting = (project.folder / ".env").read_text().strip().partition("=")
    assert project.answer() == f"{greeting} 1"
    extra = everything(project).get("ConfigMap/x", {"metadata": {"deletionTimestamp": "gone"}})
    stays = "deletionTimestamp" not in extra["metadata"]
    assert stays == (project.folder / EXTRA).exists(), extra


def nothing_is_left(project: Project, moment: Moment) -> None:
    done = project.run("teardown", "-o", "json")
    assert done.code == 0, done.out
    moment.left = sorted(leftovers(project)) + locks(project)
    assert moment.left == []
    assert project.kubectl("get", "namespace", project.name, check=False) == ""


def test_killed_at_any_moment(project: Project, seed: int, pytestconfig: pytest.Config) -> None:
    whole = pytestconfig.getoption("--rounds") > 1
    if whole and chaotic.has_passed(Moment, seed):
        pytest.skip("passed, and nothing has changed since")
    chance = random.Random(f"chaos-{seed}")
    # Most of a run is waiting: half the moments are of its first seconds, where it writes.
    after = chance.uniform(0.3, 4.0 if chance.random() < 0.5 else 12.0)
    moment = Moment(seed=seed, command=COMMANDS[seed % len(COMMANDS)], after=after)
    moment.updated, moment.applied = bool(seed % 2), bool(seed // 2 % 2)
    project.write(EXTRA, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    if moment.updated or moment.command == "teardown":
        project.apply()
    if moment.updated:
        update(project, chance)
    with chaotic.keeping(moment) if whole else contextlib.nullcontext():
        killed(project, moment)
        moment.found = len(leftovers(project))
        print(moment)
        if moment.applied:
            ready(project)
        nothing_is_left(project, moment)
        ready(project)
        nothing_is_left(project, moment)
