"""Django: its settings, as far as an image needs them, and the routes of its URLs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from kubekit.detect.report import Report
from kubekit.detect.routes import Route
from kubekit.detect.symbols import Modules
from kubekit.detect.texts import text_of
from kubekit.detect.tree import names_module

_CONF = re.compile(rb"^ROOT_URLCONF\s*=\s*[\"']([\w.]+)[\"']", re.MULTILINE)
_SETTINGS = re.compile(
    rb"^[^#\n]*setdefault\(\s*[\"']DJANGO_SETTINGS_MODULE[\"']\s*,\s*[\"']([\w.]+)[\"']",
    re.MULTILINE,
)
_STATIC_ROOT = re.compile(rb"^STATIC_ROOT\s*[=:]", re.MULTILINE)
_LOCAL = frozenset({"localhost", ".localhost", "*"})
_DEEP = 12
_REGEX = re.compile(r"[\^$]|\\Z|\\A")


def django_routes(modules: Modules) -> list[Route]:
    """The routes below ROOT_URLCONF, over every `include()`."""
    for path in modules.tree.having(b"ROOT_URLCONF"):
        if conf := _CONF.search(modules.tree.files[path]):
            file = file_of(modules, conf[1].decode())
            if file is not None:
                return list(dict.fromkeys(_patterns(modules, file, "/", 0)))
    return []


def find_collected(
    report: Report, modules: Modules, path: str, names: frozenset[str]
) -> str | None:
    """The settings by which static files are collected; None where whitenoise serves none.

    Args:
        report: takes the note.
        modules: the source.
        path: the module of the application.
        names: what is installed.
    """
    if "whitenoise" not in names:
        return None
    for settings in modules.tree.having(b"STATIC_ROOT"):
        if at := _STATIC_ROOT.search(modules.tree.files[settings]):
            for one in (path, "manage.py"):
                if said := settings_named(modules, one):
                    line = modules.tree.files[settings].count(b"\n", 0, at.start()) + 1
                    text = "static files are collected in the build, for whitenoise"
                    report.found(text, settings, line)
                    return said
    return None


def settings_named(modules: Modules, path: str) -> str | None:
    """The settings that a module takes where the environment names none, as wsgi.py does."""
    said = _SETTINGS.search(modules.tree.files.get(path, b""))
    return said[1].decode() if said else None


def check_hosts(report: Report, modules: Modules) -> None:
    """Tell of an ALLOWED_HOSTS that refuses every probe: they ask for `localhost`."""
    for path in modules.tree.having(b"ALLOWED_HOSTS"):
        module = modules.get(path)
        values = module.scopes[""].values if module is not None else {}
        hosts = [_literal(value) for value in values.get("ALLOWED_HOSTS", [])]
        known = [one for one in hosts if one is not None]
        if not hosts or len(known) < len(hosts) or _LOCAL & frozenset().union(*known):
            continue
        # Where nothing is listed, DEBUG lets in what is asked of this machine.
        debug = [_is_true(value) for value in values.get("DEBUG", [])]
        if any(known) or True not in debug:
            line = values["ALLOWED_HOSTS"][0].lineno
            report.found("ALLOWED_HOSTS has no `localhost`, by which probes ask", path, line)


def _literal(value: ast.expr) -> frozenset[str] | None:
    """The texts of a list; None where it has anything else."""
    if not isinstance(value, ast.List | ast.Tuple):
        return None
    texts = [one.value for one in value.elts if isinstance(one, ast.Constant)]
    strings = frozenset(text for text in texts if isinstance(text, str))
    return strings if len(texts) == len(value.elts) else None


def _is_true(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


def file_of(modules: Modules, dotted: str) -> str | None:
    """The file that a dotted name in Django's settings means."""
    return next((path for path in modules.tree.files if names_module(path, dotted)), None)


def _patterns(modules: Modules, path: str, prefix: str, deep: int) -> Iterator[Route]:
    module = modules.get(path)
    if module is None or deep > _DEEP:
        return
    for value in module.scopes[""].values.get("urlpatterns", []):
        yield from _list(modules, path, value, prefix, deep)


def _list(modules: Modules, path: str, value: ast.expr, prefix: str, deep: int) -> Iterator[Route]:
    while isinstance(value, ast.BinOp):
        yield from _list(modules, path, value.right, prefix, deep)
        value = value.left
    for one in value.elts if isinstance(value, ast.List | ast.Tuple) else []:
        match one:
            case ast.Call(
                func=ast.Name(id="path" | "re_path" | "url" as kind), args=[pattern, view, *_]
            ):
                text = text_of(modules, path, pattern)
                if text is not None:
                    text = text if kind == "path" else _REGEX.sub("", text)
                    route = Route(prefix + text, path, one.lineno)
                    yield from _view(modules, path, view, route, deep)
            case _:
                pass


def _view(modules: Modules, path: str, view: ast.expr, route: Route, deep: int) -> Iterator[Route]:
    match view:
        case ast.Call(func=ast.Name(id="include"), args=[what, *_]):
            if isinstance(what, ast.Tuple) and what.elts:
                what = what.elts[0]
            dotted = text_of(modules, path, what)
            file = file_of(modules, dotted) if dotted else None
            if file is not None:
                yield from _patterns(modules, file, route.path, deep + 1)
            elif dotted is None:
                yield from _list(modules, path, what, route.path, deep + 1)
            elif dotted == "health_check.urls":
                yield route  # django-health-check answers at the path itself
        case _:
            yield route
