"""What `ensure` needs of the place where the images of a target live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from kubekit.events import Emit
from kubekit.model import BuildPlan, Cancel, ImageConfig

PROJECT_LABEL = "dev.kubekit.project"
DIGEST_LABEL = "dev.kubekit.digest"
"""Labels of every image kubekit builds: the project's name, and the digest of its plan."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """One image to build: what it is made of, what it is called, and how it is labelled."""

    plan: BuildPlan
    reference: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image that kubekit built, as a store has it.

    Attributes:
        id: ``sha256:...``; in nodes it is the digest of its config.
        names: all of them, also those that others gave it, as a manifest writes them: without
            ``docker.io/library/``. None at all when its name went to a newer image, or when
            somebody made it from one of these, with its labels.
        used: a container that has not ended was made from it.
        size: bytes that it shares with no other image; None where the store cannot tell.
    """

    id: str
    names: tuple[str, ...]
    used: bool
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class Base:
    """An image to build from.

    Attributes:
        id: ``sha256:...``.
        triggers: it brings `ONBUILD` along, or that cannot be known: then a build may take files
            of the context that the Dockerfile does not name.
    """

    id: str
    triggers: bool = False


class Store(Protocol):
    """Where images are built and pods find them: a Docker, or the nodes of a Minikube profile.

    Every method raises UnreachableError when it cannot be reached or used.
    """

    def platform(self) -> tuple[str, str]:
        """Return the operating system and architecture it builds for, as in ``linux/amd64``."""

    def image_ids(self, references: Iterable[str]) -> dict[str, str]:
        """Return the IDs, ``sha256:...``, of those images that are there, on every node."""

    def bases(self, references: Iterable[str]) -> dict[str, Base]:
        """Return those images that are where it builds, to build from."""

    def config(self, reference: str) -> ImageConfig:
        """Return what an image that is there runs, and as whom."""

    def pull(self, reference: str, *, platform: str | None, emit: Emit, cancel: Cancel) -> None:
        """Bring an image there from its registry, with the user's credentials.

        Args:
            reference: its name.
            platform: as in ``linux/arm64``; None for the one it builds for.
            emit: gets Progress.
            cancel: ends it.

        Raises:
            BuildError: it cannot be had; says why, and how else to provide it.
            CancelledError: the person interrupted.
        """

    def build(self, order: Order, *, emit: Emit, cancel: Cancel) -> None:
        """Build an image there, whose base images are there, and tell each step.

        Args:
            order: what to build.
            emit: gets BuildStep, BuildLog and ContextSent.
            cancel: stops it.

        Raises:
            BuildError: the Dockerfile is wrong, or a step failed.
            FilesError: a file changed or went while it was sent.
            CancelledError: the person interrupted.
        """

    def images(self, project: str) -> list[StoredImage]:
        """Return the images kubekit has built for a project, the one named last first.

        An image that is on several nodes is one, and used if it is on any of them.
        """

    def remove(self, names: Iterable[str]) -> list[str]:
        """Delete names of images; an image goes with its last one.

        Returns:
            What was there and is gone now, everywhere; what a container that has not ended was
            made from stays.
        """
