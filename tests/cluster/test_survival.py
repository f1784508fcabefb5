"""What a rollout survives: an API server that goes and comes, cut watches, a killed kubekit.

What is away or cut for a while is so in several runs side by side, and beside the other tests:
nearly all of it is waiting.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.conftest import PROFILE, Project, small_project
from tests.cluster.faultproxy import FaultProxy, in_front_of
from tests.cluster.scenarios.running import THROUGH, Outcome, Running, finished, start

pytestmark = pytest.mark.cluster

PATIENCE = 30.0
MANIFEST = "manifests/app.yaml.j2"
DEPLOYED = '"stage": "rollout"'
Fault = Callable[[FaultProxy, Running], float]
"""Meddles with the connections of a run; what it gives is for its test."""


@dataclass(frozen=True, kw_only=True)
class Survived:
    """A run that was meddled with, what the app answered afterwards, and what the fault gave."""

    outcome: Outcome
    answer: str
    given: float


def slow_start(project: Project, seconds: int) -> None:
    """The app becomes ready only after so many seconds."""
    project.edit(
        MANIFEST,
        "            periodSeconds: 1\n",
        f"            periodSeconds: 1\n            initialDelaySeconds: {seconds}\n",
    )


@contextmanager
def between(project: Project, folder: Path) -> Iterator[FaultProxy]:
    """In front of the API server for the project's kubekit; kubectl goes straight there."""
    original = Path(project.env["KUBECONFIG"])
    view = ["kubectl", "config", "view", "--minify", "--context", PROFILE, "-o", "json"]
    done = subprocess.run(view, env=project.env, capture_output=True, check=True)
    server = json.loads(done.stdout)["clusters"][0]["cluster"]["server"]
    with in_front_of(server) as proxy:
        project.env[THROUGH] = str(proxy.kubeconfig(original, folder / "kubeconfig", PROFILE))
        yield proxy


def for_ten_seconds(proxy: FaultProxy, run: Running) -> float:
    run.until("not ready yet")
    proxy.cut()
    run.until("the API server does not answer; waiting")
    time.sleep(10)
    assert run.process.poll() is None
    proxy.restore()
    return 10


def for_a_moment(proxy: FaultProxy, run: Running) -> float:
    run.until("not ready yet")
    proxy.cut()
    run.until("the API server does not answer; waiting")
    proxy.restore()
    return time.monotonic()


def for_good(proxy: FaultProxy, run: Running) -> float:
    run.until("not ready yet")
    proxy.cut()
    return time.monotonic()


def every_second(proxy: FaultProxy, run: Running) -> float:
    run.until(DEPLOYED)
    dropped = 0
    while run.process.poll() is None:
        time.sleep(1)
        dropped += proxy.drop()
    return dropped


FAULTS: dict[Fault, int] = {for_ten_seconds: 4, for_a_moment: 40, for_good: 50, every_second: 6}
"""With the seconds that the app needs until it is ready."""


@pytest.fixture(scope="module", autouse=True)
def survived(
    cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Fault, Future[Survived]]]:
    folder = tmp_path_factory.mktemp("survival")

    def play(fault: Fault, seconds: int) -> Survived:
        project = small_project(folder, cluster)
        slow_start(project, seconds)
        given: list[float] = []
        try:
            with between(project, project.folder) as proxy:
                outcome = finished(
                    project, start(project), lambda _, run: given.append(fault(proxy, run))
                )
            return Survived(
                outcome=outcome,
                answer=project.answer() if outcome.code == 0 else "",
                given=given[0],
            )
        finally:
            project.kubectl("delete", "namespace", project.name, "--wait=false", check=False)

    with ThreadPoolExecutor(len(FAULTS)) as pool:
        yield {fault: pool.submit(play, fault, seconds) for fault, seconds in FAULTS.items()}


def test_an_api_server_away_at_the_start_is_told_at_once(project: Project, tmp_path: Path) -> None:
    with between(project, tmp_path) as proxy:
        proxy.cut()
        outcome = finished(project, start(project))
    assert outcome.code == 8
    # Minikube runs, so it must be the kubeconfig that leads elsewhere; and here it really does.
    assert outcome.last["id"] == "kubeconfig-stale"
    assert "the kubeconfig leads elsewhere" in outcome.text
    assert "minikube update-context" in outcome.text
    assert "; waiting" not in outcome.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_wait_ends_at_once_with_everything_written(
    project: Project, number: signal.Signals
) -> None:
    slow_start(project, 5)

    def interrupt(_project: Project, run: Running) -> None:
        run.until("not ready yet")
        run.process.send_signal(number)

    outcome = finished(project, start(project), interrupt)
    assert outcome.code == 130
    assert outcome.last["id"] == "interrupted"
    again = project.apply()
    assert again.of("ended")[0]["text"].startswith("nothing changed")
    assert project.answer() == "hello 1"


def test_a_killed_run_leaves_nothing_that_the_next_one_minds(project: Project) -> None:
    slow_start(project, 5)

    def kill(_project: Project, run: Running) -> None:
        run.until("not ready yet")
        run.process.kill()

    assert finished(project, start(project), kill).code == -9
    assert project.apply().of("ended")
    assert project.answer() == "hello 1"
    assert project.run("teardown").code == 0
    assert project.kubectl("get", "namespace", project.name, check=False) == ""


def test_an_api_server_away_for_ten_seconds_is_survived(
    survived: dict[Fault, Future[Survived]],
) -> None:
    play = survived[for_ten_seconds].result()
    assert play.outcome.code == 0, play.outcome.text
    assert play.outcome.waited > 10
    assert play.answer == "hello 1"


def test_an_api_server_that_comes_back_without_news_is_not_given_up(
    survived: dict[Fault, Future[Survived]],
) -> None:
    """Nothing changes after the drop until long after the patience with a silent server is over."""
    play = survived[for_a_moment].result()
    assert play.outcome.code == 0, play.outcome.text
    assert play.outcome.ended - play.given > PATIENCE


def test_an_api_server_away_for_good_is_given_up_after_its_time(
    survived: dict[Fault, Future[Survived]],
) -> None:
    play = survived[for_good].result()
    outcome = play.outcome
    assert outcome.ended - play.given > PATIENCE
    assert outcome.code == 8
    assert outcome.last["id"] == "api-lost"
    assert "30 s" in outcome.text
    assert "minikube status" in outcome.text
    waiting = "the API server does not answer; waiting"
    assert any(waiting in event.get("text", "") for event in outcome.events)


def test_watches_cut_every_second_change_nothing(survived: dict[Fault, Future[Survived]]) -> None:
    play = survived[every_second].result()
    assert play.outcome.code == 0, play.outcome.text
    assert play.given > 5, "nothing was cut"
    assert play.answer == "hello 1"
