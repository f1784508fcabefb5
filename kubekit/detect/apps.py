"""Where the application is made: `FastAPI(`, `Starlette(`, `Flask(`, Django's, and functions."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from kubekit.detect.backend import Framework
from kubekit.detect.symbols import Defined, External, Function, Modules

CONSTRUCTORS: dict[str, Framework] = {
    "fastapi.FastAPI": "fastapi",
    "fastapi.applications.FastAPI": "fastapi",
    "starlette.applications.Starlette": "starlette",
    "flask.Flask": "flask",
    "flask.app.Flask": "flask",
    "django.core.asgi.get_asgi_application": "django",
    "django.core.wsgi.get_wsgi_application": "django",
}
NEEDLES = (b"FastAPI", b"Starlette", b"Flask", b"get_asgi_application", b"get_wsgi_application")
_SERVED = re.compile(r"(?:app|application|[aw]sgi)$|<returned>")
_NESTED = 8
_ROUNDS = 3
"""How many functions may stand between an application and the one that makes it."""


@dataclass(frozen=True)
class Made:
    """An application: of which framework, and the name it got where it was made."""

    framework: Framework
    node: Defined
    line: int
    wsgi: bool = False


@dataclass(frozen=True)
class App:
    """Something that a server could import."""

    path: str
    attribute: str
    line: int
    made: Made
    factory: bool = False
    arguments: tuple[str, ...] = ()


class Finder:
    """Looks for applications in the modules where one of their names occurs."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._asked: set[tuple[str, str]] = set()

    def all(self) -> list[App]:
        """Every application, and every function that makes one, in the order of their paths."""
        tree, found = self._modules.tree, dict[tuple[str, str], App]()
        needles: tuple[bytes, ...] = NEEDLES
        for _ in range(_ROUNDS):
            # Next, who calls the functions that were found.
            makers: set[bytes] = set()
            for path in tree.having(*needles):
                makers |= {name.encode() for name in self._subclasses(path)}
                for app in self._in(path):
                    found.setdefault((app.path, app.attribute), app)
                    if app.factory:
                        makers.add(app.attribute.encode())
            needles = tuple(sorted(makers))
            if not needles:
                break
        return sorted(found.values(), key=lambda app: (app.path, app.line))

    def _subclasses(self, path: str) -> list[str]:
        module = self._modules.get(path)
        classes = module.classes if module else {}
        return [name for name in classes if self._class(path, name)]

    def _in(self, path: str) -> list[App]:
        module = self._modules.get(path)
        if module is None:
            return []
        apps = []
        for name, values in module.scopes[""].values.items():
            for value in values:
                if made := self.made(path, "", value, name):
                    apps.append(App(path, name, value.lineno, made))
                    break
        for name in dict.fromkeys(one.name for one in module.scopes[""].functions):
            function = module.functions[name]
            if made := self._by_function(path, name):
                needed = _required(function)
                apps.append(App(path, name, function.lineno, made, factory=True, arguments=needed))
        return apps

    def made(self, path: str, scope: str, value: ast.expr, name: str, deep: int = 0) -> Made | None:
        """What application an expression makes, if it does; `name` is what it is called."""
        if isinstance(value, ast.Name):
            return self._variable(path, scope, value.id) if value.id != name else None
        if not isinstance(value, ast.Call):
            return None
        meaning = self._modules.meaning(path, value.func, scope)
        match meaning:
            case External(dotted) if dotted in CONSTRUCTORS:
                node = Defined(path, scope, name)
                return Made(CONSTRUCTORS[dotted], node, value.lineno, wsgi="wsgi" in dotted)
            case Defined(inner, "", called):
                if framework := self._class(inner, called):
                    return Made(framework, Defined(path, scope, name), value.lineno)
                if made := self._by_function(inner, called):
                    return made
            case _:
                pass
        return self._wrapped(path, scope, value, name, deep) if deep < _NESTED else None

    def _wrapped(self, path: str, scope: str, call: ast.Call, name: str, deep: int) -> Made | None:
        """`application = Middleware(app)`: the same application under another name."""
        if not _SERVED.search(name):
            return None  # `client = TestClient(app)`
        keywords = [
            one.value
            for one in call.keywords
            if one.arg in {"app", "application", "other_asgi_app"}
        ]
        for argument in [*call.args, *keywords]:
            if isinstance(argument, ast.Name) and argument.id != name:
                if made := self._variable(path, scope, argument.id):
                    return made
            elif isinstance(argument, ast.Call) and (
                made := self.made(path, scope, argument, name, deep + 1)
            ):
                return made
        return None

    def _variable(self, path: str, scope: str, name: str) -> Made | None:
        match self._modules.named(path, name, scope):
            case Defined(inner, within, called) if (inner, f"{within}:{called}") not in self._asked:
                module = self._modules.get(inner)
                scopes = module.scopes if module else {}
                self._asked.add((inner, f"{within}:{called}"))
                try:
                    for value in scopes[within].values.get(called, []) if within in scopes else []:
                        if made := self.made(inner, within, value, called):
                            return made
                finally:
                    self._asked.discard((inner, f"{within}:{called}"))
        return None

    def _by_function(self, path: str, name: str) -> Made | None:
        """What application a function returns; functions that call each other end the search."""
        module = self._modules.get(path)
        if module is None or name not in module.functions or (path, name) in self._asked:
            return None
        self._asked.add((path, name))
        try:
            for value in module.scopes[name].returns:
                if made := self.made(path, name, value, "<returned>"):
                    return made
        finally:
            self._asked.discard((path, name))
        return None

    def _class(self, path: str, name: str) -> Framework | None:
        module = self._modules.get(path)
        for base in module.classes[name].bases if module and name in module.classes else []:
            match self._modules.meaning(path, base):
                case External(dotted) if dotted in CONSTRUCTORS:
                    return CONSTRUCTORS[dotted]
        return None


def _required(function: Function) -> tuple[str, ...]:
    """Arguments that a server, which gives none, would have to give."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    count = len(positional) - len(arguments.defaults)
    keyword = [
        one.arg
        for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    return (*(one.arg for one in positional[:count]), *keyword)
