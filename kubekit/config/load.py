"""kubekit.yaml, the environment and the flags -> Settings, each value with where it came from."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from kubekit.config.files import asks_for_none, check_files
from kubekit.config.levels import (
    FILE_NAME,
    Given,
    absolute_path,
    choose_cluster,
    find_file,
    look_for_file,
)
from kubekit.config.project import Build, Project, Secret, parse
from kubekit.config.validators import factor, identifiers, label, registry, seconds
from kubekit.errors import Place, UsageError
from kubekit.model import BuildSecret, BuildSettings, DevSettings, Settings, SyncRule
from kubekit.text.read import read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def load(
    *,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    cwd: Path,
    active_profile: Callable[[], str | None],
    check: bool = True,
) -> Settings:
    """Put the settings together: flag, then ``KUBEKIT_*``, then kubekit.yaml, then what is found.

    Args:
        flags: what was given, by the name of the setting, and ``file``; None is not given.
        environ: an empty variable counts as not set.
        cwd: where a relative path of a flag or variable starts; absolute.
        active_profile: Minikube's own; only asked when nothing else names a cluster.
        check: whether all files that are named must be there; commands that neither build nor
            render go without.

    Raises:
        UsageError: no kubekit.yaml, or something in it, in a flag or in a variable is wrong.
        FilesError: a file or folder that is named is not there.
    """
    given = Given(flags, environ, cwd)
    file, found = find_file(given)
    project, document = parse(read_text(file, error=UsageError), file=file)
    origins = {
        ".".join(map(str, path)): f"{file.name}:{place.line}"
        for path, place in document.places.items()
        if path
    }
    settings = _settings(project, file, given, origins)
    profile, context, origin = choose_cluster(
        given,
        (project.profile, project.context),
        lambda key: document.place((key,)),
        active_profile,
    )
    origins |= {"file": found, "profile" if context is None else "context": origin}
    settings = replace(settings, profile=profile, context=context, origins=origins)
    if check:
        check_files(settings, document, environ)
    return settings


def load_bare(
    *,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    cwd: Path,
    active_profile: Callable[[], str | None],
) -> Settings:
    """The settings of a kubekit.yaml, or of no project where there is none: its name is empty.

    The arguments are those of `load`.

    Raises:
        UsageError: there is none, and nothing else names a namespace.
    """
    given = Given(flags, environ, cwd)
    if look_for_file(given) is not None:
        return load(
            flags=flags, environ=environ, cwd=cwd, active_profile=active_profile, check=False
        )
    namespace = given.pick("namespace", label, {})
    if namespace is None:
        raise UsageError(
            f"there is no `{FILE_NAME}` here, and no namespace was named",
            hints=("name it: `--namespace NAME`",),
        )
    file = cwd / FILE_NAME
    profile, context, _ = choose_cluster(
        given, (None, None), lambda _: Place(file=file), active_profile
    )
    return Settings(file=file, name="", namespace=namespace, profile=profile, context=context)


def _settings(project: Project, file: Path, given: Given, origins: dict[str, str]) -> Settings:
    """All settings but the cluster."""
    root = file.parent
    name = given.pick("name", label, origins) or project.name
    there = os.path.lexists(root / ".env")  # a link to nothing was meant to be one
    env_file = given.pick("env_file", lambda value: absolute_path(str(value), given.cwd), origins)
    if env_file is None and project.env_file is not None:
        env_file = absolute_path(project.env_file, root)
        if env_file == root / ".env" and not there and asks_for_none(root):
            env_file = None
    if env_file is None and there:
        env_file = root / ".env"
        origins["env_file"] = f"found beside {file.name}"
    return Settings(
        file=file,
        name=name,
        namespace=given.pick("namespace", label, origins) or project.namespace or name,
        profile=None,
        build=_build(project.build, root) if project.build else None,
        registry=given.pick("registry", registry, origins) or project.registry,
        manifests=tuple(absolute_path(path, root) for path in project.manifests),
        env_file=env_file,
        values=project.values,
        timeout=given.pick("timeout", seconds, origins) or project.timeout,
        patience=given.pick("patience", factor, origins) or project.patience,
        tolerate=given.pick("tolerate", identifiers, origins) or tuple(project.tolerate),
        dev=DevSettings(
            port=project.dev.port,
            sync=tuple(
                SyncRule(src=absolute_path(s.src, root), dest=s.dest) for s in project.dev.sync
            ),
            teardown=project.dev.teardown,
        ),
        allow_contexts=tuple(project.allow_contexts),
    )


def _build(build: Build, root: Path) -> BuildSettings:
    context = absolute_path(build.context, root)
    dockerfile = (
        absolute_path(build.dockerfile, root) if build.dockerfile else context / "Dockerfile"
    )
    return BuildSettings(
        context=context,
        dockerfile=dockerfile,
        target=build.target,
        args=build.args,
        secrets={id_: _secret(one, root) for id_, one in build.secrets.items()},
    )


def _secret(secret: Secret, root: Path) -> BuildSecret:
    file = absolute_path(secret.file, root) if secret.file is not None else None
    return BuildSecret(file=file, env=secret.env)
