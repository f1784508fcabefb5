"""A fault at each request of an apply and a prune that changes something, one after the other."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubekit.api.apply import prepare_namespace, trial, write
from kubekit.api.kube import Kube
from kubekit.api.ownership import OwnedSet
from kubekit.api.removal import prune
from kubekit.api.resources import CONFIG_MAP, NAMESPACE
from kubekit.errors import Place
from kubekit.model import Cancel, Manifest, Manifests
from tests.cluster.busyproxy import BusyProxy
from tests.cluster.conftest import PROFILE, Project
from tests.cluster.scenarios import access
from tests.cluster.scenarios.running import THROUGH

pytestmark = pytest.mark.cluster

SCRIPT = (("a", "b", "settings"), ("c", "settings"))
"""What is applied, one after the other; at the second some is pruned."""


class Faulty:
    """Lets one of the requests that change something go wrong."""

    def __init__(self, proxy: BusyProxy) -> None:
        self._proxy = proxy
        self.changing: list[tuple[str, str]] = []

    def arm(self, kind: str, which: int) -> None:
        """From now on, the request of this number, counted from 0."""
        self.changing = []

        def fault(method: str, path: str) -> str:
            if method == "GET" or "dryRun" in path:
                return ""
            self.changing.append((method, path))
            return kind if len(self.changing) == which + 1 else ""

        self._proxy.fault = fault


@pytest.fixture
def faulty(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    access.through_busy_proxy(project)
    monkeypatch.setenv("KUBECONFIG", project.env[THROUGH])
    yield Faulty(access.BUSY[project.name])
    access.no_busy_proxy(project)


def manifests(names: Iterable[str], namespace: str) -> Manifests:
    place = Place(file=Path("/app.yaml"))
    return Manifests(
        items=tuple(
            Manifest(
                data={
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": name, "namespace": namespace},
                },
                origin=place,
            )
            for name in names
        )
    )


def play() -> list[list[str]]:
    """Apply one after the other in a new namespace; what is there after each."""
    kube = Kube(context=PROFILE, cancel=Cancel())
    owned = OwnedSet(project="faulty", namespace=f"t-{uuid.uuid4().hex[:8]}")
    told: list[Any] = []
    seen = []
    try:
        prepare_namespace(kube, owned.namespace, emit=told.append)
        for names in SCRIPT:
            wanted = manifests(names, owned.namespace)
            steps = trial(kube, wanted, owned=owned, emit=told.append)
            applied = write(kube, steps, owned=owned, emit=told.append)
            prune(kube, applied, owned=owned, emit=told.append)
            found = kube.list(CONFIG_MAP.path(owned.namespace), selector=owned.selector)
            staying = [it["metadata"] for it in found if "deletionTimestamp" not in it["metadata"]]
            seen.append([metadata["name"] for metadata in staying])
    finally:
        kube.request("DELETE", NAMESPACE.path("", owned.namespace))
    return seen


@pytest.mark.parametrize("kind", ["busy", "broken", "lost"])
def test_a_request_that_goes_wrong_is_made_good(faulty: Faulty, kind: str) -> None:
    faulty.arm(kind, -1)
    assert play() == [["a", "b", "settings"], ["c", "settings"]]
    count = len(faulty.changing) - 1  # the namespace is the test's own to delete
    assert {method for method, _ in faulty.changing} == {"POST", "PATCH", "DELETE"}
    for which in range(count):
        faulty.arm(kind, which)
        assert play() == [["a", "b", "settings"], ["c", "settings"]], faulty.changing
        assert len(faulty.changing) == count + 2, "one request more than without a fault"
