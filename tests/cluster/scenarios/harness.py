"""Playing a scenario: its project, its run, what was seen in the API meanwhile, its end."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.conftest import DOCKERFILE, PROFILE, Project, small_project
from tests.cluster.scenarios.recorder import Record, Recorder
from tests.cluster.scenarios.running import Outcome, Running, finished, start
from tests.cluster.scenarios.scenario import FILE, Scenario
from tests.together import alone, beside

HERE = Path(__file__).parent
KUBECTL_SECONDS = 20
"""How long `kubectl rollout status` is listened to."""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What `kubectl rollout status` made of the same rollout."""

    code: int
    words: str
    seconds: float
    """From the moment the Deployment was there."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """A scenario that was played.

    Attributes:
        evidence: the first change in the API that showed the failure, if there was one.
        kubectl: what kubectl told beside, if it was asked and there was a Deployment.
    """

    scenario: Scenario
    outcome: Outcome
    evidence: Record | None
    kubectl: Beside | None

    @property
    def after_apply(self) -> float:
        """Seconds from the apply to the verdict."""
        return self.outcome.verdict - self.outcome.applied

    @property
    def after_evidence(self) -> float | None:
        """Seconds from the first evidence to the verdict."""
        return None if self.evidence is None else self.outcome.verdict - self.evidence.arrived


def make(parent: Path, environ: dict[str, str], scenario: Scenario) -> Project:
    """The project of a scenario; all share one name, and so one image, but no namespace."""
    project = small_project(parent, environ)
    project.write(
        "kubekit.yaml",
        f"name: tasks\nnamespace: {project.name}\nbuild: {{context: app}}\n"
        f"timeout: 120s\nvalues: {{mode: {scenario.mode}}}\n",
    )
    (project.folder / ".env").unlink()
    project.write("app/Dockerfile", DOCKERFILE)
    project.write("app/server.py", (HERE / "app.py").read_text())
    project.write(FILE, scenario.manifest)
    for old, new in scenario.edits:
        project.edit(FILE, old, new)
    return project


def play(
    parent: Path,
    environ: dict[str, str],
    scenario: Scenario,
    *,
    recorder: Recorder,
    beside: bool,
) -> Played:
    """One scenario from its beginning to its end; its namespace is gone or going afterwards."""
    project = make(parent, environ, scenario)
    try:
        if scenario.prepare is not None:
            scenario.prepare(project)
        run = start(project, *scenario.flags, program=scenario.program)
        with ThreadPoolExecutor(max_workers=1) as pool:
            kubectl = pool.submit(watch_beside, recorder, project, run) if beside else None
            outcome = finished(project, run, scenario.meddle)
        return Played(
            scenario=scenario,
            outcome=outcome,
            evidence=scenario.evidence
            and recorder.first(project.name, scenario.evidence, since=run.began, seconds=3),
            kubectl=kubectl.result() if kubectl else None,
        )
    finally:
        if scenario.cleanup is not None:
            scenario.cleanup(project)
        if scenario.leaves:
            project.kubectl("delete", scenario.leaves, "-l", f"scenario={project.name}")
        project.kubectl("delete", "namespace", project.name, "--wait=false", check=False)


def watch_beside(recorder: Recorder, project: Project, run: Running) -> Beside | None:
    """`kubectl rollout status` from the moment this run has written the Deployment."""
    while True:
        there = recorder.first(
            project.name, lambda record: record.kind == "Deployment", since=run.began, seconds=1
        )
        if there is not None:
            break
        if run.process.poll() is not None:
            return None
    command = ["kubectl", "--context", PROFILE, "-n", project.name, "rollout", "status"]
    done = subprocess.run(
        [*command, "deploy/web", f"--timeout={KUBECTL_SECONDS}s"],
        env=project.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    words = done.stdout.strip().splitlines() or [""]
    return Beside(code=done.returncode, words=words[-1], seconds=time.monotonic() - there.arrived)


class Stage:
    """Plays scenarios side by side, and those that must be alone one by one after all others."""

    def __init__(
        self,
        parent: Path,
        environ: dict[str, str],
        *,
        recorder: Recorder,
        workers: int,
        beside: bool,
    ) -> None:
        self._parent = parent
        self._environ = environ
        self._recorder = recorder
        self._beside = beside
        self._together = ThreadPoolExecutor(max_workers=workers)
        self._alone = ThreadPoolExecutor(max_workers=1)
        self._others: list[Future[Played]] = []
        self._lock = threading.Lock()
        self._waiting = 0
        self._cluster: contextlib.ExitStack | None = None

    def add(self, scenario: Scenario) -> Future[Played]:
        """Play it when its turn comes; those that must be alone are added last."""
        if scenario.alone:
            with self._lock:
                self._waiting += 1
            return self._alone.submit(self._play_alone, scenario)
        future = self._together.submit(self._play, scenario)
        self._others.append(future)
        return future

    def close(self) -> None:
        """Let what runs end, and start nothing more."""
        for pool in (self._together, self._alone):
            pool.shutdown(cancel_futures=True)
        self._leave_cluster()

    def _play(self, scenario: Scenario) -> Played:
        with beside():
            return self._played(scenario)

    def _play_alone(self, scenario: Scenario) -> Played:
        if not all(future.done() for future in self._others):
            self._leave_cluster()  # one that is played anew waits for it
        for future in self._others:
            future.exception()
        if self._cluster is None:  # for all of them at once: other workers have to wait
            self._cluster = contextlib.ExitStack()
            self._cluster.enter_context(alone())
        try:
            return self._played(scenario)
        finally:
            with self._lock:
                self._waiting -= 1
            if not self._waiting:
                self._leave_cluster()

    def _leave_cluster(self) -> None:
        if self._cluster is not None:
            self._cluster.close()
            self._cluster = None

    def _played(self, scenario: Scenario) -> Played:
        return play(
            self._parent, self._environ, scenario, recorder=self._recorder, beside=self._beside
        )
