"""Which files of a backend go where: COPY, `.dockerignore` and `dev.sync`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from kubekit.detect.backend import Backend

Copy = tuple[str, str]
LIBRARY = "/app/lib"
"""Where a project that is a distribution of its own is installed to."""


def python_path(backend: Backend) -> str:
    """The folder in the image that the app is imported from."""
    if backend.installed:
        return LIBRARY
    return "/app" if backend.source == "." else f"/app/{backend.source}"


def copies(backend: Backend) -> list[Copy]:
    """What the image that runs gets of the context, and where: the source, and what it reads."""
    source = [] if backend.installed else _source(backend, "/app/")
    known = {origin for origin, _ in source}
    return [*source, *((one, f"/app/{one}") for one in backend.data if one not in known)]


def build_copies(backend: Backend) -> list[Copy]:
    """What the build of the project's own distribution needs, beside its metadata."""
    return _source(backend, "./")


def dependencies(backend: Backend) -> list[str]:
    """The files that the dependencies are installed from, and no other: their layer is large."""
    if backend.packaging != "uv-sync":
        return list(backend.requirements)
    return [one for one in backend.manifests if not _is_readme(one)]


def readmes(backend: Backend) -> list[str]:
    """What the build of the project's own distribution reads though nobody runs it."""
    return [one for one in backend.manifests if _is_readme(one)] if backend.installed else []


def allowed(backend: Backend) -> list[str]:
    """The patterns of `.dockerignore` that let in what the Dockerfile copies."""
    named = backend.manifests if backend.installed else dependencies(backend)
    files = [one for one in (*backend.requirements, *named) if one not in readmes(backend)]
    trees = [*_roots(backend), *backend.data]
    patterns = [*files, *(one if _is_file(one) else f"{one}/**" for one in trees)]
    return list(dict.fromkeys(patterns))


def synced(backend: Backend) -> list[Copy]:
    """The folders that `dev` copies into the running container, relative to kubekit.yaml."""
    within = "" if backend.folder == "." else f"{backend.folder}/"
    if backend.installed:
        above = "" if backend.source == "." else f"{backend.source}/"
        folders = [one for one in backend.packages if not _is_file(one)]
        return [(f"{within}{above}{one}", f"{LIBRARY}/{one}") for one in folders]
    if backend.source == "." and any(map(_is_file, _roots(backend))):
        return [(backend.folder, "/app")]
    return [(f"{within}{one}", f"/app/{one}") for one in _roots(backend)]


def by_folder(files: Iterable[str]) -> list[tuple[str, list[str]]]:
    """The files of each folder and the folder to copy them to: one COPY keeps no folders."""
    found: dict[str, list[str]] = {}
    for file in files:
        parent = str(PurePosixPath(file).parent)
        found.setdefault("./" if parent == "." else f"{parent}/", []).append(file)
    return list(found.items())


def _roots(backend: Backend) -> list[str]:
    """What of the source is copied, each as a whole."""
    return [backend.source] if backend.source != "." else list(backend.packages)


def _source(backend: Backend, to: str) -> list[Copy]:
    return [(one, f"{to}{one}") for one in _roots(backend)]


def _is_readme(path: str) -> bool:
    return path.lower().endswith((".md", ".rst", ".txt")) and "readme" in path.lower()


def _is_file(path: str) -> bool:
    return PurePosixPath(path).suffix != ""
