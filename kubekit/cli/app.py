"""The application that the commands are registered with."""

from typing import Annotated

import typer

from kubekit import __version__

EXIT_CODES = """\b
Exit codes:
   0  ok
   1  unexpected; a log file's path is printed
   2  usage, config or a refused context
   3  wrong in the files by themselves: syntax, schema, templates
   4  the image could not be built or pushed
   5  the API server refuses an object or the pod
   6  a workload that cannot run
   7  timed out, with the cause if one is known
   8  cluster, profile or Docker unreachable, stopped or unusable
   9  something is missing on this machine
  10  superseded by another apply
 130  interrupted"""

app = typer.Typer(
    name="kubekit",
    help="The daily loop of a Python backend on Kubernetes with Minikube.\n\n" + EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="What the settings are.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config_app, name="config")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kubekit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass
