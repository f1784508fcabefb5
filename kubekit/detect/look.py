"""A look at a backend: everything that its files tell, each with its place, in one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kubekit.detect.apps import App, Finder
from kubekit.detect.backend import Backend, Looked
from kubekit.detect.choose import choose
from kubekit.detect.closure import Closure
from kubekit.detect.databases import find_database
from kubekit.detect.django import check_hosts, django_routes, find_collected
from kubekit.detect.djangodata import (
    find_databases,
    find_migrate,
    find_settings,
    find_stored,
)
from kubekit.detect.environment import find_variables
from kubekit.detect.health import find_health, is_about
from kubekit.detect.hints import Hint, Hints, read_hints
from kubekit.detect.naming import find_name
from kubekit.detect.packaging import Installs, find_packaging
from kubekit.detect.places import find_below, find_data, find_documents
from kubekit.detect.project import Project, read_project
from kubekit.detect.pythons import find_base, find_other, find_python
from kubekit.detect.report import Report, Tell, check_keys
from kubekit.detect.requirements import normalized
from kubekit.detect.roots import find_packages, find_root, module_name
from kubekit.detect.routes import Route, Router
from kubekit.detect.serving import Ports, check_server, find_port, find_server, own_main
from kubekit.detect.symbols import Modules
from kubekit.detect.toml import line_of, text_at
from kubekit.detect.tree import Tree
from kubekit.errors import FilesError, Place, UsageError, shown

_FRAMEWORKS = {"fastapi": "FastAPI", "starlette": "Starlette", "flask": "Flask", "django": "Django"}
_NO_ANSWERS: Mapping[str, str] = {}


@dataclass(frozen=True)
class _Seen:
    """What was read before the application was chosen, and that."""

    report: Report
    project: Project
    hints: Hints
    installs: Installs
    modules: Modules
    app: App


def look(
    folder: Path,
    *,
    root: Path,
    answers: Mapping[str, str] = _NO_ANSWERS,
    tell: Tell | None = None,
) -> Looked:
    """Tell what a backend is; nothing of it is run, imported or changed.

    Args:
        folder: the backend's, or one above it.
        root: where kubekit.yaml is or will be; `folder` itself, or above it.
        answers: by the keys of questions; they win over what is found.
        tell: called with each note when it comes up, also where the look ends in an error.

    Raises:
        FilesError: there is no backend, or a file of it is broken; with the place.
        UsageError: an answer cannot be right, or `folder` is not below `root`.
    """
    check_keys(answers)
    folder, root = folder.resolve(), root.resolve()
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise FilesError(f"`{shown(folder)}` {what}", place=Place(file=folder))
    if not folder.is_relative_to(root):
        raise UsageError(f"`{shown(folder)}` is not below `{shown(root)}`, where kubekit.yaml is")
    report = Report(folder, root, answers, tell)
    below = find_below(report)
    if below is not None:
        return _inside(report, below)
    return _look(report)


def _inside(report: Report, below: Sequence[str]) -> Looked:
    """The folder holds no backend itself: those below it are looked at."""
    named = report.answers.get("folder")
    if len(below) > 1 and named is None:
        report.ask("folder", "which of them is the backend?", tuple(below))
        return Looked(backend=None, notes=report.notes, questions=report.questions)
    chosen = below[0] if named is None else named
    if chosen not in below:
        raise UsageError(
            f"there is no backend in `{chosen}`", hints=tuple(f"found: `{one}`" for one in below)
        )
    inner = Report(report.folder / chosen, report.root, report.answers, report.tell)
    inner.found(f"the backend is in {chosen}/", "")
    return _look(inner)


def _look(report: Report) -> Looked:
    project, hints = read_project(report), read_hints(report)
    python = find_python(report, project, hints)
    problem: FilesError | None = None
    installs = Installs(packaging="pip-venv")
    try:
        installs = find_packaging(report, project)
    except FilesError as error:
        problem = error  # a folder without an application has a greater one
    modules = Modules(Tree(report), _importable(installs, project))
    app = choose(report, modules, _served(modules), _entries(project, hints), names=installs.names)
    if problem is not None:
        raise problem
    backend = None
    if app is not None:
        backend = _backend(_Seen(report, project, hints, installs, modules, app))
        other = find_other(project, python)
        base = find_base(report, hints)
        backend = replace(backend, python=python, other_python=other, base=base)
        check_server(report, backend.server, installs, hints)
    return Looked(
        backend=None if report.blocked else backend,
        notes=report.notes,
        questions=report.questions,
    )


def _entries(project: Project, hints: Hints) -> tuple[Hint, ...]:
    """What servers were given so far; what `fastapi run` serves comes first."""
    entry = text_at(project.pyproject, "tool", "fastapi", "entrypoint")
    if entry is None:
        return hints.apps
    line = line_of(project.text, "entrypoint", "tool.fastapi") or 1
    return (Hint(entry, "pyproject.toml", line), *hints.apps)


def _importable(installs: Installs, project: Project) -> frozenset[str]:
    """What is installed, by the names that most packages are imported by."""
    own = normalized(project.name.value) if project.name is not None else None
    return frozenset(name.replace("-", "_") for name in installs.names if name != own)


def _served(modules: Modules) -> list[App]:
    """The applications that are not mounted on another one."""
    apps, router = Finder(modules).all(), Router(modules)
    if len(apps) == 1:
        return apps
    for node in {app.made.node: None for app in apps}:
        router.routes(node)
    return [app for app in apps if app.made.node not in router.parts]


def _backend(seen: _Seen) -> Backend:
    closure, root = _imported(seen)
    app, report = seen.app, seen.report
    backend = Backend(
        name=find_name(report, seen.project),
        folder=report.folder.relative_to(report.root).as_posix(),
        packaging=seen.installs.packaging,
        framework=app.made.framework,
        app=f"{module_name(app.path, root)}:{app.attribute}",
        factory=app.factory,
        source=root,
    )
    return _installing(_running(seen, _copying(seen, backend, closure), closure), seen.installs)


def _copying(seen: _Seen, backend: Backend, closure: Closure) -> Backend:
    """What of the source gets into the image, and what lies beside it."""
    root = backend.source
    packages = find_packages(seen.modules, root, closure)
    data = find_data(seen.report, root, packages)
    source = packages if root == "." else (root,)
    documents = find_documents(seen.report, (*source, *data))
    backend = replace(backend, packages=packages, data=data, documents=documents)
    if backend.framework != "django":
        return backend
    names = seen.installs.names
    collected = find_collected(seen.report, seen.modules, seen.app.path, names)
    return replace(backend, collected=collected)


def _running(seen: _Seen, backend: Backend, closure: Closure) -> Backend:
    """How it is served, what it answers, and what it reads and needs for that."""
    report, modules, app = seen.report, seen.modules, seen.app
    server = find_server(report, modules, app, backend.source)
    variables = find_variables(modules, closure.paths)
    if backend.framework == "django":
        check_hosts(report, modules)
    health = find_health(report, _routes(modules, app))
    names = seen.installs.names | closure.drivers()
    first = find_databases(modules, app.path) if backend.framework == "django" else None
    database = find_database(
        report, modules, closure.paths, variables=variables, names=names, first=first
    )
    main = own_main(app.path, backend.source)
    ports = Ports(main=main, paths=closure.paths, variables=variables, hints=seen.hints)
    if backend.framework == "django" and database is not None:
        backend = replace(_migrating(seen, backend), stored=find_stored(modules, first))
    return replace(
        backend,
        server=server,
        health=health,
        database=database,
        env=tuple(read.variable for read in variables),
        # Much of Django may only be imported after its settings are known.
        imports=closure.packages(whole=backend.framework == "django"),
        port=find_port(report, modules, server, ports),
    )


def _migrating(seen: _Seen, backend: Backend) -> Backend:
    """What has to be done to Django's data before the app starts."""
    copied = (*backend.data, *(backend.packages if backend.source == "." else ()))
    migrate = find_migrate(seen.report, seen.modules, source=backend.source, copied=copied)
    return replace(
        backend, migrate=migrate, settings=find_settings(seen.modules, seen.app.path, migrate)
    )


def _installing(backend: Backend, installs: Installs) -> Backend:
    return replace(
        backend,
        requirements=installs.requirements,
        manifests=installs.manifests,
        development=installs.development,
        installed=installs.installed,
        native=installs.native,
        libraries=installs.libraries,
    )


def _imported(seen: _Seen) -> tuple[Closure, str]:
    """All that the application imports, and the folder that it is imported from."""
    report, modules, app = seen.report, seen.modules, seen.app
    closure = Closure(modules, _starts(modules, app))
    named = [hint.value.partition(":")[0] for hint in _entries(seen.project, seen.hints)]
    if (answer := report.answers.get("app")) is not None:
        named.insert(0, answer.partition(":")[0])
    root = find_root(modules, app.path, closure, packaged=seen.project.folder, named=named)
    main = own_main(app.path, root)
    closure.follow([main] if main is not None and modules.tree.holds(main) else [])
    kind = "application, made by a function" if app.factory else "application"
    target = f"{module_name(app.path, root)}:{app.attribute}"
    report.found(f"{_FRAMEWORKS[app.made.framework]} {kind}: {target}", app.path, app.line)
    return closure, root


def _starts(modules: Modules, app: App) -> list[str]:
    """Where imports are followed from; Django names its modules by strings, so from everywhere."""
    if app.made.framework == "django":
        return list(modules.tree.files)
    return [app.path]


def _routes(modules: Modules, app: App) -> list[Route]:
    if app.made.framework == "django":
        return django_routes(modules)
    router = Router(modules, worth=is_about)
    routes = router.routes(app.made.node)
    named = modules.get(app.path)
    if named is not None and app.made.node.path != app.path:
        # Made in another module, and given more routes where it got its name.
        node = replace(app.made.node, path=app.path, scope="", name=app.attribute)
        routes += router.routes(node)
    return routes
