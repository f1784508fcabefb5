"""The shell commands that build and list images in a node, for each container runtime. Pure.

`minikube image build` runs the same builders. But it shows what they print only when they have
ended (it reads stdout and stderr one after the other), drops their environment, ends with 0 when
they fail, leaves the context in the node then, and lets them go on after Ctrl-C (minikube v1.38,
pkg/minikube/machine/build_images.go, pkg/minikube/command/ssh_runner.go). A shell of our own,
which `minikube ssh` runs in a terminal, does none of this: a hang-up ends it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from kubekit.image.store import Order

FOLDER = "/var/lib/minikube/build"
"""Where Minikube itself puts build contexts: on the node's disk, not in its memory."""

SAVED = "/var/lib/minikube/images"
"""Where Minikube puts the archives of `image save` and `image load`, and leaves them."""

NO_BUILDER = 97
"""The exit code of a build in a node that has nothing to build with."""

_SWEEP = (
    f'find {FOLDER} {SAVED} -maxdepth 1 -name "kubekit-*" -mmin +2880'
    " -exec rm -rf {} + 2>/dev/null"
)
"""Deletes what runs that were killed have left: no build may take as long as two days."""

LIST = "sudo crictl images -o json"
CONTAINERS = "sudo crictl ps -a -o json"

BUILDERS = {"docker": "docker", "containerd": "buildctl", "cri-o": "podman", "crio": "podman"}
"""What builds images for a runtime; source: minikube, pkg/minikube/cruntime."""

_RUN = """\
sudo sh -c '
d={folder}/{token}
{sweep}
trap "rm -rf $d $d.tar" EXIT
trap "exit 129" HUP INT TERM
mkdir -p $d/context $d/file || exit
tar -C $d/context -xf $d.tar || exit
mv $d/context/{token} $d/script || exit
cd $d && sh ./script </dev/null'"""

_PREPARE = """\
command -v {program} >/dev/null || exit {missing}
{take} -- context/{dockerfile} file/Dockerfile || exit
# The rules have been applied; a builder would look for them again.
echo '#' >file/Dockerfile.dockerignore
{command}
"""


def run(token: str) -> str:
    """The command that unpacks the archive `token`.tar, runs its script, and leaves nothing.

    It holds no values of build arguments: the command lines of this machine are for all to read.
    """
    return _RUN.format(folder=FOLDER, token=token, sweep=_SWEEP)


def discard(path: str) -> str:
    """The command that deletes a file or folder, an archive of that name, and old ones."""
    return f"sudo sh -c {shlex.quote(f'{_SWEEP}; rm -rf {path} {path}.tar')}"


def pull(reference: str) -> str:
    """The command that brings an image from its registry."""
    return f"sudo crictl pull {shlex.quote(full(reference))}"


def build(order: Order, runtime: str) -> str:
    """The script that lies in the archive, and builds what else is in it."""
    program = BUILDERS[runtime]
    words = {"docker": _docker, "buildctl": _buildctl, "podman": _podman}[program](order)
    return _PREPARE.format(
        program=program,
        missing=NO_BUILDER,
        take="mv" if order.plan.apart else "cp",
        dockerfile=shlex.quote(order.plan.dockerfile),
        command=shlex.join(list(words)),
    )


def inspect(ids: Iterable[str]) -> str:
    """The command that shows all containers, and these images with their labels."""
    return f"{CONTAINERS}; sudo crictl inspecti -o json {shlex.join(ids)}"


def config(id_: str, runtime: str) -> str:
    """The command that shows the config of an image as it was built; crictl leaves out a part."""
    if runtime == "containerd":
        return f"sudo ctr -n k8s.io content get {shlex.quote(id_)}"
    return f"sudo {BUILDERS[runtime]} image inspect {shlex.quote(id_)}"


def remove(name: str, runtime: str, names: Iterable[str]) -> str:
    """The command that takes a name from an image, which goes with its last one.

    Args:
        name: it.
        runtime: the profile's.
        names: all that the image has.
    """
    if runtime == "docker":  # it refuses for a container that runs; an ended one does not count
        return f"sudo docker rmi -f {shlex.quote(name)}"
    program = "crictl rmi"
    if set(names) - {full(name)}:
        program = "ctr -n k8s.io images rm" if runtime == "containerd" else "podman rmi"
    return f"sudo {program} {shlex.quote(full(name))}"


def full(reference: str) -> str:
    """The reference with its registry, as containerd and cri-o write it; it may have a digest."""
    name, at, digest = reference.partition("@")
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif not {".", ":"} & set(first) and first != "localhost":
        name = f"docker.io/{name}"
    if at:
        name = name if ":" not in name.rpartition("/")[2] else name.rpartition(":")[0]
        return f"{name}@{digest}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _docker(order: Order) -> Iterator[str]:
    yield from ("env", "DOCKER_BUILDKIT=1", "BUILDKIT_PROGRESS=plain")
    # A second manifest would make the image's ID another one on each node.
    yield "BUILDX_NO_DEFAULT_ATTESTATIONS=1"
    yield from ("docker", "build", "-f", "file/Dockerfile", "-t", order.reference)
    yield from _options(order)
    yield "context"


def _podman(order: Order) -> Iterator[str]:
    yield from ("podman", "build", "--cgroup-manager=cgroupfs", "-f", "file/Dockerfile")
    yield from ("--ignorefile", "file/Dockerfile.dockerignore", "-t", full(order.reference))
    yield from _options(order)
    yield "context"


def _options(order: Order) -> Iterator[str]:
    settings = order.plan.settings
    if settings.target is not None:
        yield from ("--target", settings.target)
    for key, value in settings.args.items():
        yield from ("--build-arg", f"{key}={value}")
    for key, value in order.labels.items():
        yield from ("--label", f"{key}={value}")


def _buildctl(order: Order) -> Iterator[str]:
    settings = order.plan.settings
    yield from ("buildctl", "build", "--progress=plain", "--frontend", "dockerfile.v0")
    yield from ("--local", "context=context", "--local", "dockerfile=file")
    # The base images are there, and the image's name says which: no registry is asked again.
    options = {"image-resolve-mode": "local"}
    if settings.target is not None:
        options["target"] = settings.target
    options |= {f"build-arg:{key}": value for key, value in settings.args.items()}
    options |= {f"label:{key}": value for key, value in order.labels.items()}
    for key, value in options.items():
        yield from ("--opt", f"{key}={value}")
    yield from ("--output", f"type=image,name={full(order.reference)}")
