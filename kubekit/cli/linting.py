"""The command that looks at files before anything runs: lint."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kubekit.cli.app import app
from kubekit.cli.command import command

if TYPE_CHECKING:
    from kubekit.dev.command import Keyboard
    from kubekit.model import Settings
    from kubekit.session import Run


@command(app, "lint", files=False, loading=True)
def _lint(
    load: "Callable[[], Settings]",
    run: "Run",
    _keyboard: "Keyboard",
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files or folders.")
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Correct what is safe; show it.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="End with 3 on warnings, too.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Rules that are a matter of taste.")] = False,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Leave this rule out.")
    ] = None,
    sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF, for code hosts.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="List the rules there are.")] = False,
) -> None:
    """Say what is wrong with a Dockerfile and manifests, and what would be better; asks no cluster.

    Without a path it is the project of kubekit.yaml, its templates rendered. Ends with 3 if there
    are errors. To leave one out: a comment `# kubekit: ignore=ID why` on the line or above it.

    \b
    kubekit lint                    the project
    kubekit lint Dockerfile k8s/    any files; no kubekit.yaml needed
    kubekit lint --fix              correct what is safe
    kubekit lint --sarif > out.sarif
    """
    from kubekit.lint import run as linting

    if rules:
        linting.rules(run.emit)
        return
    wanted = linting.Wanted(
        paths=tuple(paths or ()),
        ignored=frozenset(ignore or ()),
        extra=every,
        strict=strict,
        fix=fix,
        sarif=sarif,
    )
    linting.lint(_settings(load), wanted, run.emit, run.clock)


def _settings(load: "Callable[[], Settings]") -> "Settings | None":
    """The project's; None where there is no kubekit.yaml, and none was named."""
    from kubekit.errors import UsageError

    try:
        return load()
    except UsageError as error:
        if error.id != "no-project" or os.environ.get("KUBEKIT_FILE"):
            raise
        return None
