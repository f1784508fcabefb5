"""The command that a project begins with: init."""

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kubekit.cli.app import app
from kubekit.cli.asking import answer
from kubekit.cli.running import execute

if TYPE_CHECKING:
    from kubekit.console import View
    from kubekit.model import Cancel


def _flag(flag: str, text: str, metavar: str) -> typer.models.OptionInfo:
    return typer.Option(f"--{flag}", help=text, metavar=metavar)  # type: ignore[no-any-return]


@app.command("init")
def _init(
    folder: Annotated[
        str | None, typer.Argument(metavar="[FOLDER]", help="The backend's; default: this one.")
    ] = None,
    new: Annotated[
        str | None, _flag("new", "Begin a project: a small service with tests.", "NAME")
    ] = None,
    name: Annotated[str | None, _flag("name", "What it is called in the cluster.", "NAME")] = None,
    app_: Annotated[str | None, _flag("app", "Such as app.main:app.", "MODULE:NAME")] = None,
    server: Annotated[
        str | None, _flag("server", "uvicorn, gunicorn, or module: it serves itself.", "SERVER")
    ] = None,
    python: Annotated[str | None, _flag("python", "Such as 3.13.", "VERSION")] = None,
    base: Annotated[
        str | None, _flag("base", "The base image's tag after the version.", "VARIANT")
    ] = None,
    packaging: Annotated[
        str | None, _flag("packaging", "uv-sync, uv-pip or pip-venv.", "WAY")
    ] = None,
    port: Annotated[str | None, _flag("port", "That the container listens on.", "PORT")] = None,
    health: Annotated[str | None, _flag("health", "A path such as /health.", "PATH")] = None,
    live: Annotated[str | None, _flag("live", "Of the liveness probe.", "PATH")] = None,
    ready: Annotated[str | None, _flag("ready", "Of the readiness probe.", "PATH")] = None,
    database: Annotated[
        str | None, _flag("database", "sqlite, postgresql or other.", "KIND")
    ] = None,
    dialect: Annotated[
        str | None, _flag("dialect", "plain: for every builder; or buildkit.", "DIALECT")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite what was edited by hand, and show how.")
    ] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="text or json.")] = "text",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the end.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
) -> None:
    """Write Dockerfile, .dockerignore, kubekit.yaml and manifests for a backend that is there.

    Says what it found and what it assumed; asks, in a terminal, what it cannot find. A second run
    changes nothing, and a file that was edited by hand is left as it is.

    \b
    kubekit init                      the backend in this folder
    kubekit init backend --yes        one below it; asks nothing
    kubekit init --app shop.main:app  where several are found
    kubekit init --new tasks          a new project in the folder tasks
    """
    given = {
        "name": name,
        "app": app_,
        "server": server,
        "python": python,
        "base": base,
        "packaging": packaging,
        "port": port,
        "health": health,
        "live": live,
        "ready": ready,
        "database": database,
        "dialect": dialect,
    }
    answers = {key: value for key, value in given.items() if value is not None}
    work = functools.partial(
        _work, folder, new, answers, force, asks=not yes and output == "text" and _is_person()
    )
    execute(work, output=output, verbosity=-int(quiet))


def _is_person() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _work(
    folder: str | None,
    new: str | None,
    answers: dict[str, str],
    force: bool,
    view: "View",
    cancel: "Cancel",
    *,
    asks: bool,
) -> None:
    from kubekit.errors import UsageError
    from kubekit.init.telling import Outlet

    out = Outlet(emit=view, cancel=cancel)
    if new is None:
        from kubekit.init import start

        wanted = start.Wanted(folder=folder, answers=answers, force=force)
        start.init(wanted, out, root=Path.cwd(), ask=answer if asks else None)
        return
    if folder is not None or answers or force:
        raise UsageError("`--new` is alone: a new project has nothing to be found in it")
    from kubekit.init import fresh

    fresh.begin(new, out, cwd=Path.cwd())
