"""What a pod comes from, as far as it says so itself. Pure."""

from __future__ import annotations

import re

from kubekit.model import Object


def controller(obj: Object) -> Object | None:
    """The ownerReference of what controls the object, if anything does."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return dict(owner)
    return None


def lineage(pod: Object) -> tuple[tuple[str, str], ...]:
    """The pod, what controls it, and what controls that, each as kind and name.

    A Deployment names its ReplicaSets after itself and the hash that their pods carry as a label,
    a CronJob its Jobs after itself and the minute: so nothing but the pod has to be read.
    """
    metadata = pod["metadata"]
    found = [("Pod", str(metadata["name"]))]
    owner = controller(pod)
    if owner is None:
        return tuple(found)
    kind, name = str(owner["kind"]), str(owner["name"])
    found.append((kind, name))
    hashed = (metadata.get("labels") or {}).get("pod-template-hash")
    if kind == "ReplicaSet" and hashed and name.endswith(f"-{hashed}"):
        found.append(("Deployment", name.removesuffix(f"-{hashed}")))
    if kind == "Job" and (made := re.fullmatch(r"(.+)-\d{6,10}", name)):
        found.append(("CronJob", made[1]))
    return tuple(found)


def is_of(pod: Object, refs: set[str]) -> bool:
    """Whether one of these, such as ``Deployment/web``, is what the pod comes from."""
    return any(f"{kind}/{name}" in refs for kind, name in lineage(pod)[1:])
