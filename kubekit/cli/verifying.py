"""The command that checks a built image: verify."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kubekit.cli.app import app
from kubekit.cli.command import command

if TYPE_CHECKING:
    from kubekit.model import Where
    from kubekit.session import Run


@command(app, "verify", reading=True)
def _verify(
    where: "Where",
    run: "Run",
    image: Annotated[
        str | None, typer.Argument(metavar="[IMAGE]", help="Without it, the project's own.")
    ] = None,
    build: Annotated[
        bool, typer.Option("--build", help="Build the project's image if it is not there.")
    ] = False,
    max_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="What it may have, such as 200MB.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only this check; may be repeated.")
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Not this check; may be repeated.")
    ] = None,
    sbom: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what it consists of: CycloneDX 1.6.")
    ] = None,
    env_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Variables, instead of the project's .env.")
    ] = None,
    network: Annotated[
        str, typer.Option(metavar="NAME", help="Docker's network for it; none reaches nothing.")
    ] = "none",
    grace: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="How long it may take to stop.")
    ] = 10,
) -> None:
    """Check a built image, and run it: user, size, secrets, health, signals. Ends with 3 on faults.

    It is looked for in the Docker that build-and-apply uses. Containers get the variables of
    `.env` and no network, and are removed in the end.

    \b
    kubekit verify --build             the project as its files are now
    kubekit verify tasks:1.4.0 --max-size 200MB
    kubekit verify --sbom bom.json     and what it consists of
    kubekit verify --only stops --only health
    """
    from kubekit.verify.command import Asked, verify_image

    asked = Asked(
        image=image,
        build=build,
        max_size=max_size,
        only=tuple(only or ()),
        skip=tuple(skip or ()),
        sbom=sbom,
        env_file=env_file,
        network=network,
        grace=grace,
    )
    verify_image(where, run, asked)
