"""Further real profiles beside `kubekit-lab`: another runtime, more than one node.

They are started on demand, live in the lab's own Minikube, and are made of the same parts.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from lab import cluster, engine, gobuild, nodeimage, parts, paths, session
from lab.paths import FURTHER, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.paths import Places
    from lab.progress import Progress

_ARGUMENTS: dict[Kind, tuple[str, ...]] = {
    "containerd": ("--container-runtime=containerd",),
    "two-node": ("--container-runtime=docker", "--nodes=2"),
}
# Minikube's choice for both, kindnet, is an image of a registry that the lab's own node lacks.
_NETWORK: dict[Kind, str] = {"containerd": "bridge", "two-node": f"{paths.SOURCE}/node/cni.yaml"}


@contextmanager
def profile(kind: Kind, stream: TextIO | None = None) -> Iterator[dict[str, str]]:
    """Have the profile while the block runs; gives the environment that leads to it.

    One that somebody else has started stays, for they work on it; so does one that did not come
    up, to be looked at.

    Raises:
        LabError: the lab is not up, or Minikube failed.
    """
    leading, started = _up(kind, stream)
    try:
        yield leading
    finally:
        if started:
            down(kind, stream)


def up(kind: Kind, stream: TextIO | None = None) -> dict[str, str]:
    """Bring the profile up, afresh unless it runs, and give the environment that leads to it.

    Raises:
        LabError: the lab is not up, or Minikube failed.
    """
    return _up(kind, stream)[0]


def _up(kind: Kind, stream: TextIO | None) -> tuple[dict[str, str], bool]:
    places, name = paths.places(), FURTHER[kind]
    leading = session.environment() | {"KUBEKIT_PROFILE": name}
    if cluster.runs(_environment(leading), name):
        return leading, False
    with session.work(places, stream or sys.stderr) as progress:
        if cluster.runs(_environment(leading), name):
            return leading, False  # Whoever held the lock has done it.
        network: tuple[str, ...] = ()
        if ours := session.is_ours(places):
            leading["MINIKUBE_BASE_IMAGE"] = _image(places, progress)
            network = (f"--cni={_NETWORK[kind]}",)
        env = _environment(leading)
        cluster.remove_profile(places, env, name, ours=ours)
        with progress.step(f"minikube start -p {name}"):
            # The context that was chosen stays chosen.
            cluster.start(places, env, name, *_ARGUMENTS[kind], *network, "--keep-context")
        with progress.step(f"wait for {name}"):
            cluster.wait(env, name)
    return leading, True


def down(kind: Kind, stream: TextIO | None = None) -> None:
    """Delete the profile, whatever state it is in.

    Raises:
        LabError: the lab is not up, or Minikube failed.
    """
    places, name = paths.places(), FURTHER[kind]
    env = _environment(session.environment())
    with session.work(places, stream or sys.stderr) as progress, progress.step(f"delete {name}"):
        cluster.remove_profile(places, env, name, ours=session.is_ours(places))


def _environment(leading: dict[str, str]) -> dict[str, str]:
    # A Docker that was found may be one that the caller's DOCKER_HOST names.
    own = session.is_ours(paths.places())
    return engine.environment(leading) if own else os.environ | leading


def _image(places: Places, progress: Progress) -> str:
    """Bring the node image of these files into the engine: the lab itself may be of older ones."""
    store = parts.Store(places.parts, places.logs)
    layers = nodeimage.layers(gobuild.parts())
    parts.ensure(layers, store, progress)
    image = nodeimage.image(layers, store)
    with progress.step("load the node image"):
        cluster.load_node_image(image)
    return image.names[0]
