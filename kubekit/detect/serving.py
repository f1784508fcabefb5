"""What serves the app, and on which port."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast, get_args

from kubekit.detect.apps import App
from kubekit.detect.backend import Server
from kubekit.detect.environment import Read
from kubekit.detect.hints import Hints
from kubekit.detect.packaging import Installs
from kubekit.detect.report import Report
from kubekit.detect.symbols import Modules
from kubekit.detect.texts import text_of
from kubekit.detect.tree import join
from kubekit.errors import FilesError, UsageError

USUAL_PORT = 8000
_LAST_PORT = 65535
_RUNS = (b"uvicorn.run(", b"uvicorn.Server(", b"Server(", b"hypercorn", b"granian")


def find_server(report: Report, modules: Modules, app: App, root: str) -> Server:
    """`module` for a package that serves itself by `python -m`; else by what kind of app it is.

    Raises:
        UsageError: the answer is no server that is known.
    """
    if (answer := report.answers.get("server")) is not None:
        if answer not in get_args(Server):
            known = ", ".join(get_args(Server))
            raise UsageError(f"`{answer}` is no server that is known", hints=(f"one of {known}",))
        return cast("Server", answer)
    main = own_main(app.path, root)
    data = modules.tree.files.get(main or "", b"")
    if main is not None and any(needle in data for needle in _RUNS):
        report.found("the package serves itself", main, _line(modules, main))
        return "module"
    return "gunicorn" if app.made.framework == "flask" or app.made.wsgi else "uvicorn"


def own_main(path: str, root: str) -> str | None:
    """The `__main__.py` of the app's topmost package; None where the app is in none."""
    inside = path if root == "." else path[len(root) + 1 :]
    package, slash, _ = inside.partition("/")
    return join(root, f"{package}/__main__.py") if slash else None


def _line(modules: Modules, path: str) -> int | None:
    data = modules.tree.files[path]
    found = [at for needle in _RUNS if (at := data.find(needle)) >= 0]
    return data.count(b"\n", 0, min(found)) + 1 if found else None


def check_server(report: Report, server: Server, installs: Installs, hints: Hints) -> None:
    """Whether what serves the app is installed; a Dockerfile of one's own may do that by itself.

    Raises:
        FilesError: it is not, by a list that holds everything, or it comes with nothing else.
    """
    name = "uvicorn" if server == "uvicorn" else "gunicorn"
    if server == "module" or name in installs.names:
        return
    file = installs.requirements[0] if installs.requirements else "uv.lock"
    # Neither Flask nor Django depends on gunicorn, and no framework has an extra with it.
    absent = installs.complete or (name == "gunicorn" and not installs.unnamed)
    if absent and not hints.dockerfile:
        by_uv = installs.packaging == "uv-sync"
        raise FilesError(
            f"`{name}` is to serve the app, and is not installed",
            hints=(f"run `uv add {name}`" if by_uv else f"add the line `{name}` to {file}",),
            place=report.place(file),
            id="server-missing",
        )
    if name not in installs.extras:
        report.assumed(f"{name} is installed", f"no line of {file} names it")


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where a port may stand.

    Attributes:
        main: the `__main__.py` by which a package serves itself.
        paths: the modules that the application imports.
        variables: that it reads.
        hints: how it was started so far.
    """

    main: str | None
    paths: Iterable[str]
    variables: Iterable[Read]
    hints: Hints


def find_port(report: Report, modules: Modules, server: Server, ports: Ports) -> int:
    """The port that the container listens on.

    What `uvicorn.run()` is called with counts only where that call is what serves in the image;
    elsewhere it is how the app is run on a laptop.

    Raises:
        UsageError: the answer is no port.
    """
    if (answer := report.answers.get("port")) is not None:
        port = _number(answer)
        if port is None:
            raise UsageError(f"`{answer}` is no port", hints=(f"a number from 1 to {_LAST_PORT}",))
        return port
    runs = list(_run_ports(modules, ports.paths))
    if server == "module":
        for port, path, line in runs:
            if path == ports.main:
                report.found(f"port {port}", path, line)
                return port
    for read in ports.variables:
        if read.variable.name == "PORT" and (port := _number(read.variable.default or "")):
            report.found(f"port {port} by PORT", read.path, read.line)
            return port
    for hint in ports.hints.ports:
        if port := _number(hint.value):
            report.found(f"port {port}", hint.path, hint.line)
            return port
    _assume(report, runs, ports.hints)
    return USUAL_PORT


def _assume(report: Report, runs: list[tuple[int, str, int]], hints: Hints) -> None:
    why = "no PORT, Procfile or Dockerfile says"
    for hint in hints.left[:1]:
        why = f"{hint.path}:{hint.line} leaves it to PORT"
    for port, path, line in runs:
        if port != USUAL_PORT:
            at = posixpath.join(path, "").rstrip("/")
            why = f"{port} in {at}:{line} is how it runs on a laptop"
            break
    report.assumed(f"port {USUAL_PORT}", why)


def _run_ports(modules: Modules, paths: Iterable[str]) -> Iterable[tuple[int, str, int]]:
    within = set(paths)
    for path in modules.tree.having(b"port="):
        # The rest of what has ports are clients.
        served = path in within and b"uvicorn" in modules.tree.files[path]
        parsed = modules.tree.parse(path) if served else None
        for node in ast.walk(parsed) if parsed is not None else ():
            match node:
                case ast.Call(func=ast.Attribute(attr="run" | "Config"), keywords=keywords):
                    for one in keywords:
                        text = text_of(modules, path, one.value) if one.arg == "port" else None
                        if text is not None and (port := _number(text)):
                            yield port, path, node.lineno
                case _:
                    pass


def _number(text: str) -> int | None:
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(_LAST_PORT)):
        return None
    return int(text) if 1 <= int(text) <= _LAST_PORT else None
