"""Folders: where below a repository backends are, and what else of one belongs into the image."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from kubekit.detect.report import Report
from kubekit.detect.toml import read_toml, strings, table
from kubekit.detect.tree import NEVER, is_aside, join
from kubekit.errors import KubekitError

_MARKS = frozenset({"pyproject.toml", "requirements.txt", "setup.py", "setup.cfg", "uv.lock"})
_MARKS |= {"Pipfile", "poetry.lock", "pdm.lock", "requirements.lock", "requirements.in"}
_LISTED = re.compile(
    rb"^[ \t]*(?:name[ \t]*=[ \t]*)?[\"']?(?:fastapi|starlette|flask|django)\b(?!-)"
    rb"|install_requires[^\n]*\b(?:fastapi|starlette|flask|django)\b",
    re.MULTILINE | re.IGNORECASE,
)
_IMPORTS = re.compile(
    rb"^\s*(?:from|import)[ \t]+(?:fastapi|starlette|flask|django)\b", re.MULTILINE
)
_LARGEST = 20_000_000
_DEEPEST = 3
_PATTERNS = frozenset({"template", "templates", "cookiecutter"})
"""Folders of what others begin with, which is no backend itself."""
_DATA = ("data", "static", "templates", "assets", "resources", "migrations", "alembic", "locale")
_FILES = ("alembic.ini", "gunicorn.conf.py", "manage.py")
_DATABASES = (".db", ".sqlite", ".sqlite3", ".db-wal", ".db-shm", ".db-journal")
"""What `.dockerignore` keeps out wherever it lies."""
_NO_DOCUMENTS = NEVER | {"tests", "docs"}
_ABOUT = re.compile(r"(?i)(?:README|CHANGELOG|LICEN[CS]E|CONTRIBUTING|CLAUDE|AGENTS|TODO)\.md")
"""What is about the source, for people and their tools."""
_PATTERN = re.compile(r"[*?\[\]\\!]")
_PLACEHOLDERS = frozenset({".gitkeep", ".gitignore", ".keep", "README.md"})


def find_below(report: Report) -> list[str] | None:
    """Folders below that hold a backend each; None where the folder itself is one, or none is."""
    if _is_web(report, "") or _has_source(report):
        return None
    return [path for path in _folders(report, "", 1) if _is_web(report, path)] or None


def _has_source(report: Report) -> bool:
    """Whether a module of an application lies in the folder itself."""
    modules = (name for name in _names(report, "") if name.endswith(".py") and not is_aside(name))
    return any(_IMPORTS.search(_data(report, name)) for name in modules)


def _names(report: Report, base: str) -> list[str]:
    try:
        return sorted(one.name for one in (report.folder / base).iterdir())
    except OSError:
        return []


def _folders(report: Report, base: str, deep: int) -> Iterator[str]:
    for name in _names(report, base):
        path = join(base, name)
        full = report.folder / path
        if name.startswith(".") or name in NEVER | _PATTERNS or is_aside(name):
            continue
        if full.is_symlink() or not full.is_dir():
            continue
        inside = set(_names(report, path))
        if "pyvenv.cfg" in inside:
            continue
        if inside & _MARKS:
            yield path
        elif deep < _DEEPEST:
            yield from _folders(report, path, deep + 1)


def _is_web(report: Report, base: str) -> bool:
    """Whether a file there that lists dependencies has one of the frameworks among them."""
    for name in sorted(_MARKS & set(_names(report, base))):
        path = join(base, name)
        pyproject = name == "pyproject.toml"
        data = _dependencies(report, path) if pyproject else _data(report, path)
        if _LISTED.search(data):
            return True
    return False


def _dependencies(report: Report, path: str) -> bytes:
    """What a pyproject.toml asks for; its keywords, or its tools' settings, tell nothing."""
    said: dict[str, object] = {}
    with contextlib.suppress(KubekitError):  # a broken one is told of where a backend is looked at
        said, _ = read_toml(report.folder / path)
    project, poetry = table(said, "project"), table(said, "tool", "poetry")
    asked = [*strings(project.get("dependencies")), *table(poetry, "dependencies")]
    for extra in table(project, "optional-dependencies").values():
        asked += strings(extra)
    for group in table(poetry, "group"):
        asked += table(poetry, "group", group, "dependencies")
    return "\n".join(asked).encode()


def _data(report: Report, path: str) -> bytes:
    file = report.folder / path
    try:
        return file.read_bytes() if file.is_file() and file.stat().st_size < _LARGEST else b""
    except OSError:
        return b""


def find_data(report: Report, root: str, packages: Sequence[str]) -> tuple[str, ...]:
    """What lies beside the source and is read by it, without databases of a laptop."""
    found = []
    for name in _DATA:
        if root == "." and name in packages:
            continue
        if _worth(report, name):
            report.found(f"{name}/ goes into the image", name)
            found.append(name)
    copied = packages if root == "." else ()
    found += [one for one in _FILES if one not in copied and (report.folder / one).is_file()]
    return tuple(found)


def _worth(report: Report, name: str) -> bool:
    """Whether a folder holds more than placeholders, bytecode, and files of sqlite."""
    folder = report.folder / name
    if folder.is_symlink() or not folder.is_dir():
        return False
    found = False
    for base, folders, files in os.walk(folder):
        folders[:] = sorted(one for one in folders if one != "__pycache__")
        for file in sorted(files):
            if file.lower().endswith(_DATABASES):
                path = (Path(base) / file).relative_to(report.folder).as_posix()
                report.found("a database of a laptop, which no image should have", path)
            else:
                found = found or file not in _PLACEHOLDERS
    return found


def find_documents(report: Report, copied: Sequence[str]) -> tuple[str, ...]:
    """Folders of what is copied that hold Markdown for the app: prompts, or texts of mails."""
    found = []
    for name in dict.fromkeys(copied):
        for base, folders, files in os.walk(report.folder / name):
            folders[:] = sorted(
                one for one in folders if one not in _NO_DOCUMENTS and one[0] != "."
            )
            path = Path(base).relative_to(report.folder).as_posix()
            texts = [one for one in files if one.endswith(".md") and not _ABOUT.fullmatch(one)]
            if texts and not _PATTERN.search(path):
                report.found("Markdown goes into the image", path)
                found.append(path)
    return tuple(found)
