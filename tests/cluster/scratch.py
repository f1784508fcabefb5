"""A namespace of one test, addressed by kubekit's own client, gone afterwards."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from kubekit.api.kube import Kube
from kubekit.api.resources import NAMESPACE, PODS, find
from kubekit.model import Cancel, Object
from tests.cluster.conftest import PROFILE


class Scratch:
    """One namespace, and objects in it."""

    def __init__(self, labels: dict[str, str] | None = None) -> None:
        self.kube = Kube(context=PROFILE, cancel=Cancel())
        self.name = f"t-{uuid.uuid4().hex[:8]}"
        self.make("v1", "Namespace", self.name, labels=labels or {})

    def make(self, api: str, kind: str, name: str, *, labels: Any = None, **fields: Any) -> Object:
        """Create one object as given."""
        body = {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": labels or {}}}
        path = find(self.kube, api, kind).path(self.name)
        return self.kube.request("POST", path, body={**body, **fields}, patience=0).data

    def pod(self, name: str, spec: Object, labels: Any = None) -> Object:
        """Create one pod, also where its ServiceAccount is not there yet."""
        sent = {"automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0, **spec}
        self.until(lambda: self.kube.get(f"/api/v1/namespaces/{self.name}/serviceaccounts/default"))
        return self.make("v1", "Pod", name, labels=labels, spec=sent)

    def get_pod(self, name: str) -> Object:
        """The live pod."""
        found = self.kube.get(PODS.path(self.name, name))
        assert found is not None
        return found

    def until(self, look: Callable[[], Any], seconds: float = 60) -> Any:
        """Wait for something to be there or true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := look():
                return found
            time.sleep(0.1)
        raise AssertionError(f"not seen after {seconds} s")


@contextlib.contextmanager
def scratch(labels: dict[str, str] | None = None) -> Iterator[Scratch]:
    """A new namespace that is deleted, without waiting, at the end."""
    made = Scratch(labels)
    try:
        yield made
    finally:
        made.kube.request("DELETE", NAMESPACE.path("", made.name))
