"""Which folder modules are imported from, and so what an application's module is called."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from kubekit.detect.closure import Closure
from kubekit.detect.symbols import Modules
from kubekit.detect.tree import above, is_aside, join

_SOURCES = frozenset({"src", "source", "lib", "python"})
_BESIDE = frozenset({"scripts", "script", "tools", "bin", "deploy", "ops", "infra", "ci"})
_BESIDE |= {"migrations", "alembic", "versions", "setup", "noxfile", "fabfile", "locustfile"}
_BESIDE |= {"conf", "docker", "k8s", "manifests", "helm", "terraform"}
"""What is copied only if the application imports it."""
_COPIED = re.compile(r"[\w.-]+")
"""What can be imported has no other name, and `COPY copy of main.py ./` means three files."""


def find_root(
    modules: Modules, path: str, closure: Closure, *, packaged: str | None, named: Iterable[str]
) -> str:
    """The folder, "." for the backend's own.

    Args:
        modules: the source.
        path: the module of the application.
        closure: what it imports, which is found from that folder.
        packaged: where the packaging says that modules are.
        named: names of modules that a server was given so far.
    """
    folders = above(path)
    votes = {folder: count for folder, count in closure.votes.items() if folder in folders}
    if votes:
        return max(votes, key=lambda folder: (votes[folder], -len(folder))) or "."
    for name in named:
        file = name.replace(".", "/")
        for folder in folders:
            if path in {join(folder, f"{file}.py"), join(folder, f"{file}/__init__.py")}:
                return folder or "."
    if packaged is not None and packaged.strip("./") in folders:
        return packaged.strip("./") or "."
    return _by_shape(modules, path, folders) or "."


def _by_shape(modules: Modules, path: str, folders: list[str]) -> str:
    folder = posixpath.dirname(path)
    if modules.tree.holds(join(folder, "__init__.py")):
        while folder and modules.tree.holds(join(folder, "__init__.py")):
            folder = posixpath.dirname(folder)
        # A folder around a package may be a namespace, but a project's own is above that.
        return folder
    for one in folders:
        if posixpath.basename(one) in _SOURCES:
            return one
    return ""


def module_name(path: str, root: str) -> str:
    """The dotted name of a module below a root."""
    inside = path if root == "." else path[len(root) + 1 :]
    return inside.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def find_packages(modules: Modules, root: str, closure: Closure) -> tuple[str, ...]:
    """What lies below a root and is copied: all but what is beside the application by its name."""
    reached = {_top(path, root) for path in closure.paths}
    names = {_top(path, root) for path in modules.tree.files} - {None}
    return tuple(
        sorted(
            name
            for name in names
            if name is not None
            and _COPIED.fullmatch(name)
            and (name in reached or not (is_aside(name) or name.removesuffix(".py") in _BESIDE))
        )
    )


def _top(path: str, root: str) -> str | None:
    if root != ".":
        if not path.startswith(f"{root}/"):
            return None
        path = path[len(root) + 1 :]
    return path.partition("/")[0]
