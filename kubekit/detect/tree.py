"""The Python source below a folder: which files there are, what they hold, and parsed on demand.

Written for thousands of modules: folders that hold none of the app's are not entered, every file
is read once, and only what somebody asks for is parsed.
"""

from __future__ import annotations

import ast
import os
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path

from kubekit.detect.report import Report

NEVER = frozenset(
    {"__pycache__", "__pypackages__", "node_modules", "site-packages", "venv", "virtualenv"}
)
_OUTPUT = frozenset({"build", "dist", "htmlcov", "target"})
_ASIDE = frozenset(
    {"tests", "test", "docs", "doc", "examples", "example", "samples", "notebooks", "benchmarks"}
)
_LARGEST = 1_000_000
"""Bytes of a module that is read: what is larger was generated, and makes no application."""
_DEEPEST = 12


class Tree:
    """The modules below a folder, by their POSIX paths relative to it, tests left out."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.files: dict[str, bytes] = dict(sorted(_modules(report)))
        self._parsed: dict[str, ast.Module | None] = {}

    def holds(self, path: str) -> bool:
        """Whether there is such a module."""
        return path in self.files

    def having(self, *needles: bytes) -> Iterator[str]:
        """The modules in which one of the texts occurs: what is worth parsing."""
        for path, data in self.files.items():
            if any(needle in data for needle in needles):
                yield path

    def parse(self, path: str) -> ast.Module | None:
        """The syntax tree of a module; None, and a note, if it is not what this Python can read."""
        if path not in self._parsed:
            self._parsed[path] = self._parse(path)
        return self._parsed[path]

    def _parse(self, path: str) -> ast.Module | None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the user's string literals
                return ast.parse(self.files[path])
        except SyntaxError as error:
            self.report.found(f"not read: {error.msg}", path, error.lineno)
        except (ValueError, RecursionError, MemoryError):
            self.report.found("not read: no Python source", path)
        return None


def above(path: str) -> list[str]:
    """The folders that a path is in, outermost first: "" is that of the backend."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(len(parts) + 1)]


def join(folder: str, name: str) -> str:
    """A path below a folder, which is "" or "." for the backend's own."""
    return name if folder in {"", "."} else f"{folder}/{name}"


def names_module(path: str, dotted: str) -> bool:
    """Whether a file can be the module of a dotted name, from whichever folder it is imported."""
    stem = dotted.replace(".", "/")
    ends = (f"{stem}.py", f"{stem}/__init__.py")
    return any(path == end or path.endswith(f"/{end}") for end in ends)


def is_aside(name: str) -> bool:
    """Whether a file or folder is beside the app by its name: tests, documents, examples."""
    return (
        name in _ASIDE
        or name == "conftest.py"
        or name.startswith("test_")
        or (name.endswith("_test.py"))
    )


def _modules(report: Report) -> Iterator[tuple[str, bytes]]:
    folders = [""]
    while folders:
        base = folders.pop()
        try:
            with os.scandir(report.folder / base) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            report.found(f"not read: {(error.strerror or 'error').lower()}", base)
            continue
        names = {entry.name for entry in entries}
        if base and "pyvenv.cfg" in names:
            continue
        for entry in entries:
            path = join(base, entry.name)
            # A link to a folder may lead anywhere, and back; COPY does not follow it either.
            if entry.is_dir(follow_symlinks=False):
                if _worth_entering(base, entry.name):
                    folders.append(path)
            elif entry.name.endswith(".py") and not is_aside(entry.name):
                data = _read(Path(entry.path), path, report)
                if data is not None:
                    yield path, data


def _worth_entering(base: str, name: str) -> bool:
    if name.startswith(".") or name in NEVER or name.endswith((".egg-info", ".dist-info")):
        return False
    if base.count("/") > _DEEPEST:
        return False
    return not (is_aside(name) or (not base and name in _OUTPUT))


def _read(file: Path, path: str, report: Report) -> bytes | None:
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > _LARGEST:
            report.found("not read: larger than 1 MB", path)
            return None
        return file.read_bytes()
    except OSError as error:
        report.found(f"not read: {(error.strerror or 'error').lower()}", path)
        return None
