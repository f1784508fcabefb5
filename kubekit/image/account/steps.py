"""The steps of one build: what the daemon tells, as events, and the sentence if it fails."""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubekit.events import BuildLog, BuildStep, Emit
from kubekit.image.account import classic
from kubekit.image.buildkit import trace as buildkit
from kubekit.image.buildkit.trace import Vertex
from kubekit.image.files.dockerfile import Dockerfile, Instruction
from kubekit.image.files.located import locate

_KEPT = 1_000_000
"""Bytes of a step's output that are kept, for the case that it fails."""
_COMMAND_OF = re.compile(r"(?:\[[^\]]*\] )?(?:Step \d+/\d+ ?: )?", re.IGNORECASE)
_INTERNAL = ("[internal]", "copy /context")


@dataclass(kw_only=True)
class _Step:
    name: str
    state: str = ""
    rest: bytes = b""
    kept: deque[str] = field(default_factory=deque)
    size: int = 0
    left_out: int = 0

    def keep(self, line: str) -> None:
        self.kept.append(line)
        self.size += len(line) + 1
        while self.size > _KEPT:
            gone = len(self.kept.popleft()) + 1
            self.size -= gone
            self.left_out += gone

    @property
    def output(self) -> tuple[str, ...]:
        if not self.left_out:
            return tuple(self.kept)
        before = f"({self.left_out / 1e6:.1f} MB before this are left out; `-v` prints all of it)"
        return (before, *self.kept)


class Account:
    """Takes the daemon's messages, emits them as events, and keeps what an error needs.

    Either builder's: BuildKit's traces, and the text of the classic builder.

    Attributes:
        image_id: the ID of the built image, once the daemon told it.
        error: what the daemon said when the build failed.
        failed: the name of the step that failed.
        instruction: which instruction of the Dockerfile that was.
        tail: what that step printed.
    """

    def __init__(self, emit: Emit, parsed: Dockerfile) -> None:
        self.image_id: str | None = None
        self.error: str | None = None
        self.failed = ""
        self.instruction: Instruction | None = None
        self.tail: tuple[str, ...] = ()
        self._emit = emit
        self._steps: dict[str, _Step] = {}
        self._parsed = parsed
        self._classic = classic.Stream()

    def add(self, message: Mapping[str, Any]) -> None:
        """Take one message of the stream that `POST /build` answers with."""
        if "error" in message:
            self._fail(str(message["error"]))
        elif message.get("id") == "moby.buildkit.trace":
            self._trace(base64.b64decode(message["aux"]))
        elif "stream" in message:
            for told in self._classic.add(str(message["stream"])):
                self.take(told)
        elif "ID" in (message.get("aux") or ()):
            self.image_id = str(message["aux"]["ID"])

    def _fail(self, said: str) -> None:
        self.error = said
        step = self._steps.get(self._classic.step)
        if step is not None:
            self._flush(step)
            self._blame(step)
            step.state = "failed"
            self._tell(step, self._classic.seconds)

    def _blame(self, step: _Step) -> None:
        self.failed, self.tail = step.name, step.output
        self.instruction = locate(self._parsed, step.name) or self._written(step.name)

    def _written(self, name: str) -> Instruction | None:
        """The instruction by its text: podman counts in its own way, an address has no count."""
        command = command_of(name)
        for one in self._parsed.instructions:
            fetched = one.keyword == "ADD" and command in one.text.split()
            if fetched or f"{one.keyword} {one.text}" == command:
                return one
        return None

    def take(self, told: classic.Told) -> None:
        """Take what a builder's text tells; its first failure is the build's."""
        first = told.kind == "failed" and bool(told.text) and self.error is None
        if first:
            self.error = told.text
        if not told.step:
            return
        step = self._steps.setdefault(told.step, _Step(name=told.step))
        if told.kind == "printed":
            self._output(step, told.text.encode())
            return
        self._flush(step)
        if first:
            self._blame(step)
        step.state = told.kind
        self._tell(step, told.seconds)

    def _trace(self, data: bytes) -> None:
        vertexes, logs = buildkit.decode(data)
        # A step's name comes before its output, its end after: so names, output, ends.
        for vertex in vertexes:
            self._begin(vertex)
        for log in logs:
            if log.digest in self._steps:
                self._output(self._steps[log.digest], log.data)
        for vertex in vertexes:
            self._end(vertex)

    def _begin(self, vertex: Vertex) -> None:
        step = self._steps.setdefault(vertex.digest, _Step(name=vertex.name))
        if vertex.started is None or step.state or vertex.completed is not None:
            return
        step.state = "started"
        self._tell(step, 0.0)

    def _end(self, vertex: Vertex) -> None:
        step = self._steps[vertex.digest]
        # A step that is not cached ends twice: when the cache was asked, and when it was done.
        ended = {"failed"} if vertex.error else {"done", "cached", "failed"}
        if vertex.completed is None or step.state in ended:
            return
        self._flush(step)
        step.state = "failed" if vertex.error else "cached" if vertex.cached else "done"
        if vertex.error and not self.failed and "context canceled" not in vertex.error:
            self._blame(step)
        self._tell(step, vertex.completed - (vertex.started or vertex.completed))

    def _output(self, step: _Step, data: bytes) -> None:
        *lines, step.rest = (step.rest + data).split(b"\n")
        for line in lines:
            self._line(step, line)

    def _flush(self, step: _Step) -> None:
        if step.rest:
            self._line(step, step.rest)
            step.rest = b""

    def _line(self, step: _Step, line: bytes) -> None:
        # A progress bar overwrites its line: what stands there in the end counts.
        text = line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]
        step.keep(text)
        self._emit(BuildLog(step=step.name, line=text))

    def _tell(self, step: _Step, seconds: float) -> None:
        if step.state == "failed" or not step.name.startswith(_INTERNAL):
            self._emit(BuildStep(step=step.name, state=step.state, seconds=seconds))


def command_of(step: str) -> str:
    """What a step does, without the builder's count."""
    return _COMMAND_OF.sub("", step, 1)
