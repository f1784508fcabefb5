"""Which port of a pod the local port leads to. Pure."""

from __future__ import annotations

from kubekit.model import Object


def target_port(service: Object | None, pod: Object) -> int | None:
    """The number of the first port of the Service, as this pod's containers have it.

    Without a Service, or where it tells no port, it is the first `containerPort` of the pod. None
    where there is none, or the Service names a port that no container of the pod has.
    """
    spec = (service or {}).get("spec") or {}
    ports = [port for port in spec.get("ports") or () if _is_tcp(port)]
    declared = [port for port in _declared(pod) if _is_tcp(port)]
    if not ports:
        return int(declared[0]["containerPort"]) if declared else None
    wanted = ports[0].get("targetPort") or ports[0]["port"]
    if isinstance(wanted, int) or str(wanted).isdecimal():
        return int(wanted)
    named = (int(port["containerPort"]) for port in declared if port.get("name") == wanted)
    return next(named, None)


def _is_tcp(port: Object) -> bool:
    return str(port.get("protocol", "TCP")) == "TCP"


def _declared(pod: Object) -> list[Object]:
    # Sidecars, which are init containers that stay, come last: the app is a container.
    spec = pod["spec"]
    stay = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    containers = [*spec["containers"], *stay]
    return [port for container in containers for port in container.get("ports") or ()]
