"""The command line: parse, call one workflow, exit with its code. Only user of typer.

Heavy imports stand inside the commands: `--help`, `--version` and completion need none of them.
"""

import contextlib
import dataclasses
import functools
import inspect
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kubekit import __version__
from kubekit.errors import CancelledError, KubekitError, UsageError

if TYPE_CHECKING:
    from kubekit.console import View
    from kubekit.dev.command import Keyboard
    from kubekit.model import Cancel, Settings, Where
    from kubekit.session import Run

    Work = Callable[[View, Cancel], None]

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


_COMMON: dict[str, Any] = {
    "profile": (
        Annotated[str | None, typer.Option("--profile", "-p", help="Minikube profile.")],
        None,
    ),
    "context": (
        Annotated[str | None, typer.Option(help="Kubeconfig context, instead of a profile.")],
        None,
    ),
    "namespace": (Annotated[str | None, typer.Option("--namespace", "-n")], None),
    "file": (
        # Text: as a path, an empty one would be the current folder.
        Annotated[
            str | None, typer.Option("--file", "-f", metavar="PATH", help="kubekit.yaml to use.")
        ],
        None,
    ),
    "timeout": (
        Annotated[str | None, typer.Option(help="How long to wait for a rollout, such as 2m.")],
        None,
    ),
    "output": (Annotated[str, typer.Option("--output", "-o", help="text or json.")], "text"),
    "quiet": (Annotated[bool, typer.Option("--quiet", "-q", help="Only the end.")], False),
    "verbose": (Annotated[bool, typer.Option("--verbose", "-v", help="Every line.")], False),
    "yes": (Annotated[bool, typer.Option("--yes", help="Ask nothing.")], False),
}
_JUDGING: dict[str, Any] = {
    "patience": (
        Annotated[
            str | None,
            typer.Option(metavar="FACTOR", help="Wait this many times as long as usual."),
        ],
        None,
    ),
    "tolerate": (
        Annotated[
            list[str] | None,
            typer.Option(metavar="CAUSE", help="Only tell of this cause (an id)."),
        ],
        None,
    ),
}
_REGISTRY: dict[str, Any] = {
    "registry": (
        Annotated[
            str | None,
            typer.Option(
                metavar="HOST/PATH", help="Push the image there; pods pull it from there."
            ),
        ],
        None,
    ),
}
_CONSENT: dict[str, Any] = {
    "take_ownership": (
        Annotated[
            bool,
            typer.Option("--take-ownership", help="Take fields that another manager has set."),
        ],
        False,
    ),
    "recreate": (
        Annotated[
            bool,
            typer.Option(
                "--recreate", help="Delete and make anew what cannot be changed in place."
            ),
        ],
        False,
    ),
}
# Whoever reads logs means by `-f` to follow them; the file has its long name alone there.
_FILE_LONG: dict[str, Any] = {
    "file": (Annotated[str | None, typer.Option(metavar="PATH", help="kubekit.yaml to use.")], None)
}
_SETTINGS = ("profile", "context", "namespace", "file", "timeout", *_JUDGING, *_REGISTRY)


def _command(
    where: typer.Typer,
    name: str,
    *,
    files: bool = True,
    reading: bool = False,
    loading: bool = False,
    settings: Mapping[str, Any] = MappingProxyType({}),
    **extra: Any,
) -> Callable[[Callable[..., None]], None]:
    """Register a command that takes Settings and a Run, with the flags every command has.

    The function's own parameters after those two become its own flags. Without `files`, the files
    that kubekit.yaml names need not be there: a teardown must not fail for a missing Dockerfile.
    With `reading` it takes Where instead of Settings, and there need be no kubekit.yaml; with
    `loading` what reads the Settings, as often as it likes, and after the Run the keyboard.
    `settings` are flags that, like the common ones, are settings of this command.
    """

    def register(function: Callable[..., None]) -> None:
        flags = {**settings, **_COMMON, **settings}
        own = list(inspect.signature(function).parameters.values())[3 if loading else 2 :]

        @functools.wraps(function)
        def command(**given: Any) -> None:
            common = {key: given.pop(key) for key in flags}
            if "yes" in {parameter.name for parameter in own}:
                given["yes"] = common["yes"]

            def work(view: "View", cancel: "Cancel") -> None:
                from kubekit.session import Run

                run, load = Run(emit=view, cancel=cancel), functools.partial(_load, common)
                if loading:
                    function(functools.partial(load, files=files), run, view.keys, **given)
                else:
                    function(_where(common) if reading else load(files=files), run, **given)

            verbosity = int(common["verbose"]) - int(common["quiet"])
            _execute(work, output=common["output"], verbosity=verbosity)

        kind = inspect.Parameter.KEYWORD_ONLY
        shown = [parameter.replace(kind=kind) for parameter in own if parameter.name != "yes"]
        shown += [
            inspect.Parameter(key, kind, annotation=annotation, default=default)
            for key, (annotation, default) in flags.items()
        ]
        command.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
        where.command(name, **extra)(command)

    return register


@_command(app, "up", files=False)
def _up(settings: "Settings", run: "Run") -> None:
    """Start the Minikube profile, or create it with the docker runtime.

    \b
    kubekit up                       the profile of kubekit.yaml, or Minikube's own
    kubekit up --profile tasks-dev   another one
    """
    from kubekit import workflow

    workflow.up(settings, run)


@_command(app, "build-and-apply", settings={**_JUDGING, **_REGISTRY, **_CONSENT})
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


@_command(app, "dev", settings={**_JUDGING, **_REGISTRY, **_CONSENT}, loading=True)
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


@_command(app, "push", settings=_REGISTRY)
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


@_command(app, "render", settings=_REGISTRY)
def _render(settings: "Settings", run: "Run") -> None:
    """Print the objects as they would be applied, secret values masked; asks no cluster."""
    from kubekit import workflow

    workflow.render(settings, run)


@_command(app, "status", files=False)
def _status(settings: "Settings", run: "Run") -> None:
    """Show what of this project is in the namespace, and how it is."""
    from kubekit import workflow

    workflow.status(settings, run)


@_command(app, "why", reading=True)
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


@_command(app, "logs", reading=True, settings=_FILE_LONG)
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


@_command(app, "rollback", files=False, settings=_JUDGING)
def _rollback(settings: "Settings", run: "Run") -> None:
    """Bring back what ran before the last release, with its `.env`; wait until it is ready.

    Each Deployment goes to its last revision that was once ready. The files stay as they are.

    \b
    kubekit rollback                the next build-and-apply goes forward again
    kubekit rollback -n try-this    in another namespace
    """
    from kubekit import workflow

    workflow.rollback(settings, run)


@_command(app, "teardown", files=False, loading=True)
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
        _confirm(f"Delete the Minikube profile `{profile}` with all in it?", yes=yes)
        workflow.delete_cluster(settings, run)
        return
    if data:
        _confirm("Delete the volumes and the data in them?", yes=yes)
    workflow.teardown(
        settings, run, every_project=every_project, data=data, images=images, stop=stop
    )


@_command(
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


@_command(config_app, "show", files=False)
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

    _execute(print_it)


def main() -> None:
    """The entry point: runs the command line and exits with its code."""
    app()


def _execute(work: "Work", *, output: str = "text", verbosity: int = 0) -> None:
    """Do the work, tell how it ended, and exit with the code of that."""
    from kubekit.console import open_view
    from kubekit.model import Cancel
    from kubekit.outlet import discard

    cancel = Cancel()
    _on_signals(cancel)
    if output not in ("text", "json"):
        raise typer.BadParameter("text or json", param_hint="--output")
    view = open_view(output=output, verbosity=verbosity)
    try:
        with contextlib.closing(view):
            _run(work, view, cancel)
    except BrokenPipeError:  # whoever watched the run is gone
        discard(sys.stdout, sys.stderr)
        raise typer.Exit(CancelledError.exit_code) from None


def _run(work: "Work", view: "View", cancel: "Cancel") -> None:
    from kubekit.events import Failed

    try:
        work(view, cancel)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the one place where every failure is told
        failure = _as_kubekit_error(error, cancel.is_set())
        failed = Failed(
            id=failure.id,
            exit_code=failure.exit_code,
            message=failure.message,
            hints=failure.hints,
            details=failure.details,
            place=str(failure.place) if failure.place else None,
        )
        with contextlib.suppress(KubekitError):  # where nothing can be written, the code says it
            view(failed)
        raise typer.Exit(failure.exit_code) from None


def _where(common: dict[str, Any]) -> "Where":
    from kubekit.cluster import target as cluster
    from kubekit.config.where import find_where

    return find_where(
        flags=_flags(common),
        environ=os.environ,
        cwd=Path.cwd(),
        active_profile=cluster.active_profile,
    )


def _flags(common: dict[str, Any]) -> dict[str, Any]:
    return {key: common[key] for key in _SETTINGS if common.get(key) is not None}


def _load(common: dict[str, Any], *, files: bool, bare: bool = False) -> "Settings":
    """The settings; `bare` ones need no kubekit.yaml."""
    from kubekit.cluster import target as cluster
    from kubekit.config import load as config
    from kubekit.model import Consent

    read = config.load_bare if bare else functools.partial(config.load, check=files)
    settings = read(
        flags=_flags(common),
        environ=os.environ,
        cwd=Path.cwd(),
        active_profile=cluster.active_profile,
    )
    given = {key: common[key] for key in _CONSENT if key in common}
    return dataclasses.replace(settings, consent=Consent(**given))


def _on_signals(cancel: "Cancel") -> None:
    """Ctrl-C and SIGTERM ask the stages to stop; a second one does not wait for them.

    The handler runs in the main thread, which may just hold one of the locks that `cancel` needs:
    so it only counts, and a thread of its own does the asking.
    """
    from kubekit.outlet import abandon

    count = itertools.count(1)

    def handle(_number: int, _frame: object) -> None:
        if next(count) > 1:
            abandon()
            os._exit(CancelledError.exit_code)
        threading.Thread(target=cancel.set, daemon=True).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


def _as_kubekit_error(error: Exception, cancelled: bool) -> KubekitError:
    if cancelled and not isinstance(error, CancelledError):
        return CancelledError("interrupted")
    if isinstance(error, KubekitError):
        return error
    return KubekitError(
        f"kubekit has a defect: {type(error).__name__}",
        hints=(f"report it with the file `{_write_log(error)}`",),
    )


def _write_log(error: Exception) -> Path:
    """The traceback in a file for a report: where code stands, not what it worked on."""
    import tempfile
    import traceback

    lines = traceback.format_tb(error.__traceback__)
    handle, name = tempfile.mkstemp(prefix="kubekit-", suffix=".log")
    with os.fdopen(handle, "w") as file:
        file.write(f"kubekit {__version__}, Python {sys.version}\n")
        file.write(f"{type(error).__name__}\n")
        file.writelines(lines)
    return Path(name)


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody is there to answer", hints=("say so with `--yes`",))
    # Ctrl-C only asks the stages to stop, and none runs yet: here it must end the question.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sure = typer.confirm(question, err=True)
    except typer.Abort:
        raise CancelledError("interrupted, so nothing was done") from None
    finally:
        signal.signal(signal.SIGINT, previous)
    if not sure:
        raise UsageError("not confirmed, so nothing was done", id="not-confirmed")
