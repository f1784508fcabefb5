"""What a rollout survives: an API server that goes and comes, cut watches, a killed kubekit."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import PROFILE, Project
from tests.cluster.faultproxy import FaultProxy, in_front_of
from tests.cluster.scenarios.running import Outcome, Running, finished, start

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

PATIENCE = 30.0
MANIFEST = "manifests/app.yaml.j2"
DEPLOYED = '"stage": "rollout"'


@pytest.fixture
def proxy(project: Project, tmp_path: Path) -> Iterator[FaultProxy]:
    """Between the project's kubekit and the API server; kubectl goes straight there."""
    original = Path(project.env["KUBECONFIG"])
    view = ["kubectl", "config", "view", "--minify", "--context", PROFILE, "-o", "json"]
    done = subprocess.run(view, env=project.env, capture_output=True, check=True)
    server = json.loads(done.stdout)["clusters"][0]["cluster"]["server"]
    with in_front_of(server) as between:
        copy = between.kubeconfig(original, tmp_path / "kubeconfig", PROFILE)
        project.env["THROUGH"] = str(copy)
        yield between


def slow_start(project: Project, seconds: int) -> None:
    """The app becomes ready only after so many seconds."""
    project.edit(
        MANIFEST,
        "            periodSeconds: 1\n",
        f"            periodSeconds: 1\n            initialDelaySeconds: {seconds}\n",
    )


def run_through(
    project: Project, meddle: Callable[[Project, Running], None] | None = None
) -> Outcome:
    """A run that reaches the API server by way of the proxy only."""
    straight = project.env["KUBECONFIG"]
    project.env["KUBECONFIG"] = project.env["THROUGH"]
    try:
        run = start(project)
    finally:
        project.env["KUBECONFIG"] = straight
    return finished(project, run, meddle)


def told(outcome: Outcome, text: str) -> bool:
    return any(text in event.get("text", "") for event in outcome.events)


def test_an_api_server_away_for_ten_seconds_is_survived(
    project: Project, proxy: FaultProxy
) -> None:
    slow_start(project, 4)

    def away(_project: Project, run: Running) -> None:
        run.until("not ready yet")
        proxy.cut()
        run.until("the API server does not answer; waiting")
        time.sleep(10)
        assert run.process.poll() is None
        proxy.restore()

    outcome = run_through(project, away)
    assert outcome.code == 0, outcome.text
    assert outcome.waited > 10
    assert project.answer() == "hello 1"


def test_an_api_server_that_comes_back_without_news_is_not_given_up(
    project: Project, proxy: FaultProxy
) -> None:
    """Nothing changes after the drop until long after the patience with a silent server is over."""
    slow_start(project, int(PATIENCE) + 12)

    def blink(_project: Project, run: Running) -> None:
        run.until("not ready yet")
        proxy.cut()
        run.until("the API server does not answer; waiting")
        proxy.restore()

    outcome = run_through(project, blink)
    assert outcome.code == 0, outcome.text
    assert outcome.waited > PATIENCE


def test_an_api_server_away_at_the_start_is_told_at_once(
    project: Project, proxy: FaultProxy
) -> None:
    proxy.cut()
    outcome = run_through(project)
    assert outcome.code == 8
    # Minikube runs, so it must be the kubeconfig that leads elsewhere; and here it really does.
    assert outcome.last["id"] == "kubeconfig-stale"
    assert "the kubeconfig leads elsewhere" in outcome.text
    assert "minikube update-context" in outcome.text
    assert outcome.total < 10


def test_an_api_server_away_for_good_is_given_up_after_its_time(
    project: Project, proxy: FaultProxy
) -> None:
    slow_start(project, 50)
    cut_at: list[float] = []

    def away(_project: Project, run: Running) -> None:
        run.until("not ready yet")
        cut_at.append(time.monotonic())
        proxy.cut()

    outcome = run_through(project, away)
    assert PATIENCE < time.monotonic() - cut_at[0] < PATIENCE + 15
    assert outcome.code == 8
    assert outcome.last["id"] == "api-lost"
    assert "30 s" in outcome.text
    assert "minikube status" in outcome.text
    assert told(outcome, "the API server does not answer; waiting")


def test_watches_cut_every_second_change_nothing(project: Project, proxy: FaultProxy) -> None:
    slow_start(project, 6)
    over = threading.Event()
    dropped: list[int] = []

    def saw() -> None:
        while not over.wait(1.0):
            dropped.append(proxy.drop())

    def cutting(_project: Project, run: Running) -> None:
        run.until(DEPLOYED)
        cutter.start()

    cutter = threading.Thread(target=saw)
    try:
        outcome = run_through(project, cutting)
    finally:
        over.set()
        cutter.join()
    assert outcome.code == 0, outcome.text
    assert sum(dropped) > 5, "nothing was cut"
    assert project.answer() == "hello 1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_wait_ends_at_once_with_everything_written(
    project: Project, number: signal.Signals
) -> None:
    slow_start(project, 5)
    sent: list[float] = []

    def interrupt(_project: Project, run: Running) -> None:
        run.until("not ready yet")
        sent.append(time.monotonic())
        run.process.send_signal(number)

    outcome = finished(project, start(project), interrupt)
    assert time.monotonic() - sent[0] < 3
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
