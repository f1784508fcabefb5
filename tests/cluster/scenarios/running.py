"""A run of kubekit that others may meddle with while it lasts."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.conftest import Project
from tests.conftest import KUBEKIT

THROUGH = "THROUGH"
"""The variable of a project that names another kubeconfig, for kubekit alone."""


@dataclass(kw_only=True)
class Running:
    """A run of kubekit, and the lines it has printed so far with when they came."""

    process: subprocess.Popen[str]
    began: float = field(default_factory=time.monotonic)
    lines: list[tuple[float, str]] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.arrived:
                self.lines.append((time.monotonic(), line))
                self.arrived.notify_all()

    def until(self, text: str, seconds: float = 150) -> None:
        """Wait until the run has said this."""

        def said() -> bool:
            return any(text in line for _, line in self.lines)

        with self.arrived:
            assert self.arrived.wait_for(said, seconds), f"{text!r} was not said: {self.lines}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended; all moments are of `time.monotonic`."""

    project: Project
    code: int
    lines: tuple[tuple[float, dict[str, Any]], ...]
    err: str
    began: float
    ended: float

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for _, event in self.lines]

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def text(self) -> str:
        """All that is said at the end."""
        end = self.last
        said = (end.get("message") or end["text"], *end.get("details", ()), *end["hints"])
        return "\n".join(said)

    @property
    def total(self) -> float:
        """Seconds from the start of the process to its end."""
        return self.ended - self.began

    @property
    def waited(self) -> float:
        """Seconds from the start of the last stage to the end of the process."""
        stages = [when for when, event in self.lines if event["type"] == "stage-started"]
        return self.ended - (stages[-1] if stages else self.began)

    @property
    def applied(self) -> float:
        """When the first object was written, or else when the stage began in which it failed."""
        for when, event in self.lines:
            if event["type"] == "object":
                return when
        return self.ended - self.waited

    @property
    def verdict(self) -> float:
        """When the last line came."""
        return self.lines[-1][0]


def start(project: Project, *flags: str, program: tuple[str, ...] = (str(KUBEKIT),)) -> Running:
    """`kubekit build-and-apply`, not waited for."""
    process = subprocess.Popen(
        [*program, "build-and-apply", "-o", "json", *flags],
        cwd=project.folder,
        env={**project.env, "KUBECONFIG": project.env.get(THROUGH, project.env["KUBECONFIG"])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Running(process=process)


def finished(project: Project, run: Running, meddle: Any = None) -> Outcome:
    """The end of a run, meddled with while it lasts."""
    reader = threading.Thread(target=run.read)
    reader.start()
    try:
        if meddle is not None:
            meddle(project, run)
        assert run.process.stderr is not None
        err = run.process.stderr.read()
        code = run.process.wait(timeout=200)
    finally:
        run.process.kill()
        reader.join()
        run.process.__exit__(None, None, None)
    return Outcome(
        project=project,
        code=code,
        lines=tuple((when, json.loads(line)) for when, line in run.lines),
        err=err,
        began=run.began,
        ended=time.monotonic(),
    )


@contextlib.contextmanager
def dev(project: Project, *flags: str) -> Iterator[Running]:
    """`kubekit dev`, killed at the end if it still runs."""
    pipe = subprocess.PIPE
    command = [KUBEKIT, "dev", "-o", "json", *flags]
    with subprocess.Popen(
        command, cwd=project.folder, env=project.env, stdout=pipe, stdin=pipe, text=True
    ) as process:
        run = Running(process=process)
        reader = threading.Thread(target=run.read)
        reader.start()
        try:
            yield run
        finally:
            process.kill()
            reader.join()
