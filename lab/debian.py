"""What comes from Debian: packages for this machine, and small trees to make images of."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab import process
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Program that shows a package is there -> package.
HOST_PACKAGES = {
    "dockerd": "docker.io",
    "iptables": "iptables",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "gcc": "gcc libc6-dev",
}
_EXCLUDED = ("man", "doc", "locale", "info")
_POLICY = Path("/usr/sbin/policy-rc.d")


def missing_packages() -> list[str]:
    """List the packages to install on this machine, by the programs that are not there."""
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [
        name
        for program, names in HOST_PACKAGES.items()
        if not shutil.which(program, path=search)
        for name in names.split()
    ]


def install(packages: Sequence[str], log: Path) -> None:
    """Install packages without their services: starting and ending them is the lab's own work."""
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-y"]
    process.run([*apt, "update"], log=log.with_suffix(".update.log"), env=quiet)
    ours = not _POLICY.exists()
    if ours:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
    try:
        process.run([*apt, "install", "--no-install-recommends", *packages], log=log, env=quiet)
    finally:
        if ours:
            _POLICY.unlink()


@dataclass(frozen=True)
class Tree:
    """A Debian tree to be made: which release, which packages, what is done to it afterwards."""

    suite: str
    packages: tuple[str, ...]
    variant: str = "minbase"
    hooks: tuple[str, ...] = ()

    def make(self, target: Path, log: Path) -> None:
        """Write the tree as a tar file."""
        excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _EXCLUDED]
        # The same day must give the same bytes, or every rebuild would be a new image layer.
        env = os.environ | {"SOURCE_DATE_EPOCH": "1735689600"}
        process.run(
            [
                "mmdebstrap",
                "--quiet",
                "--mode=root",
                f"--variant={self.variant}",
                "--format=tar",
                f"--include={','.join(self.packages)}",
                '--aptopt=APT::Install-Recommends "false"',
                *excluded,
                *(f"--customize-hook={hook}" for hook in self.hooks),
                self.suite,
                target,
                *_sources(self.suite),
            ],
            log=log,
            env=env,
        )


def _sources(suite: str) -> Iterable[str]:
    main, security = mirrors()
    yield f"deb {main} {suite} main"
    yield f"deb {main} {suite}-updates main"
    if security:
        yield f"deb {security} {suite}-security main"


def mirrors() -> tuple[str, str]:
    """Ask this machine's apt which mirrors it uses for Debian and for its security updates."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Identifier: Packages"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = dict(reversed([line.split(" ", 1) for line in listed.splitlines() if " " in line]))
    try:
        return found["Debian"], found.get("Debian-Security", "")
    except KeyError:
        raise LabError(
            "apt on this machine names no mirror of Debian", "run `apt-get update` and look there"
        ) from None
