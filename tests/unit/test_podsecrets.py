"""What the Secrets of a project hold, and those that its pods use."""

from __future__ import annotations

import base64
from typing import Any

from kubekit.api.kube import ApiError
from kubekit.api.ownership import OwnedSet
from kubekit.api.podsecrets import of_set, of_templates
from kubekit.model import Object

OWNED = OwnedSet(project="tasks", namespace="x")


def secret(value: str) -> Object:
    return {"data": {"a": base64.b64encode(value.encode()).decode()}}


class Cluster:
    """Two Secrets of the project, of two releases, and one of somebody else."""

    def __init__(self, *, may: bool = True) -> None:
        self.may = may

    def list(self, path: str, *, selector: str) -> list[Object]:
        assert (path, selector) == ("/api/v1/namespaces/x/secrets", OWNED.selector)
        if not self.may:
            raise ApiError(status=403, reason="Forbidden", message="no", causes=())
        return [secret("value-of-then"), secret("value-of-now"), secret("tasks"), {}]

    def get(self, path: str, **_: object) -> Object:
        return secret(f"value-in-{path.rpartition('/')[2]}")


def test_those_of_earlier_releases_are_known() -> None:
    kube: Any = Cluster()
    found = set(of_set(kube, OWNED))
    assert {"value-of-then", "value-of-now"} <= found
    assert "tasks" not in found, "it is the project's own name"
    forbidden: Any = Cluster(may=False)
    assert list(of_set(forbidden, OWNED)) == []


def test_those_that_pods_use_are_known_whosever_they_are() -> None:
    kube: Any = Cluster()
    pod = {"containers": [{"name": "a", "image": "i", "envFrom": [{"secretRef": {"name": "its"}}]}]}
    template = {"template": {"spec": pod}}
    web = {"kind": "Deployment", "metadata": {"name": "web"}, "spec": template}
    thing = {"kind": "Thing", "metadata": {"name": "web"}, "spec": template}
    assert "value-in-its" in set(of_templates(kube, "x", [web]))
    assert list(of_templates(kube, "x", [thing, {**web, "spec": None}])) == []
