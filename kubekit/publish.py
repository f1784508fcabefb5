"""The stages about the image: made where the pods find it, and given a version in a registry."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

from kubekit.cluster.target import read_profile, resolve
from kubekit.errors import UsageError
from kubekit.events import Ended, Output, Progress
from kubekit.image.build import ensure
from kubekit.image.changes import Memory
from kubekit.image.docker.engine import Engine, own
from kubekit.image.docker.registry import RegistryStore, release
from kubekit.image.docker.store import DockerStore
from kubekit.image.files import context, weigh
from kubekit.image.store import Store
from kubekit.model import BuildPlan, BuiltImage, Settings
from kubekit.session import Run, open_builder

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def provide(
    settings: Settings,
    plan: BuildPlan,
    opened: AbstractContextManager[Store],
    run: Run,
    *,
    asks_config: bool = False,
) -> BuiltImage:
    """Build the image, and push it if it belongs into a registry, unless it is there.

    Args:
        settings: of the project.
        plan: what the image is made of.
        opened: where it is to be.
        run: of this command.
        asks_config: whether to ask what it runs, too.

    Raises:
        KubekitError: as `ensure` does.
    """
    for warning in weigh.secrets(plan, env_file=settings.env_file):
        run.emit(warning)
    with run.stage("image", f"image `{plan.name}`") as stage, opened as store:
        if by := _own_docker(store):
            run.emit(Progress(stage="image", text=f"by way of {by}"))
        image = ensure(
            plan,
            store,
            name=settings.name,
            memory=Memory.of(settings),
            emit=run.emit,
            cancel=run.cancel,
        )
        what = ("pushed" if settings.registry else "built") if image.built else "is there"
        by = f" by {by}" if by and image.built else ""
        stage.did(f"`{image.reference}` {what}{by}: {image.reason}", changed=image.built)
        if asks_config:
            image = replace(image, config=store.config(image.reference))
    return image


def publish(settings: Settings, run: Run, *, version: str, force: bool) -> None:
    """Give the image, as the files are now, a version in the registry; emit its name and digest.

    Args:
        settings: of the project.
        run: of this command.
        version: the tag, such as ``1.4.0``.
        force: also when it is another image's.

    Raises:
        UsageError: there is nothing to build, no registry, or the version is no tag.
        BuildError: it cannot be built or pushed, or the version is another image's.
    """
    start = run.clock.now()
    plan, repository = _wanted(settings, version)
    with _open_engine(settings, run) as engine:
        store = RegistryStore(engine, repository=repository, emit=run.emit, cancel=run.cancel)
        image = provide(settings, plan, contextlib.nullcontext(store), run)
        with run.stage("push", f"version `{version}`") as stage:
            done = release(
                image,
                version,
                engine,
                move=force,
                how=forced(settings, version),
                emit=run.emit,
                cancel=run.cancel,
            )
            changed = done.before != done.digest
            moved = f" moved from `{done.before}`" if done.before else " pushed"
            what = moved if changed else " is there already"
            stage.did(f"`{done.reference}`{what}", changed=changed)
    data = {"reference": done.reference, "digest": done.digest, "before": done.before}
    run.emit(Output(text=f"{done.reference}@{done.digest}", data=data))
    text = f"{settings.name} {version} is in `{settings.registry}`"
    run.emit(Ended(text=text, seconds=run.clock.now() - start))


def forced(settings: Settings, version: str) -> str:
    """The command that moves a version, with the registry if a flag gave it."""
    given = settings.origins.get("registry") == "flag --registry"
    return f"kubekit push {version}{f' --registry {settings.registry}' if given else ''} --force"


def _wanted(settings: Settings, version: str) -> tuple[BuildPlan, str]:
    """What is to be built, and its name in the registry."""
    if settings.build is None:
        raise UsageError(
            f"`{settings.file.name}` builds no image, so there is nothing to push",
            hints=("say under `build` what it is built from",),
            id="build-missing",
        )
    if settings.repository is None:
        raise UsageError(
            "there is no registry to push to",
            hints=(f"name one: `--registry HOST/PATH`, or `registry` in {settings.file.name}",),
            id="registry-missing",
        )
    if not _TAG.fullmatch(version):
        raise UsageError(
            f"`{version}` can be no tag of an image",
            hints=("use letters, digits, `.`, `-` and `_`, such as `1.4.0`",),
            id="version-invalid",
        )
    if version.startswith("kk-"):  # by such a name a build finds what it would make
        raise UsageError(
            f"`{version}` can be no version: `kk-...` are the names kubekit gives to contents",
            hints=("name it otherwise, such as `1.4.0`",),
            id="version-invalid",
        )
    return context.plan(settings.build, name=settings.repository), settings.repository


@contextlib.contextmanager
def _open_engine(settings: Settings, run: Run) -> Iterator[Engine]:
    """Where to build: as for a deployment, but there need be no cluster for it."""
    by_default = settings.origins.get("profile") == "default"
    no_profile = by_default and settings.profile and read_profile(settings.profile) is None
    if settings.context is not None or no_profile:
        with contextlib.closing(own()) as engine:
            yield engine
    else:
        with open_builder(resolve(settings), run) as engine:
            yield engine


def _own_docker(store: Store) -> str:
    """Which Docker it is, if it is not the one in Minikube."""
    if isinstance(store, DockerStore) and store.engine.endpoint.own:
        return f"this machine's Docker at `{store.engine.endpoint.host}`"
    return ""
