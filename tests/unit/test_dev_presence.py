"""What is told of pods that go while no release goes on."""

from __future__ import annotations

from typing import Any

import pytest

from kubekit.dev.presence import Presence
from kubekit.dev.voice import Voice
from kubekit.errors import UnreachableError
from kubekit.events import Event, FilesChanged

WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}


class Cluster:
    """Has one Deployment."""

    def __init__(self, replicas: int) -> None:
        self.replicas: int | None = replicas
        self.answers = True
        self.ends = False

    def get(self, path: str, *, patience: float) -> dict[str, Any] | None:
        if path == "/api/v1/namespaces/x":
            return {"metadata": {"deletionTimestamp": ""} if self.ends else {}}
        assert path == "/apis/apps/v1/namespaces/x/deployments/web"
        assert patience < 5
        if not self.answers:
            raise UnreachableError("nobody answers")
        if self.replicas is None:
            return None
        return {"kind": "Deployment", "metadata": {}, "spec": {"replicas": self.replicas}}


class Seen:
    """A presence that is shown pods, as `name`, or `name-` while they are not ready."""

    def __init__(self, tmp_path: Any, replicas: int, *pods: str) -> None:
        self.events: list[Event] = []
        self.cluster = Cluster(replicas)
        kube: Any = self.cluster
        self.presence = Presence(kube, "x", Voice(self.events.append, tmp_path))
        self.see(*pods)

    def see(self, *pods: str, quiet: bool = False) -> bool:
        return self.presence.take([pod(name) for name in pods], [WEB], quiet=quiet)

    def told(self) -> list[str]:
        texts = [event.text for event in self.events if isinstance(event, FilesChanged)]
        self.events.clear()
        return texts


def pod(name: str, *, runs: bool = True) -> dict[str, Any]:
    ready = "False" if name.endswith("-") else "True"
    return {
        "metadata": {"name": name.rstrip("-")},
        "spec": {"containers": [{"name": "c"}]},
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [
                {"name": "c", "ready": ready == "True", "state": {"running": {}} if runs else {}}
            ],
        },
    }


def test_a_pod_that_goes_and_the_one_that_comes_for_it_are_told(tmp_path: Any) -> None:
    seen = Seen(tmp_path, 1, "a")
    assert seen.presence.well
    assert seen.see()
    assert seen.told() == ["Pod `a` is gone; a new one starts"]
    assert (seen.presence.well, seen.presence.waits) == (False, True)
    assert seen.presence.text(0) == "waiting: 0 of 1 pods"
    assert not seen.see("b-")
    assert seen.told() == []
    assert seen.see("b")
    assert seen.told() == ["live again: 1 pod"]
    assert (seen.presence.well, seen.presence.waits) == (True, False)
    assert seen.presence.text(1) == "1 pod"


def test_of_two_pods_one_serves_on(tmp_path: Any) -> None:
    seen = Seen(tmp_path, 2, "a", "b")
    assert seen.see("b")
    assert seen.presence.well
    assert seen.presence.text(1) == "1 of 2 pods"


def test_a_container_that_ended_is_started_again(tmp_path: Any) -> None:
    seen = Seen(tmp_path, 1, "a")
    assert seen.presence.take([pod("a-", runs=False)], [WEB], quiet=False)
    assert seen.told() == ["Pod `a` has stopped; it starts again"]
    assert seen.see("a")
    assert seen.told() == ["live again: 1 pod"]


def test_a_workload_that_is_gone_is_named_once(tmp_path: Any) -> None:
    seen = Seen(tmp_path, 2, "a", "b")
    seen.cluster.replicas = None
    assert seen.see("b")
    seen.see()
    assert seen.told() == ["Deployment/web is gone: `r` applies it again"]
    assert (seen.presence.well, seen.presence.waits) == (False, False)
    assert seen.presence.text(0) == "Deployment/web is gone: `r` applies it again"


def test_a_namespace_that_ends_takes_all_with_it(tmp_path: Any) -> None:
    seen = Seen(tmp_path, 1, "a")
    seen.cluster.ends = True
    assert seen.see()
    assert seen.told() == ["Namespace/x is gone: `r` applies it again"]


def test_fewer_replicas_are_nothing_to_wait_for(tmp_path: Any) -> None:
    seen = Seen(tmp_path, 2, "a", "b")
    seen.cluster.replicas = 1
    seen.see("b")
    assert seen.told() == ["Pod `a` is gone"]
    assert seen.presence.text(1) == "1 pod"


def test_what_a_cluster_does_not_answer_is_as_it_was(tmp_path: Any) -> None:
    seen = Seen(tmp_path, 1, "a")
    seen.cluster.answers = False
    assert seen.see()
    assert seen.presence.text(0) == "waiting: 0 of 1 pods"


@pytest.mark.parametrize("pods", [(), ("b",)])
def test_a_release_tells_by_itself(tmp_path: Any, pods: tuple[str, ...]) -> None:
    seen = Seen(tmp_path, 1, "a")
    assert not seen.see(*pods, quiet=True)
    assert seen.told() == []
    assert seen.presence.text(1) == "1 pod"
