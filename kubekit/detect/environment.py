"""The variables that the app reads from its environment, by each of the ways to read one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kubekit.detect.backend import Variable
from kubekit.detect.symbols import Defined, External, Modules
from kubekit.detect.texts import text_of
from kubekit.secretnames import looks_secret

_NEEDLES = (
    b"environ",
    b"getenv",
    b"Settings",
    b"decouple",
    b"starlette.config",
    b"dj_database_url",
)
_WORTH = re.compile(
    rb"\benvironb?\b|\bgetenv\b|\benvirons\b|BaseSettings|Settings\)|\bdecouple\b|starlette\.config"
    rb"|\bdj_database_url\b"
)
_GETTERS = frozenset(
    {"os.getenv", "os.environ.get", "os.environ.setdefault", "os.environ.pop", "decouple.config"}
    | {"environs.env", "os.environb.get", "dj_database_url.config"}
)
_URLS = frozenset({"db", "db_url", "dj_db_url"})
"""Methods that read DATABASE_URL unless they are told of another."""
_READERS = frozenset({"starlette.config.Config", "environ.Env", "environs.Env", "decouple.Config"})
"""Classes whose instances are called with the name of a variable."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_SHELL = frozenset(
    {"PATH", "HOME", "USER", "PWD", "LANG", "SHELL", "TERM", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH"}
    | {"HOSTNAME", "LOGNAME", "DJANGO_SETTINGS_MODULE", "CI", "PYTEST_CURRENT_TEST", "RUN_MAIN"}
)
"""Set by the system or by a framework, never by a person in `.env`."""

_ADDRESS = re.compile(
    r"(?:^|_)(?:DSN|WEBHOOK(?:_UR[IL])?)$|(?:DATABASE|DB|REDIS|BROKER|MONGO\w*|AMQP|POSTGRES\w*|"
    r"RABBITMQ|CELERY\w*|RESULT_BACKEND)_UR[IL]$"
)
"""Addresses in which there is a login, or that whoever knows them may use."""
_CREDENTIALS = re.compile(r"://[^/@\s]*:[^/@\s]*@")


@dataclass(frozen=True)
class Read:
    """A variable and where it is read."""

    variable: Variable
    path: str
    line: int


def find_variables(modules: Modules, paths: Iterable[str]) -> list[Read]:
    """Those that the given modules read, by name; the first place that tells a default wins."""
    within = set(paths)
    found: dict[str, Read] = {}
    for path in modules.tree.having(*_NEEDLES):
        # `environment` is in every other docstring: looked for only where it is worth it.
        if path not in within or not _WORTH.search(modules.tree.files[path]):
            continue
        if (parsed := modules.tree.parse(path)) is None:
            continue
        for read in _in(modules, path, parsed):
            name = read.variable.name
            earlier = found.get(name)
            if earlier is None or (
                earlier.variable.default is None and read.variable.default is not None
            ):
                found[name] = read
    return [found[name] for name in sorted(found)]


def is_secret(name: str) -> bool:
    """Whether a variable holds something that nobody should see, by its name."""
    return looks_secret(name) or _ADDRESS.search(name.upper()) is not None


def name_read(modules: Modules, path: str, expr: ast.expr) -> str | None:
    """The variable that an expression is read from; None if it is something else."""
    match expr:
        case ast.Subscript(value=value, slice=ast.Constant(value=str() as name)):
            return name if _dotted(modules, path, value) == "os.environ" else None
        case ast.Call(func=function, args=[ast.Constant(value=str() as name), *_]):
            return name if _reads(modules, path, function) else None
        case _:
            return None


def _in(modules: Modules, path: str, parsed: ast.Module) -> Iterator[Read]:
    for node in ast.walk(parsed):
        match node:
            case ast.Subscript(value=value, slice=ast.Constant(value=str() as name)):
                if _dotted(modules, path, value) == "os.environ":
                    yield from _read(name, None, path, node.lineno)
            case ast.Call(func=function, args=[ast.Constant(value=str() as name), *rest]):
                if _reads(modules, path, function):
                    keywords = [one.value for one in node.keywords if one.arg == "default"]
                    defaults = [*keywords, *rest]
                    text = text_of(modules, path, defaults[0]) if defaults else None
                    yield from _read(name, text, path, node.lineno)
            case ast.Call(args=[]) if _is_url(modules, path, node.func):
                yield from _url(modules, path, node)
            case ast.ClassDef():
                yield from _settings(modules, path, node)
            case _:
                pass


def _url(modules: Modules, path: str, call: ast.Call) -> Iterator[Read]:
    given = {one.arg: text_of(modules, path, one.value) for one in call.keywords}
    yield from _read(given.get("env") or "DATABASE_URL", given.get("default"), path, call.lineno)


def _is_url(modules: Modules, path: str, function: ast.expr) -> bool:
    """Whether a call of this reads DATABASE_URL though it does not say so."""
    if _dotted(modules, path, function) == "dj_database_url.config":
        return True
    is_method = isinstance(function, ast.Attribute) and function.attr in _URLS
    return is_method and _reads(modules, path, function)


def _dotted(modules: Modules, path: str, expr: ast.expr) -> str | None:
    meaning = modules.meaning(path, expr)
    return meaning.dotted if isinstance(meaning, External) else None


def _reads(modules: Modules, path: str, function: ast.expr) -> bool:
    """Whether a call of this reads the variable that its first argument names."""
    if _dotted(modules, path, function) in _GETTERS:
        return True
    owner = function
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        owner = function.value  # env.str("NAME")
    meaning = modules.meaning(path, owner)
    if not isinstance(meaning, Defined):
        return False
    module = modules.get(meaning.path)
    values = module.scopes[meaning.scope].values.get(meaning.name, []) if module else []
    return any(
        isinstance(value, ast.Call) and _dotted(modules, meaning.path, value.func) in _READERS
        for value in values
    )


def _read(
    name: str, default: str | None, path: str, line: int, *, secret: bool = False
) -> Iterator[Read]:
    if not _NAME.fullmatch(name) or name in _SHELL:
        return
    secret = secret or is_secret(name)
    # A secret that stands in the source is no default to hand on; a URL without a login is.
    if secret and default is not None and ("://" not in default or _CREDENTIALS.search(default)):
        default = None
    yield Read(Variable(name=name, secret=secret, default=default), path, line)


def _settings(modules: Modules, path: str, cls: ast.ClassDef) -> Iterator[Read]:
    """The fields of a pydantic BaseSettings: their names in capitals, after the prefix."""
    if not _is_settings(modules, path, cls, 0):
        return
    prefix = _prefix(cls)
    for statement in cls.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=field), annotation=kind, value=value):
                if field.startswith("_") or field == "model_config" or _mentions(kind, "ClassVar"):
                    continue
                default, names = _field(modules, path, value)
                for name in names or [f"{prefix}{field}".upper()]:
                    hidden = _mentions(kind, "SecretStr", "SecretBytes")
                    line = statement.lineno
                    yield from _read(name, default, path, line, secret=hidden)
            case _:
                pass


def _mentions(kind: ast.expr, *names: str) -> bool:
    return any(
        (isinstance(one, ast.Name) and one.id in names)
        or (isinstance(one, ast.Attribute) and one.attr in names)
        for one in ast.walk(kind)
    )


def _is_settings(modules: Modules, path: str, cls: ast.ClassDef, deep: int) -> bool:
    for base in cls.bases:
        match modules.meaning(path, base):
            case External(dotted) if dotted.endswith(".BaseSettings"):
                return True
            case Defined(inner, "", name) if deep < 8:  # noqa: PLR2004 - classes do not nest deeper
                module = modules.get(inner)
                other = module.classes.get(name) if module else None
                if other is not None and _is_settings(modules, inner, other, deep + 1):
                    return True
    return False


def _prefix(cls: ast.ClassDef) -> str:
    for node in ast.walk(cls):
        match node:
            case ast.keyword(arg="env_prefix", value=ast.Constant(value=str() as prefix)):
                return prefix
            case ast.Assign(
                targets=[ast.Name(id="env_prefix")], value=ast.Constant(value=str() as prefix)
            ):
                return prefix
            case _:
                pass
    return ""


def _field(modules: Modules, path: str, value: ast.expr | None) -> tuple[str | None, list[str]]:
    """The default of a field, and the names it has in the environment instead of its own."""
    if not isinstance(value, ast.Call):
        return _default(modules, path, value), []
    keywords = {one.arg: one.value for one in value.keywords}
    default = keywords.get("default") or next(iter(value.args), None)
    alias = keywords.get("validation_alias") or keywords.get("alias") or keywords.get("env")
    names = [
        one.value
        for one in (ast.walk(alias) if alias is not None else ())
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]
    return _default(modules, path, default), [name.upper() for name in names[:1]]


def _default(modules: Modules, path: str, value: ast.expr | None) -> str | None:
    """A field's default as text; empty for None, which is a default, too."""
    match value:
        case None:
            return None
        case ast.Constant(value=None):
            return ""
        case ast.Constant(value=bool() as flag):
            return str(flag).lower()
        case _:
            return text_of(modules, path, value)
