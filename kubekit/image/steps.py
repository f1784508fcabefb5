"""The steps of one build: what the daemon tells, as events, and the sentence if it fails."""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubekit.errors import BuildError, Place
from kubekit.events import BuildLog, BuildStep, Emit
from kubekit.image import buildkit
from kubekit.image.buildkit import Vertex, VertexLog
from kubekit.image.dockerfile import Dockerfile, Instruction
from kubekit.model import BuildPlan

_TAIL = 30
_INTERNAL = ("[internal]", "copy /context")
_EXIT = re.compile(r"exit code: (\d+)")
_SYNTAX = re.compile(r"dockerfile parse error(?: on)? line (\d+): (.*)", re.IGNORECASE | re.DOTALL)
_NO_SOURCE = re.compile(
    r"\"/?(?P<path>[^\"]+)\":? not found"
    # The daemon's own folder, where the stage is mounted, means nothing to a person.
    r"|lstat /?(?:var/lib/\S+?/merged/)?(?P<lstat>\S+): no such file"
)
_PREFIX = re.compile(
    r"^(failed to solve[^:]*|rpc error|failed to create LLB definition|executor failed[^:]*): "
)


@dataclass(kw_only=True)
class _Step:
    name: str
    state: str = ""
    rest: bytes = b""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))


class Account:
    """Takes the daemon's messages, emits them as events, and keeps what an error needs.

    Attributes:
        image_id: the ID of the built image, once the daemon told it.
        error: what the daemon said when the build failed.
        failed: the name of the step that failed.
        tail: the last lines that step printed.
    """

    def __init__(self, emit: Emit) -> None:
        self.image_id: str | None = None
        self.error: str | None = None
        self.failed = ""
        self.tail: tuple[str, ...] = ()
        self._emit = emit
        self._steps: dict[str, _Step] = {}

    def add(self, message: Mapping[str, Any]) -> None:
        """Take one message of the stream that `POST /build` answers with."""
        if "error" in message:
            self.error = str(message["error"])
        elif message.get("id") == "moby.image.id":
            self.image_id = str(message["aux"]["ID"])
        elif message.get("id") == "moby.buildkit.trace":
            vertexes, logs = buildkit.decode(base64.b64decode(message["aux"]))
            # A step's name comes before its output, its end after: so names, output, ends.
            for vertex in vertexes:
                self._begin(vertex)
            for log in logs:
                self._print(log)
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
        if vertex.completed is None or step.state in {"done", "cached", "failed"}:
            return
        self._flush(step)
        step.state = "failed" if vertex.error else "cached" if vertex.cached else "done"
        if vertex.error and not self.failed and "context canceled" not in vertex.error:
            self.failed, self.tail = step.name, tuple(step.tail)
        self._tell(step, vertex.completed - (vertex.started or vertex.completed))

    def _print(self, log: VertexLog) -> None:
        step = self._steps.get(log.digest)
        if step is not None:
            *lines, step.rest = (step.rest + log.data).split(b"\n")
            for line in lines:
                self._line(step, line)

    def _flush(self, step: _Step) -> None:
        if step.rest:
            self._line(step, step.rest)
            step.rest = b""

    def _line(self, step: _Step, line: bytes) -> None:
        # A progress bar overwrites its line: what stands there in the end counts.
        text = line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]
        step.tail.append(text)
        self._emit(BuildLog(step=step.name, line=text))

    def _tell(self, step: _Step, seconds: float) -> None:
        if step.state == "failed" or not step.name.startswith(_INTERNAL):
            self._emit(BuildStep(step=step.name, state=step.state, seconds=seconds))


def explain(account: Account, parsed: Dockerfile, plan: BuildPlan) -> BuildError:
    """Turn the failure of a build into one sentence, with the place in the Dockerfile.

    Args:
        account: the build; its `error` is set.
        parsed: the Dockerfile.
        plan: what was built.
    """
    said = account.error or ""
    file = plan.settings.dockerfile
    syntax = _SYNTAX.search(said)
    if syntax:
        return BuildError(
            f"the Dockerfile is wrong: {syntax[2].strip()}",
            place=Place(file=file, line=int(syntax[1])),
            id="dockerfile-syntax",
        )
    if "syntax" in parsed.directives and account.failed.startswith("resolve image config for "):
        return _no_syntax(parsed, said, file)
    instruction = parsed.locate(account.failed)
    place = Place(file=file, line=instruction.line if instruction else None)
    command = account.failed.partition("] ")[2] or account.failed
    code = _EXIT.search(said)
    if code:
        message = f"`{command}` ended with exit code {code[1]}"
        return BuildError(message, place=place, details=account.tail, id="build-step")
    missing = _NO_SOURCE.search(said)
    if missing and instruction:
        path = missing["path"] or missing["lstat"]
        return _no_source(command, path, instruction, plan)
    reason = _reason(said)
    message = f"`{command}` failed: {reason}" if command else f"the build failed: {reason}"
    return BuildError(
        message, place=place, details=account.tail, hints=_hints(said), id="build-step"
    )


def _no_syntax(parsed: Dockerfile, said: str, file: Path) -> BuildError:
    return BuildError(
        f"the syntax image `{parsed.directives['syntax']}` cannot be pulled: {_reason(said)}",
        hints=("leave the line `# syntax=` out: the daemon has a syntax of its own",),
        place=Place(file=file, line=[*parsed.directives].index("syntax") + 1),
        id="syntax-image",
    )


def _no_source(command: str, path: str, copy: Instruction, plan: BuildPlan) -> BuildError:
    place = Place(file=plan.settings.dockerfile, line=copy.line)
    origin = next(iter(copy.values("from")), None)
    if origin is not None:
        message = f"`{command}` failed: `/{path}` is not in `{origin}`"
        return BuildError(message, place=place, id="copy-source")
    there = (plan.settings.context / path).exists()
    why = "is excluded by `.dockerignore`" if there else "is not in the build context"
    hint = f"let it through with a line `!{path}`" if there else "paths start at `build.context`"
    message = f"`{command}` failed: `{path}` {why}"
    return BuildError(message, place=place, hints=(hint,), id="copy-source")


def _reason(said: str) -> str:
    text = said.strip()
    while match := _PREFIX.match(text):
        text = text[match.end() :]
    return text.splitlines()[0] if text else "the daemon gives no reason"


def _hints(said: str) -> tuple[str, ...]:
    if "no space left on device" in said:
        return ("make room in Minikube's Docker: `kubekit docker -- system prune`",)
    return ()
