"""What is in a namespace, by every kind the API server knows."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

from tests.cluster.conftest import Project

NATIVE = {"ServiceAccount/default", "ConfigMap/kube-root-ca.crt"}
"""What Kubernetes itself makes in every namespace."""

_UNLISTED = "events,events.events.k8s.io"


def kinds(project: Project) -> str:
    """Every namespaced kind that can be listed, as kubectl takes them."""
    names = project.kubectl(
        "api-resources", "--namespaced", "--verbs=list", "-o", "name", check=False
    ).split()
    return ",".join(name for name in names if name not in _UNLISTED.split(","))


def everything(project: Project, namespace: str = "") -> dict[str, dict[str, Any]]:
    """All objects there, ``Kind/name`` -> the object, with who has set which fields."""
    command = ["get", kinds(project), "-o", "json", "--show-managed-fields", "--ignore-not-found"]
    found = project.kubectl(*command, *(("-n", namespace) if namespace else ()))
    items = json.loads(found or '{"items": []}')["items"]
    return {f"{item['kind']}/{item['metadata']['name']}": item for item in items}


def leftovers(project: Project) -> set[str]:
    """What a teardown has left: nothing, or it is a defect."""
    return set(everything(project)) - NATIVE


def created(project: Project, *objects: dict[str, Any], manager: str = "kubectl") -> None:
    """Make these as another tool would."""
    for obj in objects:
        subprocess.run(
            [
                *("kubectl", "--context", project.context, "-n", project.name, "apply"),
                *("--server-side", f"--field-manager={manager}", "-f", "-"),
            ],
            input=json.dumps(obj),
            env=project.env,
            text=True,
            check=True,
            capture_output=True,
        )


def steady(obj: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """All of an object that a bystander keeps: everything but what the server counts."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    yield from {**obj, "metadata": metadata}.items()
