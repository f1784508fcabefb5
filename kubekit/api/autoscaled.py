"""Numbers of replicas that an autoscaler decides on, and kubekit then does not."""

from __future__ import annotations

from collections.abc import Iterable

from kubekit.api.kube import FIELD_MANAGER, ApiError, Kube
from kubekit.api.resources import KNOWN
from kubekit.model import Manifest, Object

_AUTOSCALER = "HorizontalPodAutoscaler"
_RESOURCE = KNOWN["autoscaling/v2", _AUTOSCALER]


def scaled(manifests: Iterable[Manifest]) -> frozenset[str]:
    """What these manifests' own autoscalers scale, as ``Deployment/tasks``."""
    return frozenset(
        _target(manifest.data) for manifest in manifests if manifest.kind == _AUTOSCALER
    )


def is_scaled(kube: Kube, namespace: str, ref: str) -> bool | None:
    """Whether any autoscaler there is scales this object; None where this user may not look."""
    try:
        found = kube.list(_RESOURCE.path(namespace), patience=0)
    except ApiError:
        return None
    staying = (item for item in found if not item["metadata"].get("deletionTimestamp"))
    return any(_target(item) == ref for item in staying)


def left_alone(sent: Object, live: Object | None) -> Object:
    """The object as it is sent so that its autoscaler's number stays.

    A number that kubekit alone has set would fall back to 1 if it were sent no more, until the
    autoscaler looks again: it is sent as it is.
    """
    if live is None or "replicas" not in (sent.get("spec") or {}):
        return sent
    spec = {key: value for key, value in sent["spec"].items() if key != "replicas"}
    if _is_ours(live):
        spec["replicas"] = live["spec"].get("replicas")
    return {**sent, "spec": spec}


def _target(autoscaler: Object) -> str:
    spec = autoscaler.get("spec")
    target = spec.get("scaleTargetRef") if isinstance(spec, dict) else None
    return f"{target.get('kind')}/{target.get('name')}" if isinstance(target, dict) else ""


def _is_ours(live: Object) -> bool:
    return any(
        entry.get("manager") == FIELD_MANAGER
        and "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
        for entry in live["metadata"].get("managedFields") or ()
    )
