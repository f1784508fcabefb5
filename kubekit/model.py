"""The values that pass between the stages. Standard library only.

The chain: Settings -> ClusterTarget -> BuildPlan -> BuiltImage -> Manifests -> Applied -> Rollout.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from kubekit.errors import Place, nearest
from kubekit.events import Warned

Object = dict[str, Any]
"""A Kubernetes object, or any other JSON of the API, as plain data."""


@dataclass(frozen=True, kw_only=True)
class BuildSecret:
    """Where the value of a build secret comes from: a file, or else an environment variable."""

    file: Path | None = None
    env: str | None = None


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """What the image is built from; paths are absolute."""

    context: Path
    dockerfile: Path
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, BuildSecret] = field(default_factory=dict)

    @property
    def secret_names(self) -> list[str]:
        """What counts of the secrets: each ID and kind; with another value the same is built."""
        return sorted(
            f"{id_}: {'env' if secret.file is None else 'file'}"
            for id_, secret in self.secrets.items()
        )


@dataclass(frozen=True, kw_only=True)
class SyncRule:
    """One folder of the project and where it lies in the container."""

    src: Path
    dest: str

    @property
    def place(self) -> str:
        """The folder in the container without a slash at its end, as paths in it begin."""
        return self.dest.rstrip("/")


@dataclass(frozen=True, kw_only=True)
class DevSettings:
    """What `kubekit dev` needs beside the rest."""

    port: int | None = None
    sync: tuple[SyncRule, ...] = ()
    teardown: bool = True


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What a person has allowed this one run, and never a file.

    Attributes:
        take_ownership: fields that another field manager owns are taken over.
        recreate: a Deployment, Job or Service is deleted and made anew where a field of it cannot
            be changed.
    """

    take_ownership: bool = False
    recreate: bool = False


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that was asked for, each value with where it came from.

    Attributes:
        file: the kubekit.yaml that was read; relative paths in it start at its folder.
        profile: the Minikube profile, or None when `context` names a cluster instead.
        registry: where images are pushed to and pods pull them from, ``HOST[:PORT][/PATH]``; None
            when the pods find them where they are built.
        timeout: seconds the wait on the rollout may take.
        patience: the judge's waiting windows are this many times as long as usual.
        tolerate: ids of causes that are told, but never end the run.
        origins: setting -> where its value came from, such as ``flag --namespace``.
        consent: what this run may do beyond the usual.
    """

    file: Path
    name: str
    namespace: str
    profile: str | None
    context: str | None = None
    build: BuildSettings | None = None
    registry: str | None = None
    manifests: tuple[Path, ...] = ()
    env_file: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 120.0
    patience: float = 1.0
    tolerate: tuple[str, ...] = ()
    dev: DevSettings = field(default_factory=DevSettings)
    allow_contexts: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    consent: Consent = Consent()

    @property
    def root(self) -> Path:
        """The folder of kubekit.yaml."""
        return self.file.parent

    @property
    def image_name(self) -> str:
        """The image's name without a tag, with its registry if there is one."""
        return self.repository or self.name

    @property
    def repository(self) -> str | None:
        """The image's name in its registry; None without one."""
        return f"{self.registry}/{self.name}" if self.registry else None


@dataclass(frozen=True, kw_only=True)
class Where:
    """Where a command that only reads is to look; None is what nobody has said.

    Attributes:
        settings: the project's, if there is a kubekit.yaml.
    """

    profile: str | None
    context: str | None
    namespace: str | None
    settings: Settings | None = None


@dataclass(frozen=True, kw_only=True)
class DockerEndpoint:
    """A Docker daemon and how to reach it.

    Attributes:
        cert_path: a folder with ``ca.pem``, ``cert.pem`` and ``key.pem``, None without TLS.
        profile: the Minikube profile in whose node it is; None for this machine's own.
        certificate: SHA-256, in hex, of the certificate it showed when it was proved to be that
            profile's; None without TLS, or before it is. Not part of where it is.
    """

    host: str
    cert_path: Path | None = None
    profile: str | None = None
    certificate: str | None = field(default=None, compare=False)

    @property
    def own(self) -> bool:
        """Whether it is this machine's own, not one in a Minikube node."""
        return self.profile is None


@dataclass(frozen=True, kw_only=True)
class ClusterTarget:
    """The one cluster this run may touch.

    Attributes:
        context: the kubeconfig context every call is made with.
        profile: the Minikube profile, None for a cluster that was allowed by name.
    """

    context: str
    profile: str | None


class ContextFile(NamedTuple):
    """One file of the build context; a tuple, because there may be tens of thousands.

    Attributes:
        path: where it lies in the context, with `/`.
        at: where it really is.
        mode: the full `st_mode`.
        size: bytes; 0 for folders and links.
        stamp: what of its status would be another one had it been written since.
    """

    path: str
    at: str
    mode: int
    size: int
    stamp: bytes = b""

    @property
    def source(self) -> Path:
        """Where it really is."""
        return Path(self.at)


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """What would be built: the files, and the digest that follows from their content.

    Attributes:
        name: the image's name, without a tag.
        dockerfile: the path the Dockerfile has among `files`.
        apart: the context itself does not hold it: it lies elsewhere, or `.dockerignore` excludes
            it.
        whole: all of the context is in `files`, not just what the Dockerfile's instructions take.
        files: files, links and folders by path; `mode` is the full `st_mode`.
        hashes: path -> what it holds, ``file:644:<sha256>``, ``link:<target>`` or ``folder:755``.
    """

    settings: BuildSettings
    name: str
    digest: str
    dockerfile: str
    files: tuple[ContextFile, ...]
    hashes: Mapping[str, str]
    apart: bool = False
    whole: bool = False

    @property
    def size(self) -> int:
        """Bytes of all files together: what a daemon that has none of them is sent."""
        return sum(file.size for file in self.files)

    def reference(self, bases: Mapping[str, str]) -> str:
        """What the image is called; made from other base images it is another one.

        Args:
            bases: what the build starts and copies from, reference -> ID.
        """
        made_of = "\0".join([self.digest, *(f"{key}={bases[key]}" for key in sorted(bases))])
        return f"{self.name}:kk-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """An image that is where the target's pods find it.

    Attributes:
        reference: what a manifest names, such as ``tasks:kk-1f0c2d3e4a5b``.
        ids: what a pod that runs it may report as its imageID: ``sha256:...`` each, or of an image
            in a registry ``NAME@sha256:...``.
        reason: why it was built, or why not, for people.
        config: what it runs; None if that was not asked.
    """

    reference: str
    ids: frozenset[str]
    built: bool
    reason: str
    config: ImageConfig | None = None


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """What an image runs, and as whom."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> ImageConfig:
        """Read it from the config of an image, as Docker and the OCI write it alike."""
        return cls(
            entrypoint=tuple(config.get("Entrypoint") or ()),
            cmd=tuple(config.get("Cmd") or ()),
            user=config.get("User") or "",
        )

    @property
    def is_root(self) -> bool:
        """Whether it runs as root unless it is told otherwise."""
        return self.user.partition(":")[0] in ("", "0", "root")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One object to apply, and where each of its fields stands in the user's files.

    Attributes:
        data: the object as it is sent.
        origin: the start of the document in the user's file.
        places: path of a field, such as ``("spec", "replicas")``, -> where it stands. For a
            template the line is the template's own; without a line where that is not certain.
    """

    data: Object
    origin: Place
    places: Mapping[tuple[str | int, ...], Place] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The object's kind."""
        return str(self.data["kind"])

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.data["metadata"]["name"])

    @property
    def ref(self) -> str:
        """The object as people and kubectl write it, ``Deployment/tasks``."""
        return f"{self.kind}/{self.name}"

    def place(self, path: tuple[str | int, ...]) -> Place:
        """Where the field stands, or its nearest parent that is in the file."""
        return nearest(self.places, path) or self.origin


@dataclass(frozen=True, kw_only=True)
class Manifests:
    """All objects of the project in the order they are applied in.

    Attributes:
        secret_values: what must appear in no output, as text and as base64.
        warnings: what to know about the files, though they can be applied.
    """

    items: tuple[Manifest, ...]
    secret_values: frozenset[str] = frozenset()
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AppliedObject:
    """One object after the apply.

    Attributes:
        action: ``created``, ``configured``, ``recreated`` or ``unchanged``.
        live: the object as the API server answered it.
    """

    manifest: Manifest
    action: str
    live: Object


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What one apply did; `since` is the API server's own time just before the first write."""

    objects: tuple[AppliedObject, ...]
    since: float

    @property
    def writes(self) -> int:
        """How many objects were written."""
        return sum(item.action != "unchanged" for item in self.objects)


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Time as the stages see it, so that a test can bring its own."""

    now: Callable[[], float] = time.monotonic


class Cancel:
    """Set once, by Ctrl-C or SIGTERM; stages wait on it instead of sleeping."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def set(self) -> None:
        """Ask every stage to stop, from any thread and more than once; not in a signal handler.

        Whatever a callback raises is raised once all of them were called.
        """
        self._event.set()
        with self._lock:
            callbacks, self._callbacks = self._callbacks, []
        with contextlib.ExitStack() as stack:
            for callback in reversed(callbacks):
                stack.callback(callback)

    def is_set(self) -> bool:
        """Whether to stop."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but no longer than until the cancel; says whether it came."""
        return self._event.wait(seconds)

    def on_set(self, callback: Callable[[], None]) -> None:
        """Call back when set, for blocking calls that only closing a socket ends."""
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def forget(self, callback: Callable[[], None]) -> None:
        """Take back what `on_set` was given, once the call has ended by itself."""
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)
