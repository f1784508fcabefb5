"""What a project says of itself: pyproject.toml, setup.cfg, setup.py and Pipfile as one."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from kubekit.detect import legacy
from kubekit.detect.report import Report
from kubekit.detect.toml import line_of, read_toml, strings, table, tables, text_at
from kubekit.errors import KubekitError
from kubekit.text.read import read_text

_HEADED = ("requirements.txt", "requirements.lock")
DEVELOPMENT = frozenset(
    {"dev", "develop", "development", "test", "tests", "testing", "lint", "linting", "typing"}
    | {"docs", "doc", "qa", "ci", "style", "format", "bench", "local", "debug"}
)
"""Groups and extras that are not for production, by the names people give them."""


@dataclass(frozen=True)
class Located:
    """A value and where it stands."""

    value: str
    path: str
    line: int | None


@dataclass
class Project:
    """What is said; where several files say it, pyproject.toml wins.

    Attributes:
        pyproject: the file's content; empty where there is none.
        text: its text, for places.
        dependencies: requirements of production, as they are written.
        development: requirements of development, as they are written.
        extensions: where the project says that it compiles code of its own.
        folder: where modules are, by what the packaging says, such as "src".
        heads: the first lines of requirements files.
        pipfile: whether there is a Pipfile.
        installable: whether it is a distribution that pip could install.
    """

    pyproject: Mapping[str, object] = field(default_factory=dict)
    text: str = ""
    name: Located | None = None
    requires_python: Located | None = None
    dependencies: list[str] = field(default_factory=list)
    development: list[str] = field(default_factory=list)
    extensions: Located | None = None
    folder: str | None = None
    heads: dict[str, list[str]] = field(default_factory=dict)
    pipfile: bool = False
    installable: bool = False


def read_project(report: Report) -> Project:
    """Read all that is there.

    Raises:
        FilesError: a file is broken.
    """
    project = Project()
    if (report.folder / "pyproject.toml").is_file():
        project.pyproject, project.text = read_toml(report.folder / "pyproject.toml")
        _pyproject(project)
    for said in (legacy.read_setup_cfg(report), legacy.read_setup_py(report)):
        if said is not None:
            _take(project, said)
    if (report.folder / "Pipfile").is_file():
        project.pipfile = True
        _pipfile(report, project)
    for path in _HEADED:
        with contextlib.suppress(KubekitError):
            if (report.folder / path).is_file():
                project.heads[path] = read_text(report.folder / path)[:2_000].splitlines()
    return project


def _pyproject(project: Project) -> None:
    data, text = project.pyproject, project.text
    poetry = table(data, "tool", "poetry")
    if name := text_at(data, "project", "name") or text_at(poetry, "name"):
        section = "project" if table(data, "project") else "tool.poetry"
        project.name = Located(name, "pyproject.toml", line_of(text, "name", section))
    if python := text_at(data, "project", "requires-python"):
        line = line_of(text, "requires-python", "project")
        project.requires_python = Located(python, "pyproject.toml", line)
    elif python := text_at(poetry, "dependencies", "python"):
        line = line_of(text, "python", "tool.poetry.dependencies")
        project.requires_python = Located(python, "pyproject.toml", line)
    project.dependencies += strings(table(data, "project").get("dependencies"))
    project.dependencies += [name for name in table(poetry, "dependencies") if name != "python"]
    project.installable = bool(table(data, "build-system")) or bool(poetry)
    project.folder = _folder(data)
    _groups(project)
    _builds(project)


def _groups(project: Project) -> None:
    data = project.pyproject
    # Groups are installed by nobody who is not asked to; extras may well be production's.
    for groups in (
        table(data, "dependency-groups"),
        table(data, "tool", "pdm", "dev-dependencies"),
    ):
        for requirements in groups.values():
            project.development += strings(requirements)
    for extra, requirements in table(data, "project", "optional-dependencies").items():
        if extra.lower() in DEVELOPMENT:
            project.development += strings(requirements)
    project.development += strings(table(data, "tool", "uv").get("dev-dependencies"))
    poetry = table(data, "tool", "poetry")
    project.development += table(poetry, "dev-dependencies")
    for group in table(poetry, "group"):
        if group.lower() in DEVELOPMENT:
            project.development += table(poetry, "group", group, "dependencies")


def _folder(data: Mapping[str, object]) -> str | None:
    tool = table(data, "tool")
    where = strings(table(tool, "setuptools", "packages", "find").get("where"))
    where += [
        one for one in table(tool, "setuptools", "package-dir").values() if isinstance(one, str)
    ][:1]
    for package in tables(table(tool, "poetry").get("packages")):
        where += strings([package.get("from")])
    wheel = table(tool, "hatch", "build", "targets", "wheel")
    where += [one.rpartition("/")[0] or "." for one in strings(wheel.get("packages"))]
    return where[0].removeprefix("./").strip("/") or "." if where else None


_COMPILERS = {
    "maturin": "maturin",
    "setuptools-rust": "setuptools_rust",
    "meson-python": "mesonpy",
    "scikit-build-core": "scikit_build_core",
    "cython": "cython",
}


def _builds(project: Project) -> None:
    data = project.pyproject
    needs = " ".join(strings(table(data, "build-system").get("requires"))).lower()
    line = line_of(project.text, "requires", "build-system")
    for name in _COMPILERS:
        if name in needs:
            project.extensions = Located(name, "pyproject.toml", line)
    if tables(table(data, "tool", "setuptools").get("ext-modules")):
        at = line_of(project.text, "ext-modules", "tool.setuptools")
        project.extensions = Located("setuptools", "pyproject.toml", at)


def _take(project: Project, said: legacy.Said) -> None:
    if said.name and project.name is None:
        project.name = Located(said.name, said.path, said.lines.get("name"))
    if said.requires_python and project.requires_python is None:
        line = said.lines.get("python_requires")
        project.requires_python = Located(said.requires_python, said.path, line)
    project.dependencies += said.dependencies
    for extra, requirements in said.extras.items():
        if extra.lower() in DEVELOPMENT:
            project.development += requirements
    if said.extensions and project.extensions is None:
        project.extensions = Located("setuptools", said.path, said.lines.get("ext_modules"))
    project.folder = project.folder or said.folder
    project.installable = project.installable or said.installable


def _pipfile(report: Report, project: Project) -> None:
    data, text = read_toml(report.folder / "Pipfile")
    project.dependencies += table(data, "packages")
    project.development += table(data, "dev-packages")
    if project.requires_python is None and (version := text_at(data, "requires", "python_version")):
        line = line_of(text, "python_version", "requires")
        project.requires_python = Located(f"=={version}.*", "Pipfile", line)
