"""What is kept open to the API server between requests, counted in this process."""

from __future__ import annotations

import gc
import threading

import pytest

from kubekit.api.kube import Kube
from kubekit.model import Cancel
from tests.cluster.conftest import PROFILE
from tests.conftest import open_files

pytestmark = pytest.mark.cluster

AT_ONCE = 24
KEPT = 8
TURNS = 6


def test_a_burst_and_a_kubeconfig_read_anew_leave_few_connections(cluster: dict[str, str]) -> None:
    kube = Kube(context=PROFILE, cancel=Cancel())
    gc.collect()
    gc.disable()  # what nobody holds any more must be let go of by itself
    try:
        before = sockets()
        most = 0
        for _ in range(TURNS):
            burst(kube)
            most = max(most, sockets() - before)
            kube.renew()
    finally:
        gc.enable()
    assert 0 < most <= KEPT


def burst(kube: Kube) -> None:
    """Ask that often side by side."""
    together = threading.Barrier(AT_ONCE)

    def ask() -> None:
        together.wait()
        kube.get("/api/v1/namespaces")

    threads = [threading.Thread(target=ask) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def sockets() -> int:
    """How many this process has open."""
    return sum(one.startswith("socket:") for one in open_files())
