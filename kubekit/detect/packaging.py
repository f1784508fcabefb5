"""How dependencies get into the image: which of the three ways, and from which files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast, get_args

from kubekit.detect import native, unready
from kubekit.detect.backend import Packaging
from kubekit.detect.locks import PATH as LOCK
from kubekit.detect.locks import Lock, read_lock
from kubekit.detect.project import Project
from kubekit.detect.report import Report
from kubekit.detect.requirements import Requirements, name_of, read_requirements
from kubekit.detect.toml import line_of, strings, table, text_at
from kubekit.errors import FilesError, UsageError
from kubekit.text.read import list_folder

REQUIREMENTS = (
    *("requirements-prod.txt", "requirements-production.txt", "requirements.txt"),
    *("requirements/production.txt", "requirements/prod.txt", "requirements/main.txt"),
    *("requirements/base.txt", "requirements.lock"),
)

_DEVELOPMENT = re.compile(
    r"(?:requirements[-_.])?(?:dev|develop|development|tests?|testing|lint|docs|local|ci)"
    r"(?:[-_.]requirements)?\.txt"
)
_BRINGS = frozenset({"standard", "all"})
"""Extras of FastAPI with which uvicorn is installed."""

TOOLS = frozenset({"pytest", "ruff", "mypy", "black", "flake8", "pylint", "isort", "tox", "nox"})
TOOLS |= {"coverage", "pytest-cov", "pytest-asyncio", "pre-commit", "ipython", "jupyter", "bandit"}
"""What is only ever for development."""


@dataclass
class Installs:
    """What is installed into the image, and from what; see `Backend` for the fields it has too.

    Attributes:
        names: of the distributions of production.
        complete: whether `names` holds all of them, those that others depend on included.
        unnamed: whether something is installed whose name no file tells.
        extras: servers that come with an extra of what is named, such as `fastapi[standard]`.
    """

    packaging: Packaging
    requirements: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()
    installed: bool = False
    names: frozenset[str] = frozenset()
    complete: bool = False
    unnamed: bool = False
    extras: frozenset[str] = frozenset()
    development: tuple[str, ...] = ()
    native: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()


def find_packaging(report: Report, project: Project) -> Installs:
    """Decide by the files that are there.

    Raises:
        FilesError: there is none to install from; says how it is made.
        UsageError: the answer does not fit the files.
    """
    way = report.answers.get("packaging")
    if way is not None and way not in get_args(Packaging):
        ways = ", ".join(get_args(Packaging))
        raise UsageError(f"`{way}` is no way to install dependencies", hints=(f"one of {ways}",))
    has_lock = (report.folder / LOCK).is_file() and bool(table(project.pyproject, "project"))
    if way == "uv-sync" and not has_lock:
        raise UsageError("`uv-sync` needs pyproject.toml and uv.lock", hints=("run `uv lock`",))
    file = next((one for one in REQUIREMENTS if (report.folder / one).is_file()), None)
    if has_lock and way in {None, "uv-sync"}:
        return _from_lock(report, project, file)
    if file is None:
        raise unready.error(report, project)
    return _from_requirements(report, project, file, cast("Packaging | None", way))


def _from_lock(report: Report, project: Project, file: str | None) -> Installs:
    lock = read_lock(report)
    _check_fresh(report, project, lock)
    report.found("dependencies from uv.lock (uv-sync)", LOCK)
    if file is not None:
        report.found("not used, as there is uv.lock", file)
    suspects = native.compiled(lock.sources)
    for name in suspects:
        report.found(f"{name} has no wheel and is compiled", LOCK)
    unknown = sorted(lock.sources - set(suspects))
    if unknown:
        report.assumed("no compiler is needed", f"{', '.join(unknown)} may be plain Python")
    build, keep = native.packages_for(
        (lock.names - native.known_names()) | lock.sources,
        own=lock.installed and _extends(report, project),
        cloned=bool(lock.cloned),
    )
    return Installs(
        packaging="uv-sync",
        manifests=("pyproject.toml", LOCK, *_beside(report, project)),
        installed=lock.installed,
        names=frozenset(lock.names),
        complete=True,
        development=_development(report, project, lock.names),
        native=build,
        libraries=keep,
    )


def _check_fresh(report: Report, project: Project, lock: Lock) -> None:
    """Whether uv.lock has what pyproject.toml asks for: a build with `--locked` asks the same.

    Raises:
        FilesError: it has not.
    """
    asked = {name for one in project.dependencies if (name := name_of(one))}
    missing = sorted(asked - (asked if lock.direct is None else lock.direct))
    if missing:
        raise FilesError(
            f"`{missing[0]}` stands in pyproject.toml and not in uv.lock",
            hints=("run `uv lock`",),
            place=report.place("pyproject.toml", line_of(project.text, "dependencies", "project")),
            id="lock-stale",
        )


def _beside(report: Report, project: Project) -> list[str]:
    """Files that a build of the project reads beside its source."""
    readme = table(project.pyproject, "project").get("readme")
    declared = table(project.pyproject, "project")
    named = [readme if isinstance(readme, str) else text_at(readme, "file")]
    named += [text_at(declared, "license", "file"), *strings(declared.get("license-files"))]
    files = [".python-version", *(one for one in named if one)]
    return [
        one
        for one in dict.fromkeys(files)
        if "\0" not in one and ".." not in one.split("/") and (report.folder / one).is_file()
    ]


def _from_requirements(
    report: Report, project: Project, file: str, way: Packaging | None
) -> Installs:
    read = read_requirements(report, file)
    _check_itself(report, read)
    chosen = way or _by_settings(report, project)
    report.found(f"dependencies from {file} ({chosen})", file)
    names = read.names()
    _tell(report, read)
    suspects = native.compiled(names)
    for name in suspects:
        report.found(f"{name} is compiled", names[name].path, names[name].line)
    own = _extends(report, project)
    build, keep = native.packages_for(names, own=own, cloned=read.cloned)
    return Installs(
        packaging=chosen,
        requirements=tuple(read.paths),
        manifests=_to_build(report, project) if own else (),
        installed=own,
        names=frozenset(names),
        complete=read.complete and not read.unnamed,
        unnamed=bool(read.unnamed),
        extras=frozenset(
            {"uvicorn"} if any(_BRINGS & entry.extras for entry in read.entries) else ()
        ),
        development=_development(report, project, set(names)),
        native=build,
        libraries=keep,
    )


def _check_itself(report: Report, read: Requirements) -> None:
    if read.itself is not None:
        raise FilesError(
            "this installs the project itself, and dependencies are installed before its source "
            "is there",
            hints=("take the line out: the image finds the source by PYTHONPATH",),
            place=report.place(*read.itself),
        )


def _by_settings(report: Report, project: Project) -> Packaging:
    if table(project.pyproject, "tool", "uv"):
        report.found("[tool.uv]", "pyproject.toml", line_of(project.text, "", "tool.uv"))
        return "uv-pip"
    if (report.folder / "uv.toml").is_file():
        report.found("settings of uv", "uv.toml")
        return "uv-pip"
    return "pip-venv"


def _tell(report: Report, read: Requirements) -> None:
    for path, number in read.unnamed:
        report.found("something without a name is installed", path, number)
    loose = [entry for entry in read.entries if not entry.pinned]
    if loose and not read.complete:
        first = loose[0]
        report.found(
            f"{len(loose)} of {len(read.entries)} requirements without a single version, so that "
            "each build may install others",
            first.path,
            first.line,
        )
    for name in sorted(TOOLS & read.names().keys()):
        entry = read.names()[name]
        report.found(f"{name} is for development, but goes into the image", entry.path, entry.line)


def _extends(report: Report, project: Project) -> bool:
    extensions = project.extensions
    if extensions is None:
        return False
    report.found(f"code that is compiled, by {extensions.value}", extensions.path, extensions.line)
    if extensions.value in {"maturin", "setuptools-rust"}:
        report.assumed("the builder has Rust", f"{extensions.value} needs it, and no image has it")
    return True


def _to_build(report: Report, project: Project) -> tuple[str, ...]:
    files = ("pyproject.toml", "setup.cfg", "setup.py", "MANIFEST.in")
    there = [one for one in files if (report.folder / one).is_file()]
    return tuple(dict.fromkeys([*there, *_beside(report, project)]))


def _development(report: Report, project: Project, production: set[str]) -> tuple[str, ...]:
    names = {name for one in project.development if (name := name_of(one))}
    for path in _development_files(report):
        names |= read_requirements(report, path).names().keys()
    return tuple(sorted(names - production))


def _development_files(report: Report) -> list[str]:
    found = []
    for base in ("", "requirements"):
        folder = report.folder / base
        if folder.is_dir():
            prefix = f"{base}/" if base else ""
            found += [
                f"{prefix}{one.name}"
                for one in list_folder(folder)
                if _DEVELOPMENT.fullmatch(one.name)
                and (base or "requirements" in one.name)
                and one.is_file()
            ]
    return found
