"""What is looked at: the files of a project, or those that are named, or all in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from kubekit.config.files import example_env
from kubekit.config.levels import FILE_NAME
from kubekit.errors import FilesError, Place, UsageError, shown
from kubekit.image.files import dockerfile, dockerignore, plain
from kubekit.image.files.context import ignore_path
from kubekit.lint.kustomize import patches
from kubekit.lint.look import Look, Looked, unreadable
from kubekit.lint.rule import Finding
from kubekit.lint.source import Ignored, Source
from kubekit.manifests.hashed import encoded
from kubekit.manifests.objects import read
from kubekit.manifests.podspec import clean
from kubekit.manifests.render import render
from kubekit.model import BuildSettings, Manifest, Manifests, Settings
from kubekit.redact import Redactor
from kubekit.text.read import read_text
from kubekit.text.strictyaml import load_all

# Docker and hadolint take any name; of those that are common, these endings are of other files,
# such as a module `dockerfile.py`, or a template that is no Dockerfile yet.
_SOURCES = "py|pyi|go|js|ts|rb|rs|java|sh|md|rst|txt|html|j2|jinja|jinja2|tmpl|tpl|dockerignore"
_DOCKERFILE = re.compile(
    rf"(.*\.)?(Dockerfile|Containerfile)(\.(?!({_SOURCES})$)[\w-]+)?", re.IGNORECASE
)
_SUFFIXES = (".yaml", ".yml", ".json")
_SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages", "dist", "build"})
_OTHERS = frozenset({FILE_NAME, "Chart.yaml", "values.yaml"})


def project(settings: Settings, look: Look) -> Looked:
    """Look at a project as kubekit.yaml has it: its Dockerfile, and its objects as rendered."""
    findings: list[Finding] = []
    files: list[Path] = []
    if settings.build is not None:
        files.append(settings.build.dockerfile)
        findings += _dockerfile(settings.build, look)
    image = f"{settings.image_name}:kk-000000000000" if settings.build else None
    try:
        manifests = render(settings, image=image, env=example_env(settings))
    except FilesError as error:
        findings += unreadable(error, settings.file)
        return Looked(findings=tuple(findings), files=tuple(files))
    files += sorted({one for one in _origins(manifests) if _within(one, settings.manifests)})
    redactor = Redactor(manifests.secret_values)
    findings += redactor.clean(look.objects(manifests, settings, image=image))
    return Looked(findings=_unique(findings), files=tuple(files), items=manifests.items)


def _origins(manifests: Manifests) -> Iterator[Path]:
    return (item.origin.file for item in manifests.items)


def _within(file: Path, paths: Iterable[Path]) -> bool:
    """Not so of `.env`, say, which stands for the Secret that kubekit makes itself."""
    return any(file.is_relative_to(path) for path in paths)


def loose(paths: list[Path], look: Look) -> Looked:
    """Look at files and folders that belong to no project.

    Raises:
        UsageError: one is not there, or is neither a Dockerfile nor a manifest.
    """
    findings: list[Finding] = []
    items: list[Manifest] = []
    files: list[Path] = []
    for path, named in _listed(paths):
        if _is_dockerfile(path):
            files.append(path)
            context = BuildSettings(context=path.parent, dockerfile=path)
            findings += _dockerfile(context, look, certain=False)
            continue
        try:
            found = _objects(path, named=named)
        except FilesError as error:
            files.append(path)
            findings += unreadable(error, path)
            continue
        if found is not None:
            files.append(path)
            items += found
    sent = _sent(items, findings)
    settings = Settings(file=Path.cwd() / FILE_NAME, name="", namespace="default", profile=None)
    findings += look.objects(Manifests(items=sent), settings, image=None)
    return Looked(findings=_unique(findings), files=tuple(files), items=sent)


def _sent(items: list[Manifest], findings: list[Finding]) -> tuple[Manifest, ...]:
    """The objects as they would be sent; those whose data cannot be are told of instead."""
    try:
        return tuple(encoded(items))
    except FilesError as error:
        findings += unreadable(error, items[0].origin.file)
        return tuple(item for item in items if item.kind not in {"Secret", "ConfigMap"})


def _unique(findings: list[Finding]) -> tuple[Finding, ...]:
    """Each once: a loop in a template makes several objects of one line."""
    seen: dict[tuple[str, str, str], Finding] = {}
    for one in findings:
        seen.setdefault((one.id, str(one.place), one.text), one)
    return tuple(seen.values())


def _dockerfile(build: BuildSettings, look: Look, *, certain: bool = True) -> list[Finding]:
    file = build.dockerfile
    try:
        text = dockerfile.load(file)[0].decode("utf-8", "replace")
        ignored = _ignored(build)
    except FilesError as error:
        return unreadable(error, file)
    source = Source.read(
        text,
        file,
        context=build.context,
        target=build.target,
        ignored=ignored,
        certain=certain,
        args=build.args,
    )
    return look.dockerfile(source)


def _ignored(build: BuildSettings) -> Ignored | None:
    file = ignore_path(build)
    if not file.is_file():
        return None
    text = read_text(file)
    return Ignored(
        file=file, lines=tuple(text.split("\n")), rules=dockerignore.parse(text, file=file)
    )


def _listed(paths: list[Path]) -> Iterator[tuple[Path, bool]]:
    """The files to look at, and whether each was named itself."""
    for path in paths:
        if path.is_dir():
            files = list(_walked(path))
            parts = {part for file in files for part in patches(file)}
            yield from ((file, False) for file in files if file.resolve() not in parts)
        elif not path.is_file():
            raise UsageError(f"there is no file `{shown(path)}`")
        elif _is_dockerfile(path) or path.name.endswith(_SUFFIXES):
            yield path, True
        else:
            raise UsageError(
                f"`{shown(path)}` is neither a Dockerfile nor a manifest",
                hints=(
                    "templates (`.j2`) are looked at as part of their project, by kubekit.yaml",
                ),
            )


def _walked(folder: Path) -> Iterator[Path]:
    for at, folders, names in os.walk(folder):
        # Below a chart are Helm's templates, which are no YAML yet.
        chart = "Chart.yaml" in names
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED
            and not name.startswith(".")
            and not (chart and name == "templates")
        )
        for name in sorted(names):
            wanted = _DOCKERFILE.fullmatch(name) or name.endswith(_SUFFIXES)
            if wanted and name not in _OTHERS and not name.endswith(".dockerignore"):
                path = Path(at) / name
                if path.is_file():  # to open a pipe would wait for its other end
                    yield path


def _is_dockerfile(path: Path) -> bool:
    return _DOCKERFILE.fullmatch(path.name) is not None and not path.name.endswith(_SUFFIXES)


def _objects(path: Path, *, named: bool) -> list[Manifest] | None:
    """The objects in a file; None where it is something else, such as a compose file."""
    text = read_text(path)
    plain.check(text.encode(), path)
    try:
        documents = load_all(text, file=path, mappings=False)
    except FilesError:
        # A file that only lies there may be anything: it is Kubernetes' if it says so.
        if named or re.search(r"(?m)^(apiVersion|\"apiVersion\")", text):
            raise
        return None
    kinds = [
        data
        for data in (document.data for document in documents)
        if isinstance(data, dict) and "apiVersion" in data and "kind" in data
    ]
    kustomize = any(str(data["apiVersion"]).startswith("kustomize.config") for data in kinds)
    if kustomize or not kinds:
        if named and not kustomize:
            raise FilesError("there is no Kubernetes object in it", place=Place(file=path, line=1))
        return None
    found = read(text, file=path)
    return [Manifest(data=clean(one.data), origin=one.origin, places=one.places) for one in found]
