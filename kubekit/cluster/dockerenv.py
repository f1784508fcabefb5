"""Where the Docker of a Minikube profile is: `minikube docker-env`, and what its endings mean."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from kubekit.cluster import minikube
from kubekit.cluster.target import Profile
from kubekit.errors import KubekitError, UnreachableError
from kubekit.model import Cancel, DockerEndpoint
from kubekit.proc import Finished
from kubekit.text.cache import keep

DOCKER_ENV_SECONDS = 60.0

_REASON = re.compile(r"Exiting due to ([A-Z0-9_]+): (.*)")


@dataclass(frozen=True, kw_only=True)
class _Ending:
    """What one exit code of `minikube docker-env` means."""

    id: str
    cause: str
    hint: str


_UP = "start it with `kubekit up`"
_ANEW = "make it anew: `minikube delete -p {profile}`, then `kubekit up`"
_ITS_OWN = "see what Minikube itself has there: `minikube -p {profile} image ls`"

DOCKER_ENV_ENDINGS = {
    85: _Ending(
        id="profile-missing",
        cause="there is no Minikube profile `{profile}`",
        hint="create it with `kubekit up --profile {profile}`",
    ),
    83: _Ending(
        id="profile-stopped", cause="Minikube profile `{profile}` is stopped or paused", hint=_UP
    ),
    80: _Ending(
        id="node-missing",
        cause="Minikube profile `{profile}` exists, but its node is gone or cannot be read",
        hint=_ANEW,
    ),
    105: _Ending(
        id="no-control-plane",
        cause="Minikube profile `{profile}` names no control plane",
        hint=_ANEW,
    ),
    51: _Ending(
        id="driver-none",
        cause="Minikube profile `{profile}` uses the driver `none`: it has no Docker of its own",
        hint="create a profile with another driver: `minikube start -p NAME --driver docker`",
    ),
    81: _Ending(
        id="several-nodes",
        cause="Minikube profile `{profile}` has several nodes, and Minikube leads to none of them",
        hint=_ITS_OWN,
    ),
    14: _Ending(
        id="runtime-not-docker",
        cause="Minikube profile `{profile}` does not run docker as its container runtime",
        hint=_ITS_OWN,
    ),
    70: _Ending(
        id="ssh-client",
        cause="Minikube could not reach the node of profile `{profile}` by ssh",
        hint="restart it: `minikube stop -p {profile}`, then `kubekit up`",
    ),
    50: _Ending(
        id="port-unreadable",
        cause="Minikube could not find the address of the node of profile `{profile}`",
        hint="restart it: `minikube stop -p {profile}`, then `kubekit up`",
    ),
    38: _Ending(
        id="profile-damaged",
        cause="the config of Minikube profile `{profile}` is damaged",
        hint=_ANEW,
    ),
    10: _Ending(
        id="docker-env-failed",
        cause="Minikube could not set up the Docker of profile `{profile}`",
        hint="restart it: `minikube stop -p {profile}`, then `kubekit up`",
    ),
}
"""By exit code; source: minikube v1.38, cmd/minikube/cmd/docker-env.go and pkg/minikube/reason."""

_OTHER = _Ending(
    id="docker-env-failed",
    cause="`minikube docker-env` failed for profile `{profile}`",
    hint="see `minikube logs -p {profile}`",
)
_NERDCTLD = "MK_START_NERDCTLD"


def docker_env(profile: str, *, cancel: Cancel) -> DockerEndpoint:
    """Ask Minikube where the Docker of the profile's node is.

    The caller's environment is handed on as it is and nothing is exported or evaluated: `--shell
    none` prints plain ``KEY=value`` lines.

    Raises:
        UnreachableError: one for each way it can end, by exit code.
        MissingError: there is no `minikube` on PATH.
    """
    argv = ["-p", profile, "docker-env", "--shell", "none"]
    done = minikube.call(argv, timeout=DOCKER_ENV_SECONDS, cancel=cancel)
    if done.code != 0:
        raise classify(profile, done)
    return parse_docker_env(profile, done.out)


def parse_docker_env(profile: str, text: str) -> DockerEndpoint:
    """The endpoint in the lines of `docker-env --shell none`, whatever their order.

    Raises:
        UnreachableError: it is not a Docker that can be reached over TCP with TLS.
    """
    pairs = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    host = pairs.get("DOCKER_HOST", "")
    if not host.startswith("tcp://"):
        raise UnreachableError(
            f"Minikube profile `{profile}` has no Docker over TCP: {host or 'no DOCKER_HOST'}",
            hints=(_ITS_OWN.format(profile=profile),),
            id="runtime-not-docker",
        )
    certs = pairs.get("DOCKER_CERT_PATH") or None
    if certs and not (Path(certs) / "ca.pem").is_file():
        raise UnreachableError(
            f"Minikube names `{certs}` for Docker's certificates, but `ca.pem` is not there",
            hints=("check that MINIKUBE_HOME is the one the profile was started with",),
            id="docker-certificates",
        )
    return DockerEndpoint(host=host, cert_path=Path(certs) if certs else None, profile=profile)


def classify(profile: str, done: Finished) -> KubekitError:
    """The error for a `docker-env` that failed: by exit code first, then by its reason id."""
    match = _REASON.search(done.err)
    reason = match.group(1) if match else ""
    ending = DOCKER_ENV_ENDINGS.get(done.code, _OTHER)
    if reason == _NERDCTLD:
        ending = DOCKER_ENV_ENDINGS[14]
    if ending.id == "node-missing" and (misled := minikube.node_elsewhere(profile)):
        misled.details = tuple(line for line in done.err.splitlines() if line.strip())[-2:]
        return misled
    said = [line for line in done.err.splitlines() if line.strip()]
    return UnreachableError(
        ending.cause.format(profile=profile),
        hints=(ending.hint.format(profile=profile),),
        details=(f"`minikube docker-env` ended with {done.code} {reason}".rstrip(), *said[-5:]),
        id=ending.id,
    )


class EndpointCache:
    """Where a profile's Docker was found last, so that an unchanged run need not start minikube.

    What is read here is only a guess: the caller proves that the daemon is the profile's own.
    """

    def __init__(self, profile: Profile) -> None:
        place = hashlib.sha256(str(profile.file).encode()).hexdigest()[:16]
        folder = platformdirs.user_cache_path("kubekit") / "endpoints"
        self._file = folder / f"{profile.name}-{place}.json"
        self._profile = profile.name
        self._config = hashlib.sha256(profile.file.read_bytes()).hexdigest()

    def read(self) -> DockerEndpoint | None:
        """The last endpoint, or None: also when the profile's config has changed since."""
        try:
            data = json.loads(self._file.read_bytes())
            certs = data["cert_path"]
            if data["config"] != self._config:
                return None
            return DockerEndpoint(
                host=data["host"],
                cert_path=Path(certs) if certs else None,
                profile=self._profile,
                certificate=data.get("certificate"),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, endpoint: DockerEndpoint) -> None:
        """Remember it; a cache that cannot be written is no error."""
        certs = str(endpoint.cert_path or "")
        data = {
            "host": endpoint.host,
            "cert_path": certs,
            "config": self._config,
            "certificate": endpoint.certificate,
        }
        keep(self._file, json.dumps(data))
