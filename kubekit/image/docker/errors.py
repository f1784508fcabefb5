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


def unreachable(endpoint: DockerEndpoint, error: BaseException) -> UnreachableError:
    """Say in one line why the daemon cannot be used, and what to do.

    Args:
        endpoint: the daemon that was addressed.
        error: what docker-py or requests raised.
    """
    where = f"the Docker daemon at `{endpoint.host}`"
    chain = list(causes(error))
    for cause in chain:
        explanation = str(getattr(cause, "explanation", None) or "")
        if version := apiversion.refused(where, explanation):
            return version
    return _own(where, chain) if endpoint.own else _in_minikube(where, chain, str(error))


def hung(endpoint: DockerEndpoint, seconds: float) -> UnreachableError:
    """Say that the daemon stopped answering in the middle of its work."""
    return _unreachable(
        f"the Docker daemon at `{endpoint.host}` hangs: no sign of life for {seconds:.0f} s",
        "see whether the machine is out of memory or disk; a restart helps: `kubekit up`",
        id="docker-hung",
    )


def _in_minikube(where: str, chain: list[BaseException], text: str) -> UnreachableError:
    if any("Timeout" in type(cause).__name__ for cause in chain):
        return _unreachable(f"{where} does not answer", "see what it does: `minikube status`")
    for cause in chain:
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", "") or cause.reason or str(cause)
            hint = "certificates are renewed with each start: `kubekit up`"
            return _unreachable(f"TLS with {where} fails: {reason}", hint, id="docker-tls")
    for cause in chain:
        if isinstance(cause, OSError) and cause.errno is not None:
            return _system(where, cause)
    explanation = next((getattr(cause, "explanation", None) for cause in chain), None)
    if explanation:
        first = str(explanation).strip().splitlines()[0]
        return _unreachable(f"{where} answers: {first}", "see its state: `minikube status`")
    if _CUT & {type(cause).__name__ for cause in chain}:
        return _unreachable(f"{where} closed the connection", _START)
    return _unreachable(f"{where} cannot be used: {text.splitlines()[0]}", _START)


def _own(where: str, chain: list[BaseException]) -> UnreachableError:
    """The same of this machine's Docker, which the `docker` command speaks to as well."""
    system = next((it for it in chain if isinstance(it, OSError) and it.errno is not None), None)
    if system is not None and not isinstance(system, ssl.SSLError):
        message = _system(where, system).message
    else:
        said = next((text for it in chain if (text := getattr(it, "explanation", None))), chain[0])
        message = f"{where} cannot be used: {str(said).strip().splitlines()[0]}"
    return _unreachable(message, "see that this works: `docker version`; it is the same one")


def _system(where: str, cause: OSError) -> UnreachableError:
    if isinstance(cause, ConnectionRefusedError):
        return _unreachable(f"{where} is not running: connection refused", _START)
    if isinstance(cause, FileNotFoundError):
        return _unreachable(f"{where} is not running: there is no such socket", _START)
    if isinstance(cause, PermissionError):
        hint = "be a member of the group that owns the socket, often `docker`"
        return _unreachable(f"{where} may not be used: permission denied", hint)
    if isinstance(cause, ConnectionResetError | BrokenPipeError):
        return _unreachable(f"{where} closed the connection", _START)
    reason = (cause.strerror or str(cause)).lower()
    return _unreachable(f"{where} cannot be reached: {reason}", _START)


def _unreachable(message: str, hint: str, *, id: str = "docker-unreachable") -> UnreachableError:  # noqa: A002 - as errors.py
    return UnreachableError(message, hints=(hint,), id=id)


def require_certificates(endpoint: DockerEndpoint) -> None:
    """Raise UnreachableError unless the client's certificates of `endpoint` are there."""
    for name in ("ca.pem", "cert.pem", "key.pem"):
        if endpoint.cert_path is not None and not (endpoint.cert_path / name).is_file():
            asking = "your Docker" if endpoint.own else "Docker in Minikube"
            hint = "Minikube makes it anew with each start: `kubekit up`"
            raise UnreachableError(
                f"`{endpoint.cert_path / name}`, which {asking} asks for, does not exist",
                hints=("see that this works: `docker version`" if endpoint.own else hint,),
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
