"""Probes that do not pass: what is proved, what only explains, and what is no fault at all."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubekit.model import Object
from kubekit.rollout.catalogue import CAUSES
from kubekit.rollout.finders.probes import redirected
from kubekit.rollout.judge import judge
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.verdict import FAILED, WAITING, Finding, Verdict
from kubekit.rollout.wants import LogOf, OpenPorts, ReplyOf, Want
from tests.unit import rollouts
from tests.unit.rollouts import NOW, container, event, pod, running

URL = "http://10.0.0.9:8000/ready"
GET = f'Readiness probe failed: Get "{URL}"'
REFUSED = f"{GET}: dial tcp 10.0.0.9:8000: connect: connection refused"
TIMEOUT = f"{GET}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
TCP_REFUSED = "Readiness probe failed: dial tcp 10.0.0.9:8000: connect: connection refused"
GRPC_REFUSED = (
    'Readiness probe failed: timeout: failed to connect service "10.0.0.9:8000" within 1s: '
    "context deadline exceeded"
)
PLAIN = f"{GET.replace('http:', 'https:')}: tls: first record does not look like a TLS handshake"
EXEC = "Readiness probe failed: OCI runtime exec failed: exec failed: unable to start container "
NO_CURL = f'{EXEC}process: exec: "curl": executable file not found in $PATH: unknown\r\n'
NO_FILE = (
    f'{EXEC}process: exec: "/bin/nope": stat /bin/nope: no such file or directory: unknown\r\n'
)
NO_RIGHT = f'{EXEC}process: exec: "/app/check": permission denied: unknown\r\n'
NO_NAME = (
    "Readiness probe errored and resulted in unknown state: "
    'strconv.Atoi: parsing "web": invalid syntax'
)
DIAL = "dial tcp 10.0.0.9:8000: connect: connection refused"
UVICORN = "INFO: Uvicorn running on http://{}:{} (Press CTRL+C to quit)\n"


def snapshot(*pods: Object, **changes: Any) -> Snapshot:
    """A rollout of a run that built the image of `of_ours`."""
    made = rollouts.snapshot(*pods, **changes)
    return replace(made, target=replace(made.target, images={"built:1": frozenset({"sha256:1"})}))


def status(code: int, kind: str = "Readiness") -> str:
    return f"{kind} probe failed: HTTP probe failed with statuscode: {code}"


def reset(port: int) -> str:
    return f"{GET}: read tcp 10.0.0.1:{port}->10.0.0.9:8000: read: connection reset by peer"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What the facts are read of: the app's log, its open ports, and what its address answers.

    `opened` counts from the start, as all times here; None where ports cannot be asked for.
    """

    text: str | None = ""
    opened: Mapping[int, float] | None = None
    reply: int | str | None = None
    asked: float = 60.0
    tls: int | str | None = None

    def read(self, want: object) -> Any:
        """The fact that is asked for."""
        match want:
            case LogOf():
                return self.text
            case OpenPorts(ports=ports) if self.opened is not None:
                return {port: NOW + at for port, at in self.opened.items() if port in ports}
            case ReplyOf(scheme="https"):
                return NOW + self.asked, self.tls
            case ReplyOf():
                return NOW + self.asked, self.reply
            case _:
                return None

    def informed(self, snap: Snapshot, after: float) -> Snapshot:
        """The snapshot with all the facts the judge asks for, one leading to the other."""
        for _ in range(4):
            wants = judge(snap, NOW + after).wants
            facts: dict[Want, Any] = {want: self.read(want) for want in wants}
            if not facts:
                break
            snap = replace(snap, facts={**snap.facts, **facts})
        return snap


def verdict(
    *events: Object, after: float, cluster: Cluster | None = None, **changes: Any
) -> Verdict:
    """What is judged of one running pod with these events."""
    state = changes.pop("state", None) or running()
    snap = snapshot(pod(state=state, **changes), events=events)
    return judge((cluster or Cluster()).informed(snap, after), NOW + after)


def finding(*events: Object, after: float, **more: Any) -> Finding:
    """The cause that decides."""
    found = verdict(*events, after=after, **more)
    assert found.state == FAILED, found
    assert found.finding is not None
    return found.finding


def waits(*events: Object, after: float, **more: Any) -> str:
    """That it is waited, and the cause that is told meanwhile, if one is."""
    found = verdict(*events, after=after, **more)
    assert found.state == WAITING, found
    return found.finding.id if found.finding else ""


def unhealthy(text: str, count: int = 3, when: float = 1.0, first: float | None = None) -> Object:
    made = event("Unhealthy", text, count=count, when=when)
    return made | ({"firstTimestamp": event("", "", when=first)["lastTimestamp"]} if first else {})


@pytest.mark.parametrize(
    ("said", "cause", "words", "early", "late"),
    [
        (status(404), "probe-wrong-path", "`/ready`", 10, 12),
        (status(401), "probe-rejected", "gets 401", 10, 12),
        (status(405), "probe-rejected", "gets 405", 10, 12),
        (REFUSED, "probe-refused", "port 8000", 29, 31),
        (TIMEOUT, "probe-slow", "`/ready` on port 8000", 29, 31),
        (NO_NAME, "probe-port-name", "`web`, but the container has `http`", None, 1),
        (PLAIN, "probe-scheme", "speaks HTTPS to port 8000, but the app speaks HTTP", None, 1),
        (f"{GET}: something new", "probe-other", "something new", 29, 31),
    ],
)
def test_a_probe_that_fails(
    said: str, cause: str, words: str, early: float | None, late: float
) -> None:
    if early:
        assert waits(unhealthy(said), after=early) == cause
    found = finding(unhealthy(said), after=late)
    assert found.id == cause
    assert words in found.cause


def test_what_a_framework_says_to_a_host_it_does_not_know_leads_to_its_setting() -> None:
    fix = finding(unhealthy(status(400)), after=12).fix
    assert "`ALLOWED_HOSTS`" in fix
    assert "`Host`" in fix


@pytest.mark.parametrize("said", [status(404), status(401), PLAIN, TIMEOUT, REFUSED])
def test_twice_is_not_enough(said: str) -> None:
    waits(unhealthy(said, count=2), after=300)


def test_the_probes_own_fields_make_a_start_longer() -> None:
    slow = {
        "readinessProbe": {"httpGet": {"port": 8000}, "periodSeconds": 5, "failureThreshold": 9}
    }
    slow["startupProbe"] = {"httpGet": {"port": 8000}, "periodSeconds": 1, "failureThreshold": 20}
    slow["readinessProbe"] |= {"initialDelaySeconds": 7}
    total = 7 + 5 * 9 + 1 + 20 + 1
    assert waits(unhealthy(REFUSED, 20), after=total - 1, container=slow) == "probe-refused"
    assert finding(unhealthy(REFUSED, 20), after=total, container=slow).id == "probe-refused"


def test_patience_makes_a_start_longer() -> None:
    snap = Cluster().informed(
        snapshot(pod(state=running()), events=(unhealthy(REFUSED),), patience=3.0), 1
    )
    assert judge(snap, NOW + 89).state == WAITING
    assert judge(snap, NOW + 91).state == FAILED


def test_while_nothing_listens_it_is_told_how_long() -> None:
    told = verdict(unhealthy(REFUSED), after=22).finding
    assert told is not None
    assert told.cause.endswith("(readiness probe of container `app`) after 20 s")


# Proofs: the pod's loopback, and its address.


def test_a_port_open_on_loopback_and_refused_from_outside_is_proved_at_once() -> None:
    cluster = Cluster(opened={8000: 1.2}, reply=DIAL)
    found = finding(unhealthy(REFUSED, 1), after=1.5, cluster=cluster, **of_ours())
    assert found.id == "listens-on-loopback"
    assert "127.0.0.1" in found.cause


@pytest.mark.parametrize(
    ("reply", "asked"),
    [(200, 2.0), (503, 2.0), (0, 2.0), (DIAL, 1.0), ("no answer within 1 s", 2.0), (None, 2.0)],
)
def test_an_app_that_opens_its_port_while_it_is_asked_is_not_on_loopback(
    reply: int | str | None, asked: float
) -> None:
    """The probe was refused, then the port opened: only a younger refusal proves anything."""
    cluster = Cluster(opened={8000: 1.5}, reply=reply, asked=asked)
    assert waits(unhealthy(REFUSED, 1), after=2, cluster=cluster, **of_ours()) == ""
    # The kubelet writes no event any more after 25: what it said last may be long over.
    assert waits(unhealthy(REFUSED, 25), after=300, cluster=cluster, **of_ours()) == ""


@pytest.mark.parametrize("said", [REFUSED, TCP_REFUSED])
def test_where_the_pod_may_not_be_asked_a_younger_refusal_by_the_kubelet_proves_it(
    said: str,
) -> None:
    probe = {"tcpSocket": {"port": 8000}} if said == TCP_REFUSED else {"httpGet": {"port": 8000}}
    more = of_ours(readinessProbe=probe)
    cluster = Cluster(opened={8000: 1.5})
    waits(unhealthy(said, 2, when=2), after=3, cluster=cluster, **more)
    found = finding(unhealthy(said, 3, when=3), after=3, cluster=cluster, **more)
    assert found.id == "listens-on-loopback"


def of_ours(**fields: Any) -> dict[str, Any]:
    """A container whose image this run built."""
    return {"container": {"image": "built:1", **fields}}


def test_another_image_may_begin_on_loopback_and_gets_the_time_of_a_start() -> None:
    cluster = Cluster(opened={8000: 1.5}, reply=DIAL)
    assert waits(unhealthy(REFUSED, 9), after=29, cluster=cluster) == "listens-on-loopback"
    assert finding(unhealthy(REFUSED, 9), after=31, cluster=cluster).id == "listens-on-loopback"
    named = replace(cluster, text=UVICORN.format("127.0.0.1", 8000))
    assert waits(unhealthy(REFUSED, 9), after=29, cluster=named) == "listens-on-loopback"
    assert finding(unhealthy(REFUSED, 9), after=31, cluster=named).id == "listens-on-loopback"
    found = finding(unhealthy(REFUSED, 9), after=2, cluster=named, **of_ours())
    assert found.id == "listens-on-loopback"


@pytest.mark.parametrize(
    ("host", "told"), [("127.0.0.1", True), ("localhost", True), ("::", False)]
)
def test_without_port_forward_the_log_tells_of_loopback(host: str, told: bool) -> None:
    cluster = Cluster(text=UVICORN.format(host, 8000))
    if told:
        assert host in finding(unhealthy(REFUSED), after=4, cluster=cluster, **of_ours()).cause
    else:
        assert waits(unhealthy(REFUSED), after=29, cluster=cluster) == "probe-refused"


def test_a_grpc_probe_proves_no_loopback() -> None:
    """It says the same of a port where something else than gRPC answers."""
    grpc = {"readinessProbe": {"grpc": {"port": 8000}}}
    cluster = Cluster(opened={8000: 1.0}, reply=DIAL)
    said = unhealthy(GRPC_REFUSED, 9, when=9)
    assert waits(said, after=20, cluster=cluster, container=grpc) == "probe-other"
    closed = verdict(said, after=20, cluster=Cluster(opened={}), container=grpc).finding
    assert closed is not None
    assert closed.id == "probe-refused"


@pytest.mark.parametrize("where", ["host", "hostNetwork"])
def test_what_is_not_asked_of_the_pod_itself_proves_nothing(where: str) -> None:
    asked = {"httpGet": {"port": 8000, **({"host": "127.0.0.1"} if where == "host" else {})}}
    one = pod(state=running(), container={"readinessProbe": asked, "image": "built:1"})
    one["spec"] |= {"hostNetwork": True} if where == "hostNetwork" else {}
    snap = snapshot(one, events=(unhealthy(REFUSED, 9, when=9),))
    cluster = Cluster(opened={8000: 1.0, 9000: 1.0}, reply=DIAL, text=UVICORN.format("::1", 9000))
    full = cluster.informed(snap, 20)
    assert not {want for want in full.facts if isinstance(want, OpenPorts | ReplyOf)}
    assert judge(full, NOW + 20).state == WAITING
    found = judge(full, NOW + 31).finding
    assert found is not None
    assert found.id == "probe-refused"
    assert judge(full, NOW + 31).state == FAILED


# The wrong port.


def test_the_port_the_log_names_is_believed_once_it_stands_open() -> None:
    cluster = Cluster(text=UVICORN.format("0.0.0.0", 9000), opened={9000: 2.0})
    assert waits(unhealthy(REFUSED), after=5.9, cluster=cluster) == "probe-wrong-port"
    found = finding(unhealthy(REFUSED), after=6.1, cluster=cluster)
    assert found.id == "probe-wrong-port"
    assert "asks port 8000, but the app listens on 9000" in found.cause


@pytest.mark.parametrize(
    "line",
    [
        "Example app listening on port 3456!",
        "Listening on :3456",
        "Tomcat started on port(s): 3456",
    ],
)
def test_logs_name_ports_in_many_ways(line: str) -> None:
    cluster = Cluster(text=f"starting\n{line}\n", opened={3456: 2.0})
    assert "listens on 3456" in finding(unhealthy(REFUSED), after=8, cluster=cluster).cause


def test_without_port_forward_the_log_alone_names_the_port() -> None:
    cluster = Cluster(text=UVICORN.format("0.0.0.0", 9000))
    assert waits(unhealthy(REFUSED), after=4, cluster=cluster) == "probe-wrong-port"
    assert finding(unhealthy(REFUSED), after=7, cluster=cluster).id == "probe-wrong-port"


@pytest.mark.parametrize(
    "line", ["redis is running on redis:6379", "connected to the db running on port 5432"]
)
def test_the_log_may_tell_of_the_servers_of_others(line: str) -> None:
    for opened in (None, dict[int, float]()):
        cluster = Cluster(text=f"{line}\n", opened=opened)
        assert waits(unhealthy(REFUSED, 20), after=25, cluster=cluster) == "probe-refused"


def test_the_log_alone_tells_of_loopback_as_soon_as_the_app_is_a_second_old() -> None:
    """No port is asked for then: that takes longer than reading."""
    cluster = Cluster(text=UVICORN.format("127.0.0.1", 8000), opened={})
    waits(unhealthy(REFUSED, 1), after=0.9, cluster=cluster, **of_ours())
    found = finding(unhealthy(REFUSED, 1), after=1.1, cluster=cluster, **of_ours())
    assert found.id == "listens-on-loopback"
    text = UVICORN.format("127.0.0.1", 8000) + UVICORN.format("0.0.0.0", 8000)
    both = Cluster(text=text, opened={})
    assert waits(unhealthy(REFUSED, 20), after=25, cluster=both) == "probe-refused"


def test_a_port_the_container_declares_in_place_of_the_probes_is_believed() -> None:
    ports = {"ports": [{"containerPort": 9100}], "readinessProbe": {"httpGet": {"port": 8000}}}
    cluster = Cluster(opened={9100: 2.0})
    found = finding(unhealthy(REFUSED), after=17.1, cluster=cluster, container=ports)
    assert "listens on 9100" in found.cause


def test_an_app_of_several_ports_may_open_them_one_after_the_other() -> None:
    """It says where it listens first; the port the probe asks is declared, too."""
    both = {"ports": [{"name": "http", "containerPort": 8000}, {"containerPort": 9000}]}
    cluster = Cluster(text=UVICORN.format("0.0.0.0", 9000), opened={9000: 1.0})
    waits(unhealthy(REFUSED, 20), after=25, cluster=cluster, container=both)
    grpc = {"readinessProbe": {"grpc": {"port": 9100}}}
    cluster = Cluster(text=UVICORN.format("0.0.0.0", 8000), opened={8000: 1.0})
    said = unhealthy(GRPC_REFUSED, 20)
    assert waits(said, after=25, cluster=cluster, container=grpc) == "probe-refused"


def test_an_app_that_opens_its_metrics_first_is_waited_for() -> None:
    """Ten seconds later comes the main port; whatever the metrics look like."""
    metrics = {"name": "metrics", "containerPort": 9100}
    both = {"ports": [{"name": "http", "containerPort": 8000}, metrics]}
    only = {"ports": [metrics], "readinessProbe": {"httpGet": {"port": 8000}}}
    cases: list[tuple[dict[str, Any], str, dict[int, float]]] = [
        ({}, "", {9000: 1.0}),
        ({}, "metrics listening on http://0.0.0.0:9090\n", {9090: 1.0}),
        (both, "", {9100: 1.0}),
        (only, "", {9100: 1.0}),
    ]
    for fields, text, opened in cases:
        cluster = Cluster(text=text, opened=opened)
        waits(unhealthy(REFUSED, 11, when=11), after=11.5, cluster=cluster, container=fields)
        arrived = Cluster(text=text, opened={**opened, 8000: 11.6}, reply=200)
        waits(unhealthy(REFUSED, 11, when=11), after=12, cluster=arrived, container=fields)


def test_an_open_port_alone_must_stand_longer() -> None:
    cluster = Cluster(opened={9000: 2.0})
    assert waits(unhealthy(REFUSED), after=16, cluster=cluster) == "probe-wrong-port"
    assert finding(unhealthy(REFUSED), after=17.1, cluster=cluster).id == "probe-wrong-port"
    waits(unhealthy(REFUSED, 20), after=20, cluster=cluster, container=SLOW)


SLOW: Object = {
    "startupProbe": {"httpGet": {"port": 8000}, "periodSeconds": 10, "failureThreshold": 30},
    "readinessProbe": {"httpGet": {"port": 8000}},
}
"""A start of 332 s, with the readiness probe."""


def test_a_port_that_is_named_gets_the_slow_start_that_was_asked_for() -> None:
    cluster = Cluster(text="Jetty started on port 9900\n", opened={9900: 2.0})
    assert waits(unhealthy(REFUSED), after=330, cluster=cluster, container=SLOW)
    found = finding(unhealthy(REFUSED), after=333, cluster=cluster, container=SLOW)
    assert found.id == "probe-wrong-port"


@pytest.mark.parametrize("code", [404, 403])
def test_a_status_gets_the_slow_start_that_was_asked_for(code: int) -> None:
    """Tomcat answers 404 while it unpacks a WAR, Envoy while it loads its routes."""
    said = unhealthy(status(code, "Startup"), 3)
    assert waits(said, after=330, container=SLOW)
    finding(said, after=333, container=SLOW)


def test_a_kill_after_404_of_a_slow_start_must_come_twice() -> None:
    said = unhealthy(status(404, "Startup"), 30, when=301)
    for kills, state in ((1, WAITING), (2, FAILED)):
        killed = killing("startup", kills, when=302)
        assert verdict(killed, said, after=303, container=SLOW).state == state


def test_the_port_of_another_container_is_not_this_ones() -> None:
    one = pod(state=running())
    one["spec"]["containers"].append({"name": "proxy", "ports": [{"containerPort": 9000}]})
    snap = snapshot(one, events=(unhealthy(REFUSED, 20),))
    for cluster in (Cluster(opened={9000: 2.0}), Cluster(opened={3000: 2.0})):
        told = judge(cluster.informed(snap, 25), NOW + 25)
        assert told.state == WAITING
        assert told.finding is not None
        assert told.finding.id == "probe-refused"


def test_one_pod_of_several_alike_is_asked() -> None:
    pods = [pod(state=running(), name=f"web-2-{letter}") for letter in "cab"]
    events = [event("Unhealthy", REFUSED, count=3, uid=one["metadata"]["name"]) for one in pods]
    snap = Cluster().informed(snapshot(*pods, events=tuple(events)), 5)
    asked = {want.pod for want in snap.facts if isinstance(want, OpenPorts)}
    assert asked == {"web-2-a"}


def test_refusals_alone_ask_nothing_new() -> None:
    """A port-forward at each of them would keep the node busy through every slow start."""

    def asked(count: int) -> set[object]:
        snap = snapshot(pod(state=running()), events=(unhealthy(REFUSED, count),))
        return {w for w in Cluster().informed(snap, 1).facts if isinstance(w, OpenPorts)}

    assert len(asked(1) | asked(2)) == 1


# What breaks off, commands, and the rest.


def test_tls_is_proved_by_asking_over_tls() -> None:
    events = [unhealthy(reset(port), count=1, when=port % 10) for port in (11, 12, 13)]
    found = finding(*events, after=5, cluster=Cluster(tls=200))
    assert (found.id, found.fix) == ("probe-scheme", "set `scheme: HTTPS` in the probe")
    assert found.field[-2:] == ("httpGet", "scheme")
    for answer in (None, 0, DIAL):
        assert waits(*events, after=20, cluster=Cluster(tls=answer)) == "probe-other"


@pytest.mark.parametrize(
    ("said", "program"),
    [
        (NO_CURL, "`curl`"),
        (NO_FILE, "`/bin/nope`"),
        (NO_RIGHT, "`/app/check`"),
        ("Readiness probe failed: sh: 1: curl: not found\n", "`curl`"),
        ("Readiness probe failed: /bin/sh: wget: not found\n", "`wget`"),
        ("Readiness probe failed: bash: line 1: nc: command not found\n", "`nc`"),
    ],
)
def test_a_command_the_image_lacks_is_named_at_once(said: str, program: str) -> None:
    probe = {"readinessProbe": {"exec": {"command": ["curl", "-f"]}}}
    found = finding(unhealthy(said, 2), after=1, container=probe)
    assert found.id == "probe-command"
    assert f"runs {program}" in found.cause
    assert found.field[-3:] == ("readinessProbe", "exec", "command")


def test_a_command_that_fails_gets_the_time_of_a_start() -> None:
    """`pg_isready` fails until the database is up."""
    probe = {"readinessProbe": {"exec": {"command": ["pg_isready"]}}}
    said = unhealthy("Readiness probe failed: /tmp:5432 - no response\n", 20)
    assert waits(said, after=29, container=probe) == "probe-command"
    found = finding(said, after=31, container=probe)
    assert "`pg_isready` says /tmp:5432 - no response" in found.cause


def test_a_command_that_was_refused_is_no_port_nobody_listens_on() -> None:
    probe = {"readinessProbe": {"exec": {"command": ["./check"]}}}
    said = unhealthy("Readiness probe failed: curl: (7) connection refused", 9)
    for text in ("", UVICORN.format("127.0.0.1", 8000), UVICORN.format("0.0.0.0", 9000)):
        found = finding(said, after=60, container=probe, cluster=Cluster(text=text, opened={}))
        assert found.id == "probe-command"


def test_an_app_that_says_it_is_not_ready_only_explains() -> None:
    text = 'not /ready, db: no route\n10.0.0.1 - "GET /ready HTTP/1.1" 503\n'
    told = verdict(unhealthy(status(503), 25, when=25), after=500, cluster=Cluster(text=text))
    assert told.state == WAITING
    assert told.finding is not None
    assert told.finding.id == "probe-failing"
    assert "`/ready` answers 503" in told.finding.cause
    assert told.finding.cause.endswith("its log ends: not /ready, db: no route")


def test_a_mistake_in_the_route_itself_decides() -> None:
    text = "Traceback (most recent call last):\n  File \"main.py\", line 15\nNameError: name 'x'\n"
    said = unhealthy(status(500), 20, when=20, first=2)
    found = finding(said, after=21, cluster=Cluster(text=text))
    assert found.id == "probe-error"
    assert "NameError: name 'x'" in found.cause
    # In a line of JSON it ends where the text does.
    logged = '{"level": "error", "exception": "...\\nTypeError: no len()\\n", "at": 1}\n'
    assert finding(said, after=21, cluster=Cluster(text=logged)).cause.endswith(
        "TypeError: no len()"
    )


@pytest.mark.parametrize("text", ["", "psycopg.OperationalError: connection refused\n"])
def test_a_500_without_one_only_explains(text: str) -> None:
    said = unhealthy(status(500), 20, when=20)
    assert waits(said, after=60, cluster=Cluster(text=text)) == "probe-failing"


def test_a_grpc_service_that_says_it_is_not_ready_only_explains() -> None:
    said = 'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")'
    told = verdict(
        unhealthy(said, 25), after=500, container={"readinessProbe": {"grpc": {"port": 8000}}}
    ).finding
    assert told is not None
    assert "its gRPC service for health says NOT_SERVING" in told.cause


def killing(kind: str, count: int, when: float = 9.0) -> Object:
    said = f"Container app failed {kind} probe, will be restarted"
    return event("Killing", said, count=count, when=when)


ASKED: Object = {"httpGet": {"path": "/alive", "port": "http"}, "periodSeconds": 2}
BOTH: Object = {"livenessProbe": ASKED, "startupProbe": ASKED}


@pytest.mark.parametrize("kind", ["liveness", "startup"])
def test_two_kills_decide(kind: str) -> None:
    last = unhealthy(REFUSED.replace("Readiness", kind.capitalize()), when=9)
    waits(killing(kind, 1), last, after=20, container=BOTH)
    found = finding(killing(kind, 2), last, after=9, container=BOTH)
    assert found.id == f"{kind}-probe-kills"
    assert "(2 times, last 9 s after its start)" in found.cause
    assert found.cause.endswith("`/alive` on port 8000 gives connection refused")


def test_the_time_of_the_attempt_that_was_killed_counts() -> None:
    ended = {"startedAt": "2026-11-21T10:00:10Z", "finishedAt": "2026-11-21T10:00:25Z"}
    state = {**running(26), "lastState": {"terminated": ended}, "restartCount": 2}
    found = finding(killing("liveness", 2, when=24), after=27, container=BOTH, state=state)
    assert "last 14 s after its start" in found.cause


def test_a_startup_probe_that_gets_404_needs_one_kill() -> None:
    found = finding(
        killing("startup", 1), unhealthy(status(404, "Startup"), when=9), after=9, container=BOTH
    )
    assert found.id == "startup-probe-kills"
    assert "(once, " in found.cause
    assert "gives 404" in found.cause
    # To a liveness probe the app may have answered before.
    waits(
        killing("liveness", 1), unhealthy(status(404, "Liveness"), when=9), after=9, container=BOTH
    )


def test_a_killed_app_that_is_ready_now_is_not_blamed() -> None:
    waits(killing("liveness", 5), after=100, container=BOTH, state=running(ready=True))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"httpGet": {"path": "/x", "port": "http"}}, "`/x` on port 8000"),
        ({"httpGet": {"path": "/x", "port": 80, "host": "h"}}, "`/x` on port 80 of host `h`"),
        ({"tcpSocket": {"port": 8000}}, "port 8000"),
        ({"grpc": {"port": 9000}}, "port 9000"),
        ({"exec": {"command": ["cat", "/tmp/ok"]}}, "`cat /tmp/ok`"),
    ],
)
def test_what_a_probe_asks_is_told_whatever_its_kind(asked: Object, told: str) -> None:
    probed = {"livenessProbe": asked, "readinessProbe": asked}
    slow = unhealthy("Readiness probe failed: command timed out", 9)
    assert told in finding(killing("liveness", 2), after=60, container=probed).cause
    assert f"gets no answer from {told} in" in finding(slow, after=60, container=probed).cause


def test_redirects_to_another_host_are_told_once() -> None:
    said = "Readiness probe warning: Probe terminated redirects, Response body: "
    snap = snapshot(
        *(pod(state=running(ready=True), name=name) for name in ("a", "b")),
        events=tuple(event("ProbeWarning", said, uid=uid) for uid in ("a", "b", "old")),
    )
    texts = {CAUSES["probe-redirect"].cause.format_map(words) for words in redirected(snap)}
    assert len(texts) == 1
    assert "readiness probe of container `app`" in texts.pop()
    assert not list(redirected(replace(snap, events=())))


# Never wrong.


def test_readiness_that_flaps_and_then_is_fine() -> None:
    events = (unhealthy(status(503), 4, when=8), unhealthy(REFUSED, 2, when=3))
    waits(*events, after=9, state=running(ready=True))
    waits(*events, after=100, state=running(ready=False))


def test_404_for_a_moment_and_then_something_else() -> None:
    """Routes are loaded: 404 for five seconds; then it waits for its database."""
    moment = unhealthy(status(404), 5, when=6, first=1.5)
    assert waits(moment, after=7) == "probe-wrong-path"
    waits(moment, after=100, state=running(ready=True))
    assert waits(moment, unhealthy(status(503), 1, when=7), after=60) == "probe-failing"


def test_a_status_stands_only_since_the_last_other_word() -> None:
    events = (
        unhealthy(status(404), 9, when=20, first=2),
        unhealthy(TIMEOUT, 2, when=15, first=9),
    )
    waits(*events, after=24)
    assert finding(*events, after=26).id == "probe-wrong-path"


def test_one_timeout_is_nothing() -> None:
    assert waits(unhealthy(TIMEOUT, 1), after=300) == ""


def test_a_slow_start_within_the_window_of_its_probe() -> None:
    slow = {"startupProbe": {"httpGet": {"port": 8000}, "periodSeconds": 2, "failureThreshold": 30}}
    said = unhealthy(REFUSED.replace("Readiness", "Startup"), 10, when=20)
    for cluster in (Cluster(), Cluster(opened={}), Cluster(text="warming up\n", opened={})):
        assert waits(said, after=20, container=slow, cluster=cluster) == "probe-refused"
    waits(said, after=21, container=slow, cluster=Cluster(opened={8000: 20.5}, reply=200))


def test_what_was_said_to_an_earlier_attempt_does_not_count() -> None:
    """The count of an event goes on over a restart."""
    said = unhealthy(status(404), 30, when=31, first=2)
    state = running(31, restartCount=1)
    assert waits(said, after=100, state=state, container={"readinessProbe": ASKED}) == ""
    later = unhealthy(status(404), 32, when=36, first=2)
    found = finding(later, after=42, state=state, container={"readinessProbe": ASKED})
    assert found.id == "probe-wrong-path"


def test_what_a_probe_said_before_is_over() -> None:
    events = (unhealthy(REFUSED, 9, when=20), unhealthy(status(503), 1, when=21))
    assert waits(*events, after=60) == "probe-failing"
    assert waits(*events, after=60, state=running(22, restartCount=1)) == ""


def test_one_refusal_is_what_every_start_looks_like() -> None:
    assert waits(unhealthy(REFUSED, 1), after=2) == ""
    assert waits(unhealthy(REFUSED, 2), after=2) == "probe-refused"


def test_a_named_port_is_shown_as_its_number() -> None:
    assert "port 8000" in finding(unhealthy(REFUSED), after=60).cause
    assert container()["readinessProbe"]["httpGet"]["port"] == "http"


SAID = st.sampled_from(
    [REFUSED, TIMEOUT, PLAIN, NO_NAME, status(404), status(503), reset(1), reset(2)]
)
LOGS = st.sampled_from(["", UVICORN.format("127.0.0.1", 8000), UVICORN.format("::", 9000), None])
PORTS = st.none() | st.dictionaries(st.sampled_from([8000, 9000]), st.integers(0, 20))
ANSWERS = st.sampled_from([None, DIAL, 0, 200])


@st.composite
def probed(draw: st.DrawFn) -> tuple[Snapshot, float]:
    """Pods whose probes say anything, with the facts the judge asks for, and the time."""
    names = [f"web-2-{letter}" for letter in "ab"[: draw(st.integers(1, 2))]]
    image = {"image": draw(st.sampled_from(["built:1", "other:1"]))}
    states = st.builds(running, st.integers(0, 9), restartCount=st.integers(0, 1))
    pods = [pod(state=draw(states), name=name, container=image) for name in names]
    events = [
        event(
            "Unhealthy",
            draw(SAID),
            count=draw(st.integers(1, 5)),
            when=draw(st.integers(0, 12)),
            uid=draw(st.sampled_from(names)),
        )
        for _ in range(draw(st.integers(1, 5)))
    ]
    cluster = Cluster(
        text=draw(LOGS),
        opened=draw(PORTS),
        reply=draw(ANSWERS),
        tls=draw(ANSWERS),
        asked=draw(st.integers(0, 20)),
    )
    after = draw(st.floats(0, 60))
    return cluster.informed(snapshot(*pods, events=tuple(events)), after), after


def essence(found: Verdict) -> tuple[object, ...]:
    told = found.finding
    words = told and (told.id, re.sub(r"web-2-\w", "", told.cause))
    return found.state, words, found.wants


@settings(deadline=None)
@given(case=probed(), data=st.data())
def test_the_order_in_which_objects_are_listed_changes_no_verdict(
    case: tuple[Snapshot, float], data: st.DataObject
) -> None:
    snap, after = case
    other = replace(
        copy.deepcopy(snap),
        pods=tuple(data.draw(st.permutations(snap.pods))),
        events=tuple(data.draw(st.permutations(snap.events))),
        facts=dict(data.draw(st.permutations(list(snap.facts.items())))),
    )
    assert essence(judge(other, NOW + after)) == essence(judge(snap, NOW + after))


@settings(deadline=None)
@given(case=probed(), later=st.floats(0, 60))
def test_time_alone_takes_no_failure_back(case: tuple[Snapshot, float], later: float) -> None:
    snap, after = case
    if judge(snap, NOW + after).state == FAILED:
        again = judge(snap, NOW + after + later)
        # A more exact cause may be due by then, and ask for a fact; a wait has ended long before.
        assert again.state == FAILED or again.wants
