"""What kubekit adds to the user's objects: whose they are, our image, defaults that lists need."""

from __future__ import annotations

from typing import Any

from kubekit.api.ownership import MANAGED_BY_LABEL, MANAGER, PART_OF_LABEL
from kubekit.events import Warned
from kubekit.manifests.objects import mapping, mappings
from kubekit.model import Manifest, Object, Settings

POD_SPECS = {
    "Pod": ("spec",),
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "ReplicationController": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
"""Where the pod spec of each kind that has one stands."""

_SERVER_OWNED = (
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)


def clean(data: Object) -> Object:
    """The object without what only the API server sets, and without fields that have no value."""
    data = _without_null({key: value for key, value in data.items() if key != "status"})
    for key in _SERVER_OWNED:
        data["metadata"].pop(key, None)
    return data


def claim(manifest: Manifest, settings: Settings) -> list[Warned]:
    """Put the object into the namespace, and label it as this project's and kubekit's.

    A Namespace is left alone: its label says that kubekit made it, which a manifest cannot know.
    """
    if manifest.kind == "Namespace":
        return []
    metadata = manifest.data["metadata"]
    metadata["namespace"] = settings.namespace
    labels = metadata.setdefault("labels", {})
    warnings = []
    for label, value in (
        (MANAGED_BY_LABEL, MANAGER),
        (PART_OF_LABEL, settings.name),
    ):
        if labels.get(label, value) != value:
            place = manifest.place(("metadata", "labels", label))
            text = (
                f"{place}: the label `{label}` becomes `{value}`: kubekit knows its objects by it"
            )
            warnings.append(Warned(text=text))
        labels[label] = value
    return warnings


def set_protocols(manifest: Manifest) -> None:
    """Name the protocol of every port: it is part of the key of these lists in server-side apply.

    API servers have refused ports without it (kubernetes-sigs/structured-merge-diff#130).
    """
    ports = (
        mappings(mapping(manifest.data, "spec").get("ports")) if manifest.kind == "Service" else []
    )
    for container in containers(manifest):
        ports += mappings(container.get("ports"))
    for port in ports:
        port.setdefault("protocol", "TCP")


def containers(manifest: Manifest) -> list[Object]:
    """The containers of the object's pods, those that run first included."""
    if manifest.kind not in POD_SPECS:
        return []
    spec = mapping(manifest.data, *POD_SPECS[manifest.kind])
    return mappings(spec.get("initContainers")) + mappings(spec.get("containers"))


def set_image(manifest: Manifest, settings: Settings, image: str) -> tuple[bool, list[Warned]]:
    """Let the containers of our image run the one that was built, without asking a registry.

    Returns:
        Whether any container is ours, and what to know.
    """
    names = (settings.name, settings.image_name)
    ours = [
        container
        for container in containers(manifest)
        if container.get("image") == image or _repository(container.get("image")) in names
    ]
    warnings = []
    for container in ours:
        container["image"] = image
        if container.get("imagePullPolicy") == "Always":
            text = (
                f"{manifest.ref}: `imagePullPolicy: Always` of container "
                f"`{container.get('name')}` becomes `IfNotPresent`"
            )
            hint = "the image is in Minikube's own daemon, and no registry could answer for it"
            if settings.registry:
                hint = "the tag says what is in the image, so the registry never has a newer one"
            warnings.append(Warned(text=text, hints=(hint,)))
            container["imagePullPolicy"] = "IfNotPresent"
        container.setdefault("imagePullPolicy", "IfNotPresent")
    return bool(ours), warnings


def _repository(image: Any) -> str:
    """The reference without tag and digest."""
    path, slash, last = str(image).partition("@")[0].rpartition("/")
    return path + slash + last.partition(":")[0]


def _without_null(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_null(value) for key, value in node.items() if value is not None}
    if isinstance(node, list):
        return [_without_null(item) for item in node]
    return node
