"""The marks before lines of logs."""

from __future__ import annotations

import pytest

from kubekit.events import LogLine
from kubekit.logview import Marks, Probes

WEB_1, WEB_2 = "web-5d9f8c7b64-x7k2p", "web-5d9f8c7b64-qq8zt"
NEXT = "web-74bb6cd9f8-l5v9d"


def line(pod: str, container: str = "app") -> LogLine:
    return LogLine(pod=pod, container=container, at="", line="")


def marks(pods: dict[str, tuple[str, ...]]) -> list[str]:
    found = Marks()
    found.follow(pods)
    return [found.of(line(pod, name))[0] for pod, names in pods.items() for name in names]


@pytest.mark.parametrize(
    ("pods", "shown"),
    [
        ((WEB_1,), [""]),
        ((WEB_1, WEB_2), ["x7k2p", "qq8zt"]),
        ((WEB_1, NEXT), ["x7k2p", "l5v9d"]),
        ((WEB_1, "worker-6f7b9d5c4-x7k2p"), ["web-x7k2p", "worker-x7k2p"]),
        (("db-0", "db-1"), ["0", "1"]),
        ((WEB_1, "db-0"), ["web-x7k2p", "db-0"]),
        (("plain", "other"), ["plain", "other"]),
        (("tasks-api-5d9f8c7b64-x7k2p", "tasks-db-0"), ["tasks-api-x7k2p", "tasks-db-0"]),
        (("web-5d9f8c7b64-x7k2p", "web-74bb6cd9f8-x7k2p"), [WEB_1, "web-74bb6cd9f8-x7k2p"]),
        (("backup-29384920-x7k2p", "backup-29384980-qq8zt"), ["x7k2p", "qq8zt"]),
    ],
)
def test_a_mark_is_what_differs(pods: tuple[str, ...], shown: list[str]) -> None:
    assert marks(dict.fromkeys(pods, ("app",))) == shown


def test_a_container_is_named_where_it_is_not_the_only_one() -> None:
    assert marks({WEB_1: ("app", "proxy")}) == ["app", "proxy"]
    assert marks({WEB_1: ("app", "proxy"), WEB_2: ("app",)}) == [
        "x7k2p/app",
        "x7k2p/proxy",
        "qq8zt",
    ]


def test_what_runs_before_the_only_container_is_named_and_that_one_is_not() -> None:
    found = Marks()
    found.follow({WEB_1: ("app",)})
    assert [found.of(line(WEB_1, name))[0] for name in ("migrate", "app")] == ["migrate", ""]


def test_pods_that_nobody_announced_are_told_apart_from_the_second_on() -> None:
    found = Marks()
    assert [found.of(line(pod))[0] for pod in (WEB_1, WEB_2, WEB_1)] == ["", "qq8zt", "x7k2p"]


def test_a_pod_that_is_alone_again_has_no_mark_and_keeps_its_colour() -> None:
    found = Marks()
    found.follow({WEB_1: ("app",), NEXT: ("app",)})
    before = [found.of(line(pod)) for pod in (WEB_1, NEXT)]
    found.follow({NEXT: ("app",)})
    assert found.of(line(NEXT)) == ("", before[1][1])
    assert before[0][1] != before[1][1]


PROBED = 'INFO:     10.244.0.1:53450 - "GET /ready HTTP/1.1" 200 OK'


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (PROBED, "/ready"),
        ('10.244.0.1 - - [22/Nov/2026:01:30:57 +0000] "GET /ready HTTP/1.1" 204 2', "/ready"),
        (PROBED.replace("200 OK", "503 Service Unavailable"), None),
        (PROBED.replace("10.244.0.1", "127.0.0.1"), None),  # through the forwarded port
        (PROBED.replace("/ready", "/ready/more"), None),
        (PROBED.replace("/ready", "/ready?deep=1"), None),
        (PROBED.replace("/ready", "/"), None),
        (PROBED.replace("GET", "POST"), None),
        (f"it said: {PROBED}", None),
        ("", None),
    ],
)
def test_only_a_probe_that_passes_is_taken_for_one(line: str, path: str | None) -> None:
    probes = Probes()
    assert not probes.passed(line)
    probes.paths = ("/", "/ready")
    assert probes.passed(line) == (path is not None)
    assert ("/ready" in probes.news()) == (path is not None)
    assert probes.news() == ""
