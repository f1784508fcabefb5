"""The commands for what lies in the cluster and its daemon: teardown, docker."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from kubekit.cli.app import app
from kubekit.cli.asking import confirm
from kubekit.cli.command import command

if TYPE_CHECKING:
    from kubekit.dev.command import Keyboard
    from kubekit.model import Settings
    from kubekit.session import Run


@command(app, "teardown", files=False, loading=True)
def _teardown(
    load: "Callable[..., Settings]",
    run: "Run",
    _keyboard: "Keyboard",
    yes: bool,
    every_project: Annotated[
        bool, typer.Option("--all", help="Every project of kubekit in the namespace.")
    ] = False,
    images: Annotated[
        bool, typer.Option("--images", help="The images kubekit built, too.")
    ] = False,
    data: Annotated[
        bool, typer.Option("--data", help="PersistentVolumeClaims and what is in them, too.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Then stop the Minikube profile.")] = False,
    delete_cluster: Annotated[
        bool, typer.Option("--delete-cluster", help="The whole Minikube profile, with all in it.")
    ] = False,
) -> None:
    """Delete all that kubekit made for this project, and wait until it is gone.

    \b
    kubekit teardown               keeps volumes and images
    kubekit teardown --data        deletes the volumes too
    kubekit teardown --all -n old  every project there; needs no kubekit.yaml
    """
    from kubekit import workflow

    settings = load(bare=every_project)
    if delete_cluster:
        profile = workflow.cluster_profile(settings)
        confirm(f"Delete the Minikube profile `{profile}` with all in it?", yes=yes)
        workflow.delete_cluster(settings, run)
        return
    if data:
        confirm("Delete the volumes and the data in them?", yes=yes)
    workflow.teardown(
        settings, run, every_project=every_project, data=data, images=images, stop=stop
    )


@command(
    app,
    "docker",
    files=False,
    # What follows docker's own command is docker's, whatever it is called.
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True},
)
def _docker(
    settings: "Settings",
    run: "Run",
    arguments: Annotated[list[str] | None, typer.Argument(help="What to hand to docker.")] = None,
) -> None:
    """Run the Docker CLI inside Minikube's daemon.

    \b
    kubekit docker images
    kubekit docker run --rm tasks:kk-0123456789ab id
    kubekit docker -p tasks-dev ps -q
    """
    from kubekit import proc, session

    docker = proc.find("docker", hint="install Docker's command line: https://docs.docker.com/")
    env = session.docker_environment(settings, run)
    proc.replace([docker, *(arguments or [])], env=env)
