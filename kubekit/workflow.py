"""What the commands do, stage by stage: the public Python API.

Each function takes Settings, emits events while it works, and raises a KubekitError if it fails.
Nothing is printed and no global is read.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from kubekit.api.apply import prepare_namespace, trial, write
from kubekit.api.kube import Kube, TransientError
from kubekit.api.ownership import OwnedSet, owned_sets
from kubekit.api.removal import discard_namespace, prune, remove_namespace
from kubekit.api.removal import teardown as remove
from kubekit.api.resources import NAMESPACE
from kubekit.cluster import dockerenv, minikube
from kubekit.cluster.target import need_docker_runtime, resolve
from kubekit.errors import KubekitError, UnreachableError, UsageError
from kubekit.events import Emit, Ended, ObjectChanged, Output, StageDone, StageStarted, Warned
from kubekit.image import context
from kubekit.image.build import ensure
from kubekit.image.engine import Engine
from kubekit.manifests import render as rendering
from kubekit.model import (
    Applied,
    BuildPlan,
    Cancel,
    Clock,
    ClusterTarget,
    DockerEndpoint,
    Manifests,
    Settings,
)
from kubekit.redact import Redactor
from kubekit.rollout.wait import Rollout, wait
from kubekit.status import describe
from kubekit.text import envfile, strictyaml


@dataclass(frozen=True, kw_only=True)
class Run:
    """What every stage of one command shares: where events go, the time, and the way to stop."""

    emit: Emit
    clock: Clock = field(default_factory=Clock)
    cancel: Cancel = field(default_factory=Cancel)

    @contextlib.contextmanager
    def stage(self, name: str, text: str) -> Iterator[_Stage]:
        """Announce a stage and, when it ends well, say what it did and how long it took."""
        start = self.clock.now()
        self.emit(StageStarted(stage=name, text=text))
        stage = _Stage()
        yield stage
        self.emit(
            StageDone(
                stage=name,
                text=stage.text or text,
                seconds=self.clock.now() - start,
                changed=stage.changed,
            )
        )


@dataclass(kw_only=True)
class _Stage:
    """What a stage will have done, filled in while it works."""

    text: str = ""
    changed: bool = True

    def did(self, text: str, *, changed: bool) -> None:
        self.text, self.changed = text, changed


def build_and_apply(settings: Settings, run: Run, *, dry_run: bool = False) -> Rollout:
    """Build the image, apply the manifests, wait until what was applied is ready.

    With `dry_run`, only says what would be built and written; nothing is made anywhere.

    Raises:
        KubekitError: a stage failed; its class says which kind of failure.
    """
    start = run.clock.now()
    plan, rendered = prepare(settings)
    redactor = Redactor(rendered.secret_values)
    run = Run(emit=redactor.wrap(run.emit), clock=run.clock, cancel=run.cancel)
    with _redacted(redactor):
        _say_warnings(settings, rendered, run)
        target, kube = _connect(settings, run)
        if dry_run:
            return _rehearse(settings, kube, rendered, plan, target, run)
        if plan is not None:
            _build(settings, target, plan, run)
        owned = OwnedSet(project=settings.name, namespace=settings.namespace)
        applied = _apply(kube, rendered, owned, run)
        rollout = _wait(settings, kube, applied, run)
        prune(kube, applied, owned=owned, emit=run.emit)
        run.emit(_good_end(settings, target, applied, run.clock.now() - start))
    return rollout


def render(settings: Settings, run: Run) -> None:
    """Emit the objects as they would be sent, secret values masked; asks no cluster."""
    _, rendered = prepare(settings)
    _say_warnings(settings, rendered, run)
    objects = rendering.masked(rendered)
    run.emit(Output(text=strictyaml.dump_all(objects), data=objects))


def status(settings: Settings, run: Run) -> None:
    """Emit what of this project lives in the namespace, and how it is."""
    _, kube = _connect(settings, run)
    owned = OwnedSet(project=settings.name, namespace=settings.namespace)
    text, data = describe(kube, owned)
    run.emit(Output(text=text, data=data))


def teardown(
    settings: Settings, run: Run, *, every_project: bool = False, data: bool = False
) -> None:
    """Delete what kubekit made for this project (or for every one) in the namespace; wait for it.

    Args:
        every_project: all projects kubekit has objects of in this namespace.
        data: PersistentVolumeClaims too.
    """
    start = run.clock.now()
    _, kube = _connect(settings, run)
    owned = [OwnedSet(project=settings.name, namespace=settings.namespace)]
    if every_project:
        owned = owned_sets(kube, settings.namespace)
    deleted = 0
    kept: list[str] = []
    with run.stage("teardown", f"deleting from namespace `{settings.namespace}`") as stage:
        for one in owned:
            removed = remove(
                kube, one, data=data, emit=run.emit, clock=run.clock, cancel=run.cancel
            )
            deleted += removed.deleted
            kept += removed.kept
        gone = remove_namespace(
            kube, settings.namespace, emit=run.emit, clock=run.clock, cancel=run.cancel
        )
        stage.did(_left(deleted, gone), changed=bool(deleted or gone))
    hints = (f"kept for their data: {', '.join(kept)}; delete them with `--data`",) if kept else ()
    text = "nothing of it is left" if not kept else "only data is left"
    run.emit(Ended(text=text, seconds=run.clock.now() - start, hints=hints))


def remove_images(settings: Settings, run: Run) -> None:
    """Delete every image that kubekit built for this project from the profile's Docker."""
    target = resolve(settings)
    with run.stage("images", "deleting images") as stage, _engine(target, run) as engine:
        removed = engine.remove_images(settings.name)
        stage.did(f"{len(removed)} images deleted", changed=bool(removed))


def up(settings: Settings, run: Run) -> None:
    """Start the Minikube profile, or create it with the docker runtime, and wait for its API."""
    start = run.clock.now()
    profile = settings.profile or "minikube"
    with run.stage("up", f"Minikube profile `{profile}`") as stage:
        started = minikube.up(profile, emit=run.emit, cancel=run.cancel)
        _connect(settings, run)
        text = f"Minikube profile `{profile}` {'started' if started else 'was running'}"
        stage.did(text, changed=started)
    run.emit(
        Ended(
            text="the cluster answers",
            seconds=run.clock.now() - start,
            hints=("deploy to it with `kubekit build-and-apply`",),
        )
    )


def stop_cluster(settings: Settings, run: Run) -> None:
    """Stop the Minikube profile; what is in it stays."""
    profile = _profile(settings)
    with run.stage("stop", f"stopping Minikube profile `{profile}`") as stage:
        minikube.stop(profile, cancel=run.cancel)
        stage.did(f"Minikube profile `{profile}` stopped", changed=True)


def delete_cluster(settings: Settings, run: Run) -> None:
    """Delete this one Minikube profile with all that is in it."""
    profile = _profile(settings)
    with run.stage("delete", f"deleting Minikube profile `{profile}`") as stage:
        minikube.delete(profile, cancel=run.cancel)
        stage.did(f"Minikube profile `{profile}` deleted", changed=True)


def docker_environment(settings: Settings, run: Run) -> dict[str, str]:
    """This process's environment, with Docker's variables leading to the profile's daemon."""
    target = resolve(settings)
    endpoint = _endpoint(target, run)
    mine = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
    env = {key: value for key, value in os.environ.items() if key not in (*mine, "BUILDX_BUILDER")}
    env["DOCKER_HOST"] = endpoint.host
    env["MINIKUBE_ACTIVE_DOCKERD"] = target.profile or ""
    if endpoint.cert_path is not None:
        env |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(endpoint.cert_path)}
    return env


def prepare(settings: Settings) -> tuple[BuildPlan | None, Manifests]:
    """All that the files alone decide: what would be built, and the objects to apply.

    Raises:
        FilesError: something in the files is wrong by itself.
    """
    env = envfile.load(settings.env_file) if settings.env_file else None
    plan = context.plan(settings.build, name=settings.name) if settings.build else None
    rendered = rendering.render(settings, image=plan.image if plan else None, env=env)
    return plan, rendered


def _profile(settings: Settings) -> str:
    target = resolve(settings)
    if target.profile is None:
        raise UsageError(f"context `{target.context}` is no Minikube that could be stopped")
    return target.profile


def _say_warnings(settings: Settings, rendered: Manifests, run: Run) -> None:
    for warning in rendered.warnings:
        run.emit(warning)
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


def _connect(settings: Settings, run: Run) -> tuple[ClusterTarget, Kube]:
    """The cluster, once it is proved to be one kubekit may touch and to answer."""
    target = resolve(settings)
    kube = Kube(context=target.context, cancel=run.cancel)
    try:
        kube.request("GET", "/version", patience=0)
    except TransientError as error:
        raise _why_silent(target, error, run) from error
    return target, kube


def _why_silent(target: ClusterTarget, error: UnreachableError, run: Run) -> UnreachableError:
    """What Minikube knows about an API server that does not answer."""
    known = minikube.why_silent(target.profile, cancel=run.cancel) if target.profile else None
    return known or error


def _endpoint(target: ClusterTarget, run: Run) -> DockerEndpoint:
    with _engine(target, run) as engine:
        return engine.endpoint


@contextlib.contextmanager
def _engine(target: ClusterTarget, run: Run) -> Iterator[Engine]:
    """The Docker of the target's node, proved to be that profile's own.

    Where it was last time is tried first; one that does not answer, or is another profile's, is
    asked of Minikube again.
    """
    profile = need_docker_runtime(target)
    cache = dockerenv.EndpointCache(profile)
    engine = _proved(cache.read(), profile.name)
    if engine is None:
        endpoint = dockerenv.docker_env(profile.name, cancel=run.cancel)
        engine = Engine(endpoint)
        found = engine.info()["Name"]
        if found != profile.name:
            raise UnreachableError(
                f"Minikube leads to the Docker of `{found}` instead of profile `{profile.name}`",
                hints=(f"restart it: `minikube stop -p {profile.name}`, then `kubekit up`",),
                id="wrong-docker",
            )
        cache.write(endpoint)
    with contextlib.closing(engine):
        yield engine


def _proved(endpoint: DockerEndpoint | None, profile: str) -> Engine | None:
    if endpoint is None:
        return None
    try:
        engine = Engine(endpoint)
        if engine.info()["Name"] == profile:
            return engine
    except UnreachableError:
        return None
    engine.close()
    return None


def _build(settings: Settings, target: ClusterTarget, plan: BuildPlan, run: Run) -> None:
    with run.stage("image", f"image `{plan.image}`") as stage, _engine(target, run) as engine:
        image = ensure(
            plan, engine, name=settings.name, emit=run.emit, clock=run.clock, cancel=run.cancel
        )
        what = "built" if image.built else "is there"
        stage.did(f"`{image.reference}` {what}: {image.reason}", changed=image.built)


def _apply(kube: Kube, rendered: Manifests, owned: OwnedSet, run: Run) -> Applied:
    with run.stage("apply", f"namespace `{owned.namespace}`") as stage:
        made = prepare_namespace(kube, owned.namespace, emit=run.emit, cancel=run.cancel)
        try:
            steps = trial(kube, rendered, owned=owned, emit=run.emit, cancel=run.cancel)
        except BaseException:
            if made is not None:
                discard_namespace(kube, owned.namespace, uid=made)
                run.emit(ObjectChanged(ref=f"Namespace/{owned.namespace}", action="deleted"))
            raise
        applied = write(kube, steps, owned=owned, emit=run.emit)
        total = len(applied.objects)
        text = (
            f"{applied.writes} of {total} objects written" if applied.writes else "nothing to write"
        )
        stage.did(text, changed=bool(applied.writes))
    return applied


def _wait(settings: Settings, kube: Kube, applied: Applied, run: Run) -> Rollout:
    with run.stage("rollout", "waiting until it is ready") as stage:
        rollout = wait(
            kube,
            applied,
            namespace=settings.namespace,
            timeout=settings.timeout,
            emit=run.emit,
            clock=run.clock,
            cancel=run.cancel,
        )
        text = ", ".join(f"{ref} {state}" for ref, state in rollout.workloads.items())
        stage.did(text or "nothing to wait for", changed=bool(applied.writes))
    return rollout


def _rehearse(
    settings: Settings,
    kube: Kube,
    rendered: Manifests,
    plan: BuildPlan | None,
    target: ClusterTarget,
    run: Run,
) -> Rollout:
    if plan is not None:
        with _engine(target, run) as engine:
            there = engine.image_id(plan.image) is not None
        action = "unchanged" if there else "would be built"
        run.emit(ObjectChanged(ref=f"Image/{plan.image}", action=action))
    if kube.get(NAMESPACE.path("", settings.namespace)) is None:
        for item in rendered.items:
            run.emit(ObjectChanged(ref=item.ref, action="would be created"))
        run.emit(
            Warned(
                text=f"namespace `{settings.namespace}` does not exist yet, "
                "so the API server could not check the objects"
            )
        )
    else:
        owned = OwnedSet(project=settings.name, namespace=settings.namespace)
        for step in trial(kube, rendered, owned=owned, emit=run.emit, cancel=run.cancel):
            action = step.action if step.action == "unchanged" else f"would be {step.action}"
            run.emit(ObjectChanged(ref=step.manifest.ref, action=action))
    run.emit(Ended(text="a rehearsal: nothing was changed", seconds=0.0))
    return Rollout(workloads={})


def _good_end(settings: Settings, target: ClusterTarget, applied: Applied, seconds: float) -> Ended:
    where = f"in namespace `{settings.namespace}` of `{target.context}`"
    if not applied.writes:
        return Ended(text=f"nothing changed {where}", seconds=seconds)
    services = [item.manifest for item in applied.objects if item.manifest.kind == "Service"]
    hints: tuple[str, ...] = ()
    if services:
        port = services[0].data["spec"]["ports"][0]["port"]
        local = settings.dev.port or 8000
        command = (
            f"kubectl --context {target.context} -n {settings.namespace} "
            f"port-forward service/{services[0].name} {local}:{port}"
        )
        hints = (f"reach it: `{command}`",)
    return Ended(text=f"{settings.name} is live {where}", seconds=seconds, hints=hints)


def _left(deleted: int, namespace: bool) -> str:
    text = f"{deleted} objects deleted" if deleted else "there was nothing to delete"
    return f"{text}, and the namespace" if namespace else text
