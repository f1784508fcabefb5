"""What goes wrong between kubekit and a Docker daemon, or between the daemon and a registry.

docker-py hands on what requests and urllib3 wrapped; here the cause is dug out again.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from kubekit.errors import UnreachableError
from kubekit.image.docker import apiversion
from kubekit.model import DockerEndpoint

_CUT = {"RemoteDisconnected", "IncompleteRead", "ChunkedEncodingError", "JSONDecodeError"}
_START = "start it: `kubekit up`"
_OWN = "see that this works: `docker version`; it is the same one"


def unreachable(endpoint: DockerEndpoint, error: BaseException) -> UnreachableError:
    """Say in one line why the daemon cannot be used, and what to do.

    Args:
        endpoint: the daemon that was addressed.
        error: what docker-py, requests or http.client raised.
    """
    where = f"the Docker daemon at `{endpoint.host}`"
    chain = list(causes(error))
    for cause in chain:
        explanation = str(getattr(cause, "explanation", None) or "")
        if version := apiversion.refused(where, explanation, profile=endpoint.profile):
            return version
    for cause in chain:
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", "") or getattr(cause, "reason", "")
            hint = f"certificates are renewed with each start: {_restart(endpoint)}"
            return _told(
                endpoint, f"TLS with {where} fails: {reason or cause}", hint, id="docker-tls"
            )
    message, hint = _cause(endpoint, chain, error)
    return _told(endpoint, f"{where} {message}", hint)


def hung(endpoint: DockerEndpoint, seconds: float) -> UnreachableError:
    """Say that the daemon stopped answering in the middle of its work."""
    return _told(
        endpoint,
        f"the Docker daemon at `{endpoint.host}` hangs: no sign of life for {seconds:.0f} s",
        f"see whether the machine is out of memory or disk; {_restart(endpoint)}",
        id="docker-hung",
    )


def _cause(
    endpoint: DockerEndpoint, chain: list[BaseException], error: BaseException
) -> tuple[str, str]:
    """What is wrong with the daemon, and what helps if it is in Minikube."""
    status = f"see what it does: `minikube status -p {endpoint.profile}`"
    if any("Timeout" in type(cause).__name__ for cause in chain):
        return "does not answer", status
    for cause in chain:
        if isinstance(cause, OSError) and cause.errno is not None:
            return _system(endpoint, cause)
    if said := next((it for cause in chain if (it := getattr(cause, "explanation", None))), None):
        return f"answers: {_first_line(said)}", status
    if _CUT & {type(cause).__name__ for cause in chain}:
        return "closed the connection", _restart(endpoint)
    return f"cannot be used: {_first_line(error)}", status


def _system(endpoint: DockerEndpoint, cause: OSError) -> tuple[str, str]:
    if isinstance(cause, ConnectionRefusedError):
        return "is not running: connection refused", _START
    if isinstance(cause, FileNotFoundError):
        return "is not running: there is no such socket", _START
    if isinstance(cause, PermissionError):
        hint = "be a member of the group that owns the socket, often `docker`"
        return "may not be used: permission denied", hint
    if isinstance(cause, ConnectionResetError | BrokenPipeError):
        return "closed the connection", _restart(endpoint)
    return f"cannot be reached: {(cause.strerror or str(cause)).lower()}", _START


def _restart(endpoint: DockerEndpoint) -> str:
    return f"restart it: `minikube stop -p {endpoint.profile}`, then `kubekit up`"


def _told(
    endpoint: DockerEndpoint,
    message: str,
    hint: str,
    *,
    id: str = "docker-unreachable",  # noqa: A002 - as errors.py
) -> UnreachableError:
    return UnreachableError(message, hints=(_OWN if endpoint.own else hint,), id=id)


def _first_line(said: object) -> str:
    return next(iter(str(said).strip().splitlines()), type(said).__name__)


def require_certificates(endpoint: DockerEndpoint) -> None:
    """Raise UnreachableError unless the client's certificates of `endpoint` are there."""
    for name in ("ca.pem", "cert.pem", "key.pem"):
        if endpoint.cert_path is not None and not (endpoint.cert_path / name).is_file():
            asking = "your Docker" if endpoint.own else "Docker in Minikube"
            raise _told(
                endpoint,
                f"`{endpoint.cert_path / name}`, which {asking} asks for, does not exist",
                f"Minikube makes it anew with each start: {_restart(endpoint)}",
                id="docker-certificates",
            )


def causes(error: BaseException) -> Iterator[BaseException]:
    """Walk through all that `error` wraps, itself first, each once."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__, getattr(current, "reason", None)]
        waiting += current.args
