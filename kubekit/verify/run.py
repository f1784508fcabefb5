"""Verifying an image: read, run, judged."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from kubekit.errors import UsageError
from kubekit.events import Emit
from kubekit.image.docker.containers import Containers
from kubekit.image.docker.engine import Engine
from kubekit.model import Cancel
from kubekit.verify import archive
from kubekit.verify.judge import chosen, judge, scenes
from kubekit.verify.model import Check, Image, Known, Report, Seen, Subject
from kubekit.verify.needles import Needles
from kubekit.verify.owner import owned
from kubekit.verify.packages import python_packages
from kubekit.verify.sbom import sbom
from kubekit.verify.scenes import Stage, play
from kubekit.verify.tree import Tree


def verify(
    engine: Engine,
    reference: str,
    *,
    known: Known,
    key: str,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    emit: Emit,
    cancel: Cancel,
) -> Report:
    """Check an image and containers of it.

    Args:
        engine: the Docker that has the image.
        reference: the image's name or ID.
        known: what the project's files say, and what was asked for.
        key: names the project, so that what an earlier run of it has left is removed.
        only: ids of checks; none means all.
        skip: ids of checks.
        emit: gets Progress.
        cancel: ends it.

    Raises:
        UsageError: there is no such image or check, or another run verifies it just now.
        FilesError: the image's archive is damaged.
        UnreachableError: the daemon cannot be reached.
        CancelledError: the person interrupted.
    """
    checks = chosen(only, skip)
    with _containers(engine, key) as containers:
        image = read(containers, reference, known, cancel)
        python = python_of(image) or ""
        stage = Stage(
            image=image,
            known=known,
            containers=containers,
            python=python,
            host=host_of(image, known),
            cancel=cancel,
        )
        why = unable(image, engine)
        seen = Seen(why=why) if why else play(stage, scenes(checks), emit)
    return _report(Subject(image=image, known=known, seen=seen), checks)


def _report(subject: Subject, checks: Collection[Check]) -> Report:
    image, usual = subject.image, subject.seen.usual
    up = usual is not None and usual.start.up
    return Report(
        image=image.reference,
        id=image.id,
        size=image.size,
        checks=judge(checks, subject),
        start_seconds=usual.start.seconds if usual and up else None,
        memory=usual.memory if usual else None,
        sbom=sbom(image),
    )


def read(containers: Containers, reference: str, known: Known, cancel: Cancel) -> Image:
    """What the daemon tells of an image, and its files.

    Raises:
        UsageError: it is not there.
    """
    about = containers.image(reference)
    if about is None:
        raise UsageError(
            f"there is no image `{reference}` in this Docker",
            hints=(
                "see what there is: `kubekit docker images`",
                "without a name, the project's own is verified: `kubekit verify --build`",
            ),
            id="image-missing",
        )
    needles = Needles(known.env, public=reference)
    tree = archive.read(containers.export(str(about["Id"]), cancel), needles)
    size, size_from = _size(about, tree)
    return Image(
        reference=reference,
        id=str(about["Id"]),
        config=about.get("Config") or {},
        history=tuple(about["History"]),
        architecture=str(about.get("Architecture") or ""),
        size=size,
        size_from=size_from,
        tree=tree,
    )


def host_of(image: Image, known: Known) -> str:
    """The Host that the probes of `init` ask such an app by; empty for its address.

    Only Django's: the address of a pod is in no ALLOWED_HOSTS. Any other app that refuses its
    address refuses a kubelet's probes, too, so that this is what is to be seen.
    """
    framework = known.framework
    if framework is None and any(one.normalized == "django" for one in python_packages(image.tree)):
        framework = "django"
    return "localhost" if framework == "django" else ""


def unable(image: Image, engine: Engine) -> str:
    """Why no container of it can be run or asked; empty if one can."""
    machine = engine.platform()[1]
    if image.architecture and image.architecture != machine:
        return f"it is made for {image.architecture}, this Docker is {machine}"
    if not image.command:
        return "it has neither CMD nor ENTRYPOINT"
    if python_of(image) is None:
        return "it has no Python to ask the app with"
    return ""


def python_of(image: Image) -> str | None:
    """A Python in the image: the one on PATH, or of an environment, or any."""
    files = image.tree.files
    folders = [one.strip("/") for one in image.environment.get("PATH", "").split(":")]
    folders += [f"{one}/bin" for one in image.tree.environments()]
    for folder in folders:
        for name in ("python3", "python"):
            if f"{folder}/{name}" in files:
                return f"/{folder}/{name}"
    found = (path for path in sorted(files) if posixpath.basename(path).startswith("python3"))
    return next((f"/{path}" for path in found if "/bin/" in f"/{path}"), None)


def _size(about: Mapping[str, Any], tree: Tree) -> tuple[int, str]:
    """Bytes of all layers, and where the number is from.

    A store of containerd counts what is packed, too, so that its number is of no use: X7.
    """
    if about.get("Descriptor"):
        return sum(layer.size for layer in tree.layers), "in all files of its layers"
    return int(about["Size"]), "in all layers"


@contextlib.contextmanager
def _containers(engine: Engine, key: str) -> Iterator[Containers]:
    """A place for containers, empty before and afterwards."""
    with owned(key) as label:
        containers = Containers(engine, label)
        containers.sweep()
        try:
            yield containers
        finally:
            containers.sweep()
