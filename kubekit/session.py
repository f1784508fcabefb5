"""One run of a command: where its events go, how it is stopped, what it may work on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from kubekit.api.kube import ApiError, Kube, TransientError
from kubekit.api.resources import NAMESPACE
from kubekit.cluster import dockerenv, minikube
from kubekit.cluster.target import need_docker_runtime, need_profile, read_profile, resolve
from kubekit.errors import UnreachableError, UsageError
from kubekit.events import Emit, StageDone, StageStarted
from kubekit.image.docker.engine import Engine, own
from kubekit.image.docker.registry import RegistryStore
from kubekit.image.docker.store import DockerStore
from kubekit.image.nodes.store import NodeStore
from kubekit.image.store import Store
from kubekit.model import Cancel, Clock, ClusterTarget, DockerEndpoint, Object, Settings


@dataclass(frozen=True, kw_only=True)
class Run:
    """What every stage of one command shares: where events go, the time, and the way to stop."""

    emit: Emit
    clock: Clock = field(default_factory=Clock)
    cancel: Cancel = field(default_factory=Cancel)

    @contextlib.contextmanager
    def stage(self, name: str, text: str) -> Iterator[Stage]:
        """Announce a stage and, when it ends well, say what it did and how long it took."""
        start = self.clock.now()
        self.emit(StageStarted(stage=name, text=text))
        stage = Stage()
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
class Stage:
    """What a stage will have done, filled in while it works."""

    text: str = ""
    changed: bool = True

    def did(self, text: str, *, changed: bool) -> None:
        """Say what it did."""
        self.text, self.changed = text, changed


def connect(settings: Settings, run: Run) -> tuple[ClusterTarget, Kube]:
    """The cluster, once it is proved to be one kubekit may touch and to answer."""
    target = resolve(settings)
    return target, open_api(target, run)


def open_api(target: ClusterTarget, run: Run) -> Kube:
    """The API of the target, once it is proved to answer."""
    kube = Kube(context=target.context, cancel=run.cancel)
    try:
        kube.request("GET", "/version", patience=0)
    except TransientError as error:
        if error.id == "api-busy":  # it is there, and asks for time
            raise
        raise _why_silent(target, error, run) from error
    return kube


def check_namespace(kube: Kube, namespace: str) -> None:
    """Tell an empty namespace from one that is not there, where this user may see that.

    Raises:
        UsageError: it is not there.
    """
    live: Object | None = {}
    with contextlib.suppress(ApiError):
        live = kube.get(NAMESPACE.path("", namespace), patience=0)
    if live is None:
        raise UsageError(
            f"there is no namespace `{namespace}` in `{kube.context}`",
            hints=("name one with `-n`, or look at all with `kubekit why -A`",),
            id="namespace-missing",
        )


def _why_silent(target: ClusterTarget, error: UnreachableError, run: Run) -> UnreachableError:
    """What Minikube knows about an API server of its own that does not answer."""
    if target.profile is None:
        error.hints = ("check that it runs, and that this machine reaches it, as through a VPN",)
        return error
    return minikube.why_silent(target.profile, cancel=run.cancel) or error


@contextlib.contextmanager
def open_engine(target: ClusterTarget, run: Run) -> Iterator[Engine]:
    """The Docker of the target's node, proved to be that profile's own.

    Where it was last time is tried first; one that does not answer, or is another profile's, is
    asked of Minikube again.
    """
    profile = need_docker_runtime(target)
    cache = dockerenv.EndpointCache(profile)
    known = cache.read()
    engine = _proved(known, profile.name) or led_to(profile.name, run)
    with contextlib.closing(engine):
        certificate = engine.certificate()
        if known != engine.endpoint or known.certificate != certificate:
            cache.write(replace(engine.endpoint, certificate=certificate))
        yield engine


@contextlib.contextmanager
def open_builder(target: ClusterTarget, run: Run) -> Iterator[Engine]:
    """The Docker to build in for a registry: the one of the target's only node, else our own."""
    profile = read_profile(target.profile) if target.profile else None
    if profile is not None and profile.has_docker:
        with open_engine(target, run) as engine:
            yield engine
    else:
        with contextlib.closing(own()) as engine:
            yield engine


@contextlib.contextmanager
def open_store(
    target: ClusterTarget, run: Run, *, repository: str | None = None
) -> Iterator[Store]:
    """Where the target's images are built, and its pods find them.

    Args:
        target: the cluster.
        run: of this command.
        repository: the image's name in a registry that the pods pull from; None without one.
    """
    if repository is not None:
        with open_builder(target, run) as engine:
            yield RegistryStore(engine, repository=repository, emit=run.emit, cancel=run.cancel)
        return
    profile = need_profile(target)
    if not profile.has_docker:
        yield NodeStore(profile, cancel=run.cancel)
        return
    with open_engine(target, run) as engine:
        yield DockerStore(engine)


def led_to(profile: str, run: Run) -> Engine:
    """The Docker that Minikube leads to.

    Raises:
        UnreachableError: it does not answer, or is another profile's.
    """
    engine = Engine(dockerenv.docker_env(profile, cancel=run.cancel))
    with contextlib.ExitStack() as stack:
        stack.callback(engine.close)
        found = engine.info()["Name"]
        if found != profile:
            raise UnreachableError(
                f"Minikube leads to the Docker of `{found}` instead of profile `{profile}`",
                hints=(f"restart it: `minikube stop -p {profile}`, then `kubekit up`",),
                id="wrong-docker",
            )
        stack.pop_all()
    return engine


def _proved(endpoint: DockerEndpoint | None, profile: str) -> Engine | None:
    """The Docker that is there, if it is the profile's.

    Minikube makes a key for each Docker with each start: what shows the certificate that the
    profile's has shown is the profile's. Any other is asked for its name, which takes a while.
    """
    if endpoint is None:
        return None
    engine = Engine(endpoint)
    with contextlib.suppress(UnreachableError):
        known = endpoint.certificate
        if (known and known == engine.certificate()) or engine.info()["Name"] == profile:
            return engine
    engine.close()
    return None


def docker_environment(settings: Settings, run: Run) -> dict[str, str]:
    """This process's environment, with Docker's variables leading to the profile's daemon."""
    target = resolve(settings)
    with open_engine(target, run) as engine:
        endpoint = engine.endpoint
    mine = {"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"}
    # A node is behind no proxy; for ALL_PROXY the `docker` command knows no exceptions.
    mine |= {"BUILDX_BUILDER", "ALL_PROXY", "all_proxy"}
    env = {key: value for key, value in os.environ.items() if key not in mine}
    node = urlsplit(endpoint.host).hostname or ""
    for key in ("NO_PROXY", "no_proxy"):
        env[key] = f"{env[key]},{node}" if env.get(key) else node
    env["DOCKER_HOST"] = endpoint.host
    env["MINIKUBE_ACTIVE_DOCKERD"] = target.profile or ""
    if endpoint.cert_path is not None:
        env |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(endpoint.cert_path)}
    return env
