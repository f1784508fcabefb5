"""What is sent to a node to be built there: the context and a script, as one archive on this disk.

Minikube copies files only, so that it is written here first.
"""

from __future__ import annotations

import contextlib
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from kubekit.errors import CancelledError
from kubekit.image.files import context
from kubekit.image.nodes.errors import no_place
from kubekit.image.nodes.script import BUILDERS
from kubekit.image.store import Order
from kubekit.model import Cancel

_PREFIX = "kubekit-parcel-"
_OLD = 2 * 24 * 3600.0
"""Seconds after which a folder is one of a run that was killed."""


def needed(order: Order, runtime: str) -> Order:
    """The order with all that its builder must have.

    Podman's, buildah, builds stages that nobody needs as well (before 1.27.2).

    Raises:
        FilesError: a file has changed since it was hashed, or cannot be read.
    """
    if BUILDERS[runtime] != "podman":
        return order
    return replace(order, plan=context.everything(order.plan))


def archive(order: Order, token: str, script: str) -> Iterator[bytes]:
    """The context as a tar, with the script that builds it at its start.

    Args:
        order: what is built.
        token: the script's name.
        script: its text.

    Raises:
        FilesError: a file changed or went while it was read.
    """
    data = script.encode("utf-8", "surrogateescape")
    info = tarfile.TarInfo(token)
    info.size = len(data)
    yield info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)
    yield from context.tar(order.plan)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder of this user's alone, gone afterwards, as are those of runs that were killed.

    Raises:
        BuildError: there is no room for one.
    """
    try:
        made = Path(tempfile.mkdtemp(prefix=_PREFIX))
    except OSError as error:
        raise no_place(error) from error
    try:
        _sweep(made.parent)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write(file: Path, blocks: Iterable[bytes], *, cancel: Cancel) -> None:
    """Write an archive.

    Args:
        file: where.
        blocks: its content.
        cancel: ends it between two blocks.

    Raises:
        BuildError: there is no room for it.
        CancelledError: the person interrupted.
    """
    try:
        with file.open("wb") as stream:
            for block in blocks:
                if cancel.is_set():
                    raise CancelledError("interrupted")
                stream.write(block)
    except OSError as error:
        raise no_place(error) from error


def _sweep(beside: Path) -> None:
    for left in beside.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _OLD:
                shutil.rmtree(left, ignore_errors=True)
