"""A Docker daemon, always addressed explicitly. With dockerclient.py, the importer of `docker`.

The environment's DOCKER_HOST and its kin are neither read nor changed, nor are proxies and
REQUESTS_CA_BUNDLE: the daemon in a Minikube node is never behind either. (Registry credentials do
come from the user's Docker configuration.)
"""

from __future__ import annotations

import functools
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from kubekit.errors import BuildError
from kubekit.events import Emit, Progress, Warned
from kubekit.image.docker import answers
from kubekit.image.docker import images as dockerimages
from kubekit.image.docker.answers import Call
from kubekit.image.docker.errors import causes, unreachable
from kubekit.image.docker.hijack import hijack
from kubekit.image.registries import credentials
from kubekit.image.registries.errors import pull_failed, push_failed
from kubekit.image.registries.transfer import Layers, patiently
from kubekit.image.store import Base, StoredImage
from kubekit.model import Cancel, DockerEndpoint, ImageConfig

if TYPE_CHECKING:
    import docker

    from kubekit.image.docker.client import Client

_NO_LOGIN = "e30="  # {}, which daemons before 25 insist on

_T = TypeVar("_T")


class Engine:
    """One Docker daemon. Connects with the first call; safe to close more than once.

    Every method raises UnreachableError when the daemon cannot be reached or used.
    """

    patience = 45.0
    """Seconds without any sign of life until a daemon that has work to do counts as hung."""

    def __init__(self, endpoint: DockerEndpoint) -> None:
        self.endpoint = endpoint
        self._api: Client | None = None
        self._lock = threading.Lock()

    def ask(self, call: Callable[[docker.APIClient], _T]) -> _T:
        """Make an idempotent call, a second time if the daemon dropped an idle connection."""
        import docker.errors
        import requests
        import tenacity

        retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_dropped),
            stop=tenacity.stop_after_attempt(2),
            reraise=True,
        )
        try:
            return retry(call, self._connected())
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise unreachable(self.endpoint, error) from error

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            api, self._api = self._api, None
        if api is not None:
            api.close()

    def certificate(self) -> str | None:
        """Return the SHA-256, in hex, of the certificate it shows; None without TLS."""
        return self._connected().wire.certificate

    def info(self) -> Mapping[str, Any]:
        """Return what `docker info` shows; `Name` is the host's, in Minikube the profile's."""
        return self.ask(lambda api: api.info())

    def usage(self) -> Mapping[str, Any]:
        """Return what `docker system df` is made of; a daemon whose disk is full may not tell."""
        return self.ask(lambda api: api.df())

    def platform(self) -> tuple[str, str]:
        """Return the daemon's operating system and architecture, as in ``linux/amd64``."""
        version = self.ask(lambda api: api.version())
        return str(version["Os"]), str(version["Arch"])

    def image_id(self, reference: str) -> str | None:
        """Return the ID, ``sha256:...``, of an image in the daemon; None if it is not there.

        Args:
            reference: ``NAME:TAG``, or ``NAME@sha256:...`` as it is called in its registry.
        """
        about = self._inspected(reference)
        return str(about["Id"]) if about is not None else None

    def base(self, reference: str) -> Base | None:
        """Return what an image in the daemon is as the base of another; None if not there."""
        about = self._inspected(reference)
        if about is None:
            return None
        triggers = bool((about.get("Config") or {}).get("OnBuild"))
        return Base(id=str(about["Id"]), triggers=triggers)

    def config(self, reference: str) -> ImageConfig:
        """What an image that is there runs, and as whom."""
        return self.ask(functools.partial(dockerimages.config, reference=reference))

    def images(self, project: str) -> list[StoredImage]:
        """Return the images kubekit built for `project`, the one named last first."""
        return self.ask(functools.partial(dockerimages.stored, project=project))

    def remove(self, name: str) -> bool:
        """Delete a name of an image, and the image with its last one; whether it is gone now."""
        return self.ask(functools.partial(dockerimages.removed, name=name))

    def pull(
        self, reference: str, *, emit: Emit, cancel: Cancel, platform: str | None = None
    ) -> None:
        """Pull an image with the user's registry credentials, and again if the registry is busy.

        Raises:
            BuildError: the registry does not give it; says why, and how else to provide it.
            CancelledError: the person interrupted.
        """
        patiently(cancel)(self._pull, reference, platform, emit, cancel)

    def tag(self, image: str, reference: str) -> None:
        """Give an image of the daemon another name, which no other image keeps."""
        repository, _, tag = reference.rpartition(":")
        self.ask(lambda api: api.tag(image, repository, tag, force=True))

    def digest(self, reference: str, *, emit: Emit, cancel: Cancel) -> str | None:
        """Return the digest a tag has in its registry; None if it does not know the tag.

        The daemon asks, with the user's login, and again if the registry is busy.

        Raises:
            BuildError: the registry does not say; says why.
            CancelledError: the person interrupted.
        """
        headers = self._credentials(reference.rpartition(":")[0], emit, cancel)
        found: str | None = patiently(cancel)(self._digest, reference, headers, cancel)
        return found

    def push(self, reference: str, *, emit: Emit, cancel: Cancel) -> str:
        """Push an image with the user's login; the daemon tries again if the registry is busy.

        Returns:
            The digest, ``sha256:...``, it has in the registry.

        Raises:
            BuildError: the registry does not take it; says why.
            CancelledError: the person interrupted.
        """
        repository, _, tag = reference.rpartition(":")
        emit(Progress(stage="image", text=f"pushing `{reference}`"))
        progress = Layers("pushing", reference, emit)
        login = self._credentials(repository, emit, cancel)
        call = Call(
            path=f"/images/{repository}/push",
            params={"tag": tag},
            headers=login or {"X-Registry-Auth": _NO_LOGIN},
        )
        for message in self._messages(call, cancel):
            if "error" in message:
                raise push_failed(reference, str(message["error"]), login=bool(login))
            progress.update(message)
            if digest := (message.get("aux") or {}).get("Digest"):
                return str(digest)
        raise BuildError(f"the push of `{reference}` ended without a digest", id="push-not-proved")

    def build(
        self,
        session: str,
        *,
        dockerfile: str,
        tag: str,
        target: str | None,
        args: Mapping[str, str],
        labels: Mapping[str, str],
        cancel: Cancel,
    ) -> Iterator[Mapping[str, Any]]:
        """Build with BuildKit and yield the daemon's messages as they come.

        Args:
            session: the ID of the session on which the daemon asks for files, secrets and logins.
            dockerfile: the Dockerfile's path in the session's tree of that name.
            tag: the name the image gets.
            target: the stage to build, None for the last.
            args: build arguments.
            labels: labels of the image.
            cancel: ends the connection, which stops the build in the daemon.

        Raises:
            CancelledError: the person interrupted.
        """
        params = {
            "version": "2",
            "remote": "client-session",
            "session": session,
            "t": tag,
            "dockerfile": dockerfile,
            "buildargs": json.dumps(dict(args)),
            "labels": json.dumps(dict(labels)),
        }
        if target is not None:
            params["target"] = target
        return self._messages(Call(path="/build", params=params), cancel)

    def hijack(self, path: str, headers: Sequence[tuple[str, str]], /) -> socket.socket:
        """POST and take the connection over, as a plain socket that the caller closes.

        Raises:
            NotOfferedError: the daemon is there, but has no such thing.
        """
        api = self._connected()
        try:
            return hijack(api.wire, f"/v{api.api_version}{path}", headers)
        except OSError as error:
            raise unreachable(self.endpoint, error) from error

    def has_buildkit(self) -> bool:
        """Whether the daemon builds with BuildKit, as far as it tells beforehand."""
        return self._connected().has_buildkit

    def build_classic(
        self, upload: Iterable[bytes], *, params: Mapping[str, str], cancel: Cancel
    ) -> Iterator[Mapping[str, Any]]:
        """Build with the classic builder, to which the context is sent as one tar stream."""
        headers = {"Content-Type": "application/x-tar"}
        body = answers.until(upload, cancel)
        return self._messages(
            Call(path="/build", params=params, headers=headers, data=body), cancel
        )

    def _inspected(self, reference: str) -> Mapping[str, Any] | None:
        return self.ask(functools.partial(dockerimages.inspected, reference=reference))

    def _pull(self, reference: str, platform: str | None, emit: Emit, cancel: Cancel) -> None:
        from docker.utils import parse_repository_tag

        repository, tag = parse_repository_tag(reference)
        params = {"fromImage": repository, "tag": tag or "latest"}
        if platform is not None:
            params["platform"] = platform
        progress = Layers("pulling", reference, emit)
        headers = self._credentials(repository, emit, cancel)
        call = Call(path="/images/create", params=params, headers=headers)
        for message in self._messages(call, cancel):
            if "error" in message:
                raise pull_failed(reference, str(message["error"]), own=self.endpoint.own)
            progress.update(message)

    def _credentials(self, repository: str, emit: Emit, cancel: Cancel) -> dict[str, str]:
        try:
            header = credentials.header(repository, cancel=cancel)
        except BuildError as error:
            text = f"without a login at the registry: {error.message}"
            emit(Warned(text=text, hints=error.hints))
            return {}
        return {"X-Registry-Auth": header} if header else {}

    def _digest(self, reference: str, headers: Mapping[str, str], cancel: Cancel) -> str | None:
        call = Call(method="GET", path=f"/distribution/{reference}/json", headers=headers)
        (answer,) = self._messages(call, cancel)
        if "error" not in answer:
            return str(answer["Descriptor"]["digest"])
        if answer["errorDetail"]["code"] == HTTPStatus.NOT_FOUND:
            return None
        raise push_failed(reference, str(answer["error"]), login=bool(headers))

    def _messages(self, call: Call, cancel: Cancel) -> Iterator[Mapping[str, Any]]:
        return answers.messages(self._connected(), call, cancel=cancel, patience=self.patience)

    def _connected(self) -> Client:
        with self._lock:
            if self._api is None:
                from kubekit.image.docker.client import connect

                self._api = connect(self.endpoint)
            return self._api


def own() -> Engine:
    """This machine's own Docker, which the `docker` command speaks to.

    Raises:
        UnreachableError: what is set for that command leads nowhere.
    """
    from kubekit.image.docker.client import own_endpoint

    return Engine(own_endpoint())


def on_host(reference: str) -> bool:
    """Whether this machine's own Docker, which is not Minikube's, has an image; never raises."""
    from kubekit.image.docker.client import host_has

    return host_has(reference)


def _dropped(error: BaseException) -> bool:
    import requests

    refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes(error))
    return isinstance(error, requests.ConnectionError) and not refused
