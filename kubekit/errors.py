"""Every error that a person can be shown, and the exit code each one ends the command with.

::

    KubekitError            1  unexpected; a log file's path is printed
    ├── UsageError          2  usage, config or a refused context
    ├── FilesError          3  wrong in the files by themselves: syntax, schema, templates
    ├── BuildError          4  the image could not be built or pushed
    ├── RefusedError        5  the API server refuses an object or the pod
    ├── WorkloadError       6  a workload that cannot run
    ├── RolloutTimeoutError 7  timed out, with the cause if one is known
    ├── UnreachableError    8  cluster, profile or Docker unreachable, stopped or unusable
    ├── MissingError        9  something is missing on this machine
    ├── SupersededError    10  superseded by another apply
    └── CancelledError    130  interrupted
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def shown(path: Path) -> str:
    """A path as a person in the current folder would write it; absolute when it is far away."""
    if not path.is_absolute():
        return str(path)
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("../..") else relative


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in the user's files something stands; lines and columns count from 1.

    `file` is absolute, so that a place stays right wherever it is kept; it is shortened when shown.
    """

    file: Path
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        parts = [shown(self.file)]
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        return ":".join(parts)


def nearest(
    places: Mapping[tuple[str | int, ...], Place], path: tuple[str | int, ...]
) -> Place | None:
    """The place of the field or of the nearest one above it; None if not even the root has one."""
    for length in range(len(path), -1, -1):
        if (place := places.get(path[:length])) is not None:
            return place
    return None


class KubekitError(Exception):
    """The base: a cause in one line, what to do, and where.

    Args:
        message: the cause, one line, no trailing full stop, backticks around commands and paths.
        hints: what to do, each one line in the same form.
        details: evidence under the cause: log lines, compiler output, more findings.
        place: file and line in the user's files, when the cause stands there.
        id: a stable name of the cause for machines, such as ``image-never-pulled``.
    """

    exit_code = 1
    default_id = "unexpected"

    def __init__(
        self,
        message: str,
        *,
        hints: tuple[str, ...] = (),
        details: tuple[str, ...] = (),
        place: Place | None = None,
        id: str | None = None,  # noqa: A002 - the name users see in the JSON
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hints = hints
        self.details = details
        self.place = place
        self.id = id or self.default_id

    @classmethod
    def of(cls, problems: Sequence[tuple[Place, str]], *, hints: tuple[str, ...] = ()) -> Self:
        """Make one error of all problems of a file, so that one run shows every one of them.

        The first becomes the message and its place, the others details as ``place: cause``.
        """
        (place, message), *others = problems
        details = tuple(f"{other}: {cause}" for other, cause in others)
        return cls(message, place=place, details=details, hints=hints)


class UsageError(KubekitError):
    """Command line, kubekit.yaml or the chosen context is not usable as given."""

    exit_code = 2
    default_id = "usage"


class FilesError(KubekitError):
    """Templates, manifests or `.env` are wrong by themselves, before any cluster is asked."""

    exit_code = 3
    default_id = "files"


class BuildError(KubekitError):
    """The image could not be built or pushed."""

    exit_code = 4
    default_id = "build"


class RefusedError(KubekitError):
    """The API server refuses an object."""

    exit_code = 5
    default_id = "refused"


class WorkloadError(KubekitError):
    """What was applied cannot run."""

    exit_code = 6
    default_id = "workload"


class RolloutTimeoutError(KubekitError):
    """The wait ended before the workload was ready."""

    exit_code = 7
    default_id = "timeout"


class UnreachableError(KubekitError):
    """Cluster, profile or Docker daemon unreachable, stopped or unusable."""

    exit_code = 8
    default_id = "unreachable"


class MissingError(KubekitError):
    """A program this machine does not have."""

    exit_code = 9
    default_id = "missing"


class SupersededError(KubekitError):
    """Another run or apply has come between, and what there is now is not this run's."""

    exit_code = 10
    default_id = "superseded"


class CancelledError(KubekitError):
    """The person interrupted the command."""

    exit_code = 130
    default_id = "interrupted"
