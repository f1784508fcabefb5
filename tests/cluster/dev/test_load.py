"""Fifty connections through the forwarded port, and fifty through the Service, lose no request.

Two replicas are rolled out anew, and reloaded, while all of them go on asking.
"""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import Project
from tests.cluster.dev import asking, harness
from tests.cluster.dev.harness import Dev, Event, waited
from tests.cluster.dev.project import root_project

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

FEW, MANY = 2, 20
PROGRAM = Path(asking.__file__)
ASKING = "asking"


@pytest.fixture(scope="module")
def dev(cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    project = root_project(tmp_path_factory.mktemp("load"), cluster)
    grace = "terminationGracePeriodSeconds: 2"
    project.edit("manifests/app.yaml.j2", grace, "terminationGracePeriodSeconds: 15")
    strategy = "strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}\n  selector"
    project.edit("manifests/app.yaml.j2", "selector: {matchLabels", f"{strategy}: {{matchLabels")
    with harness.dev(project) as run:
        yield run


@pytest.fixture(scope="module")
def rounds(request: pytest.FixtureRequest) -> int:
    return FEW if request.config.getoption("--rounds", default=1) == 1 else MANY


class Clients:
    """Both crowds: the one on this machine, and the one in a pod."""

    def __init__(self, dev: Dev, folder: Path) -> None:
        self._project = dev.project
        self._here = folder / "asked.jsonl"
        _start_pod(dev.project)
        port = dev.url.rpartition(":")[2]
        with self._here.open("w") as out:
            argv = [sys.executable, PROGRAM, "127.0.0.1", port]
            self.process = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT)
        self.go_on()

    def told(self) -> dict[str, list[Event]]:
        """What each crowd has told."""
        texts = {
            "forward": self._here.read_text(),
            "Service": self._project.kubectl("logs", ASKING, check=False),
        }
        # The last line may be half written.
        return {
            name: [json.loads(line) for line in text.rpartition("\n")[0].splitlines()]
            for name, text in texts.items()
        }

    def totals(self) -> dict[str, Event]:
        """What each crowd has counted last."""
        counted = {
            name: [one for one in lines if "answered" in one] for name, lines in self.told().items()
        }
        return {name: lines[-1] for name, lines in counted.items() if lines}

    def failed(self) -> dict[str, list[Event]]:
        """The requests that were not answered."""
        told = self.told().items()
        return {name: [one for one in lines if "failed" in one] for name, lines in told}

    def go_on(self) -> None:
        """Wait until each client was answered again."""
        before = {name: one["each"] for name, one in self.totals().items()}

        def all_were() -> bool:
            now = self.totals()
            return len(now) == 2 and all(
                one["each"] > before.get(name, 0) + 1 for name, one in now.items()
            )

        waited(all_were, "every client to be answered")


def _start_pod(project: Project) -> None:
    container = {
        "name": "app",
        "image": "python:3.13-slim",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", PROGRAM.read_text(), "web", "80"],
    }
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "containers": [container],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": ASKING}, "spec": spec}
    file = project.folder.parent / "asking.json"
    file.write_text(json.dumps(pod))
    project.kubectl("apply", "-f", str(file))


@pytest.fixture(scope="module")
def clients(dev: Dev, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    made = Clients(dev, tmp_path_factory.mktemp("asking"))
    yield made
    made.process.kill()
    made.process.wait()


@pytest.fixture
def none_fails(clients: Clients) -> Callable[[], None]:
    """Says what has failed since the test began."""
    before = {name: len(failed) for name, failed in clients.failed().items()}

    def look() -> None:
        clients.go_on()
        new = {name: failed[before[name] :] for name, failed in clients.failed().items()}
        assert not any(new.values()), "\n".join(
            f"{name}: {len(failed)}, such as {failed[:5]}" for name, failed in new.items()
        )

    return look


@pytest.mark.timeout(1200)
def test_rollouts_lose_no_request(
    dev: Dev, clients: Clients, none_fails: Callable[[], None], rounds: int
) -> None:
    greetings = [f"hello-{uuid.uuid4().hex[:8]}" for _ in range(rounds)]
    for greeting in greetings:
        before = {pod["metadata"]["uid"] for pod in dev.pods()}
        dev.save(".env", f"GREETING={greeting}\n")
        dev.calm()
        now = waited(lambda: pods_of_the_run(dev, 2), "two pods")
        assert not now & before
    none_fails()
    told = clients.totals()
    assert all({*greetings} <= set(one["greeted"]) for one in told.values()), told


def pods_of_the_run(dev: Dev, count: int) -> set[str]:
    """The replicas, once there are as many."""
    pods = [pod for pod in dev.pods() if pod["metadata"]["name"] != ASKING]
    return {pod["metadata"]["uid"] for pod in pods} if len(pods) == count else set()


def test_warm_reloads_lose_no_request(dev: Dev, none_fails: Callable[[], None]) -> None:
    pods = pods_of_the_run(dev, 2)
    for number in range(MANY):
        dev.say(f"text {number}")
        assert dev.until("synced")["mode"] == "warm"
        dev.calm()
    none_fails()
    assert pods_of_the_run(dev, 2) == pods
