"""What the builders in Minikube's nodes print, read as the steps of one build.

`docker build` and `buildctl` print BuildKit's plain progress, `#5 [2/3] RUN make`; podman prints
`STEP 2/3: RUN make`. Each line becomes an event as it comes.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

from kubekit.events import BuildLog, BuildStep, Emit
from kubekit.image.account.steps import Account
from kubekit.image.files.dockerfile import Dockerfile, Instruction

_KEPT = 10_000
"""Lines of a step's output that are kept, for the case that it fails."""
_INTERNAL = "[internal]"
_MARK = re.compile(r"#(?P<number>\d+) (?P<text>.*)", re.DOTALL)
_END = re.compile(
    r"(?P<before>.*?)#(?P<number>\d+) "
    r"(?:DONE (?P<seconds>\d+\.\d+)s|(?P<cached>CACHED)|(?P<stopped>CANCELED)|ERROR: (?P<error>.*))"
)
_OUTPUT = re.compile(r"\d+\.\d+ (?P<text>.*)")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_PODMAN = re.compile(r"(?:\[(?P<stage>\d+/\d+)\] )?STEP (?P<number>\d+/\d+): (?P<text>.*)")
_LAST_WORD = re.compile(r"(?:error|ERROR|Error): (?P<text>.*)")
_RULE = "------"


@dataclass(kw_only=True)
class _Step:
    name: str
    ended: bool = False
    output: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT))


class PlainText:
    """Takes a builder's lines, emits them as events, and keeps what an error needs."""

    def __init__(self, emit: Emit, parsed: Dockerfile) -> None:
        self._account = Account(emit, parsed)
        self._parsed = parsed
        self._emit = emit
        self._steps: dict[str, _Step] = {}
        self._podman: _Step | None = None
        self._loose: deque[str] = deque(maxlen=_KEPT)
        self._failed = ""

    def add(self, line: str) -> None:
        """Take one line."""
        text = line.rstrip("\r\n").rpartition("\r")[2]
        if ended := self._ended(text):
            before, number = ended["before"], ended["number"]
            if before:  # a last line of output without its newline
                self.add(before)
            self._end(self._steps[number], ended)
        elif mark := _MARK.fullmatch(text):
            self._marked(mark["number"], mark["text"])
        elif step := _PODMAN.fullmatch(text):
            self._podman_step(step)
        elif self._podman is not None and not _LAST_WORD.match(text):
            self._print(self._podman, text)
        elif text.strip():
            self._loose.append(text)

    def end(self, code: int) -> Account:
        """Close the account once the builder has ended with an exit code."""
        if code == 0:
            self._podman_done("done")
        else:
            self._podman_done("failed")
            self._account.error = self._failed or self._last_word(code)
        return self._account

    def _ended(self, text: str) -> re.Match[str] | None:
        match = _END.fullmatch(text)
        return match if match and match["number"] in self._steps else None

    def _marked(self, number: str, text: str) -> None:
        step = self._steps.get(number)
        if step is None:
            step = self._steps[number] = _Step(name=_DIGEST.sub("", text))
            self._tell(step, "started")
        elif (output := _OUTPUT.fullmatch(text)) and not step.ended:
            # Docker 20.10 prints a last line without its newline again after the step's end.
            self._print(step, output["text"])

    def _end(self, step: _Step, match: re.Match[str]) -> None:
        if step.ended:
            return
        if match["error"] is not None:
            stopped = "context canceled" in match["error"]
            if not self._failed and not stopped:
                self._failed = match["error"]
                self._blame(step, self._parsed.locate(step.name))
            state = "failed"
        else:
            state = "cached" if match["cached"] else "failed" if match["stopped"] else "done"
        step.ended = True
        self._tell(step, state, float(match["seconds"] or 0.0))

    def _blame(self, step: _Step, instruction: Instruction | None) -> None:
        account = self._account
        account.failed, account.tail = step.name, tuple(step.output)
        account.instruction = instruction

    def _print(self, step: _Step, text: str) -> None:
        step.output.append(text)
        self._emit(BuildLog(step=step.name, line=text))

    def _tell(self, step: _Step, state: str, seconds: float = 0.0) -> None:
        if state == "failed" or not step.name.startswith(_INTERNAL):
            self._emit(BuildStep(step=step.name, state=state, seconds=seconds))

    def _podman_step(self, match: re.Match[str]) -> None:
        self._podman_done("done")
        label = " ".join(part for part in (match["stage"], match["number"]) if part)
        self._podman = _Step(name=f"[{label}] {match['text']}")
        self._tell(self._podman, "started")

    def _podman_done(self, state: str) -> None:
        step, self._podman = self._podman, None
        if step is None:
            return
        cached = any(line.startswith("--> Using cache") for line in step.output)
        if state == "failed":
            self._blame(step, self._written(step.name.partition("] ")[2]))
        self._tell(step, "cached" if cached and state == "done" else state)

    def _written(self, text: str) -> Instruction | None:
        """The instruction by its text alone: podman counts all, and not only those with a layer."""
        stages = self._parsed.stages
        instructions = (item for stage in stages for item in (stage.origin, *stage.body))
        return next((one for one in instructions if f"{one.keyword} {one.text}" == text), None)

    def _last_word(self, code: int) -> str:
        for line in reversed(self._loose):
            if match := _LAST_WORD.match(line):
                return match["text"].replace("exit status", "exit code:")
        lines = [line for line in self._loose if line != _RULE]
        return lines[-1] if lines else f"the builder ended with exit code: {code}"
