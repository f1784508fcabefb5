"""Django's data: where its file of sqlite lies, and whether there are migrations to be run."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from kubekit.detect.backend import Stored
from kubekit.detect.django import file_of, settings_named
from kubekit.detect.environment import name_read
from kubekit.detect.paths import path_parts
from kubekit.detect.report import Report
from kubekit.detect.symbols import Defined, Modules
from kubekit.detect.texts import text_of

_SQLITE = "django.db.backends.sqlite3"
_IN_MEMORY = ":memory:"
_MIGRATION = re.compile(r"(?:^|/)migrations/\d{4}_\w+\.py")
_WITH_MIGRATIONS = re.compile(
    rb"[\"']django\.contrib\.(?:admin|auth|contenttypes|sessions|sites)\b"
)
_DEEP = 8


def find_databases(modules: Modules, path: str) -> str | None:
    """The module that gives `DATABASES` to the application in `path`; None where it is unknown."""
    settings = settings_named(modules, path)
    file = file_of(modules, settings) if settings else None
    meaning = modules.named(file, "DATABASES") if file else None
    return meaning.path if isinstance(meaning, Defined) else None


def find_stored(modules: Modules, databases: str | None) -> Stored | None:
    """Where `DATABASES` has its file of sqlite; None where it has none, or there is no telling.

    Args:
        modules: the source.
        databases: the module that gives it; None where it is not known.
    """
    if databases is not None:
        return next(_files(modules, databases), None)
    found = [one for path in modules.tree.having(b"DATABASES") for one in _files(modules, path)]
    return found[0] if len(found) == 1 else None


def _files(modules: Modules, path: str) -> Iterator[Stored]:
    module = modules.get(path)
    for value in module.scopes[""].values.get("DATABASES", []) if module else []:
        default = _entry(value, "default")
        name = _entry(default, "NAME") if default is not None else None
        engine = _entry(default, "ENGINE") if default is not None else None
        if name is not None and engine is not None and _SQLITE in ast.unparse(engine):
            stored = _stored(modules, path, name)
            if _IN_MEMORY not in (stored.text or ""):
                yield stored


def _entry(value: ast.expr | None, key: str) -> ast.expr | None:
    if not isinstance(value, ast.Dict):
        return None
    return next(
        (
            held
            for one, held in zip(value.keys, value.values, strict=True)
            if isinstance(one, ast.Constant) and one.value == key
        ),
        None,
    )


def _stored(modules: Modules, path: str, name: ast.expr) -> Stored:
    over: list[str] = []
    read, below = _variable(modules, path, name, over)
    # A folder that more is below than this file may not be moved.
    if below and not _is_alone(modules, read, over):
        read, below = "", ""
    return Stored(
        path=path,
        line=name.lineno,
        written=ast.unparse(name),
        text=None if read else text_of(modules, path, name),
        variable=read,
        below=below,
    )


def _variable(modules: Modules, path: str, expr: ast.expr, over: list[str]) -> tuple[str, str]:
    """The variable that a path is read from, and what is put behind it; both may be empty.

    The names that lead to it are added to `over`.
    """
    if (name := name_read(modules, path, expr)) is not None:
        return name, ""
    if len(over) > _DEEP:
        return "", ""
    if isinstance(expr, ast.Name) and (value := _value(modules, path, expr)) is not None:
        over.append(expr.id)
        return _variable(modules, value[0], value[1], over)
    parts = path_parts(expr)
    name, below = _variable(modules, path, parts[0], over) if parts else ("", "")
    texts = [text_of(modules, path, part) for part in parts[1:]]
    if not name or None in texts:
        return "", ""
    return name, "".join([below, *(f"/{text}" for text in texts)])


def _value(modules: Modules, path: str, name: ast.Name) -> tuple[str, ast.expr] | None:
    """What a name stands for, and in which module; None where there is no telling."""
    meaning = modules.meaning(path, name)
    module = modules.get(meaning.path) if isinstance(meaning, Defined) else None
    if module is None or not isinstance(meaning, Defined):
        return None
    values = module.scopes[meaning.scope].values.get(meaning.name, [])
    return (module.path, values[0]) if len(values) == 1 else None


def _is_alone(modules: Modules, variable: str, over: list[str]) -> bool:
    """Whether a variable is read once, and each name that leads to it is given and used once."""
    named: Counter[str] = Counter()
    read = 0
    for path in modules.tree.having(*(word.encode() for word in (variable, *over))):
        parsed = modules.tree.parse(path)
        for node in ast.walk(parsed) if parsed is not None else ():
            match node:
                case ast.Name(id=word) | ast.Attribute(attr=word) | ast.alias(name=word):
                    named[word] += 1
                case ast.Constant(value=str() as word):
                    read += word == variable
                case _:
                    pass
    return read == 1 and all(named[word] == 2 for word in over)  # noqa: PLR2004 - given, and used


def find_migrate(
    report: Report, modules: Modules, *, source: str, copied: Sequence[str]
) -> tuple[str, ...]:
    """The command that migrates the database; empty where nothing is to be migrated.

    Args:
        report: takes the note.
        modules: the source.
        source: the folder that modules are imported from.
        copied: what else is in the image, at the path that it has here.
    """
    found = next(_migrated(modules), None)
    above = "" if source == "." else f"{source}/"
    scripts = [*(one for one in copied if one == "manage.py")]
    scripts += [f"{above}manage.py"] * modules.tree.holds(f"{above}manage.py")
    if found is None or not scripts:
        return ()
    report.found("migrations, which `manage.py migrate` runs before the app starts", found)
    return ("python", scripts[0], "migrate", "--noinput")


def find_settings(modules: Modules, path: str, migrate: Sequence[str]) -> str | None:
    """The settings to migrate by; None where `manage.py` takes the same as the app, or none is.

    Args:
        modules: the source.
        path: the module of the application.
        migrate: the command that migrates.
    """
    own = settings_named(modules, path) if migrate else None
    return own if own and own != settings_named(modules, migrate[1]) else None


def _migrated(modules: Modules) -> Iterator[str]:
    """Where there is something to be migrated: the project's own, then what of Django it uses."""
    for path in modules.tree.files:
        if _MIGRATION.search(path):
            yield path.rpartition("/")[0]
    for path in modules.tree.having(b"INSTALLED_APPS"):
        if _WITH_MIGRATIONS.search(modules.tree.files[path]):
            yield path
