"""What kubekit must know of a Dockerfile before the daemon reads it: images, stages, lines.

Lenient on purpose: the daemon judges the syntax. Grammar: Docker's Dockerfile reference.
"""

from __future__ import annotations

import bisect
import functools
import os
import re
import stat
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubekit.errors import FilesError, Place, shown
from kubekit.image.files import plain, variables
from kubekit.image.files.heredocs import Ends, begun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_DIRECTIVE = re.compile(r"#\s*(?P<key>[a-zA-Z][a-zA-Z0-9]*)\s*=\s*(?P<value>\S.*)")
_FLAG = re.compile(r"--(?P<name>[a-z-]+)(?:=(?P<value>\S*))?\s+")
_SPACE = re.compile(r"\s+")
_QUOTED = re.compile(r"^([\"'])(.*)\1$")
_ASSIGNMENT = re.compile(r"(?P<name>\w+)(?:=(?P<value>\"[^\"]*\"|'[^']*'|\S*))?")
_PLATFORM = re.compile(r"\$\{?(BUILD|TARGET)(PLATFORM|OS|ARCH)")
_WITH_HEREDOC = frozenset({"RUN", "COPY", "ADD"})
_OPEN = re.compile(r"[$\"'\\`]")
"""What lets a word mean another one than it says."""
_LONGEST = 8192
"""Characters: what a variable holds beyond them is no part of any image's name."""

INSTRUCTIONS = (
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"),
    *("ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)
"""All that should be written; MAINTAINER, which is deprecated, is only still understood."""


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction: its keyword in capitals, its flags, what follows, and its first line."""

    keyword: str
    flags: tuple[tuple[str, str], ...]
    text: str
    line: int

    def values(self, flag: str) -> tuple[str, ...]:
        """Return the values of `--flag`, in order."""
        return tuple(value for name, value in self.flags if name == flag)

    @property
    def mounts(self) -> tuple[Mapping[str, str], ...]:
        """The options of each `--mount`."""
        return tuple(
            {
                key.lower(): set_to
                for key, _, set_to in (option.partition("=") for option in value.split(","))
            }
            for value in self.values("mount")
        )

    @property
    def heredoc(self) -> bool:
        """Whether lines below it are handed to it as files, by ``<<EOF``."""
        return self.keyword in _WITH_HEREDOC and any(begun(self.text))


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One build stage: its `FROM` and the instructions below it."""

    index: int
    name: str
    base: str
    origin: Instruction
    body: list[Instruction] = field(default_factory=list)

    @property
    def sources(self) -> Iterator[tuple[str, Instruction]]:
        """Stages and images the instructions below `FROM` copy or mount from."""
        for instruction in self.body:
            for value in instruction.values("from"):
                yield value, instruction
            for mount in instruction.mounts:
                if "from" in mount:
                    yield mount["from"], instruction

    def start(self, scope: Mapping[str, str]) -> BaseImage:
        """What it starts from, be it an image or a stage above."""
        return _base_image(self.base, self.origin, scope)

    def images(self, scope: Mapping[str, str]) -> Iterator[BaseImage]:
        """What it starts from and takes from, be they images or stages above."""
        yield self.start(scope)
        yield from (_base_image(written, one, scope) for written, one in self.sources)


@dataclass(frozen=True, kw_only=True)
class BaseImage:
    """An image the build starts from; `reference` is empty where it lacks a variable's value."""

    reference: str
    written: str
    platform: str | None
    line: int


@dataclass(frozen=True, kw_only=True)
class Dockerfile:
    """A parsed Dockerfile; `directives` are the `# key=value` lines at its top."""

    directives: Mapping[str, str]
    arguments: tuple[Instruction, ...]
    stages: tuple[Stage, ...]

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """All of them in their order, those above the first `FROM` too."""
        below = (item for stage in self.stages for item in (stage.origin, *stage.body))
        return (*self.arguments, *below)

    @property
    def asks_for_platform(self) -> bool:
        """Whether a `FROM` depends on the daemon's platform, which takes a while to ask for."""
        return any(
            stage.origin.values("platform") or _PLATFORM.search(stage.base) for stage in self.stages
        )

    def stage(self, target: str | None) -> Stage | None:
        """Find a stage by name (case does not count) or number; the last one for None."""
        if target is None:
            return self.stages[-1] if self.stages else None
        return self._before(len(self.stages), target)

    def images(self, target: str | None, given: Mapping[str, str]) -> tuple[BaseImage, ...]:
        """List the images that building `target` needs, each once.

        Args:
            target: a stage; None for the last one.
            given: build arguments, the predefined ones like ``TARGETARCH`` included.
        """
        found: dict[tuple[str, str | None], BaseImage] = {}
        scope = self.scope(given)
        for stage in self._reached(target, scope):
            for image in stage.images(scope):
                if not self._before(stage.index, image.reference) and image.reference != "scratch":
                    found.setdefault((image.reference, image.platform), image)
        return tuple(sorted(found.values(), key=lambda image: image.line))

    def built(self, target: str | None, given: Mapping[str, str]) -> tuple[Stage, ...]:
        """List the stages that building `target` surely needs; `given` as for `images`."""
        # With what only the builder knows in its name, it is not sure to be any stage's.
        scope = self.scope({**dict.fromkeys(variables.PREDEFINED, "?"), **given})
        return tuple(sorted(self._reached(target, scope), key=lambda stage: stage.index))

    def above(self, stage: Stage, scope: Mapping[str, str]) -> Stage | None:
        """The stage that this one starts from; None where it starts from an image."""
        return self._before(stage.index, stage.start(scope).reference)

    def _reached(self, target: str | None, scope: Mapping[str, str]) -> Iterator[Stage]:
        waiting = [stage for stage in [self.stage(target)] if stage]
        done: set[int] = set()
        while waiting:
            stage = waiting.pop()
            if stage.index not in done:
                done.add(stage.index)
                yield stage
                labels = (image.reference for image in stage.images(scope))
                found = (self._before(stage.index, label) for label in labels)
                waiting += [before for before in found if before]

    def needed(self, target: str | None) -> tuple[Stage, ...]:
        """List the stages that building `target` may need: all before one that a variable names."""
        waiting = [stage for stage in [self.stage(target)] if stage]
        found: dict[int, Stage] = {}
        taken = 0  # all before this one wait or are found
        while waiting:
            stage = waiting.pop()
            if stage.index in found:
                continue
            found[stage.index] = stage
            for label in (stage.base, *(written for written, _ in stage.sources)):
                if _OPEN.search(label):
                    waiting += self.stages[taken : stage.index]
                    taken = max(taken, stage.index)
                elif before := self._before(stage.index, label):
                    waiting.append(before)
        return tuple(found[index] for index in sorted(found))

    @functools.cached_property
    def _labels(self) -> Mapping[str, list[int]]:
        """By what stages are called, in lower case, the stages that it may mean."""
        found: dict[str, list[int]] = {}
        for stage in self.stages:
            for label in {stage.name.lower(), str(stage.index)} - {""}:
                found.setdefault(label, []).append(stage.index)
        return found

    def _before(self, end: int, label: str) -> Stage | None:
        """The last stage that is called so, above the one with this index."""
        indexes = self._labels.get(label.lower(), [])
        at = bisect.bisect_left(indexes, end)
        return self.stages[indexes[at - 1]] if at else None

    def scope(self, given: Mapping[str, str]) -> dict[str, str]:
        """The values that a `FROM` sees: of what is given, and of the `ARG`s above the first."""
        scope = dict(given)
        for instruction in self.arguments:
            for match in _ASSIGNMENT.finditer(instruction.text):
                if match["value"] is not None and match["name"] not in given:
                    value = variables.expand(match["value"].strip("\"'"), scope)
                    # One that names others twice doubles with each line.
                    scope[match["name"]] = value[:_LONGEST]
        return scope


def read(file: Path) -> Dockerfile:
    """Read the Dockerfile of a build; raises as `load` does."""
    return parse(load(file)[0].decode("utf-8", "replace"))


def load(file: Path) -> tuple[bytes, os.stat_result]:
    """Return the bytes of a Dockerfile, and what the system says of the file.

    Raises:
        FilesError: it is not there, cannot be read, or is no text.
    """
    hints = ("set `build.dockerfile` in kubekit.yaml; without `build` nothing is built",)
    wrong = functools.partial(FilesError, hints=hints, id="dockerfile-missing")
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # to open a pipe would wait for its other end
            raise wrong(f"the Dockerfile `{shown(file)}` is not a file")
        with file.open("rb") as stream:
            data, status = stream.read(), os.fstat(stream.fileno())
    except (FileNotFoundError, NotADirectoryError):
        raise wrong(f"there is no Dockerfile at `{shown(file)}`") from None
    except OSError as error:
        raise FilesError(
            f"`{shown(file)}` cannot be read: {(error.strerror or str(error)).lower()}",
            hints=(f"make it readable: `chmod u+r {shown(file)}`",),
            place=Place(file=file),
            id="context-unreadable",
        ) from error
    plain.check(data, file)
    return data, status


def parse(text: str, *, heredocs: bool = True) -> Dockerfile:
    """Read a Dockerfile; what the daemon would refuse is skipped here.

    Args:
        text: the whole file.
        heredocs: whether `<<EOF` begins one; daemons differ in that.
    """
    lines = [line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n")]
    directives = _directives(lines)
    arguments: list[Instruction] = []
    stages: list[Stage] = []
    for instruction in _instructions(lines, directives.get("escape", "\\"), heredocs):
        if instruction.keyword == "FROM":
            stages.append(_stage(len(stages), instruction))
        elif stages:
            stages[-1].body.append(instruction)
        elif instruction.keyword == "ARG":
            arguments.append(instruction)
    return Dockerfile(directives=directives, arguments=tuple(arguments), stages=tuple(stages))


def _directives(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        match = _DIRECTIVE.fullmatch(line.strip())
        if not match or match["key"].lower() in found:
            break
        found[match["key"].lower()] = match["value"]
    return found


def _instructions(lines: list[str], escape: str, heredocs: bool) -> Iterator[Instruction]:
    rest = deque(enumerate(lines, start=1))
    ends = Ends(lines)
    continued = re.compile(re.escape(escape) + r"[ \t]*$")
    while rest:
        number, line = rest.popleft()
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        parts = [text]
        while rest and continued.search(parts[-1]):
            # Blank lines and comments between continued lines do not end the instruction.
            _, more = rest.popleft()
            if more.strip() and not more.strip().startswith("#"):
                parts[-1] = continued.sub("", parts[-1])
                parts.append(more)
        parts[-1] = continued.sub("", parts[-1])
        keyword, _, arguments = _SPACE.sub(" ", "".join(parts), count=1).partition(" ")
        instruction = _instruction(keyword.upper(), arguments.strip(), number)
        if heredocs and instruction.keyword in _WITH_HEREDOC:
            for heredoc in begun(instruction.text):
                ends.skip(rest, heredoc)
        yield instruction


def _instruction(keyword: str, text: str, line: int) -> Instruction:
    flags = []
    while match := _FLAG.match(text):
        flags.append((match["name"], _QUOTED.sub(r"\2", match["value"] or "")))
        text = text[match.end() :]
    return Instruction(keyword=keyword, flags=tuple(flags), text=text, line=line)


def _stage(index: int, instruction: Instruction) -> Stage:
    words = instruction.text.split()
    named = len(words) == 3 and words[1].upper() == "AS"  # noqa: PLR2004 - FROM image AS name
    return Stage(
        index=index,
        name=words[2] if named else "",
        base=words[0] if words else "",
        origin=instruction,
    )


def _base_image(written: str, instruction: Instruction, scope: Mapping[str, str]) -> BaseImage:
    is_from = instruction.keyword == "FROM"
    platform = next(iter(instruction.values("platform")), "") if is_from else ""
    return BaseImage(
        reference=variables.reference(_QUOTED.sub(r"\2", written), scope) if is_from else written,
        written=written,
        platform=variables.expand(platform, scope) or None,
        line=instruction.line,
    )
