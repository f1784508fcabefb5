"""Whether a pod's spec has the shape that `adapt` reads; what has another one is not changed.

So the API server refuses it as the user wrote it, in its own words and at the user's line.
"""

from __future__ import annotations

from typing import Any

from kubekit.model import Object

_CONTAINER = {
    "name": str,
    "command": [str],
    "args": [str],
    "env": list,
    "lifecycle": dict,
    "ports": [{"name": str, "containerPort": int}],
    "livenessProbe": dict,
    "readinessProbe": dict,
    "securityContext": dict,
    "startupProbe": dict,
    "volumeMounts": [{"mountPath": str}],
}
_POD = {
    "containers": [_CONTAINER],
    "initContainers": list,
    "securityContext": dict,
    "volumes": list,
}


def understood(spec: Object) -> bool:
    """Whether nothing in the spec of a pod can surprise who changes it."""
    return _fits(spec, _POD) and all(
        "name" in one and all("containerPort" in port for port in one.get("ports") or ())
        for one in spec["containers"]
    )


def _fits(value: Any, shape: Any) -> bool:
    """Whether each part that the shape names is absent, or of the type it names."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(
            key not in value or _fits(value[key], below) for key, below in shape.items()
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(one, shape[0]) for one in value)
    return isinstance(value, shape) and not (shape is int and isinstance(value, bool))
