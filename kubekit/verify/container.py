"""One container of the image: waited for, asked from inside, stopped."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.resources
import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kubekit.errors import CancelledError
from kubekit.image.docker.containers import Containers, GoneError, Wanted
from kubekit.model import Cancel
from kubekit.verify.model import Answer, Process, Start

_STEP = 3.0
"""Seconds that one question may wait inside for the app."""
_PAUSE = 0.3
_LAST = 12
_STREAK = 8
_FRACTION = re.compile(r"\.(\d{1,6})\d*")


class NoAnswerError(Exception):
    """The container cannot be asked; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A container, and how it is asked.

    Attributes:
        python: the path of a Python in it.
        host: the Host that its app is asked by; empty for its address.
    """

    containers: Containers
    id: str
    python: str
    host: str
    cancel: Cancel

    def call(self, function: str, *arguments: Any) -> Any:
        """Call a function of `inside`.

        Raises:
            NoAnswerError: it could not be.
        """
        if self.cancel.is_set():
            raise CancelledError("interrupted")
        program = _program()
        said = json.dumps([function, arguments])
        command = [self.python, "-I", "-S", "-B", "-c", program, said]
        try:
            code, out = self.containers.exec(self.id, command)
        except GoneError as error:
            raise NoAnswerError(str(error)) from error
        if code:
            raise NoAnswerError(f"`{self.python}` in the container ended with {code}")
        try:
            answer = json.loads(out)
        except ValueError as error:
            raise NoAnswerError(f"`{self.python}` in the container says no JSON") from error
        if isinstance(answer, dict):
            raise NoAnswerError(str(answer["error"]))
        return answer

    def routes(self, port: int, kinds: Iterable[Sequence[str]]) -> dict[str, Answer]:
        """What each route answers; of a kind, those up to the first that is there."""
        asked = self.call("routes", port, [list(paths) for paths in kinds], self.host)
        return {path: Answer(status=status, body=body) for path, status, body in asked}

    def listening(self) -> tuple[tuple[str, int], ...]:
        """The addresses and ports that it listens on."""
        return tuple((address, port) for address, port in self.call("listening"))

    def processes(self) -> tuple[Process, ...]:
        """Process 1 and all that come from it: others, as a HEALTHCHECK's, were put beside it."""
        found = [
            Process(pid=pid, parent=parent, command=tuple(command), user=user)
            for pid, parent, command, user in self.call("processes")
        ]
        return descendants(found)

    def wait(self, port: int | None, path: str, *, patience: float) -> tuple[Start, int]:
        """Wait until it answers, and say on which port; or why it does not."""
        end = time.monotonic() + patience
        while True:
            state = self.containers.inspect(self.id)["State"]
            if not state["Running"]:
                return self._start(up=False, text=_ended(state)), 0
            why = ""
            try:
                if found := self.call("wait", port, path, _STEP, self.host):
                    seconds = max(found[2] - _seconds(state["StartedAt"]), 0.0)
                    return Start(up=True, seconds=seconds), int(found[0])
            except NoAnswerError as error:
                why = f": {error}"
            if time.monotonic() >= end:
                where = f"port {port}" if port else "any port"
                text = f"no answer on {where} in {patience:.0f} s{why}"
                return self._start(up=False, text=text), 0
            if self.cancel.wait(_PAUSE):
                raise CancelledError("interrupted")

    def health(self, patience: float) -> tuple[str, str]:
        """What its HEALTHCHECK comes to, and what the last run of it said; empty without one.

        On a machine that is busy some runs of it take too long: only many in a row count.
        """
        end = time.monotonic() + patience
        while True:
            about = self.containers.inspect(self.id)["State"]
            health = about.get("Health") or {}
            status = str(health.get("Status") or "")
            ended = status in ("", "none", "healthy") or not about["Running"]
            if ended or int(health["FailingStreak"]) >= _STREAK or time.monotonic() >= end:
                log = health.get("Log") or [{}]
                return status, str(log[-1].get("Output") or "").strip()
            if self.cancel.wait(_PAUSE):
                raise CancelledError("interrupted")

    def stop(self, grace: int) -> tuple[float, int]:
        """Stop it: how long that took, and the exit code."""
        start = time.monotonic()
        code = self.containers.stop(self.id, grace)
        return time.monotonic() - start, code

    def _start(self, *, up: bool, text: str) -> Start:
        return Start(up=up, text=text, log=self.containers.logs(self.id, _LAST))


@contextlib.contextmanager
def running(
    containers: Containers, wanted: Wanted, *, python: str, host: str, cancel: Cancel
) -> Iterator[Running]:
    """A container of the image, that is gone afterwards.

    Raises:
        GoneError: it cannot start.
    """
    if cancel.is_set():
        raise CancelledError("interrupted")
    made = containers.run(wanted)
    try:
        yield Running(containers=containers, id=made, python=python, host=host, cancel=cancel)
    finally:
        containers.remove(made)


def descendants(processes: Iterable[Process]) -> tuple[Process, ...]:
    """Process 1, and those that it or one of them has started; a parent has the lower number."""
    kept: dict[int, Process] = {}
    for each in sorted(processes, key=lambda one: one.pid):
        if each.pid == 1 or each.parent in kept:
            kept[each.pid] = each
    return tuple(kept.values())


def failed_start(error: GoneError, log: Sequence[str] = ()) -> Start:
    """What becomes of a container that the daemon cannot start."""
    return Start(up=False, text=f"it cannot start: {error}", log=tuple(log))


def _ended(state: dict[str, Any]) -> str:
    killed = " (out of memory)" if state.get("OOMKilled") else ""
    said = f": {state['Error']}" if state.get("Error") else ""
    return f"it ended at once, with exit code {state['ExitCode']}{killed}{said}"


def _seconds(time_: str) -> float:
    """A time of the daemon, which has nine digits behind the point, since the epoch."""
    text = _FRACTION.sub(lambda found: f".{found.group(1):0<6}", time_)
    return dt.datetime.fromisoformat(text).timestamp()


def _program() -> str:
    return importlib.resources.files("kubekit.verify").joinpath("inside.py").read_text("utf-8")
