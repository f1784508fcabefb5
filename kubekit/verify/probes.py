"""The routes that the manifests' probes ask of the image. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from kubekit.manifests.objects import mapping, mappings
from kubekit.manifests.podspec import POD_SPECS
from kubekit.model import Manifest, Object

_ASKED = {"live": "livenessProbe", "ready": "readinessProbe"}


def probed(items: Iterable[Manifest], image: str) -> dict[str, str]:
    """The routes of the first container with this image that is asked by HTTP.

    Args:
        items: the objects as they would be applied.
        image: as they name it.

    Returns:
        Paths by ``live`` and ``ready``; by ``plain`` one that is asked for both.
    """
    for item in items:
        spec = mapping(item.data, *POD_SPECS[item.kind]) if item.kind in POD_SPECS else {}
        for container in mappings(spec.get("containers")):
            found = _paths(container) if container.get("image") == image else {}
            if found:
                both = set(found.values())
                return {"plain": both.pop()} if len(found) > len(both) else found
    return {}


def _paths(container: Object) -> dict[str, str]:
    gets = {kind: mapping(container, probe, "httpGet") for kind, probe in _ASKED.items()}
    return {
        kind: str(get.get("path", "/"))
        for kind, get in gets.items()
        if get and _number(container, get.get("port")) == _first(container)
    }


def _first(container: Object) -> object:
    """The port that is asked of the image; others, such as one for metrics, have other routes."""
    ports = mappings(container.get("ports"))
    return ports[0].get("containerPort") if ports else None


def _number(container: Object, port: object) -> object:
    ports = mappings(container.get("ports"))
    named = (one.get("containerPort") for one in ports if one.get("name") == port)
    return next(named, port) if ports else None
