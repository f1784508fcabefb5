"""What a project's files say of its image: variables, routes, packages that are not to be in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from kubekit.config.files import example_env
from kubekit.detect.backend import Backend
from kubekit.detect.look import look
from kubekit.detect.requirements import normalized
from kubekit.errors import KubekitError
from kubekit.init import remember
from kubekit.manifests.render import render
from kubekit.model import Settings
from kubekit.text import envfile
from kubekit.verify.model import Known
from kubekit.verify.probes import probed

_EXAMPLES = (".env.example", ".env.sample", ".env.template")
_NO_PROBES: Mapping[str, str] = {}


def backend_of(settings: Settings) -> Backend | None:
    """What the files of the project say that its app is; None where they leave that open."""
    if settings.build is None or not settings.build.context.is_relative_to(settings.root):
        return None
    with contextlib.suppress(KubekitError):
        folder = settings.build.context
        answers = remember.answers(settings.root, folder)
        return look(folder, root=settings.root, answers=answers).backend
    return None


def probed_of(settings: Settings) -> Mapping[str, str]:
    """The routes that the manifests' probes ask of the project's image; none if they are wrong."""
    with contextlib.suppress(KubekitError):
        image = f"{settings.image_name}:kk-000000000000"
        objects = render(settings, image=image, env=example_env(settings))
        return probed(objects.items, image)
    return {}


def known_of(
    *,
    env_file: Path | None,
    folders: tuple[Path, ...],
    backend: Backend | None = None,
    probes: Mapping[str, str] = _NO_PROBES,
) -> Known:
    """What the files say.

    Args:
        env_file: whose variables the containers get; None for none.
        folders: the project's, and its build context.
        backend: what `detect` knows of it; None if it was not asked.
        probes: the routes that the manifests' probes ask; they win over what the source has.

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
        paths={**paths, **probes},
        framework=backend.framework if backend is not None else None,
    )


def _examples(folder: Path) -> Iterator[str]:
    for name in _EXAMPLES:
        if (folder / name).is_file():
            with contextlib.suppress(KubekitError):
                yield from envfile.load(folder / name).values
