"""What others make of a context: the references for what kubekit sends.

Debian's docker with the BuildKit in Docker 20.10, and the current BuildKit with a client of its
own, which the lab builds for its nodes; here its daemon runs beside the tests.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kubekit.model import DockerEndpoint
from lab import gobuild, paths
from lab.parts import Store

_READY_SECONDS = 120

Listing = dict[str, str]
"""Path -> kind, permissions and content, as far as an image keeps them."""


@dataclass(frozen=True)
class Docker:
    """A docker command line that does BuildKit by itself, and the daemon it works with."""

    program: str
    env: dict[str, str]

    @classmethod
    def of(cls, endpoint: DockerEndpoint) -> Docker:
        """The first one on the PATH, with this daemon."""
        env = {**os.environ, "DOCKER_HOST": endpoint.host, "DOCKER_BUILDKIT": "1"}
        if endpoint.cert_path is not None:
            env |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(endpoint.cert_path)}
        for folder in os.environ["PATH"].split(os.pathsep):
            found = shutil.which("docker", path=folder)
            if found and "--progress" in _help(found, env):
                return cls(found, env)
        raise AssertionError("no docker command line here can do BuildKit")

    def made(self, context: Path, dockerfile: Path) -> Listing | None:
        """What is in the image; None if it cannot be built."""
        command = [self.program, "build", "--quiet", "--file", str(dockerfile)]
        return _listed([*command, "--output", "type=tar,dest=-", str(context)], self.env)


@dataclass(frozen=True)
class BuildKit:
    """The current BuildKit: its client, and the socket of its daemon."""

    program: str
    socket: str

    def made(self, context: Path, dockerfile: Path) -> Listing | None:
        """What is in the image; None if it cannot be built."""
        command = [self.program, "--addr", self.socket, "build", "--frontend", "dockerfile.v0"]
        places = [f"context={context}", f"dockerfile={dockerfile.parent}"]
        local = [argument for place in places for argument in ("--local", place)]
        return _listed([*command, *local, "--output", "type=tar,dest=-"], {**os.environ})


@contextmanager
def buildkit(folder: Path) -> Iterator[BuildKit]:
    """Run the daemon with all that is its own in a folder."""
    places = paths.places()
    store, parts = Store(places.parts, places.logs), gobuild.parts()
    daemon, client = (store.path(parts[name]) / name for name in ("buildkitd", "buildctl"))
    socket = f"unix://{folder / 'socket'}"
    options = ["--oci-worker-snapshotter=native", "--oci-worker-net=host"]
    options += ["--containerd-worker=false", f"--root={folder / 'root'}", f"--addr={socket}"]
    search = f"{os.environ['PATH']}:/usr/sbin:/sbin"  # of runc, which a user may not have on it
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [daemon, *options], env={**os.environ, "PATH": search}, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + _READY_SECONDS
        probe = [client, "--addr", socket, "debug", "workers"]
        while subprocess.run(probe, capture_output=True, check=False).returncode != 0:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield BuildKit(str(client), socket)
    finally:
        process.terminate()
        process.wait()


def _listed(command: list[str], env: dict[str, str]) -> Listing | None:
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    lost = (b"Cannot connect", b"connection refused", b"no such host")
    assert not any(words in done.stderr for words in lost), done.stderr
    return listing(done.stdout) if done.returncode == 0 else None


def _help(program: str, env: dict[str, str]) -> str:
    command = [program, "build", "--help"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return done.stdout


def listing(tar: bytes) -> Listing:
    """Read a tar; times and owners do not count."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            held = hashlib.sha256(content.read()).hexdigest() if content else member.linkname
            kind = "dir" if member.isdir() else "link" if member.issym() else "file"
            mode = "" if kind == "link" else f"{member.mode & 0o7777:o}"
            found[member.name.strip("/")] = f"{kind} {mode} {held}"
    return found
