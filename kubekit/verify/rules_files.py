"""Checks of the files in an image: what has no business there. Pure."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from kubekit.verify.markdown import markdown
from kubekit.verify.model import Check, Outcome, Subject, failed, passed, skipped, told
from kubekit.verify.packages import debian_packages, python_packages
from kubekit.verify.tree import Entry, in_libraries

DEVELOPMENT = frozenset(
    """
    pytest coverage pytest-cov pytest-asyncio hypothesis tox nox ruff black flake8 pylint isort mypy
    pyright pre-commit ipython debugpy
    """.split()  # noqa: SIM905 - as a list it would be a line per word
)
"""What no service needs to run, by the names on PyPI."""

_COMPILERS = re.compile(
    r"(^|/)s?bin/((\w+-linux-\w+-)?(gcc|g\+\+|cpp|clang|clang\+\+)(-[0-9.]+)?|cc|c\+\+|make|rustc|cargo)$"
)
_HEADERS = re.compile(
    r"^(build-essential|gcc|g\+\+|make|lib.*-dev|python3?[0-9.]*-dev|linux-libc-dev)$"
)
_DOWNLOADERS = re.compile(r"(^|/)bin/(curl|wget)$")
_CACHES = re.compile(
    r"^var/lib/apt/lists/(?!lock$|partial$|auxfiles$)[^/]+$|^var/cache/apt/archives/[^/]+\.deb$"
    r"|(^|/)\.cache/(pip|uv|pypoetry|pdm)/"
)
_TESTS = re.compile(r"(^|/)(tests?/|conftest\.py$|test_[^/]*\.py$|[^/]*_test\.py$)")
_ENV = re.compile(r"(^|/)\.env(\.[^/]*)?$")
_GIT = re.compile(r"(^|/)\.git/")
_REQUIREMENTS = re.compile(r"(^|/)requirements[^/]*\.(txt|in)$")
_BYTECODE = re.compile(r"(^|/)__pycache__/|\.py[co]$")
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class _Absent:
    """That no file of a kind is in the image.

    Attributes:
        pattern: of its path.
        app: only among the app's own files.
        layers: also those that a later layer has deleted: they are pulled, and can be read.
        library: also within Python and its packages.
    """

    what: str
    pattern: re.Pattern[str]
    app: bool = False
    layers: bool = False
    library: bool = False

    def __call__(self, subject: Subject) -> Outcome:
        found = list(dict.fromkeys(self._found(subject)))
        if not found:
            return passed(f"no {self.what}")
        return failed(f"{self.what}: {_count(found)}", *_some(found))

    def _found(self, subject: Subject) -> Iterator[str]:
        tree = subject.image.tree
        entries: Iterable[tuple[Entry, bool]] = tree.everywhere()
        for entry, seen in entries:
            if stat.S_ISDIR(entry.mode) or not (seen or self.layers):
                continue
            if not self.pattern.search(entry.path):
                continue
            if (self.app and not tree.is_app(entry.path)) or (
                not self.library and in_libraries(entry.path)
            ):
                continue
            yield f"/{entry.path}" + ("" if seen else " (deleted later, but in its layer)")


def _compilers(subject: Subject) -> Outcome:
    files = subject.image.tree.files
    found = [f"/{path}" for path in files if _COMPILERS.search(path)]
    packages = [name for name, _, _ in debian_packages(subject.image.tree) if _HEADERS.match(name)]
    if not found and not packages:
        return passed("no compilers, no headers")
    return failed(f"compilers or headers: {_count([*found, *packages])}", *_some(found + packages))


def _development(subject: Subject) -> Outcome:
    unwanted = DEVELOPMENT | subject.known.development
    there = {package.normalized for package in python_packages(subject.image.tree)}
    found = sorted(there & unwanted)
    if found:
        return failed(f"packages for development: {', '.join(found)}")
    looked = ", ".join(sorted(subject.known.development)) or "pytest, ruff, mypy and their kin"
    return passed(f"none of {looked}")


def _markdown(subject: Subject) -> Outcome:
    found = markdown(subject.image.tree)
    if found.about:
        paths = [f"/{path}" for path in found.about]
        return failed(f"Markdown about the source: {_count(paths)}", *_some(paths))
    stays = [f"{_count(list(found.other))} that the app may read"] if found.other else []
    stays += [f"/{path}, which the project is installed with" for path in found.named]
    return passed(f"none but {' and '.join(stays)}" if stays else "no Markdown about the source")


def _bytecode(subject: Subject) -> Outcome:
    if not subject.image.environment.get("PYTHONDONTWRITEBYTECODE"):
        return skipped("PYTHONDONTWRITEBYTECODE is not set")
    return _Absent(what="bytecode of the app's own source", pattern=_BYTECODE, app=True)(subject)


def _setuid(subject: Subject) -> Outcome:
    found = [
        f"/{path}"
        for path, entry in sorted(subject.image.tree.files.items())
        if entry.is_file and entry.mode & (stat.S_ISUID | stat.S_ISGID)
    ]
    if not found:
        return told("none")
    return told(f"{_count(found)}; `allowPrivilegeEscalation: false` disarms them", *_some(found))


def _count(found: list[str]) -> str:
    return "1 file" if len(found) == 1 else f"{len(found)} files"


def _some(found: list[str]) -> list[str]:
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return [*sorted(found, key=lambda path: (path.count("/"), path))[:_SHOWN], *more]


def _check(id_: str, title: str, fix: str, look: Callable[[Subject], Outcome]) -> Check:
    return Check(id=id_, title=title, fix=fix, look=look)


CHECKS = (
    _check(
        "no-compilers",
        "no compilers",
        "install them in a builder stage only, and copy what it made",
        _compilers,
    ),
    _check(
        "no-downloaders",
        "no curl, no wget",
        "leave them in the builder; a HEALTHCHECK can use Python's urllib",
        _Absent(what="programs that download", pattern=_DOWNLOADERS),
    ),
    _check(
        "no-package-caches",
        "no caches of pip or apt",
        "`pip install --no-cache-dir`; delete /var/lib/apt/lists in the same RUN",
        _Absent(what="caches of packages", pattern=_CACHES, layers=True),
    ),
    _check(
        "no-dev-packages",
        "no packages for development",
        "install without them: `uv sync --no-dev`, or a requirements.txt without them",
        _development,
    ),
    _check(
        "no-tests",
        "no tests",
        "exclude them in .dockerignore: `**/tests`",
        _Absent(what="tests", pattern=_TESTS, app=True),
    ),
    _check(
        "no-env-files",
        "no .env",
        "exclude them in .dockerignore: `**/.env*`; then change what was in them",
        _Absent(what="environment files", pattern=_ENV, layers=True),
    ),
    _check(
        "no-git",
        "no .git",
        "exclude it in .dockerignore: `**/.git`",
        _Absent(what="files of a repository", pattern=_GIT, layers=True),
    ),
    _check(
        "no-requirements",
        "no requirements.txt",
        "copy it in the builder stage only",
        _Absent(what="lists of requirements", pattern=_REQUIREMENTS),
    ),
    _check(
        "no-markdown",
        "no Markdown about the source",
        "exclude it in .dockerignore: `**/*.md`, and below it `!FILE` for what the app reads",
        _markdown,
    ),
    _check(
        "no-app-bytecode",
        "no bytecode of the app's source",
        "exclude it in .dockerignore: `**/__pycache__`",
        _bytecode,
    ),
    _check("setuid-files", "setuid files", "", _setuid),
)
"""In the order of the report."""
