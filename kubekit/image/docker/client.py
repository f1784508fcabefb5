"""docker-py's client, set up for a daemon that is a few hops away and behind nothing."""

from __future__ import annotations

import contextlib
import os
import ssl
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests
import urllib3
from docker.auth import AuthConfig
from docker.constants import IS_WINDOWS_PLATFORM
from docker.context import ContextAPI
from docker.utils import parse_host
from docker.utils.proxy import ProxyConfig
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError

from kubekit.errors import KubekitError, UnreachableError
from kubekit.image.docker import apiversion
from kubekit.image.docker.errors import require_certificates, unreachable
from kubekit.image.docker.wire import CONNECT, Wire
from kubekit.image.registries import credentials
from kubekit.model import DockerEndpoint

_ANSWER = 30
_CLASSIC = "1"
"""What a daemon that has no BuildKit, or was told not to use it, calls its builder."""
_ASIDE = 0.6
"""Seconds to connect, and to answer, for what is only asked to explain a failure."""


class _Connection(HTTPConnection):
    """One connection of docker-py, opened by a Wire."""

    def __init__(self, *args: Any, wire: Wire, **more: Any) -> None:
        super().__init__(*args, **more)
        self._wire = wire

    def connect(self) -> None:
        try:
            self.sock = self._wire.connect(self.timeout)
        except ssl.SSLError:
            raise
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _Adapter(HTTPAdapter):
    """Lets requests speak over the connections of a Wire, whatever the environment says."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._pool = _Pool("localhost", wire=wire)

    def get_connection(self, *_: Any, **__: Any) -> urllib3.HTTPConnectionPool:
        return self._pool

    get_connection_with_tls_context = get_connection  # what requests 2.32 made of it

    def request_url(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> str:
        return request.path_url

    def close(self) -> None:
        super().close()
        self._pool.close()


class Client(docker.APIClient):
    """A client that leaves the environment's proxies and REQUESTS_CA_BUNDLE to other servers.

    Attributes:
        wire: opens its connections.
        has_buildkit: whether the daemon builds with BuildKit, as far as it tells beforehand.
    """

    has_buildkit = True

    def __init__(self, endpoint: DockerEndpoint) -> None:
        # Not APIClient's, which reads the user's Docker config, and fails as a whole for some of
        # them. The rest is what it does; kubekit reads logins itself, when it needs one.
        requests.Session.__init__(self)
        self._general_configs: dict[str, Any] = {}
        self._auth_configs = AuthConfig({})
        self._proxy_configs = ProxyConfig()
        self._version = apiversion.OLDEST
        self._profile = endpoint.profile
        parse_host(endpoint.host, IS_WINDOWS_PLATFORM)  # refuses what is no address
        self.wire = Wire(endpoint)
        self.trust_env = False
        self.base_url = "http+docker://localhost"
        self.mount("http+docker://", _Adapter(self.wire))

    def negotiate(self) -> None:
        """Agree on an API version, which `/_ping` tells far faster than `/version`.

        Raises:
            requests.RequestException: the daemon is not there.
            docker.errors.APIError: it answers with an error.
            UnreachableError: it is too old.
            UsageError: DOCKER_API_VERSION is no version.
        """
        asked = apiversion.asked_for()
        prefix = f"/v{asked}" if asked else ""
        answer = self._asked(f"{prefix}/_ping")
        theirs = least = asked or answer.headers.get("Api-Version", apiversion.OLDEST)
        if not asked and apiversion.number(theirs) > apiversion.number(apiversion.NEWEST):
            least = str(self._asked("/version").json()["MinAPIVersion"])
        self._version = asked or apiversion.agreed(theirs, least, profile=self._profile)
        self.has_buildkit = answer.headers.get("Builder-Version") != _CLASSIC and apiversion.number(
            self._version
        ) >= apiversion.number(apiversion.BUILDKIT)

    def _asked(self, path: str) -> requests.Response:
        answer = self.get(f"{self.base_url}{path}", timeout=self.timeout)
        if not answer.ok:
            raise docker.errors.APIError(path, response=answer, explanation=answer.text)
        return answer


def connect(
    endpoint: DockerEndpoint, *, timeout: tuple[float, float] = (CONNECT, _ANSWER)
) -> Client:
    """Open a client that speaks the daemon's API version.

    Args:
        endpoint: the daemon.
        timeout: seconds to connect, and for each answer.

    Raises:
        UnreachableError: certificates missing, daemon not there, not answering or refusing.
        UsageError: DOCKER_API_VERSION is no version.
    """
    require_certificates(endpoint)
    try:
        client = Client(endpoint)
    except docker.errors.DockerException as error:
        raise unreachable(endpoint, error) from error
    client.timeout = timeout  # type: ignore[assignment] # as requests takes it
    try:
        client.negotiate()
    except (docker.errors.DockerException, requests.RequestException) as error:
        client.close()
        raise unreachable(endpoint, error) from error
    except KubekitError:
        client.close()
        raise
    return client


def own_endpoint(*, led: bool = True) -> DockerEndpoint:
    """This machine's own Docker: the one the `docker` command speaks to, found as it finds it.

    That is what DOCKER_HOST names, else DOCKER_CONTEXT, else the context that is in use.

    Args:
        led: also where `minikube docker-env` has led DOCKER_HOST to Minikube's.

    Raises:
        UnreachableError: the context is not there, or cannot be used.
    """
    host = os.environ.get("DOCKER_HOST")
    if host and (led or "MINIKUBE_ACTIVE_DOCKERD" not in os.environ):
        certs = os.environ.get("DOCKER_CERT_PATH") or credentials.config_file().parent
        tls = bool(os.environ.get("DOCKER_TLS_VERIFY"))
        return _own(host, Path(certs) if tls else None)
    name = os.environ.get("DOCKER_CONTEXT") or None
    try:
        context = ContextAPI.get_context(name)
    except Exception as error:  # docker-py raises it plain for a damaged file
        raise _no_context(f"Docker's contexts cannot be read: {error}") from error
    # docker-py's hints have it that none of the three can be missing.
    found: Any = context
    if found is None or not found.Host:
        raise _no_context(f"there is no Docker context `{name}`, or it names no Docker")
    authority = found.TLSConfig.ca_cert if found.TLSConfig else None
    return _own(str(found.Host), Path(authority).parent if authority else None)


def _own(host: str, cert_path: Path | None) -> DockerEndpoint:
    if host.startswith("ssh:"):
        raise UnreachableError(
            f"kubekit does not speak to a Docker by ssh, as at `{host}`",
            hints=("name another one by DOCKER_HOST or `docker context use`",),
            id="docker-ssh",
        )
    return DockerEndpoint(host=host, cert_path=cert_path)


def _no_context(message: str) -> UnreachableError:
    hint = "see `docker context ls`, and choose one: `docker context use`"
    return UnreachableError(message, hints=(hint,), id="docker-context")


def host_has(reference: str) -> bool:
    """Whether this machine's own Docker has an image; False where there is none to ask.

    It is the one the `docker` command speaks to, unless that was led to Minikube's; asked only to
    explain a failure, so it never raises and takes 2 s at most.
    """
    try:
        client = connect(own_endpoint(led=False), timeout=(_ASIDE, _ASIDE))
    except KubekitError:
        return False
    with contextlib.closing(client):
        try:
            client.inspect_image(reference)  # type: ignore[no-untyped-call]
        except (docker.errors.DockerException, requests.RequestException, OSError):
            return False
    return True
