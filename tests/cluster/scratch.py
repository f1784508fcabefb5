"""A namespace of one test, addressed by kubekit's own client, gone afterwards."""

from __future__ import annotations

import base64
import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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

    def until(self, look: Callable[[], Any], seconds: float = 90) -> Any:
        """Wait for something to be there or true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := look():
                return found
            time.sleep(0.1)
        raise AssertionError(f"not seen after {seconds} s")

    def as_account(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Kube:
        """The cluster as the default ServiceAccount sees it: by token, at first with no rights."""
        path = f"/api/v1/namespaces/{self.name}/serviceaccounts/default/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = self.kube.request("POST", path, body=body).data["status"]["token"]
        authority = Path(self.kube.configuration.ssl_ca_cert).read_bytes()
        server = {
            "server": self.kube.host,
            "certificate-authority-data": base64.b64encode(authority).decode(),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": PROFILE, "cluster": server}],
            "users": [{"name": "account", "user": {"token": token}}],
            "contexts": [{"name": PROFILE, "context": {"cluster": PROFILE, "user": "account"}}],
        }
        (folder / "config").write_text(json.dumps(config))
        monkeypatch.setenv("KUBECONFIG", str(folder / "config"))
        return Kube(context=PROFILE, cancel=Cancel())

    def allow(self, resource: str, *verbs: str) -> None:
        """Give the default ServiceAccount a right in this namespace."""
        rbac, name = "rbac.authorization.k8s.io", resource.replace("/", "-")
        rules = [{"apiGroups": [""], "resources": [resource], "verbs": verbs}]
        self.make(f"{rbac}/v1", "Role", name, rules=rules)
        role = {"apiGroup": rbac, "kind": "Role", "name": name}
        who = [{"kind": "ServiceAccount", "name": "default", "namespace": self.name}]
        self.make(f"{rbac}/v1", "RoleBinding", name, roleRef=role, subjects=who)


@contextlib.contextmanager
def scratch(labels: dict[str, str] | None = None) -> Iterator[Scratch]:
    """A new namespace that is deleted, without waiting, at the end."""
    made = Scratch(labels)
    try:
        yield made
    finally:
        made.kube.request("DELETE", NAMESPACE.path("", made.name))
