"""What names in the source stand for: followed over imports and re-exports, nothing executed."""

from __future__ import annotations

import ast
import posixpath
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from kubekit.detect.tree import Tree, above, join

Function = ast.FunctionDef | ast.AsyncFunctionDef
_DEEP = 20
"""Steps after which a chain of imports is taken for a circle."""


@dataclass(frozen=True)
class External:
    """Something of a package that is not the project's, such as `fastapi.FastAPI`."""

    dotted: str


@dataclass(frozen=True)
class File:
    """A module of the project."""

    path: str


@dataclass(frozen=True)
class Defined:
    """A name that a module, or a function in it, gives to something itself."""

    path: str
    scope: str
    name: str


Meaning = External | File | Defined


@dataclass
class Scope:
    """What the statements of a module, or of a function, give names to and call."""

    values: dict[str, list[ast.expr]] = field(default_factory=dict)
    calls: list[ast.Call] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    returns: list[ast.expr] = field(default_factory=list)


@dataclass
class Module:
    """One module: what it imports, `stars` as a whole, what it defines and gives names to."""

    path: str
    imports: dict[str, tuple[str, str | None, int]]
    stars: list[tuple[str, int]]
    functions: dict[str, Function]
    classes: dict[str, ast.ClassDef]
    scopes: dict[str, Scope]


class Modules:
    """The modules of a tree, and what names in them mean.

    Args:
        tree: the source.
        foreign: names of packages that are installed: only a module beside them all hides one.
    """

    def __init__(self, tree: Tree, foreign: frozenset[str] = frozenset()) -> None:
        self.tree = tree
        self._foreign = foreign
        self._modules: dict[str, Module | None] = {}
        self._located: dict[tuple[str, str, int], tuple[str, str] | None] = {}
        self._starred: dict[str, list[Module]] = {}

    def get(self, path: str) -> Module | None:
        """A module; None if it cannot be parsed."""
        if path not in self._modules:
            parsed = self.tree.parse(path)
            self._modules[path] = None if parsed is None else _module(path, parsed)
        return self._modules[path]

    def locate(self, path: str, dotted: str, level: int) -> tuple[str, str] | None:
        """The file that an import in `path` names, and the folder it was found from.

        Folders with `__init__.py` are packages, from which nothing is imported absolutely.
        """
        folder = posixpath.dirname(path)
        key = (folder, dotted, level)
        if key not in self._located:
            self._located[key] = self._locate(path, dotted, level)
        found = self._located[key]
        return found if found is None or found[0] != path else None

    def _locate(self, path: str, dotted: str, level: int) -> tuple[str, str] | None:
        parts = dotted.split(".") if dotted else []
        folders = above(path)
        if level:
            base = folders[-level:][0] if level <= len(folders) else None
            found = None if base is None else self._at(base, parts)
            return (found, base or "") if found else None
        if not parts or parts[0] in sys.stdlib_module_names:
            return None
        for base in [*folders, *(["src"] if "src" not in folders else [])]:
            if self.tree.holds(join(base, "__init__.py")) or (base and parts[0] in self._foreign):
                continue
            found = self._at(base, parts)
            if found:
                return found, base
        return None

    def _at(self, base: str, parts: list[str]) -> str | None:
        stem = "/".join([base, *parts]) if base else "/".join(parts)
        for name in (f"{stem}.py", join(stem, "__init__.py")):
            if self.tree.holds(name):
                return name
        return None

    def meaning(self, path: str, expr: ast.expr, scope: str = "", deep: int = 0) -> Meaning | None:
        """What a name or a dotted name stands for; None if there is no telling."""
        if isinstance(expr, ast.Name):
            return self.named(path, expr.id, scope, deep)
        if not isinstance(expr, ast.Attribute) or deep > _DEEP:
            return None
        match self.meaning(path, expr.value, scope, deep + 1):
            case External(dotted):
                return External(f"{dotted}.{expr.attr}")
            case File(inner):
                return self._below(inner, expr.attr, deep)
            case _:
                return None

    def named(self, path: str, name: str, scope: str = "", deep: int = 0) -> Meaning | None:
        """What a name in a scope of a module stands for."""
        module = self.get(path)
        if module is None or deep > _DEEP:
            return None
        if scope in module.scopes and name in module.scopes[scope].values:
            return Defined(path, scope, name)
        for one in (module, *(self._all_of(module) if not name.startswith("_") else ())):
            if name in one.scopes[""].values or name in one.functions or name in one.classes:
                return Defined(one.path, "", name)
            if name in one.imports:
                dotted, attribute, level = one.imports[name]
                return self._imported(one.path, dotted, attribute, level, deep)
        return None

    def _all_of(self, module: Module) -> list[Module]:
        """The modules that it has by `import *`, each once, what wins first: they may go round."""
        if module.path not in self._starred:
            found: dict[str, Module] = {}
            waiting = [module]
            while waiting:
                one = waiting.pop()
                if one.path not in found:
                    found[one.path] = one
                    located = [self.locate(one.path, *star) for star in one.stars]
                    inner = [self.get(place[0]) for place in located if place]
                    waiting += [star for star in inner if star is not None]
            self._starred[module.path] = list(found.values())[1:]
        return self._starred[module.path]

    def _imported(
        self, path: str, dotted: str, attribute: str | None, level: int, deep: int
    ) -> Meaning | None:
        if attribute is None:
            found = self.locate(path, dotted, level)
            return File(found[0]) if found else External(dotted)
        inner = f"{dotted}.{attribute}" if dotted else attribute
        module, package = self.locate(path, inner, level), self.locate(path, dotted, level)
        if package and (meaning := self.named(package[0], attribute, "", deep + 1)):
            return meaning
        if module:
            return File(module[0])
        return External(inner) if not package and not level else None

    def _below(self, path: str, attribute: str, deep: int) -> Meaning | None:
        meaning = self.named(path, attribute, "", deep + 1)
        if meaning is None and path.endswith("__init__.py"):
            inner = self._at(posixpath.dirname(path), [attribute])
            return File(inner) if inner else None
        return meaning


def _module(path: str, parsed: ast.Module) -> Module:
    module = Module(path, {}, [], {}, {}, {"": scope_of(parsed.body)})
    for node in _everywhere(parsed.body):
        match node:
            case ast.Import():
                for alias in node.names:
                    # `import a.b` gives `a` a meaning; `import a.b as c` gives `c` that of `a.b`.
                    dotted = alias.name if alias.asname else alias.name.partition(".")[0]
                    module.imports.setdefault(alias.asname or dotted, (dotted, None, 0))
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                module.stars.append((node.module or "", node.level))
            case ast.ImportFrom():
                for alias in node.names:
                    what = (node.module or "", alias.name, node.level)
                    module.imports.setdefault(alias.asname or alias.name, what)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                if node.name not in module.functions:
                    module.functions[node.name] = node
                    module.scopes[node.name] = scope_of(node.body)
            case ast.ClassDef():
                module.classes.setdefault(node.name, node)
            case _:
                pass
    return module


def _everywhere(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement, those in functions and branches included, those in classes not.

    The outer before the inner; expressions are not entered, which is most of the time saved.
    """
    waiting = deque(body)
    while waiting:
        one = waiting.popleft()
        yield one
        if not isinstance(one, ast.ClassDef):
            for name in ("body", "orelse", "finalbody"):
                waiting.extend(getattr(one, name, ()))
            for handler in getattr(one, "handlers", ()):
                waiting.extend(handler.body)


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported, those in branches included."""
    waiting = list(reversed(body))
    while waiting:
        one = waiting.pop()
        yield one
        inner: list[ast.stmt] = []
        if isinstance(one, ast.If) and not _aside(one.test):
            inner = [*one.body, *one.orelse]
        elif isinstance(one, ast.Try | ast.TryStar):
            handled = [inner for handler in one.handlers for inner in handler.body]
            inner = [*one.body, *handled, *one.orelse, *one.finalbody]
        elif isinstance(one, ast.With | ast.AsyncWith | ast.For | ast.While):
            inner = one.body
        waiting += reversed(inner)


def _aside(test: ast.expr) -> bool:
    """Whether a branch is not for a server that imports the module."""
    names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    return bool(names & {"__name__", "TYPE_CHECKING"})


def scope_of(body: list[ast.stmt]) -> Scope:
    """What statements give names to, call and return."""
    scope = Scope()
    for one in statements(body):
        for name, values in _given(one):
            scope.values.setdefault(name, []).extend(values)
        match one:
            case ast.Expr(value=ast.Call() as call):
                scope.calls.append(call)
            case ast.Return(value=ast.expr() as value):
                scope.returns.append(value)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                scope.functions.append(one)
            case _:
                pass
    return scope


def _given(statement: ast.stmt) -> list[tuple[str, list[ast.expr]]]:
    """The names that a statement gives, and to what: to each in turn, by a loop over literals."""
    match statement:
        case ast.Assign(targets=targets, value=value):
            return [(one.id, [value]) for one in targets if isinstance(one, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return [(name, [value])]
        case ast.AugAssign(target=ast.Name(id=name), value=value):
            return [(name, [value])]
        case ast.For(target=ast.Name(id=name), iter=ast.List(elts=each) | ast.Tuple(elts=each)):
            return [(name, each)]
        case _:
            return []
