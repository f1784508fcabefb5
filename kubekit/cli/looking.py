"""The commands that change nothing: render, status, why, logs, config show, schema."""

from typing import TYPE_CHECKING, Annotated

import typer

from kubekit.cli.app import app, config_app
from kubekit.cli.command import command
from kubekit.cli.flags import FILE_LONG, REGISTRY
from kubekit.cli.running import execute

if TYPE_CHECKING:
    from kubekit.console import View
    from kubekit.model import Cancel, Settings, Where
    from kubekit.session import Run


@command(app, "render", settings=REGISTRY)
def _render(settings: "Settings", run: "Run") -> None:
    """Print the objects as they would be applied, secret values masked; asks no cluster."""
    from kubekit import workflow

    workflow.render(settings, run)


@command(app, "status", files=False)
def _status(settings: "Settings", run: "Run") -> None:
    """Show what of this project is in the namespace, and how it is."""
    from kubekit import workflow

    workflow.status(settings, run)


@command(app, "why", reading=True)
def _why(
    where: "Where",
    run: "Run",
    name: Annotated[
        str | None, typer.Argument(metavar="[KIND/NAME]", help="Such as deploy/web, or web.")
    ] = None,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Look at every namespace.")
    ] = False,
) -> None:
    """Say what is wrong with a workload or Service now, whoever applied it, or that nothing is.

    Changes nothing, so any cluster of the kubeconfig will do, and no kubekit.yaml is needed: then
    it is the current context. Ends with 6 if something is wrong.

    \b
    kubekit why                            all there is in the namespace
    kubekit why deploy/web                 one: also sts, ds, job, cronjob, rs, pod, svc
    kubekit why -A --context staging       a whole cluster
    """
    from kubekit import workflow

    workflow.why(where, run, name=name, every_namespace=all_namespaces)


@command(app, "logs", reading=True, settings=FILE_LONG)
def _logs(
    where: "Where",
    run: "Run",
    name: Annotated[
        str | None, typer.Argument(metavar="[KIND/NAME]", help="Such as deploy/web, or a pod.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with the lines to come.")
    ] = False,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From when on: 5m ago, or a point in time.")
    ] = None,
    tail: Annotated[
        int | None, typer.Option(min=0, metavar="LINES", help="Only so many of each container.")
    ] = None,
    previous: Annotated[
        bool, typer.Option("--previous", help="Of the run before the last restart.")
    ] = False,
    container: Annotated[
        list[str] | None, typer.Option("--container", "-c", help="Only of this container.")
    ] = None,
) -> None:
    """Print the logs of all pods of the project, or of one workload or pod, secret values masked.

    Changes nothing, so any cluster of the kubeconfig will do. Without a kubekit.yaml it is every
    pod of the namespace. With -f it goes on over restarts and new pods, until Ctrl-C (130).

    \b
    kubekit logs -f                  as they come
    kubekit logs --since 5m          of the last minutes
    kubekit logs deploy/web -c app   of one container of one workload
    kubekit logs --previous          why it has restarted
    """
    from kubekit import logs

    wanted = logs.Wanted(
        name=name,
        since=since,
        tail=tail,
        containers=tuple(container or ()),
        previous=previous,
        follow=follow,
    )
    logs.show(where, run, wanted)


@command(config_app, "show", files=False)
def _config_show(settings: "Settings", run: "Run") -> None:
    """Show each setting and where it came from."""
    from kubekit.config.files import show
    from kubekit.events import Output

    rows = show(settings)
    width = max(len(name) for name, _, _ in rows)
    values = max(len(str(value)) for _, value, _ in rows)
    lines = [
        f"{name:{width}}  {value!s:{min(values, 40)}}  {origin}" for name, value, origin in rows
    ]
    data = [{"setting": name, "value": value, "origin": origin} for name, value, origin in rows]
    run.emit(Output(text="\n".join(lines), data=data))


@app.command("schema")
def _schema() -> None:
    """Print the JSON schema of kubekit.yaml, for editors."""
    import json

    from kubekit.config.project import schema
    from kubekit.events import Output

    def print_it(view: "View", _cancel: "Cancel") -> None:
        view(Output(text=json.dumps(schema(), indent=2)))

    execute(print_it)
