"""What of a project lives in the cluster, for people and as data. Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from kubekit.api.difference import showable
from kubekit.api.fields import settings
from kubekit.api.kube import FIELD_MANAGER, Kube
from kubekit.api.lineage import is_of
from kubekit.api.ownership import OwnedSet, members, read_kinds
from kubekit.api.podsecrets import of_set, of_templates
from kubekit.api.resources import PODS, ref
from kubekit.api.withheld import Withheld
from kubekit.events import Emit
from kubekit.model import Object
from kubekit.rollout.kinds import REVISION, settled
from kubekit.rollout.revisions import KEPT_AS, history, past_of, revisions

_CONTROLLERS = frozenset({"kube-controller-manager", "kube-scheduler", "kubelet"})


def describe(
    kube: Kube, owned: OwnedSet, *, emit: Emit, secrets: Iterable[str] = ()
) -> tuple[str, dict[str, Any]]:
    """The inventory as lines and as data: each object with its state, and the pods behind it.

    Args:
        kube: the cluster.
        owned: the project and its namespace.
        emit: is told what this user may not see.
        secrets: what is not to be shown, beside what the Secrets hold.
    """
    kinds = read_kinds(kube, owned)
    data: dict[str, Any] = {"project": owned.project, "namespace": owned.namespace}
    if kinds is None:
        text = f"nothing of `{owned.project}` is in namespace `{owned.namespace}`"
        return text, {**data, "objects": [], "pods": []}
    found = [obj for _, obj in members(kube, owned, kinds)]
    kept = history(kube, owned.namespace, found, emit=emit)
    withheld = Withheld(
        lambda: {*secrets, *of_set(kube, owned), *of_templates(kube, owned.namespace, found)}
    )
    objects = [_row(obj, kept, withheld) for obj in found]
    pods = _pods(kube, owned, {row["ref"] for row in objects})
    width = max(len(row["ref"]) for row in (*objects, *pods)) if objects else 0
    lines = [f"{owned.project} in namespace {owned.namespace}"]
    for row in (*objects, *pods):
        lines.append(f"  {row['ref']:{width}}  {row['state']}".rstrip())
        lines += [f"    {text}" for text in _told(row)]
    return "\n".join(lines), {**data, "objects": objects, "pods": pods}


def drift(obj: Object, withheld: Withheld) -> list[dict[str, Any]]:
    """Each field of an object of ours that somebody else has set, with who and when.

    Kubernetes' own controllers do not count, nor does who has set what kubekit has set, too. Values
    of Secrets are left out, and others that are `withheld`, and what `kubectl apply` notes.
    """
    found = list(settings(showable(obj)))
    secret = obj["kind"] == "Secret"
    mine = {one.field for one in found if one.manager.startswith(FIELD_MANAGER)}
    return [
        {
            "field": one.field,
            **({} if secret or withheld(one.field, one.value) else {"value": one.value}),
            "by": one.manager,
            "at": one.at or None,
        }
        for one in found
        if one.field not in mine and one.manager not in _CONTROLLERS and one.subresource != "status"
    ]


def _row(obj: Object, kept: list[Object], withheld: Withheld) -> dict[str, Any]:
    row: dict[str, Any] = {"ref": ref(obj), "state": _state(obj), "drift": drift(obj, withheld)}
    if obj["kind"] in KEPT_AS:
        row["revisions"] = [
            {
                "revision": one.number,
                "images": one.images,
                "ready_at": one.ready_at or None,
                "present": one.present,
                "of_dev": one.of_dev,
            }
            for one in revisions(kept, obj)
        ]
    return row


def _told(row: dict[str, Any]) -> Iterator[str]:
    """What is to be said under the line of an object."""
    for one in row.get("drift", ()):
        value = f" is {json.dumps(one['value'])}," if "value" in one else ""
        when = f" at {one['at']}" if one["at"] else ""  # Kubernetes notes none for a scaling
        yield f"drift: {one['field']}{value} set by `{one['by']}`{when}"
    for one in row.get("revisions", ()):
        if not one["present"]:
            images = ", ".join(one["images"])
            past = past_of(one["ready_at"], of_dev=one["of_dev"])
            yield f"earlier: revision {one['revision']}, image {images}, {past}"


def _state(obj: Object) -> str:
    match obj["kind"]:
        case "Deployment":
            revision = (obj["metadata"].get("annotations") or {}).get(REVISION, "?")
            images = [item["image"] for item in obj["spec"]["template"]["spec"]["containers"]]
            state = settled(obj) or "not ready"
            return f"{state}, revision {revision}, image {', '.join(images)}"
        case "Secret" | "ConfigMap":
            count = len(obj.get("data") or {})
            return f"{count} key{'' if count == 1 else 's'}"
        case "Service":
            spec = obj["spec"]
            ports = ", ".join(str(port["port"]) for port in spec.get("ports") or ())
            return f"{spec.get('type', 'ClusterIP')}, port {ports}"
        case "PersistentVolumeClaim":
            return str((obj.get("status") or {}).get("phase", ""))
        case _:
            return ""


def _pods(kube: Kube, owned: OwnedSet, refs: set[str]) -> list[dict[str, str]]:
    """Pods of the project's workloads."""
    return [
        {"ref": f"Pod/{pod['metadata']['name']}", "state": _pod_state(pod)}
        for pod in kube.list(PODS.path(owned.namespace))
        if is_of(pod, refs)
    ]


def _pod_state(pod: Object) -> str:
    status = pod.get("status") or {}
    containers = status.get("containerStatuses") or ()
    for item in containers:
        waiting = (item.get("state") or {}).get("waiting")
        if waiting:
            return f"{waiting.get('reason')}, {item.get('restartCount', 0)} restarts"
    ready = sum(bool(item.get("ready")) for item in containers)
    restarts = sum(int(item.get("restartCount") or 0) for item in containers)
    phase = "Terminating" if pod["metadata"].get("deletionTimestamp") else status.get("phase", "")
    return f"{phase}, {ready} of {len(containers)} containers ready, {restarts} restarts"
