"""A full disk in the daemon: which one, what takes the room, and how to look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubekit.errors import BuildError, UnreachableError
from kubekit.image.docker.engine import Engine


def told(error: BuildError, engine: Engine) -> BuildError:
    """Add to the error what the daemon says of its disk; it may be too full for an answer."""
    try:
        info = engine.info()
    except UnreachableError:
        return error
    root, profile = info["DockerRootDir"], info["Name"]
    error.message = f"the disk of the Docker daemon, at `{root}`, is full: {error.message}"
    if not engine.endpoint.own:
        error.hints = (f"see how full: `minikube ssh -p {profile} -- df -h {root}`", *error.hints)
    try:
        usage = engine.usage()
    except UnreachableError:
        return error
    error.details = (*error.details, shares(usage))
    return error


def shares(usage: Mapping[str, Any]) -> str:
    """Return in one line what of the disk is Docker's own, as `docker system df` adds it up."""
    cache = sum(int(record["Size"]) for record in usage["BuildCache"] or ())
    unused = sum(int(record["Size"]) for record in usage["BuildCache"] or () if not record["InUse"])
    images = int(usage["LayersSize"])
    return (
        f"images take {images / 1e9:.2f} GB there, the build cache {cache / 1e9:.2f} GB, of which"
        f" {unused / 1e9:.2f} GB are not in use"
    )
