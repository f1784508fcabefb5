"""`up`, `down`, `status` and `env`: the order of things, each thing in a module of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal, TextIO

from lab import cluster, debian, engine, gobuild, nodeimage, parts, paths, preflight, record
from lab.errors import LabError
from lab.lock import exclusive
from lab.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.paths import Places
    from lab.record import Record


def up(stream: TextIO | None = None) -> dict[str, str]:
    """Bring the lab up, whatever state it is in, and give the environment that leads to it."""
    places = paths.places()
    known = record.load(places)
    if known and _alive(places, known):
        _tell_if_outdated(places, known, stream or sys.stderr)
        return _reaching(places, known)
    with work(places, stream or sys.stderr) as progress:
        known = record.load(places)
        if known and _alive(places, known):
            return _reaching(places, known)  # Whoever held the lock has done it.
        places.record.unlink(missing_ok=True)
        found = _found_minikube(places)
        preflight.check(places, found=bool(found))
        made = _with_found(places, progress) if found else _with_ours(places, progress)
        made.save(places)
        return _reaching(places, made)


def down(*, purge: bool = False, stream: TextIO | None = None) -> None:
    """End what `up` started and nothing else; `purge` also forgets what was built."""
    places = paths.places()
    with work(places, stream or sys.stderr) as progress:
        known = record.load(places)
        if known and known.minikube == "found":
            with progress.step("delete the profile"):
                cluster.remove_found(places, os.environ | known.environment)
        else:
            _down_ours(places, progress)
        places.record.unlink(missing_ok=True)
    if purge:
        for folder in (places.state, places.cache):
            shutil.rmtree(folder, ignore_errors=True)


def environment() -> dict[str, str]:
    """Give the variables that lead `minikube`, `kubectl` and kubekit to the lab."""
    places = paths.places()
    known = record.load(places)
    if known is None or not _alive(places, known):
        raise LabError("the lab is not up", "`python -m lab up`")
    return _reaching(places, known)


def status() -> tuple[bool, list[str]]:
    """Say what runs, where and since when; the first value tells whether the lab is up."""
    places = paths.places()
    known = record.load(places)
    alive = bool(known and _alive(places, known))
    lines = [f"{paths.PROFILE}: {'up' if alive else 'not up'}"]
    if known and alive:
        lines += [
            f"since: {known.since}",
            f"API server: {known.server}",
            f"Minikube: {known.minikube}, Docker: {known.engine}",
            f"node: {known.image}",
        ]
        further = sorted(set(cluster.profiles(places)) - {paths.PROFILE})
        lines += [f"further profiles: {', '.join(further)}"] if further else []
    for name, folder in (("cache", places.cache), ("state", places.state)):
        if folder.exists():
            lines.append(f"{name}: {folder} ({_size(folder)})")
    return alive, lines


def is_ours(places: Places) -> bool:
    """Tell whether the lab that is up runs by the Minikube that the lab built."""
    known = record.load(places)
    return known is not None and known.minikube == "ours"


def _reaching(places: Places, known: Record) -> dict[str, str]:
    # A shell that moves XDG_CACHE_HOME or XDG_STATE_HOME afterwards still means this lab.
    own = {"KUBEKIT_LAB_CACHE": str(places.cache), "KUBEKIT_LAB_STATE": str(places.state)}
    if known.minikube == "ours":
        # The caller's PATH, not that of the run that brought the lab up.
        own["PATH"] = cluster.search_path(places)
    return known.environment | own


def _tell_if_outdated(places: Places, known: Record, stream: TextIO) -> None:
    # Somebody may be at work on it: it is renewed only by somebody who ends it first.
    store = parts.Store(places.parts, places.logs)
    current = nodeimage.image(nodeimage.layers(gobuild.parts()), store).names[0]
    if known.minikube == "ours" and known.image != current:
        message = "it was made from other files than these; `lab down`, then `lab up`, renews it"
        print(f"lab: {message}", file=stream)


@contextmanager
def work(places: Places, stream: TextIO) -> Iterator[Progress]:
    """Show steps while nobody else works on this lab."""
    progress = Progress(stream, places.cache / "durations.json")
    try:
        with exclusive(places.state / "lock", say=progress.say):
            yield progress
    finally:
        progress.close()


def _found_minikube(places: Places) -> str | None:
    """Find a Minikube that the lab has not made, if there is also a Docker it has not made."""
    others = [entry for entry in os.environ.get("PATH", "").split(":") if entry != str(places.bin)]
    minikube = shutil.which("minikube", path=":".join(others))
    return minikube if minikube and not engine.is_ours(places) and engine.reachable() else None


def _with_found(places: Places, progress: Progress) -> Record:
    settings = cluster.found_settings(places)
    # Known from the start: a `down` after a start that failed must find the right Minikube.
    record.Record("found", "found", "", "", "", "", settings).save(places)
    _start(places, progress, os.environ | settings)
    return _record(os.environ | settings, settings, "found", "found", "")


def _with_ours(places: Places, progress: Progress) -> Record:
    store = parts.Store(places.parts, places.logs)
    go = gobuild.parts()
    layers = nodeimage.layers(go)
    missing = debian.missing_packages()
    if missing:
        with progress.step("install Debian packages"):
            debian.install(missing, places.logs / "apt.log")
    parts.ensure([*go.values(), *layers], store, progress)
    foreign = engine.answers() and not engine.is_ours(places)
    if not foreign:
        with progress.step("start Docker"):
            # One that still runs goes too: the profile is not up, perhaps because of it.
            engine.stop(places)
            engine.start(places, store.path(go["runc-wrapper"]) / "runc-wrapper")
    cluster.link_programs(places, go, store)
    image = nodeimage.image(layers, store)
    settings = cluster.settings(places, image.names[0])
    env = engine.environment(settings)
    with progress.step("load the node image"):
        cluster.load_node_image(image)
    with progress.step("remove what is left of an earlier run"):
        cluster.remove(places, env, ours=not foreign)
    _start(places, progress, env)
    return _record(env, settings, "found" if foreign else "ours", "ours", image.names[0])


def _start(places: Places, progress: Progress, env: dict[str, str]) -> None:
    with progress.step("minikube start"):
        cluster.start(places, env, paths.PROFILE, "--container-runtime=docker")
    with progress.step("wait for DNS and storage"):
        cluster.wait(env, paths.PROFILE)


def _record(
    env: dict[str, str],
    settings: dict[str, str],
    docker: Literal["ours", "found"],
    minikube: Literal["ours", "found"],
    image: str,
) -> Record:
    server, authority = cluster.endpoint(env)
    return record.Record(
        engine=docker,
        minikube=minikube,
        image=image,
        since=time.strftime("%Y-%m-%d %H:%M:%S"),
        server=server,
        authority=authority,
        environment=settings,
    )


def _down_ours(places: Places, progress: Progress) -> None:
    ours = engine.is_ours(places)
    # Of an engine that is broken nothing can be removed: it is ended, and the next `up` does it.
    expected = (LabError,) if ours else ()
    if ours or (cluster.profiles(places) and engine.answers()):
        env = engine.environment(cluster.settings(places, ""))
        with progress.step("delete the profiles"), suppress(*expected):
            cluster.remove(places, env, ours=ours)
    with progress.step("stop Docker"):
        engine.stop(places)


def _alive(places: Places, known: Record) -> bool:
    # Pods live on for a while after their engine was killed.
    return (known.engine == "found" or engine.is_ours(places)) and known.alive()


def _size(folder: Path) -> str:
    # Hundreds of thousands of files: `du` needs a tenth of the time.
    done = subprocess.run(["du", "-shx", folder], capture_output=True, text=True, check=False)
    return done.stdout.split("\t")[0]
