"""What the builders in Minikube's nodes print, read as the steps of one build.

`docker build` and `buildctl` print BuildKit's plain progress, `#5 [2/3] RUN make`; podman prints
`STEP 2/3: RUN make`. Each line tells something as it comes.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from kubekit.image.account.classic import Kind, Told

_LOOSE = 100
"""Lines of no step that are kept: a builder's last words stand in its last ones."""
_MARK = re.compile(r"#(?P<number>\d+) (?P<text>.*)", re.DOTALL)
_END = re.compile(
    r"(?P<before>.*?)#(?P<number>\d+) "
    r"(?:DONE (?P<seconds>\d+\.\d+)s|(?P<cached>CACHED)|CANCELED|ERROR: (?P<error>.*))"
)
_OUTPUT = re.compile(r"\d+\.\d+ (?P<text>.*)")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_PODMAN = re.compile(r"(?:\[\d+/\d+\] )?STEP \d+/\d+: .*")
_LAST_WORD = re.compile(r"(?:error|ERROR|Error): (?P<text>.*\S.*)")
_RULE = "------"


class Stream:
    """Takes a builder's lines in order and says what they tell, as `classic.Stream` does."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._ended: set[str] = set()
        self._podman = ""
        self._cached = False
        self._loose: deque[str] = deque(maxlen=_LOOSE)

    def add(self, line: str) -> Iterator[Told]:
        """Take one line."""
        text = line.rstrip("\n")
        end = _END.fullmatch(text)
        if end and end["number"] in self._names:
            if end["before"]:  # a last line of output without its newline
                yield from self.add(end["before"])
            yield from self._end(end)
        elif mark := _MARK.fullmatch(text):
            yield from self._marked(mark["number"], mark["text"])
        elif _PODMAN.fullmatch(text):
            yield from self._podman_done()
            self._podman, self._cached = text, False
            yield Told(step=text, kind="started")
        elif self._podman and not _LAST_WORD.match(text):
            self._cached = self._cached or text.startswith("--> Using cache")
            yield Told(step=self._podman, kind="printed", text=f"{text}\n")
        elif text.strip():
            self._loose.append(text)

    def end(self, code: int) -> Iterator[Told]:
        """The builder has ended, with an exit code."""
        if code == 0:
            yield from self._podman_done()
        else:
            yield Told(step=self._podman, kind="failed", text=self._last_word(code))

    def _marked(self, number: str, text: str) -> Iterator[Told]:
        if number not in self._names:
            self._names[number] = _DIGEST.sub("", text)
            yield Told(step=self._names[number], kind="started")
        elif (output := _OUTPUT.fullmatch(text)) and number not in self._ended:
            # Docker 20.10 prints a last line without its newline again after the step's end.
            yield Told(step=self._names[number], kind="printed", text=f"{output['text']}\n")

    def _end(self, match: re.Match[str]) -> Iterator[Told]:
        number, error = match["number"], match["error"] or ""
        if number in self._ended:
            return
        self._ended.add(number)
        kind: Kind = "cached" if match["cached"] else "done" if match["seconds"] else "failed"
        # Steps that are stopped because another has failed are no cause.
        said = "" if "context canceled" in error else error
        seconds = float(match["seconds"] or 0.0)
        yield Told(step=self._names[number], kind=kind, text=said, seconds=seconds)

    def _podman_done(self) -> Iterator[Told]:
        if self._podman:
            yield Told(step=self._podman, kind="cached" if self._cached else "done")
        self._podman = ""

    def _last_word(self, code: int) -> str:
        for line in reversed(self._loose):
            if match := _LAST_WORD.match(line):
                return match["text"].replace("exit status", "exit code:")
        lines = [line for line in self._loose if line != _RULE]
        return lines[-1] if lines else f"the builder ended with exit code: {code}"
