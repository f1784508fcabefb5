"""The images kubekit has built and nobody needs any more: found, and taken away.

Only names that kubekit gave, ``PROJECT:kk-...`` with or without a registry, are ever deleted; an
image goes with its last one. Whatever has another name stays, and whatever has none: somebody may
have made it from one of ours, and it has inherited the labels.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TextIO

import platformdirs

from kubekit.api.kube import Kube
from kubekit.api.resources import POD_MAKERS
from kubekit.errors import CancelledError, KubekitError
from kubekit.events import Emit, Progress, Warned
from kubekit.image.store import Store, StoredImage
from kubekit.model import Cancel

KEPT = 3
"""So many of the newest images stay in any case."""

_TAG = "kk-[0-9a-f]{12}"
_SOON = 1.0
"""Seconds that most deletions end in: of a longer wait for one is told."""


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """What was taken away; `size` is in bytes, 0 where the store cannot tell."""

    count: int = 0
    size: int = 0

    def __add__(self, other: Cleaned) -> Cleaned:
        """Both together."""
        return Cleaned(count=self.count + other.count, size=self.size + other.size)

    def told(self, kind: str = "image") -> str:
        """In words, as ``2 old images deleted, 14 MB``."""
        text = f"{self.count} {kind}{'' if self.count == 1 else 's'} deleted"
        return f"{text}, {self.size / 1e6:.0f} MB" if self.size else text


def prune(
    opened: AbstractContextManager[Store], kube: Kube, project: str, *, emit: Emit
) -> Cleaned:
    """Delete the project's old images: all but the newest few, those in use and those named.

    What cannot be done is told, and is no error: the project runs.

    Args:
        opened: where they are.
        kube: the cluster whose objects may name them.
        project: whose they are.
        emit: gets a warning.

    Raises:
        CancelledError: the person interrupted.
    """
    try:
        with alone(kube.context, project) as mine, opened as store:
            # If it is another run's turn, that one tidies at its own end.
            return delete_old(store, project, partial(named, kube, project)) if mine else Cleaned()
    except CancelledError:
        raise
    except KubekitError as error:
        emit(Warned(text=f"old images could not be deleted: {error.message}"))
        return Cleaned()


def delete_old(store: Store, project: str, needed: Callable[[], frozenset[str]]) -> Cleaned:
    """As `prune`, whoever else is at work.

    Args:
        store: where they are.
        project: whose they are.
        needed: tells the tags that stay; asked only if there is something to delete.
    """
    images = store.images(project)
    newest = [image for image in images if _ours(image, project)][:KEPT]
    old = [image for image in images if image not in newest]
    if not _doomed(old, project):
        return Cleaned()
    keep = needed()
    tags = {image: {name.rpartition(":")[2] for name in _ours(image, project)} for image in old}
    return _delete(store, project, [image for image in old if not keep & tags[image]])


def delete_all(store: Store, project: str) -> Cleaned:
    """Delete all images of the project that no living container was made from."""
    return _delete(store, project, store.images(project))


def clear(store: Store, kube: Kube, project: str, *, emit: Emit) -> Cleaned:
    """As `delete_all`, unless another run is about to use one of them, which is told.

    Args:
        store: where they are.
        kube: the cluster that the other run would deploy to.
        project: whose they are.
        emit: gets a warning.
    """
    with alone(kube.context, project) as mine:
        if mine:
            return delete_all(store, project)
    text = f"the images of `{project}` stay: another run of kubekit is deploying it"
    emit(Warned(text=text, hints=("run it again when that one has ended",)))
    return Cleaned()


def named(kube: Kube, project: str) -> frozenset[str]:
    """The tags of the project's images, ``kk-...``, that live objects name, in every namespace.

    More than the containers there are: what a pod that comes will be made from, and what a
    Deployment, StatefulSet or DaemonSet can be rolled back to.
    """
    reference = re.compile(rf'["/]{re.escape(project)}:({_TAG})')
    return frozenset(
        tag
        for resource in POD_MAKERS
        for obj in kube.list(resource.path(""))
        for tag in reference.findall(json.dumps(obj))
    )


@contextlib.contextmanager
def beside(context: str, project: str, *, emit: Emit, cancel: Cancel) -> Iterator[None]:
    """Build and deploy, beside others that do; waits for one that deletes.

    From the moment an image is found or built until objects name it, nothing shows that it is
    needed. A lock of the system: it ends with the process, however that ends. Where the cache
    cannot be written there is none.

    Args:
        context: of the kubeconfig, where the project is deployed to.
        project: whose images they are.
        emit: gets Progress if the wait is long.
        cancel: ends it.

    Raises:
        CancelledError: the person interrupted the wait.
    """
    with _lock_file(context, project) as stream:
        start, told = time.monotonic(), False
        while not _locked(stream, fcntl.LOCK_SH):
            if cancel.wait(0.05):
                raise CancelledError("interrupted")
            if not told and time.monotonic() - start > _SOON:
                told = True
                text = f"another run of kubekit deletes images of `{project}`: waiting for its end"
                emit(Progress(stage="image", text=text))
        yield


@contextlib.contextmanager
def alone(context: str, project: str) -> Iterator[bool]:
    """Delete, while nobody is `beside`; yields whether it is one's turn, and waits for nothing."""
    with _lock_file(context, project) as stream:
        yield _locked(stream, fcntl.LOCK_EX)


def _ours(image: StoredImage, project: str) -> list[str]:
    """The names kubekit gave it."""
    ours = re.compile(rf"(.*/)?{re.escape(project)}:{_TAG}")
    return [name for name in image.names if ours.fullmatch(name)]


def _doomed(images: list[StoredImage], project: str) -> list[str]:
    """The names that are to be deleted of these."""
    return [name for image in images if not image.used for name in _ours(image, project)]


def _delete(store: Store, project: str, images: list[StoredImage]) -> Cleaned:
    gone = set(store.remove(_doomed(images, project)))
    whole = [image for image in images if image.names and gone >= set(image.names)]
    return Cleaned(count=len(gone), size=sum(image.size or 0 for image in whole))


def _lock_file(context: str, project: str) -> AbstractContextManager[TextIO | None]:
    key = hashlib.sha256(f"{context}\0{project}".encode()).hexdigest()[:16]
    file = platformdirs.user_cache_path("kubekit") / "turns" / f"{project}-{key}"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return file.open("a")
    except OSError:
        return contextlib.nullcontext()


def _locked(stream: TextIO | None, how: int) -> bool:
    """Take the lock if it is free, or if there is none."""
    try:
        if stream is not None:
            fcntl.flock(stream, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks
    return True
