"""This machine: the programs that are needed, and what the system lets `dev` watch."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
from pathlib import Path
from typing import NamedTuple

from kubekit import __version__, proc
from kubekit.cluster import minikube
from kubekit.cluster.target import INSTALL_MINIKUBE
from kubekit.doctor.known import Known
from kubekit.doctor.verdict import Verdict, failure, left_out, ok, warning
from kubekit.errors import MissingError

PROC = Path("/proc")
_ASK_SECONDS = 20.0
_OLDEST_MINIKUBE = (1, 32)
"""The first whose `docker-env` writes plain lines for a shell that is `none`, as kubekit asks."""
_INOTIFY = "anon_inode:inotify"
_WATCHES = "sudo sysctl -w fs.inotify.max_user_watches=524288"
_INSTANCES = "sudo sysctl -w fs.inotify.max_user_instances=1024"
_INSTALL_DOCKER = "install Docker's command line: https://docs.docker.com/"


def python(_known: Known) -> Verdict:
    """Which kubekit runs, and by which Python; the oldest that will do is the package's to say."""
    where = f"{platform.system()} {platform.machine()}"
    return ok(f"{__version__}, Python {platform.python_version()}, {where}")


def has_minikube(known: Known) -> Verdict:
    """Whether there is a Minikube, and which; a cluster that is none needs none."""
    try:
        program = proc.find("minikube", hint=INSTALL_MINIKUBE)
    except MissingError as error:
        context = known.aim().context
        if context is None:
            return failure(error, reason=error.message)
        text = f"{error.message}, which context `{context}` does not need if it is another cluster"
        return warning(text, *error.hints, cause=error.id)
    argv = ["version", "-o", "json"]
    done = minikube.call(argv, timeout=_ASK_SECONDS, cancel=known.run.cancel)
    known.minikube = True
    return judge_minikube(done.out, program)


def judge_minikube(said: str, program: str) -> Verdict:
    """What `minikube version -o json` says."""
    try:
        version = str(json.loads(said)["minikubeVersion"])
        number = tuple(int(part) for part in version.removeprefix("v").split(".")[:2])
    except (ValueError, KeyError, TypeError):
        return warning(
            f"`{program}` does not say which version it is",
            "see what `minikube version` says",
            cause="minikube-version",
        )
    if number < _OLDEST_MINIKUBE:
        oldest = ".".join(map(str, _OLDEST_MINIKUBE))
        text = f"{version} at `{program}` is older than {oldest}"
        return warning(text, f"a newer one: {INSTALL_MINIKUBE}", cause="minikube-version")
    return ok(f"{version} at `{program}`")


def programs(known: Known) -> Verdict:
    """The commands of others: who needs them, if anybody."""
    docker = shutil.which("docker")
    driver = known.profile.driver if known.profile else ""
    return judge_programs(docker, driver=driver, kubectl=shutil.which("kubectl") is not None)


def judge_programs(docker: str | None, *, driver: str, kubectl: bool) -> Verdict:
    """Docker's command is Minikube's, where that keeps its nodes in Docker; kubectl is nobody's."""
    other = f"`kubectl` is not needed{'' if kubectl else ', and not there'}"
    if docker is not None:
        whose = "Minikube's driver and `kubekit docker`" if driver == "docker" else "kubekit docker"
        whose = whose if driver == "docker" else f"`{whose}` alone"
        return ok(f"`{docker}` is there for {whose}; {other}")
    if driver != "docker":
        return ok(f"`docker` is not there: `kubekit docker` alone needs it; {other}")
    text = "`docker` is not on PATH, and Minikube asks it for its nodes: their driver is docker"
    error = MissingError(text, hints=(_INSTALL_DOCKER,), id="docker-missing")
    return failure(error, reason="`docker` is not on PATH")


class Watched(NamedTuple):
    """Inotify as Linux counts it for this user.

    Attributes:
        limit: watches in all, and `used` of them by now.
        instances: files that they are read from, and `open` of them by now.
        folders: that `dev` would watch, each by one watch.
    """

    limit: int
    used: int
    instances: int
    open: int
    folders: int


def inotify(known: Known) -> Verdict:
    """Whether `dev` is told of what is saved; where not, it looks every second."""
    if known.settings is None:
        return left_out("there is no project")
    limits = read_limits(PROC)
    if limits is None:
        return ok(f"{platform.system()} sets no limit on what `dev` watches")
    used, instances = count_watches(PROC)
    folders = sum(_folders(rule.src) for rule in known.settings.dev.sync)
    return judge_inotify(Watched(limits[0], used, limits[1], instances, folders))


def read_limits(system: Path) -> tuple[int, int] | None:
    """How many watches, and instances, this user may have; None where there is no inotify.

    Args:
        system: where the system shows itself, as in ``/proc``.
    """
    folder = system / "sys/fs/inotify"
    try:
        return (
            int((folder / "max_user_watches").read_text()),
            int((folder / "max_user_instances").read_text()),
        )
    except (OSError, ValueError):
        return None


def count_watches(system: Path) -> tuple[int, int]:
    """How many watches and instances the processes of this user have by now."""
    watches = instances = 0
    for link in system.glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # it may end at this moment, or be another user's
            if str(link.readlink()) != _INOTIFY:
                continue
            instances += 1
            text = (link.parent.parent / "fdinfo" / link.name).read_text()
            watches += text.count("\ninotify ")
    return watches, instances


def judge_inotify(seen: Watched) -> Verdict:
    """Whether there is room for the folders of `dev`, and for the one instance it opens."""
    if seen.open >= seen.instances:
        return warning(
            f"all {seen.instances} inotify instances of this user are taken, "
            "so `dev` would look for changes every second",
            f"allow more: `{_INSTANCES}`",
            cause="inotify-instances",
        )
    free = seen.limit - seen.used
    if seen.folders > free:
        return warning(
            f"`dev` would watch {seen.folders} folders, and {max(free, 0)} of {seen.limit} inotify "
            "watches are free, so it would look for changes every second",
            f"allow more: `{_WATCHES}`",
            cause="inotify-watches",
        )
    return ok(f"{seen.folders} folders to watch, {free} of {seen.limit} watches free")


def _folders(root: Path) -> int:
    """A folder and those below it; each takes a watch, links to folders none."""
    return sum(1 for _ in os.walk(root))
