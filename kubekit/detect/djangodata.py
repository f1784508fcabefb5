"""Django's data: where its file of sqlite lies, and whether there are migrations to be run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from kubekit.detect.backend import Stored
from kubekit.detect.environment import name_read
from kubekit.detect.paths import path_parts
from kubekit.detect.report import Report
from kubekit.detect.symbols import Defined, Modules
from kubekit.detect.texts import text_of

_SQLITE = "django.db.backends.sqlite3"
_MIGRATION = re.compile(r"(?:^|/)migrations/\d{4}_\w+\.py")
_WITH_MIGRATIONS = re.compile(
    rb"[\"']django\.contrib\.(?:admin|auth|contenttypes|sessions|sites)\b"
)
_DEEP = 8


def find_stored(modules: Modules) -> Stored | None:
    """Where `DATABASES` has its file of sqlite; None where it has none, or there is no telling."""
    for path in modules.tree.having(b"DATABASES"):
        module = modules.get(path)
        for value in module.scopes[""].values.get("DATABASES", []) if module else []:
            default = _entry(value, "default")
            name = _entry(default, "NAME") if default is not None else None
            engine = _entry(default, "ENGINE") if default is not None else None
            if name is not None and engine is not None and _SQLITE in ast.unparse(engine):
                return _stored(modules, path, name)
    return None


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
    read, below = _variable(modules, path, name, 0)
    text = text_of(modules, path, name)
    return Stored(
        path=path,
        line=name.lineno,
        written=ast.unparse(name),
        text=None if read else text,
        variable=read,
        below=below,
    )


def _variable(modules: Modules, path: str, expr: ast.expr, deep: int) -> tuple[str, str]:
    """The variable that a path is read from, and what is put behind it; both may be empty."""
    if (name := name_read(modules, path, expr)) is not None:
        return name, ""
    if deep > _DEEP:
        return "", ""
    if (value := _value(modules, path, expr)) is not None:
        return _variable(modules, value[0], value[1], deep + 1)
    parts = path_parts(expr)
    name, below = _variable(modules, path, parts[0], deep + 1) if parts else ("", "")
    texts = [text_of(modules, path, part) for part in parts[1:]]
    if not name or None in texts:
        return "", ""
    return name, "".join([below, *(f"/{text}" for text in texts)])


def _value(modules: Modules, path: str, expr: ast.expr) -> tuple[str, ast.expr] | None:
    """What a name stands for, and in which module; None for anything else."""
    meaning = modules.meaning(path, expr) if isinstance(expr, ast.Name) else None
    module = modules.get(meaning.path) if isinstance(meaning, Defined) else None
    if module is None or not isinstance(meaning, Defined):
        return None
    values = module.scopes[meaning.scope].values.get(meaning.name, [])
    return (module.path, values[0]) if len(values) == 1 else None


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


def _migrated(modules: Modules) -> Iterator[str]:
    """Where there is something to be migrated: the project's own, then what of Django it uses."""
    for path in modules.tree.files:
        if _MIGRATION.search(path):
            yield path.rpartition("/")[0]
    for path in modules.tree.having(b"INSTALLED_APPS"):
        if _WITH_MIGRATIONS.search(modules.tree.files[path]):
            yield path
