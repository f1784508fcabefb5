"""The routes of an application, over routers, blueprints and mounts, each with all its prefixes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from kubekit.detect.symbols import Defined, File, Module, Modules, Scope
from kubekit.detect.texts import text_of

_ASKED = frozenset({"get", "head", "route", "api_route"})
_ADDED = frozenset({"add_api_route", "add_route", "add_url_rule"})
_PARTS = frozenset({"include_router", "register_blueprint"})
_PREFIXES = frozenset({"prefix", "url_prefix"})
_MOST = 20_000
"""Steps after which a description of routes is taken for a circle."""


@dataclass(frozen=True)
class Route:
    """A path that answers GET, and where it is made."""

    path: str
    file: str
    line: int


@dataclass(frozen=True)
class _Here:
    """Where a walk is: at a router, in a function or module that uses it, and how it got there."""

    node: Defined
    scope: str
    prefix: str
    seen: tuple[Defined, ...]


class Router:
    """Follows an application to its routes.

    Args:
        modules: the source.
        worth: whether a module, by its bytes, may have routes that are looked for.
    """

    def __init__(self, modules: Modules, *, worth: Callable[[bytes], bool] = bool) -> None:
        self._modules = modules
        self._worth = worth
        self._steps = 0
        self.parts: set[Defined] = set()
        """What was mounted or included on the way."""

    def routes(self, node: Defined) -> list[Route]:
        """The routes of an application or router."""
        return list(dict.fromkeys(self._walk(node, "", ())))

    def _walk(
        self, node: Defined, prefix: str, seen: tuple[Defined, ...], *, replaced: bool = False
    ) -> Iterator[Route]:
        self._steps += 1
        module = self._modules.get(node.path)
        if module is None or node in seen or self._steps > _MOST:
            return
        seen = (*seen, node)
        scope = module.scopes.get(node.scope, Scope())
        here = _Here(node, node.scope, prefix, seen)
        for value in scope.values.get(node.name, []):
            yield from self._value(here, value)
        prefix += "" if replaced else self._own(node, module)
        for name, inner in module.scopes.items():
            # A function's own name hides the module's.
            hidden = not node.scope and name and node.name in inner.values
            if (name == node.scope or not node.scope) and not hidden:
                yield from self._decorated(node, name, inner, prefix)
                yield from self._called(_Here(node, name, prefix, seen), inner)

    def _own(self, node: Defined, module: Module) -> str:
        for value in module.scopes.get(node.scope, Scope()).values.get(node.name, []):
            if isinstance(value, ast.Call):
                for keyword in value.keywords:
                    if keyword.arg in _PREFIXES:
                        return text_of(self._modules, node.path, keyword.value, node.scope) or ""
        return ""

    def _value(self, here: _Here, value: ast.expr) -> Iterator[Route]:
        if isinstance(value, ast.Call):
            for argument in [*value.args, *(one.value for one in value.keywords)]:
                yield from self._listed(here, argument)
        if isinstance(value, ast.Call | ast.Name | ast.Attribute):
            for part in self._targets(here.node.path, value, here.scope):
                yield from self._walk(part, here.prefix, here.seen)

    def _decorated(self, node: Defined, name: str, scope: Scope, prefix: str) -> Iterator[Route]:
        for function in scope.functions:
            for decorator in function.decorator_list:
                match decorator:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=kind)) if (
                        owner == node.name and kind in _ASKED
                    ):
                        yield from self._route(node.path, name, decorator, prefix)

    def _called(self, here: _Here, scope: Scope) -> Iterator[Route]:
        node = here.node
        for call in scope.calls:
            match call.func:
                case ast.Attribute(value=ast.Name(id=owner), attr=kind) if owner == node.name:
                    if kind in _ADDED:
                        yield from self._route(node.path, here.scope, call, here.prefix)
                    elif kind in _PARTS and call.args:
                        given = self._prefix(node.path, here.scope, call)
                        # Flask takes the prefix of the registration instead of the blueprint's.
                        flask = kind == "register_blueprint"
                        yield from self._include(here, call.args[0], given, replaces=flask)
                    elif kind == "mount":
                        yield from self._mount(here, call)
                case _:
                    yield from self._passed(here, call)

    def _route(self, path: str, scope: str, call: ast.Call, prefix: str) -> Iterator[Route]:
        named = [one.value for one in call.keywords if one.arg in {"path", "rule"}]
        methods = [one.value for one in call.keywords if one.arg == "methods"]
        if methods and not {"GET", "get", None} & _texts(methods[0]):
            return
        for expr in [*call.args[:1], *named]:
            text = text_of(self._modules, path, expr, scope)
            if text is not None:
                yield Route(f"{prefix}{text}" or "/", path, call.lineno)

    def _prefix(self, path: str, scope: str, call: ast.Call) -> str | None:
        for keyword in call.keywords:
            if keyword.arg in _PREFIXES:
                return text_of(self._modules, path, keyword.value, scope)
        return ""

    def _include(
        self, here: _Here, what: ast.expr, given: str | None, *, replaces: bool = False
    ) -> Iterator[Route]:
        if given is None:
            return  # the prefix is not known, and a wrong path is worse than none
        if not self._promises(here.node.path, what):
            return
        replaced = replaces and bool(given)
        for part in self._targets(here.node.path, what, here.scope):
            self.parts.add(part)
            yield from self._walk(part, here.prefix + given, here.seen, replaced=replaced)

    def _promises(self, path: str, what: ast.expr) -> bool:
        """Whether it is worth parsing the module that something was imported from."""
        module = self._modules.get(path)
        first = what
        while isinstance(first, ast.Attribute | ast.Call):
            first = first.value if isinstance(first, ast.Attribute) else first.func
        if module is None or not isinstance(first, ast.Name) or first.id not in module.imports:
            return True
        dotted, attribute, level = module.imports[first.id]
        inner = f"{dotted}.{attribute}" if dotted and attribute else attribute or dotted
        found = self._modules.locate(path, dotted, level) or self._modules.locate(
            path, inner, level
        )
        if found is None or found[0].endswith("__init__.py"):
            return True
        return self._worth(self._modules.tree.files[found[0]])

    def _mount(self, here: _Here, call: ast.Call) -> Iterator[Route]:
        named = {one.arg: one.value for one in call.keywords}
        at = call.args[0] if call.args else named.get("path")
        what = call.args[1] if len(call.args) > 1 else named.get("app")
        if at is not None and what is not None:
            given = text_of(self._modules, here.node.path, at, here.scope)
            given = given.rstrip("/") if given is not None else None
            yield from self._include(here, what, given)

    def _passed(self, here: _Here, call: ast.Call) -> Iterator[Route]:
        """`register_routes(app)`: the application by another name in another function."""
        for position, argument in enumerate(call.args):
            if isinstance(argument, ast.Name) and argument.id == here.node.name:
                match self._modules.meaning(here.node.path, call.func, here.scope):
                    case Defined(path, "", called):
                        module = self._modules.get(path)
                        function = module.functions.get(called) if module else None
                        if function and position < len(function.args.args):
                            inner = function.args.args[position].arg
                            other = Defined(path, called, inner)
                            yield from self._walk(other, here.prefix, here.seen)
                    case _:
                        pass

    def _targets(self, path: str, what: ast.expr, scope: str) -> Iterator[Defined]:
        """The routers or applications that an expression stands for."""
        called = isinstance(what, ast.Call)
        meaning = self._modules.meaning(
            path, what.func if isinstance(what, ast.Call) else what, scope
        )
        if isinstance(meaning, Defined) and not called:
            yield meaning
        elif isinstance(meaning, Defined):
            module = self._modules.get(meaning.path)
            function = module.scopes.get(meaning.name) if module else None
            for value in function.returns if function else []:
                if isinstance(value, ast.Name):
                    yield Defined(meaning.path, meaning.name, value.id)
        elif isinstance(meaning, File):
            yield Defined(meaning.path, "", "router")

    def _listed(self, here: _Here, value: ast.expr) -> Iterator[Route]:
        """`routes=[Route("/health", ...), Mount("/api", ...)]`, in place or by a name."""
        path = here.node.path
        if isinstance(value, ast.Name):
            meaning = self._modules.named(path, value.id, here.scope)
            if isinstance(meaning, Defined) and meaning not in here.seen:
                yield from self._named(here, meaning)
            return
        for one in value.elts if isinstance(value, ast.List | ast.Tuple) else []:
            match one:
                case ast.Call(func=ast.Name(id="Route") | ast.Attribute(attr="Route")):
                    yield from self._route(path, here.scope, one, here.prefix)
                case ast.Call(func=ast.Name(id="Mount") | ast.Attribute(attr="Mount")):
                    yield from self._mount(here, one)
                    at = text_of(self._modules, path, one.args[0], "") if one.args else None
                    for keyword in one.keywords:
                        if keyword.arg == "routes" and at is not None:
                            below = replace(here, prefix=here.prefix + at.rstrip("/"))
                            yield from self._listed(below, keyword.value)
                case _:
                    pass

    def _named(self, here: _Here, list_: Defined) -> Iterator[Route]:
        module = self._modules.get(list_.path)
        scope = module.scopes.get(list_.scope, Scope()) if module else Scope()
        there = _Here(list_, list_.scope, here.prefix, (*here.seen, list_))
        for inner in scope.values.get(list_.name, []):
            if isinstance(inner, ast.List):
                yield from self._listed(there, inner)


def _texts(value: ast.expr) -> set[str | None]:
    """The strings in a literal; None stands for what is no string."""
    if not isinstance(value, ast.List | ast.Tuple | ast.Set):
        return {None}
    return {
        one.value if isinstance(one, ast.Constant) and isinstance(one.value, str) else None
        for one in value.elts
    }
