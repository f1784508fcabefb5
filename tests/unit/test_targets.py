"""Which port of a pod a local port leads to."""

from __future__ import annotations

from typing import Any

import pytest

from kubekit.streams.targets import target_port

HTTP = {"name": "http", "containerPort": 8000}
ADMIN = {"name": "admin", "containerPort": 9000}
DNS = {"name": "dns", "containerPort": 53, "protocol": "UDP"}


def pod(*ports: Any, sidecar: Any = (), init: Any = ()) -> dict[str, Any]:
    inits = [{"ports": init}, {"ports": sidecar, "restartPolicy": "Always"}]
    containers = [{"name": "quiet"}, {"name": "app", "ports": list(ports)}]
    return {"spec": {"containers": containers, "initContainers": inits}}


def service(*ports: Any) -> dict[str, Any]:
    return {"spec": {"ports": list(ports)}}


@pytest.mark.parametrize(
    ("ports", "found"),
    [
        ([{"port": 80, "targetPort": "http"}], 8000),
        ([{"port": 80, "targetPort": "admin"}, {"port": 81, "targetPort": "http"}], 9000),
        ([{"port": 80, "targetPort": 7000}], 7000),
        ([{"port": 80, "targetPort": "7000"}], 7000),
        ([{"port": 8080}], 8080),
        ([{"port": 80, "targetPort": "other"}], None),
        ([{"port": 80, "targetPort": "side"}], 15000),
        ([{"port": 80, "targetPort": "once"}], None),
        ([{"port": 53, "targetPort": "dns", "protocol": "UDP"}, {"port": 80}], 80),
        ([{"port": 53, "targetPort": "dns", "protocol": "UDP"}], 8000),
        ([], 8000),
    ],
)
def test_the_first_port_of_the_service_leads(ports: Any, found: int | None) -> None:
    side, once = {"name": "side", "containerPort": 15000}, {"name": "once", "containerPort": 1}
    assert target_port(service(*ports), pod(DNS, HTTP, ADMIN, sidecar=[side], init=[once])) == found


def test_without_a_service_it_is_the_first_port_of_the_containers() -> None:
    assert target_port(None, pod(DNS, HTTP, ADMIN)) == 8000
    assert target_port(None, pod(HTTP, sidecar=[ADMIN])) == 8000
    assert target_port(None, pod(sidecar=[ADMIN], init=[HTTP])) == 9000
    assert target_port(None, pod()) is None
