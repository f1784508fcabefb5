"""The secrets of a build: their values are read when it starts, and given to nobody but BuildKit.

`moby.buildkit.secrets.v1.Secrets` of moby/buildkit (session/secrets).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from kubekit.errors import BuildError, FilesError, Place, shown
from kubekit.events import Warned
from kubekit.image.buildkit import protobuf
from kubekit.image.buildkit.calls import Code, RefusedError
from kubekit.image.files.dockerfile import Dockerfile, Instruction
from kubekit.model import BuildPlan, BuildSecret

METHOD = "/moby.buildkit.secrets.v1.Secrets/GetSecret"


class Secrets:
    """The values, by ID; answers the daemon's question for one.

    Raises:
        FilesError: one cannot be read, or is no longer there.
    """

    def __init__(self, secrets: Mapping[str, BuildSecret]) -> None:
        self._values = {id_: _value(id_, secret) for id_, secret in secrets.items()}

    def __call__(self, question: bytes) -> bytes:
        """Answer a GetSecretRequest."""
        id_ = protobuf.text(protobuf.decode(question), 1)
        if id_ not in self._values:
            raise RefusedError(Code.NOT_FOUND, f"there is no secret `{id_}`")
        return protobuf.encode(1, self._values[id_])

    def texts(self) -> Iterator[str]:
        """What must appear in no output."""
        for value in self._values.values():
            yield value.decode("utf-8", "replace").strip()


def _value(id_: str, secret: BuildSecret) -> bytes:
    if secret.file is None:
        name = secret.env or ""
        if name in os.environ:
            return os.fsencode(os.environ[name])
        raise FilesError(f"the variable `{name}` for the build secret `{id_}` is not set")
    try:
        return secret.file.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FilesError(
            f"the build secret `{id_}` cannot be read from `{shown(secret.file)}`: {reason}"
        ) from error


def require(parsed: Dockerfile, plan: BuildPlan) -> None:
    """Make sure that every secret the Dockerfile cannot do without is configured.

    Raises:
        BuildError: names the first that is not.
    """
    for instruction, id_, required in _mounts(parsed, plan.settings.target):
        if required and id_ not in plan.settings.secrets:
            raise BuildError(
                f"`RUN --mount=type=secret` requires the secret `{id_}`, which is not configured",
                hints=(how(id_),),
                place=Place(file=plan.settings.dockerfile, line=instruction.line),
                id="build-secret",
            )


def exposed(plan: BuildPlan) -> Iterator[Warned]:
    """Warnings of secrets that the image gets as files as well, for anyone who has it to read."""
    sent = {file.source for file in plan.files}
    for id_, secret in plan.settings.secrets.items():
        if secret.file in sent:
            yield Warned(
                text=f"the image gets the build secret `{id_}`: `{shown(secret.file)}` is copied",
                hints=("exclude it in `.dockerignore`; `RUN --mount=type=secret` needs no copy",),
            )


def lacking(instruction: Instruction | None, plan: BuildPlan) -> tuple[str, ...]:
    """Hints for a step that failed: secrets it mounts, and went without."""
    ids = () if instruction is None else [id_ for id_, _ in _secrets(instruction)]
    return tuple(
        f"it ran without the secret `{id_}`: {how(id_)}"
        for id_ in ids
        if id_ not in plan.settings.secrets
    )


def how(id_: str) -> str:
    """What to write into kubekit.yaml."""
    return (
        f"write into kubekit.yaml: `build: {{secrets: {{{id_}: {{file: PATH}}}}}}`, or `env: NAME`"
    )


def _mounts(parsed: Dockerfile, target: str | None) -> Iterator[tuple[Instruction, str, bool]]:
    for stage in parsed.needed(target):
        for instruction in stage.body:
            for id_, required in _secrets(instruction):
                yield instruction, id_, required


def _secrets(instruction: Instruction) -> Iterator[tuple[str, bool]]:
    """ID, and whether it is required, of each secret that a `RUN` mounts."""
    for mount in instruction.mounts:
        if mount.get("type") == "secret":
            target = mount.get("target") or mount.get("dst") or mount.get("destination") or ""
            required = mount.get("required", "false").lower() in {"", "1", "t", "true"}
            yield mount.get("id") or target.rpartition("/")[2], required
