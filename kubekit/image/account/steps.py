"""The steps of one build: what the daemon tells, as events, and the sentence if it fails."""

from __future__ import annotations

import base64
import difflib
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubekit.errors import BuildError, FilesError, Place
from kubekit.events import BuildLog, BuildStep, Emit
from kubekit.image.account import classic, failures
from kubekit.image.buildkit import trace as buildkit
from kubekit.image.buildkit.trace import Vertex
from kubekit.image.files.context import ignore_path
from kubekit.image.files.dockerfile import Dockerfile, Instruction
from kubekit.model import BuildPlan

_KEPT = 1_000_000
"""Bytes of a step's output that are kept, for the case that it fails."""
_LONG = 200
"""Characters of a command that a message repeats."""
_COMMAND_OF = re.compile(r"(?:\[[^\]]*\] )?(?:Step \d+/\d+ ?: )?", re.IGNORECASE)
_INTERNAL = ("[internal]", "copy /context")
_INSTRUCTIONS = (
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"),
    *("ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)
_EXIT = re.compile(r"(?:exit code:|non-zero code:) (\d+)")
_SYNTAX = re.compile(r"dockerfile parse error(?: on)? line (\d+): (.*)", re.IGNORECASE | re.DOTALL)
_WRONG = re.compile(
    r"no build stage in current context|the Dockerfile .*?cannot be empty|ENV must have two"
    r"|unsupported mount type|failed to process \"|Invalid containerPort|failed to parse platform"
)
"""What builders say of a Dockerfile without a line."""
_NO_STAGE = re.compile(r"target stage \S+ could not be found|failed to reach build target")
_NO_SOURCE = re.compile(
    r"\"/?(?P<path>[^\"]+)\":? not found"
    # The daemon's own folders, where stage and context are, mean nothing to a person.
    r"|l?stat /?(?:var/lib/\S+?/(?:merged|docker-builder\d+)/)?(?P<stat>\S+):"
    r" (?:no such file|file does not exist)"
)
_PREFIX = re.compile(
    r"^(failed to solve[^:]*|rpc error|failed to parse Dockerfile|(?:ADD|COPY) failed"
    r"|failed to load cache key|process \".*?\" did not complete successfully"
    r"|failed to create LLB definition|executor failed[^:]*"
    r"|failed to create shim task|OCI runtime create failed|runc create failed): "
)


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
        self.instruction = self._parsed.locate(step.name) or self._written(step.name)

    def _written(self, name: str) -> Instruction | None:
        """The instruction by its text alone: podman counts in its own way."""
        command = _command(name)
        instructions = self._parsed.instructions
        return next((one for one in instructions if f"{one.keyword} {one.text}" == command), None)

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


def explain(
    account: Account, parsed: Dockerfile, plan: BuildPlan, *, room: tuple[str, ...] = ()
) -> BuildError | FilesError:
    """Turn the failure of a build into one sentence, with the place in the Dockerfile.

    Args:
        account: the build; its `error` is set.
        parsed: the Dockerfile.
        plan: what was built.
        room: what to do when the disk is full where it was built.
    """
    said = account.error or ""
    file = plan.settings.dockerfile
    if syntax := _SYNTAX.search(said):
        return _wrong(syntax[2].strip(), Place(file=file, line=int(syntax[1])))
    if _WRONG.search(said):
        return _wrong(_reason(said), Place(file=file, line=_line_of(said, account, parsed)))
    if "syntax" in parsed.directives and account.failed.startswith("resolve image config for "):
        return _no_syntax(parsed, said, file)
    if _NO_STAGE.search(said) and plan.settings.target is not None:
        return _no_stage(plan.settings.target, parsed, file)
    instruction, missing = account.instruction, _NO_SOURCE.search(said)
    command = _cropped(_command(account.failed))
    if missing and instruction and instruction.keyword in {"COPY", "ADD"}:
        return _no_source(command, missing["path"] or missing["stat"], instruction, plan)
    place = Place(file=file, line=instruction.line if instruction else None)
    return _no_step(account, command, place, room)


def _no_step(account: Account, command: str, place: Place, room: tuple[str, ...]) -> BuildError:
    """The general case: a step that ended with a code, or that the daemon could not do."""
    said = account.error or ""
    found = _EXIT.search(said)
    code = int(found[1]) if found else None
    if code is not None:
        killed = " (killed)" if code == failures.KILLED else ""
        what = f"`{command}`" if command else "a step that the builder does not name"
        message = f"{what} ended with exit code {code}{killed}"
    else:
        reason = _reason(said)
        message = f"`{command}` failed: {reason}" if command else f"the build failed: {reason}"
    if code is None and failures.FULL.search(said):
        return BuildError(message, place=place, details=account.tail, hints=room, id="disk-full")
    hints = failures.clues((*account.tail, said), code, room=room)
    return BuildError(message, place=place, details=account.tail, hints=hints, id="build-step")


def _command(step: str) -> str:
    """What a step does, without the builder's count."""
    return _COMMAND_OF.sub("", step, 1)


def _cropped(command: str) -> str:
    return command if len(command) <= _LONG else f"{command[:_LONG]}..."


def _no_stage(target: str, parsed: Dockerfile, file: Path) -> BuildError:
    names = [stage.name for stage in parsed.stages if stage.name]
    close = difflib.get_close_matches(target, names, n=1)
    there = f"stages there: {', '.join(names)}" if names else "no stage there has a name"
    return BuildError(
        f"the Dockerfile has no stage `{target}`, which `build.target` asks for",
        hints=(f"did you mean `{close[0]}`?" if close else there,),
        place=Place(file=file),
        id="stage-missing",
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
        hints = ("paths there start at `/`, whatever its `WORKDIR` is",)
        return BuildError(message, place=place, hints=hints, id="copy-source")
    there = (plan.settings.context / path).exists()
    rules = ignore_path(plan.settings).name
    why = f"is excluded by `{rules}`" if there else "is not in the build context"
    hint = (
        f"let it through with a line `!{path}` there" if there else "paths start at `build.context`"
    )
    message = f"`{command}` failed: `{path}` {why}"
    return BuildError(message, place=place, hints=(hint,), id="copy-source")


def _wrong(said: str, place: Place) -> FilesError:
    return FilesError(
        f"the Dockerfile is wrong: {said}",
        hints=_near(said),
        place=place,
        id="dockerfile-syntax",
    )


def _line_of(said: str, account: Account, parsed: Dockerfile) -> int | None:
    """The line of what is quoted, named last, or the only instruction of its kind."""
    if account.instruction is not None:
        return account.instruction.line
    text = _reason(said)
    quoted = re.search(r"\"([^\"]+)\"", text)
    word = quoted[1] if quoted else text.split()[-1]
    written = {one.line: f"{one.flags} {one.text}" for one in parsed.instructions}
    lines = [line for line, text in written.items() if word in text]
    kind = text.split()[0]
    lines = lines or [one.line for one in parsed.instructions if one.keyword == kind]
    return lines[0] if len(lines) == 1 else None


def _near(said: str) -> tuple[str, ...]:
    unknown = re.search(r"unknown instruction: (\w+)", said, re.IGNORECASE)
    close = difflib.get_close_matches(unknown[1].upper(), _INSTRUCTIONS, n=1) if unknown else ()
    if close:
        return (f"did you mean `{close[0]}`?",)
    return ("how each instruction is written: https://docs.docker.com/reference/dockerfile/",)


def _reason(said: str) -> str:
    text = said.strip()
    while match := _PREFIX.match(text):
        text = text[match.end() :]
    return text.splitlines()[0] if text else "the daemon gives no reason"
