"""The lab's own Docker engine, on machines where none answers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab import hostnet, imagetar, process
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.imagetar import Image
    from lab.paths import Places

SOCKET = Path("/var/run/docker.sock")
_START_SECONDS = 60
_STOP_SECONDS = 20.0
# dockerd makes the first two, Minikube's mount of the modules the last one.
_LEFT_EMPTY = (Path("/var/run/docker/plugins"), Path("/var/run/docker"), Path("/lib/modules"))
# These would lead `docker` and `minikube` to another engine than the one that is meant.
_MISLEADING = (
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_API_VERSION",
    "MINIKUBE_ACTIVE_DOCKERD",
)


def client() -> str:
    """Find Debian's client: unlike newer ones without a plugin, it has BuildKit inside."""
    return "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give the caller's environment without what leads to other engines, and with some more."""
    own = {name: value for name, value in os.environ.items() if name not in _MISLEADING}
    return own | dict(more or {})


def answers(path: Path = SOCKET, seconds: float = 5) -> bool:
    """Ask the socket itself: quicker than any client, and never an engine of another name."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(str(path))
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return connection.recv(64).partition(b" ")[2].startswith(b"200 ")
    except OSError:
        return False


def is_ours(places: Places) -> bool:
    """Tell whether the engine that the lab started is running."""
    identity = process.load_identity(_identity(places))
    return identity is not None and identity.alive()


def reachable() -> bool:
    """Tell whether any engine answers, in the way and place that the user's own client asks it."""
    if answers():
        return True
    if not shutil.which("docker"):
        return False
    try:
        process.output(["docker", "version"], env=os.environ, seconds=10)
    except LabError:
        return False
    return True


def held_by_other(places: Places) -> bool:
    """Tell whether somebody listens on the default socket who does not answer as Docker does."""
    if is_ours(places) or answers():
        return False
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(SOCKET))
    except (FileNotFoundError, ConnectionRefusedError):
        return False  # Nobody, or a socket that was left behind.
    except OSError:
        return True
    return True


def end_left_over(places: Places) -> None:
    """End what outlives an engine that was killed: containers, and the keepers of containers.

    The keepers name the lab's own socket in their command line, and a container's first process is
    its keeper's child: with it goes everything inside.
    """
    mark = f"{places.run}/".encode()
    keepers = [pid for pid in process.running() if mark in process.command_line(pid)]
    for pid in [pid for pid in process.running() if process.parent(pid) in keepers] + keepers:
        identity = process.identify(pid)
        if identity:
            identity.end(0)


def start(places: Places, wrapper: Path) -> None:
    """Start dockerd on the default socket, and wait until it answers."""
    end_left_over(places)
    _unmount(places)
    hostnet.remember(places)
    # Pid files of an engine that was killed would make this one wait for its containerd.
    shutil.rmtree(places.run, ignore_errors=True)
    places.run.mkdir(parents=True)
    SOCKET.unlink(missing_ok=True)
    settings = places.state / "dockerd.json"
    process.write_atomically(settings, json.dumps(_settings(places), indent=1))
    log = places.logs / "dockerd.log"
    daemon = process.identify(
        process.detached(
            ["/usr/sbin/dockerd", f"--config-file={settings}"],
            log=log,
            env=environment() | {"PATH": f"{_tools(places, wrapper)}:{process.SYSTEM_PATH}"},
        )
    )
    if daemon:
        daemon.save(_identity(places))
    deadline = time.monotonic() + _START_SECONDS
    while not answers():
        if daemon is None or not daemon.alive() or time.monotonic() > deadline:
            raise LabError(process.failure(["dockerd"], 1, log.read_text()), f"all of it: {log}")
        time.sleep(0.1)


def stop(places: Places) -> None:
    """End the lab's dockerd, with the containers on it, and take away what it leaves behind."""
    identity = process.load_identity(_identity(places))
    if identity and identity.alive():
        with contextlib.suppress(LabError):  # One that is broken is ended without.
            docker("kill", *docker("ps", "--quiet").split())
        identity.end(_STOP_SECONDS)
    if identity and not answers():
        SOCKET.unlink(missing_ok=True)
    end_left_over(places)
    _identity(places).unlink(missing_ok=True)
    _unmount(places)
    shutil.rmtree(places.run, ignore_errors=True)
    for folder in _LEFT_EMPTY:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    hostnet.restore(places)


def docker(*arguments: str) -> str:
    """Run a docker command against the engine on the default socket."""
    return process.output([client(), *arguments], env=environment(), seconds=600)


def load(images: Sequence[Image], env: Mapping[str, str]) -> None:
    """Bring images into the engine that this environment leads to.

    Raises:
        LabError: it refuses them.
    """
    command = [client(), "load", "--quiet"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env
    ) as loading:
        assert loading.stdin is not None
        assert loading.stdout is not None
        try:
            imagetar.write_archive(loading.stdin, images)
        except BrokenPipeError:
            pass  # The reason is in what `docker load` says.
        finally:
            loading.stdin.close()
        said = loading.stdout.read().decode(errors="replace")
    if loading.returncode:
        raise LabError(process.failure(command, loading.returncode, said))


def restricted() -> bool:
    """Tell whether this machine withholds what `--privileged` containers ask for."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return not int(line.split()[1], 16) & (1 << 24)
    return False


def _identity(places: Places) -> Path:
    return places.state / "dockerd.pid.json"


def _settings(places: Places) -> dict[str, object]:
    return {
        "data-root": str(places.docker_root),
        "exec-root": str(places.run / "docker"),
        "pidfile": str(places.run / "dockerd.pid"),
        "hosts": [f"unix://{SOCKET}"],
        "storage-driver": "overlay2",
        # With cgroup v1 the node's systemd would otherwise see, and use, the host's.
        "default-cgroupns-mode": "private",
        "oom-score-adjust": 0,
    }


def _tools(places: Places, wrapper: Path) -> Path:
    """Make the folder that dockerd looks into first for the programs it runs."""
    folder = places.state / "engine-bin"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if restricted():
        (folder / "runc").symlink_to(wrapper)
    return folder


def _unmount(places: Places) -> None:
    """Take off what containers left mounted, the innermost first."""
    roots = (f"{places.docker_root}/", f"{places.run}/")
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for path in reversed([path for path in mounted if f"{path}/".startswith(roots)]):
        subprocess.run(["umount", "--lazy", path], check=False, capture_output=True)
