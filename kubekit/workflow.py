"""What the commands do, stage by stage: the public Python API.

Each function takes Settings, emits events while it works, and raises a KubekitError if it fails.
Nothing is printed and no global is read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kubekit.api.kube import Kube
from kubekit.api.ownership import OwnedSet
from kubekit.api.podsecrets import PodSecrets, of_env
from kubekit.api.removal import remove_namespace
from kubekit.api.teardown import projects_in
from kubekit.api.teardown import teardown as remove
from kubekit.checks import check_tolerated, prepare
from kubekit.cluster import minikube
from kubekit.cluster.target import no_profile, read_profile, resolve
from kubekit.errors import KubekitError, UsageError
from kubekit.events import Ended, Output, Warned
from kubekit.image import cleanup
from kubekit.manifests import render as rendering
from kubekit.manifests.objects import mapping
from kubekit.model import (
    ClusterTarget,
    Manifests,
    Settings,
    Where,
)
from kubekit.publish import publish
from kubekit.redact import Redactor
from kubekit.rehearsal import rehearse
from kubekit.release import Released, release
from kubekit.rollback import choose, roll_back
from kubekit.rollout.wait import Rollout
from kubekit.session import Run, connect, open_store
from kubekit.status import describe
from kubekit.text import envfile, strictyaml
from kubekit.turn import Turn, alone_here, its_turn
from kubekit.why import diagnose


def build_and_apply(settings: Settings, run: Run, *, dry_run: bool = False) -> Rollout:
    """Build the image, apply the manifests, wait until what was applied is ready.

    Args:
        settings: of the project.
        run: of this command.
        dry_run: only say what would be built and written; nothing is made anywhere.

    Raises:
        KubekitError: a stage failed; its class says which kind of failure.
    """
    start = run.clock.now()
    check_tolerated(settings)
    prepared = prepare(settings)
    redactor = Redactor(prepared.manifests.secret_values)
    run = Run(emit=redactor.wrap(run.emit), clock=run.clock, cancel=run.cancel)
    with _redacted(redactor):
        _say_warnings(settings, prepared.manifests, run)
        target, kube = connect(settings, run)
        if dry_run:
            rehearse(settings, kube, prepared, target, run)
            return Rollout(workloads={})
        owned = OwnedSet(project=settings.name, namespace=settings.namespace)
        with its_turn(
            target, kube, owned, command="build-and-apply", emit=run.emit, cancel=run.cancel
        ) as turn:
            released = release(
                settings,
                prepared,
                target,
                turn.lease.guard(kube),
                run,
                expected=prepared.manifests,
            )
        run.emit(_good_end(settings, target, released, run.clock.now() - start))
    return released.rollout


def render(settings: Settings, run: Run) -> None:
    """Emit the objects as they would be sent, secret values masked; asks no cluster."""
    rendered = prepare(settings).manifests
    _say_warnings(settings, rendered, run)
    masked = rendering.masked(rendered)
    run.emit(Output(text=strictyaml.dump_all(masked), data=masked))


def status(settings: Settings, run: Run) -> None:
    """Emit what of this project lives in the namespace, and how it is."""
    _, kube = connect(settings, run)
    owned = OwnedSet(project=settings.name, namespace=settings.namespace)
    text, data = describe(kube, owned, emit=run.emit, secrets=of_env(settings))
    run.emit(Output(text=text, data=data))


def why(where: Where, run: Run, *, name: str | None = None, every_namespace: bool = False) -> None:
    """Emit what is wrong with a workload, or with each of a namespace, whoever applied it.

    Args:
        where: the cluster and namespace to look at.
        run: of this command.
        name: of the workload, or ``KIND/NAME``; None for all there are.
        every_namespace: of every namespace, not of one.

    Raises:
        WorkloadError: something is.
    """
    diagnose(where, run, name=name, every_namespace=every_namespace)


def push(settings: Settings, run: Run, *, version: str, force: bool = False) -> None:
    """Give the image, as the files are now, a version in the registry; emit its name and digest.

    Args:
        settings: of the project.
        run: of this command.
        version: the tag, such as ``1.4.0``.
        force: also when it is another image's.
    """
    publish(settings, run, version=version, force=force)


def rollback(settings: Settings, run: Run) -> Rollout:
    """Bring back what ran before the pods changed last, and wait until it is ready.

    Raises:
        UsageError: nothing that was ready ran before, or another run is at work.
        WorkloadError: what it needs was deleted, or it cannot run any more.
    """
    start = run.clock.now()
    target, kube = connect(settings, run)
    owned = OwnedSet(project=settings.name, namespace=settings.namespace)
    with its_turn(
        target, kube, owned, command="rollback", emit=run.emit, cancel=run.cancel
    ) as turn:
        chosen = choose(kube, owned, emit=run.emit)
        secrets = PodSecrets(kube)
        hidden = {
            value
            for back in chosen
            for template in (back.revision.template, back.live["spec"]["template"])
            for value in secrets.hidden(settings.namespace, template, name=settings.name)
        }
        redactor = Redactor(hidden)
        run = Run(emit=redactor.wrap(run.emit), clock=run.clock, cancel=run.cancel)
        with _redacted(redactor):
            rollout = roll_back(settings, chosen, target, turn.lease.guard(kube), run)
    hints = ("the files are as they were: the next `kubekit build-and-apply` goes forward again",)
    text = f"{settings.name} is back in namespace `{settings.namespace}` of `{target.context}`"
    run.emit(Ended(text=text, seconds=run.clock.now() - start, hints=hints))
    return rollout


def teardown(
    settings: Settings,
    run: Run,
    *,
    every_project: bool = False,
    data: bool = False,
    images: bool = False,
    stop: bool = False,
    turn: Turn | None = None,
) -> None:
    """Delete what kubekit made for this project (or for every one) in the namespace; wait for it.

    A `dev` that is at work on it is asked to end first.

    Args:
        every_project: all projects kubekit has objects of in this namespace.
        data: PersistentVolumeClaims too.
        images: the images kubekit built for them, too.
        stop: then stop the Minikube profile.
        turn: of the run that this is the end of; None to wait for one's turn.

    Raises:
        UsageError: another run is at work on it.
    """
    start = run.clock.now()
    profile = cluster_profile(settings) if stop else None
    target, kube = connect(settings, run)
    mine = OwnedSet(project=settings.name, namespace=settings.namespace)
    owned = {mine: None} if settings.name else {}
    if every_project:
        owned |= dict.fromkeys(projects_in(kube, settings.namespace, run.emit))
    with contextlib.ExitStack() as stack:
        turns = [turn] if turn else [_turn(target, kube, one, run, stack) for one in owned]
        kept = _remove(kube, settings.namespace, turns, data=data, run=run)
    if images:
        opened = open_store(target, run, repository=settings.repository)
        with run.stage("images", "deleting images") as stage, opened as store:
            cleaned = [cleanup.clear(store, kube, one.project, emit=run.emit) for one in owned]
            total = sum(cleaned, cleanup.Cleaned())
            stays = f"; what is in `{settings.registry}` stays" if settings.registry else ""
            stage.did(f"{total.told()}{stays}", changed=total.count > 0)
    if profile is not None:
        with run.stage("stop", f"stopping Minikube profile `{profile}`") as stage:
            minikube.stop(profile, cancel=run.cancel)
            stage.did(f"Minikube profile `{profile}` stopped", changed=True)
    hints = (f"kept for their data: {', '.join(kept)}; delete them with `--data`",) if kept else ()
    text = "nothing of it is left" if not kept else "only data is left"
    run.emit(Ended(text=text, seconds=run.clock.now() - start, hints=hints))


def _turn(
    target: ClusterTarget, kube: Kube, owned: OwnedSet, run: Run, stack: contextlib.ExitStack
) -> Turn:
    turn = its_turn(target, kube, owned, command="teardown", emit=run.emit, cancel=run.cancel)
    return stack.enter_context(turn)


def _remove(kube: Kube, namespace: str, turns: list[Turn], *, data: bool, run: Run) -> list[str]:
    """Remove these sets and, if nothing else is in it, the namespace; what was kept."""
    deleted = 0
    kept: list[str] = []
    with run.stage("teardown", f"deleting from namespace `{namespace}`") as stage:
        for turn in turns:
            turn.lease.clear(kube)
            removed = remove(
                turn.lease.guard(kube),
                turn.owned,
                data=data,
                emit=run.emit,
                clock=run.clock,
                cancel=run.cancel,
            )
            deleted += removed.deleted
            kept += removed.kept
        gone = remove_namespace(kube, namespace, emit=run.emit, clock=run.clock, cancel=run.cancel)
        text = f"{deleted} objects deleted" if deleted else "there was nothing to delete"
        stage.did(f"{text}, and the namespace" if gone else text, changed=bool(deleted or gone))
    return kept


def cluster_profile(settings: Settings) -> str:
    """The Minikube profile these settings mean, running or not.

    Raises:
        UnreachableError: there is no such profile.
        UsageError: they mean a cluster that is no Minikube.
    """
    if settings.context is None and settings.profile is not None:
        if read_profile(settings.profile) is None:
            raise no_profile(settings.profile)
        return settings.profile
    target = resolve(settings)
    if target.profile is None:
        raise UsageError(f"context `{target.context}` is no Minikube profile")
    return target.profile


def delete_cluster(settings: Settings, run: Run) -> None:
    """Delete this one Minikube profile with all that is in it, running or not.

    A `dev` that is at work on this project there is asked to end first.

    Raises:
        UsageError: another run is at work on it.
    """
    start = run.clock.now()
    profile = cluster_profile(settings)
    target = ClusterTarget(context=profile, profile=profile)
    owned = OwnedSet(project=settings.name, namespace=settings.namespace)
    with (
        run.stage("delete", f"deleting Minikube profile `{profile}`") as stage,
        alone_here(target, owned, command="teardown", emit=run.emit, cancel=run.cancel),
    ):
        minikube.delete(profile, cancel=run.cancel)
        stage.did(f"Minikube profile `{profile}` deleted", changed=True)
    run.emit(Ended(text="nothing of it is left", seconds=run.clock.now() - start))


def up(settings: Settings, run: Run) -> None:
    """Start the Minikube profile, or create it with the docker runtime, and wait for its API."""
    start = run.clock.now()
    profile = settings.profile if settings.context is None else cluster_profile(settings)
    if profile is None:
        raise AssertionError("Settings without a context have a profile")
    with run.stage("up", f"Minikube profile `{profile}`") as stage:
        started = minikube.up(profile, emit=run.emit, cancel=run.cancel)
        connect(settings, run)
        text = f"Minikube profile `{profile}` {'started' if started else 'was running'}"
        stage.did(text, changed=started)
    run.emit(
        Ended(
            text="the cluster answers",
            seconds=run.clock.now() - start,
            hints=("deploy to it with `kubekit build-and-apply`",),
        )
    )


def _say_warnings(settings: Settings, rendered: Manifests, run: Run) -> None:
    for warning in rendered.warnings:
        run.emit(warning)
    remind(settings, run)


def remind(settings: Settings, run: Run) -> None:
    """Say if other users of this machine may read the secrets."""
    if settings.env_file and envfile.is_world_readable(settings.env_file):
        run.emit(
            Warned(
                text=f"`{settings.env_file.name}` may be read by every user of this machine",
                hints=(f"`chmod 600 {settings.env_file.name}`",),
            )
        )


@contextlib.contextmanager
def _redacted(redactor: Redactor) -> Iterator[None]:
    try:
        yield
    except KubekitError as error:
        raise redactor.error(error) from None


def _good_end(
    settings: Settings, target: ClusterTarget, released: Released, seconds: float
) -> Ended:
    where = f"in namespace `{settings.namespace}` of `{target.context}`"
    if not released.changed:
        return Ended(text=f"nothing changed {where}", seconds=seconds)
    hints = tuple(_way_in(settings, target, released.manifests))[:1]
    return Ended(text=f"{settings.name} is live {where}", seconds=seconds, hints=hints)


def _way_in(settings: Settings, target: ClusterTarget, rendered: Manifests) -> Iterator[str]:
    """How to reach each Service that has a port."""
    for manifest in rendered.items:
        ports = mapping(manifest.data, "spec").get("ports")  # of others' kinds it may be anything
        if manifest.kind == "Service" and ports:
            command = (
                f"kubectl --context {target.context} -n {settings.namespace} port-forward "
                f"service/{manifest.name} {settings.dev.port or 8000}:{ports[0]['port']}"
            )
            yield f"reach it: `{command}`"
