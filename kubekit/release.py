"""From the files to what runs: image, objects, the wait, and what is left over of before."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kubekit.ahead import Ahead
from kubekit.api.apply import Step, halfway, prepare_namespace, trial, write
from kubekit.api.feed import Feed
from kubekit.api.kube import Kube
from kubekit.api.ownership import OwnedSet
from kubekit.api.removal import prune, take_back_namespace
from kubekit.api.resources import NAMESPACE
from kubekit.blame import OwnFiles
from kubekit.checks import Prepared, objects
from kubekit.errors import CancelledError, KubekitError
from kubekit.events import Emit, Warned
from kubekit.image import cleanup
from kubekit.image.docker.engine import on_host
from kubekit.manifests.phases import is_before
from kubekit.model import Applied, BuiltImage, Cancel, ClusterTarget, Manifests, Settings
from kubekit.publish import provide
from kubekit.rollout.forced import unblock
from kubekit.rollout.preflight import foresee
from kubekit.rollout.renewed import renew
from kubekit.rollout.revisions import remember
from kubekit.rollout.wait import Patience, Rollout, Surroundings, wait
from kubekit.session import Run, Stage, open_store

Adapt = Callable[[Manifests, BuiltImage | None], Manifests]


@dataclass(frozen=True, kw_only=True)
class Released:
    """What runs now.

    Attributes:
        built: the image, None if there is none to build.
        manifests: the objects, as they were rendered.
        applied: the objects, as they are in the cluster.
        changed: anything was written or pruned.
    """

    built: BuiltImage | None
    manifests: Manifests
    applied: Applied
    rollout: Rollout
    changed: bool


def release(
    settings: Settings,
    prepared: Prepared,
    target: ClusterTarget,
    kube: Kube,
    run: Run,
    *,
    built: BuiltImage | None = None,
    expected: Manifests | None = None,
    adapt: Adapt = lambda manifests, _: manifests,
    accepted: Callable[[], None] = lambda: None,
    feed: Feed | None = None,
) -> Released:
    """Build the image, apply the objects, wait until they are ready, prune what is gone.

    Args:
        settings: of the project.
        prepared: what was made of its files, with `built` if that is given.
        target: the cluster.
        kube: its API.
        run: of this command.
        built: the image to go on with; None to build one of the files as they are.
        expected: the objects as they will probably be applied; None where there is no telling.
        adapt: what becomes of the objects before they are applied.
        accepted: is called when the API server takes all of them, before the first is written.
        feed: of the namespace, in a run that goes on with what is released: `adapt` is told what
            a new image runs, and it is for the caller to `clear` and to `tidy`.

    Raises:
        KubekitError: a stage failed; its class says which kind of failure.
    """
    waits = functools.partial(await_ready, settings, kube, run=run, feed=feed)
    owned = OwnedSet(project=settings.name, namespace=settings.namespace)
    asks = functools.partial(_asked_ahead, settings, kube, owned)
    with (
        cleanup.beside(target.context, settings.name, emit=run.emit, cancel=run.cancel),
        contextlib.closing(Ahead(expected, asks, run.cancel)) as ahead,
    ):
        asks_config = feed is not None
        image, rendered = _image(settings, prepared, target, run, built, asks_config=asks_config)
        rendered = adapt(rendered, image)
        waits = functools.partial(waits, image=image)
        applied = _apply(settings, kube, rendered, owned, waits, run, accepted, ahead)
    with run.stage("rollout", "waiting until it is ready") as stage:
        rollout = waits(_unfinished(applied))
        stage.did(rollout.told or "nothing to wait for", changed=bool(applied.writes))
        if feed is None:
            stage.text += tidy(settings, image, target, kube, run)
            remember(kube, applied, namespace=owned.namespace)
    pruned = prune(kube, applied, owned=owned, emit=run.emit) if feed is None else 0
    return Released(
        built=image,
        manifests=rendered,
        applied=applied,
        rollout=rollout,
        changed=applied.writes + pruned > 0,
    )


def clear(settings: Settings, released: Released, kube: Kube, *, emit: Emit) -> None:
    """Note what is ready, and prune what is gone: what `release` leaves over in a run that goes on.

    Raises:
        KubekitError: it could not be done; the next release does it.
    """
    remember(kube, released.applied, namespace=settings.namespace)
    owned = OwnedSet(project=settings.name, namespace=settings.namespace)
    prune(kube, released.applied, owned=owned, emit=emit)


def tidy(
    settings: Settings, built: BuiltImage | None, target: ClusterTarget, kube: Kube, run: Run
) -> str:
    """Delete the project's old images, if a new one runs now; what to say of it."""
    if built is None or not built.built:
        return ""
    opened = open_store(target, run, repository=settings.repository)
    cleaned = cleanup.prune(opened, kube, settings.name, emit=run.emit)
    return f"; {cleaned.told('old image')}" if cleaned.count else ""


def _image(
    settings: Settings,
    prepared: Prepared,
    target: ClusterTarget,
    run: Run,
    built: BuiltImage | None,
    *,
    asks_config: bool,
) -> tuple[BuiltImage | None, Manifests]:
    """The image, if there is one to build, and the objects that name it."""
    if prepared.image is None:
        return None, prepared.manifests
    if prepared.plan is not None:
        opened = open_store(target, run, repository=settings.repository)
        built = provide(settings, prepared.plan, opened, run, asks_config=asks_config)
    if built is None or built.reference == prepared.image:
        return built, prepared.manifests
    return built, objects(settings, image=built.reference, env=prepared.env)


def _apply(
    settings: Settings,
    kube: Kube,
    rendered: Manifests,
    owned: OwnedSet,
    waits: Callable[[Applied], Rollout],
    run: Run,
    accepted: Callable[[], None],
    ahead: Ahead,
) -> Applied:
    """Write the objects; what is to run before the rest has been waited for then."""
    with run.stage("apply", f"namespace `{owned.namespace}`") as stage:
        steps = ahead.take(rendered, run.emit) or _tried(settings, kube, rendered, owned, run)
        accepted()
        first, rest = _phases(steps)
        applied = write(kube, first, owned=owned, emit=run.emit, later=rest)
        _say_written(applied, stage)
    if any(is_before(item.manifest) for item in applied.objects):
        _go_before(applied, rest, waits, run)
    if not rest:
        return applied
    with run.stage("apply", "the other objects") as stage:
        since = math.floor(kube.server_now()) - 1  # what comes now is judged from now on
        others = write(kube, rest, owned=owned, emit=run.emit, earlier=applied.objects)
        _say_written(others, stage)
    return Applied(objects=(*applied.objects, *others.objects), since=since)


def _tried(
    settings: Settings, kube: Kube, rendered: Manifests, owned: OwnedSet, run: Run
) -> list[Step]:
    """What would happen to each object; of a refusal nothing stays."""
    made = prepare_namespace(kube, owned.namespace, emit=run.emit)
    try:
        return _asked(settings, kube, owned, rendered, run.emit)
    except BaseException:
        if made is not None:
            _take_back(kube, owned, made, run)
        raise


def _asked_ahead(
    settings: Settings,
    kube: Kube,
    owned: OwnedSet,
    expected: Manifests,
    emit: Emit,
    cancel: Cancel,
) -> list[Step] | None:
    """What would happen to each object; None as long as there is no namespace to ask in.

    What is in one that is being deleted may be there for some seconds, as if it stayed.
    """
    kube = kube.until(cancel)
    there = kube.get(NAMESPACE.path("", owned.namespace))
    if there is None or "deletionTimestamp" in there["metadata"]:
        return None
    return _asked(settings, kube, owned, expected, emit)


def _asked(
    settings: Settings, kube: Kube, owned: OwnedSet, rendered: Manifests, emit: Emit
) -> list[Step]:
    steps = trial(kube, rendered, owned=owned, emit=emit, consent=settings.consent)
    foresee(kube, steps, namespace=owned.namespace, tolerate=frozenset(settings.tolerate))
    return steps


def _phases(steps: Sequence[Step]) -> tuple[Sequence[Step], Sequence[Step]]:
    """The steps up to the last one that runs before the rest, and the rest; they are in order."""
    count = max((n for n, step in enumerate(steps, 1) if is_before(step.manifest)), default=None)
    return steps[:count], steps[count:] if count else ()


def _go_before(
    applied: Applied, rest: Sequence[Step], waits: Callable[[Applied], Rollout], run: Run
) -> None:
    """Wait for what runs before the rest, to the end of it if it has one."""
    objects = tuple(item for item in applied.objects if is_before(item.manifest))
    with run.stage("before", ", ".join(item.manifest.ref for item in objects)) as stage:
        try:
            rollout = waits(replace(applied, objects=objects))
        except KubekitError as error:
            error.details += halfway(applied.objects, None, rest)
            raise
        changed = any(item.action != "unchanged" for item in objects)
        stage.did(rollout.told, changed=changed)


def _unfinished(applied: Applied) -> Applied:
    """Without the Jobs that were waited for: they may have been taken away since they ended."""
    objects = tuple(
        item
        for item in applied.objects
        if not (item.manifest.kind == "Job" and is_before(item.manifest))
    )
    return replace(applied, objects=objects)


def _say_written(applied: Applied, stage: Stage) -> None:
    total = len(applied.objects)
    text = f"{applied.writes} of {total} objects written" if applied.writes else "nothing to write"
    stage.did(text, changed=bool(applied.writes))


def _take_back(kube: Kube, owned: OwnedSet, uid: str, run: Run) -> None:
    """Delete the namespace this run has made, also after Ctrl-C; the first error stays the one."""
    try:
        still = Kube(context=kube.context, cancel=Cancel())
        take_back_namespace(still, owned, uid=uid, emit=run.emit)
    except KubekitError as error:
        text = f"namespace `{owned.namespace}` stays, though this run made it: {error.message}"
        run.emit(Warned(text=text))


def await_ready(
    settings: Settings,
    kube: Kube,
    applied: Applied,
    *,
    image: BuiltImage | None,
    run: Run,
    feed: Feed | None = None,
) -> Rollout:
    """Wait until what was applied is ready; `feed` as in `release`."""
    try:
        unblock(
            kube,
            applied,
            namespace=settings.namespace,
            timeout=settings.timeout,
            emit=run.emit,
            clock=run.clock,
        )
        gone = renew(kube, applied, namespace=settings.namespace, emit=run.emit)
        return wait(
            kube,
            applied,
            namespace=settings.namespace,
            patience=Patience(
                timeout=settings.timeout,
                factor=settings.patience,
                tolerate=frozenset(settings.tolerate),
            ),
            around=Surroundings(
                images={} if image is None else {image.reference: image.ids},
                on_host=on_host,
                blame=OwnFiles(settings).blame,
                gone=gone,
                feed=feed,
            ),
            emit=run.emit,
            clock=run.clock,
            cancel=run.cancel,
        )
    except CancelledError as error:
        error.hints = ("what was applied stays; run it again to go on, or `kubekit teardown`",)
        raise
