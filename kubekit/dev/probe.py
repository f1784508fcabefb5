"""A readiness probe, as it is asked without the kubelet. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kubekit.model import Object


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A readiness probe as the agent asks it, from inside the pod.

    Attributes:
        path: of the GET; None just connects.
        scheme: ``HTTP`` or ``HTTPS``, whose certificate is not checked.
        seconds: for one try.
        host: where to ask, None for the loopback.
    """

    port: int
    path: str | None = None
    scheme: str = "HTTP"
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 1.0
    host: str | None = None

    @property
    def request(self) -> Object:
        """As the agent takes it."""
        return {**self.__dict__}


def probe(told: Object | None, ports: dict[str, int]) -> Probe | None:
    """How the agent asks what this readiness probe asks; None where it is not to be asked.

    That is one that is neither HTTP nor TCP, and one of a port that the container does not have.

    Args:
        told: as in the container's spec.
        ports: name -> number of the container's ports.
    """
    told = told or {}
    if "httpGet" in told:
        get = told["httpGet"]
        port = _number(get["port"], ports)
        return (
            None
            if port is None
            else Probe(
                port=port,
                path=f"/{get.get('path', '').removeprefix('/')}",  # as the kubelet does
                scheme=get.get("scheme", "HTTP"),
                headers=tuple((one["name"], one["value"]) for one in get.get("httpHeaders") or ()),
                seconds=float(told.get("timeoutSeconds", 1)),
                host=get.get("host"),
            )
        )
    if "tcpSocket" in told:
        port = _number(told["tcpSocket"]["port"], ports)
        return None if port is None else Probe(port=port)
    return None


def named_ports(container: Object) -> dict[str, int]:
    """Name -> number of the ports of a container, by its spec."""
    ports = container.get("ports") or ()
    return {one["name"]: int(one["containerPort"]) for one in ports if "name" in one}


def _number(port: int | str, ports: dict[str, int]) -> int | None:
    return port if isinstance(port, int) else ports.get(port)
