"""What a project's files say of its image: variables, and packages that are not to be in it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from kubekit.detect.backend import Backend
from kubekit.detect.toml import read_toml, strings, table
from kubekit.errors import KubekitError
from kubekit.text import envfile
from kubekit.text.read import read_text
from kubekit.verify.model import Known
from kubekit.verify.packages import normalized

_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_EXAMPLES = (".env.example", ".env.sample", ".env.template")
_DEVELOPMENT = ("requirements-dev.txt", "requirements/dev.txt", "dev-requirements.txt")
_GROUPS = frozenset({"dev", "test", "tests", "lint", "typing", "docs"})


def known_of(
    *, env_file: Path | None, folders: tuple[Path, ...], backend: Backend | None = None
) -> Known:
    """What the files say.

    Args:
        env_file: whose variables the containers get; None for none.
        folders: the project's, and its build context.
        backend: what `detect` knows of it; None if it was not asked.

    Raises:
        FilesError: the `.env` cannot be read.
    """
    env = envfile.load(env_file).values if env_file is not None else {}
    claims = {*env, *(name for folder in folders for name in _examples(folder))}
    unwanted = {name for folder in folders for name in development(folder)}
    paths: dict[str, str] = {}
    if backend is not None:
        claims |= {variable.name for variable in backend.env}
        unwanted |= {normalized(name) for name in backend.development}
        health = backend.health
        named = {"plain": health.plain, "live": health.live, "ready": health.ready}
        paths = {kind: path for kind, path in named.items() if path is not None}
    return Known(
        env=dict(env),
        claims=frozenset(claims),
        development=frozenset(unwanted),
        paths=paths,
    )


def development(folder: Path) -> frozenset[str]:
    """The packages that only developing needs: in a list or group of theirs, and in no other."""
    listed = {name for file in _DEVELOPMENT for name in _listed(folder / file)}
    project = _pyproject(folder)
    about = table(project, "project")
    groups = {**table(project, "dependency-groups"), **table(about, "optional-dependencies")}
    listed |= {
        name for group in _GROUPS for item in strings(groups.get(group)) for name in _names(item)
    }
    needed = set(_listed(folder / "requirements.txt"))
    needed |= {name for item in strings(about.get("dependencies")) for name in _names(item)}
    return frozenset(listed - needed)


def _examples(folder: Path) -> Iterator[str]:
    for name in _EXAMPLES:
        if (folder / name).is_file():
            with contextlib.suppress(KubekitError):
                yield from envfile.load(folder / name).values


def _listed(file: Path) -> Iterator[str]:
    if file.is_file():
        with contextlib.suppress(KubekitError):
            for line in read_text(file).splitlines():
                yield from _names(line)


def _names(line: str) -> Iterator[str]:
    if found := _REQUIREMENT.match(line):
        yield normalized(found.group(1))


def _pyproject(folder: Path) -> dict[str, object]:
    file = folder / "pyproject.toml"
    if file.is_file():
        with contextlib.suppress(KubekitError):
            return read_toml(file)[0]
    return {}
