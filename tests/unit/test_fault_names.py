"""How the plays of faults on the cluster name the requests of a run."""

from __future__ import annotations

from typing import Any

from tests.cluster.stand import Stand


class Part:
    """Stands for the project and for the proxy."""

    name = "t-1"

    def __init__(self) -> None:
        self.answered: list[tuple[str, str, int]] = []
        self.fault: Any = None

    def back(self) -> None:
        pass


def stand() -> Stand:
    part: Any = Part()
    return Stand(project=part, proxy=part, namespace="t-2")


def test_a_request_has_the_same_name_in_each_play_and_fails_once() -> None:
    one = stand()
    base = "/api/v1/namespaces/t-2/configmaps"
    asked = [
        ("GET", "/version"),
        ("PATCH", f"{base}/a?fieldManager=kubekit&dryRun=All"),
        ("GET", f"{base}/kubekit-t-1"),
        ("GET", f"{base}?watch=true&resourceVersion=1"),
        ("PATCH", f"{base}/a?fieldManager=kubekit"),
        ("GET", f"{base}/kubekit-t-1"),
        ("DELETE", f"{base}/b"),
    ]
    where = "/api/v1/namespaces/NAMESPACE/configmaps"
    with one.failing("cut", f"GET {where}/kubekit-PROJECT 2"):
        met = [one.proxy.fault(*request) for request in asked]
    assert met == ["", "", "", "", "", "cut", ""]
    assert [name for name in one.names if name] == [
        f"trial {where}/a 1",
        f"GET {where}/kubekit-PROJECT 1",
        "change 1",
        f"GET {where}/kubekit-PROJECT 2",
        "change 2",
    ]
    assert one.proxy.fault(*asked[-2]) == "", "its time is over"


def test_nothing_is_made_twice_but_a_lease_for_each_run() -> None:
    one = stand()
    leases = "/apis/coordination.k8s.io/v1/namespaces/t-2/leases"
    one.proxy.answered += [("POST", leases, 201)] * 2 + [("PATCH", "/a?dryRun=All", 201)] * 2
    assert one.created_twice(1) == [leases]
    assert one.created_twice(2) == []
    one.proxy.answered += [("PATCH", "/a", 201), ("PATCH", "/a?force=true", 201)]
    assert one.created_twice(2) == ["/a"]
