"""Spare Docker daemons to spoil: each in a container of the lab's own engine.

A container gives each a network of its own (two daemons in one delete each other's bridge) and, on
a tmpfs, a small disk of its own to fill.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lab.engine
from kubekit.model import DockerEndpoint
from lab import gobuild, imagetar, paths, pythonbase
from lab.debian import Tree
from lab.imagetar import Image
from lab.parts import Part, Store

BASE = "python:3.13-slim"
PORT = 2375
_PREFIX = "kubekit-spare-"
_READY_SECONDS = 120
_PACKAGES = ("docker.io", "docker-cli", "iptables", "ca-certificates", "procps")


@dataclass(kw_only=True)
class Spare:
    """A container in which a Docker daemon is started, stopped and held up.

    Attributes:
        name: the container's.
        address: its IP address, the same as long as the container runs.
    """

    name: str
    address: str

    @property
    def endpoint(self) -> DockerEndpoint:
        """Where kubekit finds the daemon."""
        return DockerEndpoint(host=f"tcp://{self.address}:{PORT}", profile="spare")

    def start(self) -> None:
        """Start the daemon, and wait until it answers."""
        host = f"--host=tcp://0.0.0.0:{PORT} --host=unix:///run/docker.sock --tls=false"
        # Of one that was killed the pid file stays, and would name whoever has the number now.
        self.run(f"rm -f /run/docker.pid; setsid dockerd {host} >>/var/log/dockerd.log 2>&1 &")
        deadline = time.monotonic() + _READY_SECONDS
        while not self.answers():
            assert time.monotonic() < deadline, self.run("tail -20 /var/log/dockerd.log")
            time.sleep(0.1)

    def answers(self) -> bool:
        """Whether the daemon is there and answers."""
        asked = ["curl", "-sf", "-m", "2", f"http://{self.address}:{PORT}/_ping"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    def signal(self, name: str) -> None:
        """Send the daemon, and nobody else, a signal: ``STOP``, ``CONT``, ``TERM``, ``KILL``."""
        self.run(f"kill -{name} $(cat /run/docker.pid)")

    def restart(self) -> None:
        """Start the daemon again, once the one that was told to end has ended."""
        self.run("while [ -d /proc/$(cat /run/docker.pid || echo none) ]; do sleep 0.1; done")
        self.start()

    @contextmanager
    def full_disk(self, *, leave: int) -> Iterator[None]:
        """Fill the daemon's disk but for some bytes."""
        free = "$(df --output=avail -B1 /var/lib/docker | tail -1)"
        self.run(f"fallocate -l $(({free} - {leave})) /var/lib/docker/filler")
        try:
            yield
        finally:
            self.run("rm /var/lib/docker/filler")

    @contextmanager
    def small_memory(self, size: str) -> Iterator[None]:
        """Let the daemon and all that it runs have no more memory than this."""
        self._limit(size)
        try:
            yield
        finally:
            self._limit("8g")

    def _limit(self, size: str) -> None:
        lab.engine.docker("update", f"--memory={size}", f"--memory-swap={size}", self.name)

    def run(self, script: str) -> str:
        """Run a shell script beside the daemon; what it prints."""
        return lab.engine.docker("exec", self.name, "sh", "-c", script)

    def load(self, image: Image) -> None:
        """Load an image whose layers are files of this machine."""
        load(image, f"--host={self.endpoint.host}")


@contextmanager
def spare(image: str, *, disk: str, name: str) -> Iterator[Spare]:
    """A daemon of this image with a disk of this size, and the base image of most builds in it."""
    _remove_abandoned()
    name = f"{_PREFIX}{name}-{os.getpid()}"
    wrapper = _store().path(gobuild.parts()["runc-wrapper"]) / "runc-wrapper"
    lab.engine.docker(
        *("run", "--detach", "--rm", "--privileged", "--init", f"--name={name}"),
        *(f"--tmpfs=/var/lib/docker:size={disk}", "--tmpfs=/run", "--entrypoint=sleep"),
        *(f"--volume={wrapper}:/usr/local/sbin/runc:ro", image, "infinity"),
    )
    try:
        where = "--format={{.NetworkSettings.IPAddress}}"
        made = Spare(name=name, address=lab.engine.docker("inspect", where, name).strip())
        made.start()
        made.load(pythonbase.image(BASE, _layer(pythonbase.parts()[BASE])))
        yield made
    finally:
        lab.engine.docker("rm", "--force", "--volumes", name)


def _remove_abandoned() -> None:
    """Remove what runs that were killed have left behind."""
    listed = lab.engine.docker("ps", "--all", "--format={{.Names}}", f"--filter=name=^{_PREFIX}")
    for name in listed.split():
        if not Path(f"/proc/{name.rpartition('-')[2]}").exists():
            lab.engine.docker("rm", "--force", "--volumes", name)


def node_image() -> str:
    """The lab's node image: Debian bookworm with Docker 20.10."""
    names = "--format={{.Repository}}:{{.Tag}}"
    return lab.engine.docker("image", "ls", names, "kubekit-lab/node").split()[0]


def newer_image() -> str:
    """An image of Debian trixie with Docker 26.1, made once and kept with the lab's own parts."""
    name = f"kubekit-spare/docker:{_NEWER.key}"
    if not lab.engine.docker("image", "ls", "--quiet", name).strip():
        if not _store().has(_NEWER):
            _store().build(_NEWER)
        load(Image((name,), (_layer(_NEWER),)))
    return name


def load(image: Image, *options: str) -> None:
    """Load an image into an engine, the lab's own unless the client's options say another."""
    command = [lab.engine.client(), *options, "load", "--quiet"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=lab.engine.environment(),
    ) as loading:
        assert loading.stdin is not None
        imagetar.write_archive(loading.stdin, [image])
        loading.stdin.close()
    assert loading.returncode == 0


def _make(target: Path, store: Store) -> None:
    tree = Tree("trixie", _PACKAGES)
    tree.make(target / "layer.tar", store.logs / "spare-docker.log")
    imagetar.digest(target / "layer.tar")


_NEWER = Part("spare-docker", _make, recipe=("trixie", *_PACKAGES))


def _store() -> Store:
    places = paths.places()
    return Store(places.parts, places.logs)


def _layer(part: Part) -> Path:
    return _store().path(part) / "layer.tar"
