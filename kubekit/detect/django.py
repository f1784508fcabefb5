"""Django: its settings module, and the routes that its URL configuration lists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from kubekit.detect.routes import Route
from kubekit.detect.symbols import Modules
from kubekit.detect.texts import text_of
from kubekit.detect.tree import names_module

_CONF = re.compile(rb"^ROOT_URLCONF\s*=\s*[\"']([\w.]+)[\"']", re.MULTILINE)
_DEEP = 12
_REGEX = re.compile(r"[\^$]|\\Z|\\A")


def django_routes(modules: Modules) -> list[Route]:
    """The routes below ROOT_URLCONF, over every `include()`."""
    for path in modules.tree.having(b"ROOT_URLCONF"):
        if conf := _CONF.search(modules.tree.files[path]):
            file = _file(modules, conf[1].decode())
            if file is not None:
                return list(dict.fromkeys(_patterns(modules, file, "/", 0)))
    return []


def _file(modules: Modules, dotted: str) -> str | None:
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
            file = _file(modules, dotted) if dotted else None
            if file is not None:
                yield from _patterns(modules, file, route.path, deep + 1)
            elif dotted is None:
                yield from _list(modules, path, what, route.path, deep + 1)
            elif dotted == "health_check.urls":
                yield route  # django-health-check answers at the path itself
        case _:
            yield route
