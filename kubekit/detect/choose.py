"""Which of the applications that were found is the one that is served."""

from __future__ import annotations

import ast
import posixpath
import re

from kubekit.detect.apps import App, Made
from kubekit.detect.backend import Framework
from kubekit.detect.hints import Hint
from kubekit.detect.report import Report
from kubekit.detect.symbols import Defined, Modules
from kubekit.detect.tree import names_module
from kubekit.errors import FilesError, UsageError

_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_FRAMEWORKS: tuple[Framework, ...] = ("fastapi", "django", "flask", "starlette")
_USUAL = ("main", "asgi", "wsgi", "app", "server", "api", "__init__")
_LISTED = 10
LOOKED_FOR = (
    "looked for names that FastAPI(), Starlette() or Flask() is given to, in any module",
    "looked for asgi.py and wsgi.py of Django, and functions that return one of these",
    "not looked into: tests, docs, examples, virtual environments, folders that begin with `.`",
)


def choose(
    report: Report,
    modules: Modules,
    apps: list[App],
    hints: tuple[Hint, ...],
    *,
    names: frozenset[str],
) -> App | None:
    """The application; None while only the person can tell.

    Args:
        report: takes notes, the question, and has the answer.
        modules: the source.
        apps: those that were found.
        hints: what servers were given so far.
        names: what is installed.

    Raises:
        FilesError: there is none, or only one that a server cannot make.
        UsageError: the answer is none of them.
    """
    if (answer := report.answers.get("app")) is not None:
        return _answered(report, modules, apps, answer, names)
    apps = _servable(report, apps)
    if len(apps) > 1 and all(app.made.framework == "django" for app in apps):
        return _django(report, apps, names)
    if len(apps) > 1:
        apps = _narrowed(report, modules, apps, hints)
    if len(apps) == 1:
        return apps[0]
    choices = tuple(likely_name(modules, app) for app in apps)
    report.ask("app", "which application is it?", choices[:_LISTED])
    return None


def likely_name(modules: Modules, app: App) -> str:
    """`module:attribute` by the shape of the folders alone."""
    folder = posixpath.dirname(app.path)
    while folder and modules.tree.holds(f"{folder}/__init__.py"):
        folder = posixpath.dirname(folder)
    inside = app.path
    if folder.rpartition("/")[2] in {"src", "lib"}:
        inside = app.path[len(folder) + 1 :]
    module = inside.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return f"{module}:{app.attribute}"


def matches(app: App, target: str) -> bool:
    """Whether `module:attribute` can be that application, from whichever folder."""
    module, _, attribute = target.partition(":")
    return app.attribute == attribute and names_module(app.path, module)


def _answered(
    report: Report, modules: Modules, apps: list[App], answer: str, names: frozenset[str]
) -> App:
    if not _TARGET.fullmatch(answer):
        raise UsageError(f"`{answer}` is no `module:attribute`", hints=("such as `app.main:app`",))
    fitting = [app for app in apps if matches(app, answer)]
    if fitting:
        return min(fitting, key=lambda app: len(app.path))
    known = tuple(f"found: `{likely_name(modules, app)}`" for app in apps[:_LISTED])
    module, _, attribute = answer.partition(":")
    paths = [path for path in modules.tree.files if names_module(path, module)]
    if not paths:
        raise UsageError(f"there is no module for `{answer}`", hints=known)
    path = min(paths, key=len)
    framework = next((one for one in _FRAMEWORKS if one in names), None)
    if framework is None or not _may_give(modules, path, attribute):
        hint = "give the name an application where the module is imported: `app = FastAPI()`"
        raise UsageError(
            f"nothing in `{path}` is seen to make `{answer}`",
            hints=known or (hint,),
            place=report.place(path),
        )
    report.assumed(f"{answer} is an application of {framework}", "the answer, not the source, says")
    made = Made(framework, Defined(path, "", attribute), 1)
    return App(path, attribute, 1, made)


def _may_give(modules: Modules, path: str, attribute: str) -> bool:
    """Whether a module gives a name to something that may be an application, or cannot be read."""
    module = modules.get(path)
    if module is None:
        return attribute.encode() in modules.tree.files[path]
    values = module.scopes[""].values.get(attribute, [])
    return attribute in module.imports or any(
        not isinstance(value, ast.Constant) for value in values
    )


def _servable(report: Report, apps: list[App]) -> list[App]:
    instances = [app for app in apps if not app.factory]
    made = {app.made.node for app in instances}
    functions = [app for app in apps if app.factory and app.made.node not in made]
    if instances:
        # A function that makes another one than all names have is a choice, unless it is unusable.
        return instances + [app for app in functions if not app.arguments]
    usable = [app for app in functions if not app.arguments]
    if usable or not functions:
        return usable or _none(report)
    first = functions[0]
    raise FilesError(
        f"`{first.attribute}` makes the application, but needs `{'`, `'.join(first.arguments)}`, "
        "and a server gives it nothing",
        hints=(f"add a line below it: `app = {first.attribute}(...)`",),
        place=report.place(first.path, first.line),
        id="app-needs-arguments",
    )


def _none(report: Report) -> list[App]:
    broken = [f"{note.where}: {note.text}" for note in report.notes if "not read" in note.text]
    raise FilesError(
        "no application was found",
        hints=("name it by `--app MODULE:ATTRIBUTE`, or the folder it is in",),
        details=(*LOOKED_FOR, *broken[:_LISTED]),
        place=report.place("."),
        id="no-app",
    )


def _narrowed(
    report: Report, modules: Modules, apps: list[App], hints: tuple[Hint, ...]
) -> list[App]:
    for hint in (*hints, *_run(modules)):
        fitting = [app for app in apps if matches(app, hint.value)]
        if len(fitting) == 1:
            report.found(f"served so far: {hint.value}", hint.path, hint.line)
            return fitting
    if len({app.made.node for app in apps}) == 1:
        # One application under several names: a server may take any of them.
        return sorted(apps, key=_order)[:1]
    instances = [app for app in apps if not app.factory]
    return instances if len(instances) == 1 else apps


def _order(app: App) -> tuple[bool, bool, int, str, int]:
    stem = posixpath.basename(app.path).removesuffix(".py")
    usual = _USUAL.index(stem) if stem in _USUAL else len(_USUAL)
    # The last name in a module is the outermost: `application = Middleware(app)`.
    return app.factory, stem not in _USUAL, usual, app.path, -app.line


def _django(report: Report, apps: list[App], names: frozenset[str]) -> App:
    """asgi.py and wsgi.py are the same application: the one that the installed server takes."""
    server = report.answers.get("server")
    asgi = server == "uvicorn"
    if server is None:
        asgi = "uvicorn" in names and "gunicorn" not in names
    return next((app for app in apps if app.made.wsgi != asgi), apps[0])


def _run(modules: Modules) -> list[Hint]:
    """What `uvicorn.run("module:attribute")` is called with."""
    found = []
    for path in modules.tree.having(b"uvicorn.run(", b".run("):
        parsed = modules.tree.parse(path) if b"uvicorn" in modules.tree.files[path] else None
        for node in ast.walk(parsed) if parsed is not None else ():
            match node:
                case ast.Call(args=[ast.Constant(value=str() as target), *_]) if ":" in target:
                    found.append(Hint(target, path, node.lineno))
    return found
