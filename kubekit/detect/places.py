"""Folders: where below a repository backends are, and what else of one belongs into the image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from kubekit.detect.report import Report
from kubekit.detect.tree import NEVER, is_aside, join

_MARKS = frozenset({"pyproject.toml", "requirements.txt", "setup.py", "setup.cfg", "uv.lock"})
_MARKS |= {"Pipfile", "poetry.lock", "pdm.lock", "requirements.lock", "requirements.in"}
_WEB = (b"fastapi", b"starlette", b"flask", b"django")
_DEEPEST = 3
_DATA = ("data", "static", "templates", "assets", "resources", "migrations", "alembic", "locale")
_FILES = ("alembic.ini", "gunicorn.conf.py", "manage.py")
_DATABASES = (".db", ".sqlite", ".sqlite3", ".db-wal", ".db-shm", ".db-journal")
_PLACEHOLDERS = frozenset({".gitkeep", ".gitignore", ".keep", "README.md"})


def find_below(report: Report) -> list[str] | None:
    """Folders below that hold a backend each; None where the folder itself is one, or none is."""
    if _MARKS & set(_names(report, "")) and _is_web(report, ""):
        return None
    found = [path for path in _folders(report, "", 1) if _is_web(report, path)]
    if not found or _has_source(report):
        return None
    return found


def _has_source(report: Report) -> bool:
    return any(name.endswith(".py") for name in _names(report, "") if not is_aside(name)) and bool(
        _MARKS & set(_names(report, ""))
    )


def _names(report: Report, base: str) -> list[str]:
    try:
        return sorted(one.name for one in (report.folder / base).iterdir())
    except OSError:
        return []


def _folders(report: Report, base: str, deep: int) -> Iterator[str]:
    for name in _names(report, base):
        path = join(base, name)
        full = report.folder / path
        if name.startswith(".") or name in NEVER or is_aside(name):
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
    """Whether a file there that lists dependencies names one of the frameworks."""
    for name in _MARKS & set(_names(report, base)):
        try:
            data = (report.folder / base / name).read_bytes().lower()
        except OSError:
            continue
        if any(word in data for word in _WEB):
            return True
    return False


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
        folders[:] = [one for one in folders if one != "__pycache__"]
        for file in files:
            if file.lower().endswith(_DATABASES):
                path = (Path(base) / file).relative_to(report.folder).as_posix()
                report.found("a database of a laptop, which stays out of the image", path)
                return False
            found = found or file not in _PLACEHOLDERS
    return found
