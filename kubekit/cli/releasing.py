"""The commands that bring something to run: up, build-and-apply, dev, push, rollback."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from kubekit.cli.app import app
from kubekit.cli.command import command
from kubekit.cli.flags import CONSENT, JUDGING, REGISTRY

if TYPE_CHECKING:
    from kubekit.dev.command import Keyboard
    from kubekit.model import Settings
    from kubekit.session import Run


@command(app, "up", files=False)
def _up(settings: "Settings", run: "Run") -> None:
    """Start the Minikube profile, or create it with the docker runtime.

    \b
    kubekit up                       the profile of kubekit.yaml, or Minikube's own
    kubekit up --profile tasks-dev   another one
    """
    from kubekit import workflow

    workflow.up(settings, run)


@command(app, "build-and-apply", settings={**JUDGING, **REGISTRY, **CONSENT})
def _build_and_apply(
    settings: "Settings",
    run: "Run",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be built and written.")
    ] = False,
) -> None:
    """Build the image, apply the manifests, wait until they are ready.

    \b
    kubekit build-and-apply                once, also in CI
    kubekit build-and-apply --dry-run      what it would do, field by field
    kubekit build-and-apply -n try-this    a copy in a namespace of its own
    kubekit build-and-apply --patience 3   on a machine that is slow today
    kubekit build-and-apply --context staging --registry registry.example.com/team
    """
    from kubekit import workflow

    workflow.build_and_apply(settings, run, dry_run=dry_run)


@command(app, "dev", settings={**JUDGING, **REGISTRY, **CONSENT}, loading=True)
def _dev(
    load: "Callable[[], Settings]",
    run: "Run",
    keyboard: "Keyboard",
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave what runs, instead of a teardown at the end.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Let an editor debug the app; needs `kubekit[debug]`.")
    ] = False,
) -> None:
    """Build and apply, then bring every save into the running app; Ctrl-C ends it.

    \b
    kubekit dev          edit, save, see it live; at the end nothing is left
    kubekit dev --keep   what runs stays
    kubekit dev --debug  breakpoints in the pod; prints the entry for VS Code
    """
    from kubekit.dev.command import dev

    dev(load, run, keep=keep, debug=debug, keyboard=keyboard)


@command(app, "push", settings=REGISTRY)
def _push(
    settings: "Settings",
    run: "Run",
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Such as 1.4.0.")],
    force: Annotated[
        bool, typer.Option("--force", help="Move a version that is another image's.")
    ] = False,
) -> None:
    """Give the image a version in a registry; print its name with the digest.

    Builds it if the files have changed since it was there last. What is deployed from the registry
    and what gets the version is one image.

    \b
    kubekit push 1.4.0
    kubekit push 1.4.0 --registry registry.example.com/team
    """
    from kubekit import workflow

    workflow.push(settings, run, version=version, force=force)


@command(app, "rollback", files=False, settings=JUDGING)
def _rollback(settings: "Settings", run: "Run") -> None:
    """Bring back what ran before the pods changed last, with its `.env`; wait until it is ready.

    Each Deployment, StatefulSet and DaemonSet whose pods changed then goes to its last revision
    that was once ready. Objects of other kinds stay as they are, and so do the files.

    \b
    kubekit rollback                the next build-and-apply goes forward again
    kubekit rollback -n try-this    in another namespace
    """
    from kubekit import workflow

    workflow.rollback(settings, run)
