"""The command that looks at what kubekit works on: doctor."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kubekit.cli.app import app
from kubekit.cli.running import execute

if TYPE_CHECKING:
    from kubekit.console import View
    from kubekit.model import Cancel


@app.command("doctor")
def _doctor(
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", help="Minikube profile.")
    ] = None,
    context: Annotated[
        str | None, typer.Option(help="Kubeconfig context, instead of a profile.")
    ] = None,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n")] = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", metavar="PATH", help="kubekit.yaml to use.")
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="text or json.")] = "text",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what is wrong.")] = False,
) -> None:
    """Say what is wrong with this machine, the project and the cluster, and what to do.

    Changes nothing, and needs no kubekit.yaml. Ends with the exit code of the worst that is wrong,
    and with 0 where there are only warnings.

    \b
    kubekit doctor
    kubekit doctor -q               only what is wrong
    kubekit doctor -o json          one line for each check
    """
    flags = {"profile": profile, "context": context, "namespace": namespace, "file": file}

    def work(view: "View", cancel: "Cancel") -> None:
        from kubekit.doctor.command import doctor
        from kubekit.session import Run

        run = Run(emit=view, cancel=cancel)
        doctor(run, flags=flags, environ=os.environ, cwd=Path.cwd())

    execute(work, output=output, verbosity=-int(quiet))
