"""The secrets of a build: their values are read when it starts, and given to nobody but BuildKit.

`moby.buildkit.secrets.v1.Secrets` of moby/buildkit (session/secrets).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from kubekit.errors import FilesError, shown
from kubekit.image.buildkit import protobuf
from kubekit.image.buildkit.calls import Code, RefusedError
from kubekit.image.files import demands
from kubekit.image.files.dockerfile import Instruction
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
        if value := os.environ.get(name):
            return os.fsencode(value)
        raise FilesError(
            f"the variable `{name}` for the build secret `{id_}` is not set",
            hints=(f"set it: `export {name}=...`",),
            id="build-secret",
        )
    try:
        return secret.file.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FilesError(
            f"the build secret `{id_}` cannot be read from `{shown(secret.file)}`: {reason}",
            hints=("make it a file that you may read, or name another in `build.secrets`",),
            id="build-secret",
        ) from error


def lacking(instruction: Instruction | None, plan: BuildPlan) -> tuple[str, ...]:
    """Hints for a step that failed: secrets it mounts, and went without."""
    asked = () if instruction is None else demands.of(instruction)
    ids = [demand.name for demand in asked if demand.kind == "secret"]
    return tuple(
        f"it ran without the secret `{id_}`: {demands.how(id_)}"
        for id_ in ids
        if id_ not in plan.settings.secrets
    )
