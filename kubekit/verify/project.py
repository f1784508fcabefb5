"""What a project's files say of its image: variables, and packages that are not to be in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from kubekit.detect.backend import Backend
from kubekit.detect.requirements import normalized
from kubekit.errors import KubekitError
from kubekit.text import envfile
from kubekit.verify.model import Known

_EXAMPLES = (".env.example", ".env.sample", ".env.template")


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
    unwanted: set[str] = set()
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
        framework=backend.framework if backend is not None else None,
    )


def _examples(folder: Path) -> Iterator[str]:
    for name in _EXAMPLES:
        if (folder / name).is_file():
            with contextlib.suppress(KubekitError):
                yield from envfile.load(folder / name).values
