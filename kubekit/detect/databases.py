"""Which database the app uses when it is told of none: by its default URL, else by its driver."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast, get_args

from kubekit.detect.backend import Database
from kubekit.detect.environment import Read
from kubekit.detect.report import Report
from kubekit.detect.symbols import Modules
from kubekit.errors import UsageError

_SCHEMES: dict[str, Database] = {"sqlite": "sqlite", "postgres": "postgresql"}
_SCHEMES |= {"postgresql": "postgresql", "mysql": "other", "mariadb": "other", "mongodb": "other"}
_DRIVERS: dict[str, Database] = {
    "psycopg": "postgresql",
    "psycopg2": "postgresql",
    "psycopg2-binary": "postgresql",
    "psycopg-binary": "postgresql",
    "asyncpg": "postgresql",
    "pg8000": "postgresql",
    "aiosqlite": "sqlite",
    "sqlite3": "sqlite",
    "pymysql": "other",
    "mysqlclient": "other",
    "aiomysql": "other",
    "asyncmy": "other",
    "pymongo": "other",
    "motor": "other",
}


def find_database(
    report: Report,
    modules: Modules,
    paths: Iterable[str],
    *,
    variables: Iterable[Read],
    names: Iterable[str],
    first: str | None = None,
) -> Database | None:
    """The database; None for an app without one.

    Args:
        report: takes notes, and has the answer.
        modules: the source.
        paths: the modules of the app.
        variables: what the app reads from its environment.
        names: what is installed.
        first: the module that is known to name it, where there are more that might.

    Raises:
        UsageError: the answer is no kind of database.
    """
    if (answer := report.answers.get("database")) is not None:
        return _answered(answer)
    for read in variables:
        scheme = (read.variable.default or "").partition("://")[0].partition("+")[0].lower()
        if scheme in _SCHEMES and "://" in (read.variable.default or ""):
            report.found(f"{_SCHEMES[scheme]} by {read.variable.name}", read.path, read.line)
            return _SCHEMES[scheme]
    known = _in_source(report, modules, [first]) if first is not None else None
    return known or _in_source(report, modules, paths) or _by_driver(report, names)


def _answered(answer: str) -> Database | None:
    if answer == "none":
        return None
    if answer not in get_args(Database):
        raise UsageError(
            f"`{answer}` is no kind of database",
            hints=(f"one of none, {', '.join(get_args(Database))}",),
        )
    return cast("Database", answer)


_MARKS: tuple[tuple[bytes, Database], ...] = (
    (b"sqlite://", "sqlite"),
    (b"sqlite+aiosqlite://", "sqlite"),
    (b"django.db.backends.sqlite3", "sqlite"),
    (b"sqlite3.connect(", "sqlite"),
    (b"django.db.backends.postgresql", "postgresql"),
    (b"postgresql+", "postgresql"),
    (b"postgresql://", "postgresql"),
)


def _in_source(report: Report, modules: Modules, paths: Iterable[str]) -> Database | None:
    within = sorted(paths)
    for mark, database in _MARKS:
        for path in within:
            data = modules.tree.files[path]
            at = data.find(mark)
            if at >= 0:
                report.found(f"{database} by `{mark.decode()}`", path, data.count(b"\n", 0, at) + 1)
                return database
    return None


def _by_driver(report: Report, names: Iterable[str]) -> Database | None:
    found = {name: _DRIVERS[name] for name in sorted(names) if name in _DRIVERS}
    kinds = set(found.values())
    if not kinds:
        return None
    # A file needs no server: whoever installs a driver for a server means to use it.
    kind = next(one for one in ("postgresql", "other", "sqlite") if one in kinds)
    driver = next(name for name, one in found.items() if one == kind)
    report.assumed(f"the database is {kind}", f"{driver} is installed, and no URL stands anywhere")
    return kind
