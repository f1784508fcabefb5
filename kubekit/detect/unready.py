"""Nothing to install from: which tool has the dependencies, and the command that exports them."""

from __future__ import annotations

from pathlib import Path

from kubekit.detect.project import Project
from kubekit.detect.report import Report
from kubekit.detect.toml import line_of, table, text_at
from kubekit.errors import FilesError, Place

_LOOKED_FOR = (
    "looked for uv.lock beside pyproject.toml",
    "looked for requirements.txt, requirements-prod.txt, requirements/production.txt",
)


def error(report: Report, project: Project) -> FilesError:
    """What is said when neither uv.lock nor a requirements file is there."""
    if (of_tools := _of_tools(report, project)) is not None:
        return of_tools
    if (above := _workspace(report)) is not None:
        name = text_at(project.pyproject, "project", "name") or "NAME"
        return _of(
            "uv.lock is the workspace's, and the image is built from this folder alone",
            f"run `uv export --package {name} --no-default-groups --no-emit-workspace "
            f"--output-file {_relative(report, 'requirements.txt')}`, and again whenever uv.lock "
            "changes",
            Place(file=above),
        )
    return _of_sources(report, project)


def _of_tools(report: Report, project: Project) -> FilesError | None:
    """Of another tool than pip and uv, which has them."""
    folder, data = report.folder, project.pyproject
    if (folder / "poetry.lock").is_file() or table(data, "tool", "poetry"):
        line = line_of(project.text, "name", "tool.poetry")
        return _of(
            "dependencies are Poetry's, which no image here installs with",
            f"run `poetry export --only main --output requirements.txt`{_within(report)} (after "
            "`poetry self add poetry-plugin-export`), and again whenever poetry.lock changes",
            report.place("pyproject.toml" if data else "poetry.lock", line if data else None),
        )
    if (folder / "pdm.lock").is_file() or table(data, "tool", "pdm"):
        return _of(
            "dependencies are PDM's, which no image here installs with",
            "run `pdm export --prod --format requirements --output requirements.txt`"
            f"{_within(report)}, and again whenever pdm.lock changes",
            report.place("pdm.lock" if (folder / "pdm.lock").is_file() else "pyproject.toml"),
        )
    if project.pipfile:
        return _of(
            "dependencies are Pipenv's, which no image here installs with",
            f"run `pipenv requirements > requirements.txt`{_within(report)}, and again whenever "
            "Pipfile.lock changes",
            report.place("Pipfile"),
        )
    return None


def _of_sources(report: Report, project: Project) -> FilesError:
    if table(project.pyproject, "project"):
        return _of(
            "dependencies are not locked",
            f"run `uv lock`{_within(report)}",
            report.place("pyproject.toml", line_of(project.text, "dependencies", "project")),
        )
    for file in ("requirements.in", "requirements/base.in", "setup.cfg", "setup.py"):
        if (report.folder / file).is_file() and (file.endswith(".in") or project.installable):
            return _of(
                f"dependencies stand in {file}, without versions that are tried",
                f"run `uv pip compile {_relative(report, file)} --output-file "
                f"{_relative(report, 'requirements.txt')}`",
                report.place(file),
            )
    return FilesError(
        "no file tells what to install",
        hints=("write what the backend imports into requirements.txt, or run `uv init --bare`",),
        details=_LOOKED_FOR,
        place=Place(file=report.folder),
        id="no-dependencies",
    )


def _of(message: str, hint: str, place: Place) -> FilesError:
    return FilesError(
        message, hints=(hint,), details=_LOOKED_FOR, place=place, id="no-dependencies"
    )


def _relative(report: Report, name: str) -> str:
    return (report.folder / name).relative_to(report.root).as_posix()


def _within(report: Report) -> str:
    """Where such a command is run, if that is not where `init` is."""
    return "" if report.folder == report.root else f" in {_relative(report, '.')}/"


def _workspace(report: Report) -> Path | None:
    folder = report.folder
    while folder not in {report.root, folder.parent}:
        folder = folder.parent
        if (folder / "uv.lock").is_file():
            return folder / "uv.lock"
    return None
