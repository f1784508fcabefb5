"""What `docker build` makes of a context: the reference for what kubekit sends."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from kubekit.cluster.dockerenv import docker_env
from kubekit.model import Cancel

Listing = dict[str, str]
"""Path -> kind, permissions and content, as far as an image keeps them."""


@dataclass(frozen=True)
class Docker:
    """A docker command line that does BuildKit by itself, and the daemon it works with."""

    program: str
    env: dict[str, str]

    @classmethod
    def of(cls, profile: str) -> Docker:
        """The first one on the PATH, in the daemon of a Minikube profile."""
        endpoint = docker_env(profile, cancel=Cancel())
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
        done = subprocess.run(
            [*command, "--output", "type=tar,dest=-", str(context)],
            env=self.env,
            capture_output=True,
            check=False,
        )
        assert b"Cannot connect" not in done.stderr, done.stderr
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
