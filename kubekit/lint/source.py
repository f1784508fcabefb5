"""A Dockerfile as its rules see it: the parsed file, its lines, and the context it is built in."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kubekit.errors import Place
from kubekit.image.files.dockerfile import Dockerfile, Instruction, Stage, parse
from kubekit.image.files.dockerignore import Ignore
from kubekit.image.files.words import exec_form
from kubekit.lint.rule import Edit, Hit
from kubekit.lint.shell import Command, commands

_COMMENT = re.compile(r"\s*(#.*)?")


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """A `.dockerignore`: where it is, its lines, and its rules."""

    file: Path
    lines: tuple[str, ...]
    rules: Ignore


@dataclass(frozen=True, eq=False)
class Source:
    """One Dockerfile.

    Attributes:
        lines: without their ends.
        context: the folder it is built in, as far as that is known.
        target: the stage that is built; None for the last one.
        args: build arguments, as far as they are known.
        ignored: the context's `.dockerignore`; None where there is none.
        certain: whether somebody says that this is its context; else it is where it lies.
    """

    file: Path
    lines: tuple[str, ...]
    dockerfile: Dockerfile
    context: Path | None = None
    target: str | None = None
    ignored: Ignored | None = None
    certain: bool = True
    args: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        text: str,
        file: Path,
        *,
        context: Path | None = None,
        target: str | None = None,
        ignored: Ignored | None = None,
        certain: bool = True,
        args: Mapping[str, str] | None = None,
    ) -> Source:
        """Parse the text of a Dockerfile."""
        lines = tuple(line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n"))
        return cls(file, lines, parse(text), context, target, ignored, certain, args or {})

    @functools.cached_property
    def instructions(self) -> tuple[Instruction, ...]:
        """All instructions in their order."""
        return self.dockerfile.instructions

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages."""
        return self.dockerfile.stages

    @property
    def final(self) -> Stage | None:
        """The stage that becomes the image."""
        return self.dockerfile.stage(self.target) or self.dockerfile.stage(None)

    @functools.cached_property
    def scope(self) -> Mapping[str, str]:
        """What a `FROM` sees by the Dockerfile alone."""
        return self.dockerfile.scope({})

    def lineage(self, stage: Stage) -> tuple[Instruction, ...]:
        """What makes the stage: the instructions of those it is based on, and its own."""
        before = self.dockerfile.above(stage, self.scope)
        above = self.lineage(before) if before else ()
        return (*above, *stage.body)

    def of(self, *keywords: str) -> Iterator[Instruction]:
        """The instructions with one of these keywords."""
        return (one for one in self.instructions if one.keyword in keywords)

    def raw(self, instruction: Instruction) -> tuple[str, ...]:
        """Its lines as they are written, up to the next one, without comments at their end."""
        later = [one.line for one in self.instructions if one.line > instruction.line]
        lines = list(self.lines[instruction.line - 1 : min(later, default=len(self.lines) + 1) - 1])
        while len(lines) > 1 and _COMMENT.fullmatch(lines[-1]):
            lines.pop()
        return tuple(lines)

    def script(self, instruction: Instruction) -> str:
        """What a shell is to run: the text after the keyword, or the document below it."""
        raw = self.raw(instruction)
        if instruction.heredoc and len(raw) > 1:
            return "\n".join(raw[1:-1])
        argv = exec_form(instruction.text)
        return instruction.text if argv is None else " ".join(argv)

    @functools.cached_property
    def _commands(self) -> dict[int, tuple[Command, ...]]:
        return {one.line: commands(self.script(one)) for one in self.of("RUN")}

    def runs(self) -> Iterator[tuple[Instruction, Command]]:
        """Each command of each `RUN`."""
        for one in self.of("RUN"):
            for command in self._commands[one.line]:
                yield one, command

    def commands(self, instruction: Instruction) -> tuple[Command, ...]:
        """The commands of one `RUN`."""
        return self._commands.get(instruction.line, ())

    def line(self, instruction: Instruction, pattern: str) -> int:
        """The line of the instruction where this stands; else its first one."""
        for offset, text in enumerate(self.raw(instruction)):
            if re.search(pattern, text):
                return instruction.line + offset
        return instruction.line

    def hit(
        self,
        instruction: Instruction | None,
        text: str,
        hint: str,
        *,
        at: str | None = None,
        edit: Edit | None = None,
    ) -> Hit:
        """A hit at the instruction, or at its line with the pattern `at`."""
        starts = instruction.line if instruction else 1
        line = self.line(instruction, at) if instruction and at else starts
        place = Place(file=self.file, line=line)
        return Hit(place=place, text=text, hint=hint, edit=edit, starts=starts)

    def replace(self, line: int, new: str) -> Edit | None:
        """An edit that makes this of one line; None where it is that already."""
        old = self.lines[line - 1]
        if old == new:
            return None
        return Edit(file=self.file, first=line, old=(old,), new=(new,))

    def one_line(self, instruction: Instruction) -> str | None:
        """The line of an instruction that is no longer than one; else None."""
        raw = self.raw(instruction)
        return raw[0] if len(raw) == 1 and not raw[0].rstrip().endswith(("\\", "`")) else None
