"""What a Dockerfile asks of its builder that not every builder can do, and what none can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from kubekit.errors import FilesError, Place
from kubekit.image.files.dockerfile import INSTRUCTIONS, Dockerfile, Instruction, Stage
from kubekit.model import BuildSettings

_EVERYWHERE = frozenset({"from", "chown"})
"""Flags that the classic builder knows."""


@dataclass(frozen=True, kw_only=True)
class Demand:
    """One thing that an instruction asks for.

    Attributes:
        instruction: the one that asks.
        kind: ``ssh`` and ``secret`` come from who starts the build; ``syntax`` only BuildKit knows.
        name: the ID of the secret, or the syntax as it is written: ``--mount``.
        required: whether the step fails without the secret.
    """

    instruction: Instruction
    kind: Literal["ssh", "secret", "syntax"]
    name: str = ""
    required: bool = False


def demands(stages: Iterable[Stage]) -> Iterator[Demand]:
    """List all that these stages ask for, in the order it is written."""
    for stage in stages:
        for instruction in stage.body:
            yield from of(instruction)


def of(instruction: Instruction) -> Iterator[Demand]:
    """List what one instruction asks for."""
    if instruction.keyword not in {"RUN", "COPY", "ADD"}:
        return
    for mount in instruction.mounts:
        if mount.get("type") == "ssh":
            yield Demand(instruction=instruction, kind="ssh")
        elif mount.get("type") == "secret":
            target = mount.get("target") or mount.get("dst") or mount.get("destination") or ""
            yield Demand(
                instruction=instruction,
                kind="secret",
                name=mount.get("id") or target.rpartition("/")[2],
                required=mount.get("required", "false").lower() in {"", "1", "t", "true"},
            )
    for flag in (name for name, _ in instruction.flags if name not in _EVERYWHERE):
        yield Demand(instruction=instruction, kind="syntax", name=f"--{flag}")
    if instruction.heredoc:
        yield Demand(instruction=instruction, kind="syntax", name="<<EOF")


def check(parsed: Dockerfile, settings: BuildSettings) -> None:
    """Refuse what kubekit can give to no build, secrets that it lacks, and what names no image.

    Raises:
        FilesError: names the first such instruction.
    """
    own = "syntax" in parsed.directives or "BUILDKIT_SYNTAX" in settings.args
    if not parsed.stages and not own:
        # Sent all the same, one with ARG alone ends the daemon itself: Docker 20.10 and 26.1.
        raise FilesError(
            "the Dockerfile has no `FROM`, so there is nothing to build",
            hints=("begin it with the image to start from: `FROM python:3.13-slim`",),
            place=Place(file=settings.dockerfile, line=1),
            id="dockerfile-syntax",
        )
    for demand in demands(parsed.built(settings.target, settings.args)):
        place = Place(file=settings.dockerfile, line=demand.instruction.line)
        if demand.kind == "ssh":
            hint = "use a token as a build secret, or bring the sources into the context"
            raise FilesError(
                "kubekit cannot hand a `--mount=type=ssh` to a build",
                hints=(hint, how("ID")),
                place=place,
                id="build-ssh",
            )
        if demand.required and demand.name not in settings.secrets:
            id_ = demand.name
            raise FilesError(
                f"`RUN --mount=type=secret` requires the secret `{id_}`, which is not configured",
                hints=(how(id_),),
                place=place,
                id="build-secret",
            )


def refusal(parsed: Dockerfile, settings: BuildSettings) -> str | None:
    """What every builder would say of this Dockerfile at once; None if that cannot be told."""
    if "syntax" in parsed.directives or "BUILDKIT_SYNTAX" in settings.args:
        return None
    for one in parsed.instructions:
        if one.keyword not in {*INSTRUCTIONS, "MAINTAINER"}:
            return f"dockerfile parse error line {one.line}: unknown instruction: {one.keyword}"
    if parsed.stage(settings.target) is None:
        return f"target stage {settings.target} could not be found"
    return None


def how(id_: str) -> str:
    """What to write into kubekit.yaml to give a build a secret."""
    return (
        f"write into kubekit.yaml: `build: {{secrets: {{{id_}: {{file: PATH}}}}}}`, or `env: NAME`"
    )
