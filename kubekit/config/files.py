"""What follows from Settings however they were read: which files must be there, the listing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubekit.errors import FilesError, Place, shown
from kubekit.redact import MASK
from kubekit.secretnames import may_be_secret
from kubekit.text import envfile
from kubekit.text.envfile import EnvFile
from kubekit.text.read import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubekit.model import BuildSettings, Settings
    from kubekit.text.strictyaml import Document

_MAY_STAY = re.compile(r"^[ \t]*#[ \t]*[A-Za-z_]\w*=", re.MULTILINE)
"""A variable of an example that is commented out: one that has a default, or none is needed."""
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def check_files(settings: Settings, document: Document, environ: Mapping[str, str]) -> None:
    """Make sure that every file, folder and variable the settings name is there.

    Args:
        settings: as they were put together.
        document: kubekit.yaml, for the places.
        environ: an empty variable counts as not set.

    Raises:
        FilesError: names all that are missing, each with its place in kubekit.yaml.
    """
    problems: list[tuple[Place, str]] = []
    hints: list[str] = []
    try:
        for path, cause, hint in _missing(settings, environ):
            problems.append((document.place(path), cause))
            hints.append(hint)
    except PermissionError as error:
        above = shown(Path(error.filename).parent)
        raise FilesError(
            f"no permission to look into `{above}`",
            hints=(f"run `chmod u+x {above}`, or check who owns it with `ls -ld`",),
        ) from None
    if problems:
        raise FilesError.of(problems, hints=tuple(hints))


_Missing = tuple[tuple[str | int, ...], str, str]
"""What is missing: its key in kubekit.yaml, the cause, and what to do."""


def _missing(settings: Settings, environ: Mapping[str, str]) -> Iterator[_Missing]:
    build = settings.build
    if build is not None and not build.context.is_dir():
        yield (
            ("build", "context"),
            f"no folder at `{shown(build.context)}` to build from",
            "`build.context` names the folder with the sources, relative to kubekit.yaml",
        )
    elif build is not None and not build.dockerfile.is_file():
        yield (
            ("build", "dockerfile"),
            f"no Dockerfile at `{shown(build.dockerfile)}`",
            "write one, or name yours under `build.dockerfile`",
        )
    if build is not None:
        yield from _missing_secrets(build, environ)
    for index, path in enumerate(settings.manifests):
        if not path.exists():
            yield (
                ("manifests", index),
                f"no manifests at `{shown(path)}`",
                "write them there, or name their files or folders under `manifests`",
            )
    if settings.env_file is not None and not settings.env_file.exists():
        yield _missing_env(settings, settings.env_file)


def _missing_env(settings: Settings, file: Path) -> _Missing:
    if file.is_symlink():
        target = file.parent / file.readlink()
        return (
            ("env_file",),
            f"`{shown(file)}` is a link to `{shown(target)}`, where no file is",
            f"write `{shown(target)}`, or remove the link: `rm {shown(file)}`",
        )
    origin = settings.origins.get("env_file", "")
    return (
        ("env_file",),
        f"no file at `{shown(file)}`, which {origin} names",
        missing_env_hint(settings),
    )


def _missing_secrets(build: BuildSettings, environ: Mapping[str, str]) -> Iterator[_Missing]:
    for id_, secret in build.secrets.items():
        if secret.file is not None and not secret.file.is_file():
            yield (
                ("build", "secrets", id_, "file"),
                f"no file at `{shown(secret.file)}` for the build secret `{id_}`",
                f"write the secret into `{shown(secret.file)}`, outside of what the image gets",
            )
        if secret.env is not None and not environ.get(secret.env):
            yield (
                ("build", "secrets", id_, "env"),
                f"the variable `{secret.env}` for the build secret `{id_}` is not set",
                f"set it: `export {secret.env}=...`",
            )


def asks_for_none(root: Path) -> bool:
    """Whether the example of a `.env` leaves nothing to be set: it only names what may stay."""
    example = root / ".env.example"
    try:
        text = read_text(example) if example.is_file() else ""
        return bool(_MAY_STAY.search(text)) and not envfile.parse(text, file=example).values
    except FilesError:
        return False


def example_env(settings: Settings) -> EnvFile:
    """The variables that templates may use where nothing is applied: there may be no `.env`.

    Raises:
        FilesError: the file that is there cannot be read.
    """
    own = settings.env_file or settings.root / ".env"
    for file in (own, settings.root / ".env.example"):
        if file.is_file():
            return envfile.load(file)
    return EnvFile(file=own, values={}, places={})


def missing_env_hint(settings: Settings) -> str:
    """What to do when the environment's file is needed and not there."""
    example = settings.root / ".env.example"
    path = settings.env_file or settings.root / ".env"
    if example.exists():
        return copy_hint(example, path)
    return f"create `{shown(path)}` with a line `KEY=value` for each variable"


def copy_hint(example: Path, path: Path) -> str:
    """How a `.env` is made of its example: one that nobody else can read."""
    file = shown(path)
    return f"run `cp {shown(example)} {file} && chmod 600 {file}` and fill in the values"


def show(settings: Settings) -> list[tuple[str, str, str]]:
    """Every setting with its value and where it came from, for ``config show``.

    Values whose names look secret are masked, and so are users and passwords in URLs: build
    arguments and values are no place for either, but people put them there.
    """
    return [
        (key, _text(key, value), settings.origins.get(key, "default"))
        for key, value in _rows(settings)
        if value is not None
    ]


def _rows(settings: Settings) -> Iterator[tuple[str, Any]]:
    for key in ("file", "name", "namespace", "profile", "context"):
        yield key, getattr(settings, key)
    if (build := settings.build) is not None:
        for key in ("context", "dockerfile", "target"):
            yield f"build.{key}", getattr(build, key)
        yield from _nested("build.args", build.args)
        for id_, secret in build.secrets.items():
            key = f"build.secrets.{id_}"
            yield (f"{key}.file", secret.file) if secret.file else (f"{key}.env", secret.env)
    yield "registry", settings.registry
    yield "manifests", [shown(path) for path in settings.manifests]
    yield "env_file", settings.env_file
    yield from _nested("values", settings.values)
    yield "timeout", f"{settings.timeout:g}s"
    yield "patience", f"{settings.patience:g}"
    yield "tolerate", list(settings.tolerate)
    yield "dev.port", settings.dev.port
    yield "dev.sync", [f"{shown(rule.src)} -> {rule.dest}" for rule in settings.dev.sync]
    yield "dev.teardown", settings.dev.teardown
    yield "allow_contexts", list(settings.allow_contexts)


def _nested(key: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        yield f"{key}.{name}", value


def _text(key: str, value: Any) -> str:
    if isinstance(value, Path):
        return shown(value)
    value = _masked(key, value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _masked(key: str, value: Any) -> Any:
    if may_be_secret(key) and not key.startswith("build.secrets."):  # where it is, not what
        return MASK
    if isinstance(value, dict):
        return {name: _masked(str(name), item) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked("", item) for item in value]
    return _USER_IN_URL.sub(MASK, value) if isinstance(value, str) else value
