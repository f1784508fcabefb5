"""Images in a registry: built in a Docker, pushed from there, found by the pods of any cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

from kubekit.errors import BuildError, UnreachableError
from kubekit.events import Emit
from kubekit.image.docker.engine import Engine
from kubekit.image.docker.store import DockerStore
from kubekit.image.store import Order
from kubekit.model import BuiltImage, Cancel


class RegistryStore(DockerStore):
    """A Store in a registry: what is built is there once it is pushed, base images stay out of it.

    Args:
        engine: where images are built and pushed from.
        repository: the image's name with its registry, without a tag.
        emit: gets what goes on while a registry is asked.
        cancel: ends waiting for a busy one.
    """

    def __init__(self, engine: Engine, *, repository: str, emit: Emit, cancel: Cancel) -> None:
        super().__init__(engine)
        self._repository = repository
        self._emit = emit
        self._cancel = cancel
        self._pushed: dict[str, str] = {}

    def image_ids(self, references: Iterable[str]) -> dict[str, str]:
        """See Store; of an image of the registry, its name there, ``NAME@sha256:...``."""
        wanted = set(references)
        ours = {one for one in wanted if one.rpartition(":")[0] == self._repository}
        found = {one: digest for one in ours if (digest := self._digest(one)) is not None}
        there = {one: f"{self._repository}@{digest}" for one, digest in found.items()}
        return {**super().image_ids(wanted - ours), **there}

    def build(self, order: Order, *, emit: Emit, cancel: Cancel) -> None:
        """See Store; and push it."""
        if self.engine.image_id(order.reference) is None:
            super().build(order, emit=emit, cancel=cancel)
        digest = self.engine.push(order.reference, emit=emit, cancel=cancel)
        self._pushed[order.reference] = digest

    def _digest(self, reference: str) -> str | None:
        if reference in self._pushed:
            return self._pushed[reference]
        try:
            return self.engine.digest(reference, emit=self._emit, cancel=self._cancel)
        except BuildError as error:
            # Some say so, too, of a repository that the first push makes: the push will tell.
            if error.id == "registry-denied":
                return None
            raise


@dataclass(frozen=True, kw_only=True)
class Release:
    """A version of an image in a registry.

    Attributes:
        reference: its name, ``HOST/PATH/NAME:VERSION``.
        digest: what that name means there now, ``sha256:...``.
        before: what it meant before this run; None if nothing.
    """

    reference: str
    digest: str
    before: str | None


def release(
    image: BuiltImage,
    version: str,
    engine: Engine,
    *,
    move: bool,
    how: str,
    emit: Emit,
    cancel: Cancel,
) -> Release:
    """Give an image of a registry a version there.

    Args:
        image: it, as RegistryStore has found or made it.
        version: the tag.
        engine: where it was built, or is pulled to, and is pushed from.
        move: also when the version is another image's now.
        how: the command that moves it, for hints.
        emit: gets Progress.
        cancel: ends the transfer.

    Raises:
        BuildError: the version is another image's, or the registry does not take it, or made
            something else of it.
        CancelledError: the person interrupted.
    """
    (name,) = image.ids
    repository, _, digest = name.partition("@")
    reference = f"{repository}:{version}"
    before = engine.digest(reference, emit=emit, cancel=cancel)
    if before == digest:
        return Release(reference=reference, digest=digest, before=before)
    if before is not None and not move:
        raise BuildError(
            f"`{reference}` is another image already, `{before}`",
            hints=(
                "give this one a version of its own",
                f"or move it: `{how}`",
            ),
            id="version-exists",
        )
    # By its digest: the tag may mean another image here, of the same files, or of a person's.
    if engine.image_id(name) is None:
        engine.pull(name, emit=emit, cancel=cancel)
    pushed = _pushed(name, reference, engine, emit=emit, cancel=cancel)
    if pushed != digest:
        raise BuildError(
            f"`{reference}` is now `{pushed}`, but `{image.reference}` is `{digest}`",
            hints=(f"do not use it; run `{how}` with another Docker",),
            id="push-not-proved",
        )
    return Release(reference=reference, digest=pushed, before=before)


def _pushed(name: str, reference: str, engine: Engine, *, emit: Emit, cancel: Cancel) -> str:
    """The digest that an image of the daemon has in the registry, pushed under another name."""
    named = engine.image_id(reference) is not None
    engine.tag(name, reference)
    try:
        return engine.push(reference, emit=emit, cancel=cancel)
    finally:
        if not named:  # the version is the registry's: here it would only keep the image for ever
            with contextlib.suppress(UnreachableError):
                engine.remove(reference)
