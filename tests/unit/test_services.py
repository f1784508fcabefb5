"""Services are proved after the rollout: each mistake is named, and nothing else is called one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubekit.model import Object
from kubekit.rollout.services import Way, is_foreign, labels_of, leads, strangers
from kubekit.rollout.verdict import FAILED, READY, WAITING, Finding, Verdict
from kubekit.rollout.wants import AnswerOf, OpenPorts
from tests.unit.rollouts import PROBE

DIAL = "dial tcp 10.244.0.9:9999: connect: connection refused"
LABELS = {"app": "web"}
HTTP = {"name": "http", "containerPort": 8000}
READY_AT = 1000.0


def service(*ports: Object, selector: Mapping[str, str] | None = LABELS, **spec: Any) -> Object:
    given = {"ports": list(ports) or [{"port": 80, "targetPort": "http"}], **spec}
    return {
        "metadata": {"name": "web"},
        "spec": given | ({"selector": dict(selector)} if selector else {}),
    }


def pod(name: str = "web-a", labels: Mapping[str, str] = LABELS, **container: Any) -> Object:
    made = {"name": "app", "ports": [HTTP], "readinessProbe": PROBE} | container
    spec = {key: value for key, value in made.items() if value is not None}
    return {
        "metadata": {"name": name, "uid": name, "labels": dict(labels)},
        "spec": {"containers": [spec]},
    }


def slices(
    *ports: Object | None, ready: bool = True, to: tuple[str, ...] = ("web-a",)
) -> tuple[Object, ...]:
    """As seen with Kubernetes 1.34: a port that resolves to nothing is left out, not empty."""
    endpoints = [
        {
            "addresses": ["10.244.0.9"],
            "conditions": {"ready": ready, "serving": ready, "terminating": False},
            "targetRef": {"kind": "Pod", "name": name, "uid": name},
        }
        for name in to
    ]
    found = [{"name": "", "protocol": "TCP", **port} for port in ports if port]
    other = {"metadata": {"labels": {"kubernetes.io/service-name": "another"}}, "endpoints": None}
    mine = {
        "metadata": {"labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": endpoints or None,
        "ports": found or None,
    }
    return (other, mine)


def way(
    live: Object, found: tuple[Object, ...], *pods: Object, facts: Mapping[Any, Any] | None = None
) -> Way:
    running = pods or (pod(),)
    return Way(
        service=live,
        slices=found,
        pods=running,
        labels=tuple(it["metadata"]["labels"] for it in running),
        ours=frozenset(it["metadata"]["uid"] for it in running),
        ready_since=READY_AT,
        facts=facts or {},
    )


def at(one: Way, after: float, **more: Any) -> Verdict:
    return leads(one, READY_AT + after, **more)


def fails(one: Way, after: float = 5.1) -> Finding:
    """That it is told at once and decides so many seconds after the workloads are ready."""
    early, late = at(one, after - 0.2), at(one, after)
    assert early.state == WAITING, early
    assert late.state == FAILED, late
    assert late.finding is not None
    assert late.finding == early.finding
    return late.finding


def tells(one: Way) -> Finding:
    """That it is told of at once, and is no failure."""
    early, late = at(one, 4.9), at(one, 5.1)
    assert (early.state, late.state) == (WAITING, READY)
    assert late.finding is not None
    assert late.finding == early.finding
    return late.finding


def is_fine(one: Way) -> str:
    found = at(one, 0)
    assert found.state == READY, found
    assert found.finding is None
    assert at(one, 500) == found
    return found.text


def refused(
    one: Way, opened: Mapping[int, float] | None, answer: int | str | None = DIAL, port: int = 80
) -> Way:
    """With the answers to what is asked for; ports are open since so long after the workloads."""
    facts: dict[Any, Any] = {AnswerOf(service="web", port=port): answer}
    wanted = at(replace(one, facts=facts), 0).wants
    times = None if opened is None else {port: READY_AT + seen for port, seen in opened.items()}
    return replace(one, facts={**facts, **dict.fromkeys(wanted, times)})


def asked(one: Way) -> list[str]:
    """What is asked for, in its order, where nothing listens."""
    kinds: list[str] = []
    while wants := at(one, 0).wants:
        (want,) = wants
        kinds.append(type(want).__name__)
        answer: Any = DIAL if isinstance(want, AnswerOf) else {}
        one = replace(one, facts={**one.facts, want: answer})
    return kinds


def test_a_port_that_a_passing_probe_has_reached_costs_no_request() -> None:
    for target in ("http", 8000):
        live = service({"port": 80, "targetPort": target})
        assert is_fine(way(live, slices({"port": 8000}))) == "leads to 1 pod"


def test_a_selector_that_matches_nothing() -> None:
    found = fails(way(service(selector={"app": "wbe"}), slices(to=())))
    assert (found.id, found.exit_code) == ("service-selects-nothing", 6)
    assert "asks for app=wbe, but Pod/web-a has app=web" in found.cause
    # The value is ours, the key is not: meant for us, too.
    renamed = fails(way(service(selector={"name": "web"}), slices(to=())))
    assert "asks for name=web, but Pod/web-a has app=web" in renamed.cause


def test_a_service_for_what_others_bring_is_told_of_and_no_failure() -> None:
    found = at(way(service(selector={"tier": "db"}), slices(to=())), 0)
    assert found.state == READY
    assert found.finding is not None


def test_pods_of_others_that_are_not_ready_are_theirs() -> None:
    one = way(service(selector={"app": "db"}), slices({"port": 80}, ready=False, to=("db-0",)))
    is_fine(one)


@pytest.mark.parametrize(
    "live",
    [
        {"kind": "Job", "spec": {"template": {"metadata": {"labels": {"app": "job"}}}}},
        {
            "kind": "CronJob",
            "spec": {
                "jobTemplate": {"spec": {"template": {"metadata": {"labels": {"app": "job"}}}}}
            },
        },
        {"kind": "Pod", "metadata": {"labels": {"app": "job", "more": "x"}}, "spec": {}},
    ],
)
def test_a_workload_without_ready_pods_has_none_to_lead_to(live: Object) -> None:
    """A Job that is over, one that comes at night, a Deployment scaled to 0."""
    one = way(service(selector={"app": "job"}), slices(to=()))
    is_fine(replace(one, labels=(*one.labels, labels_of(live))))
    is_fine(replace(one, pods=()))


def test_endpoints_that_do_not_follow_are_waited_for() -> None:
    one = way(service(), slices({"port": 8000}, ready=False))
    assert at(one, 500).state == WAITING
    assert at(one, 500).finding is None


@pytest.mark.parametrize(
    "live",
    [
        service(selector=None),
        service(selector=None, type="ExternalName", externalName="example.com"),
        service(type="ExternalName", externalName="example.com"),
        service({"port": 80}, clusterIP="None"),
        service({"port": 80, "targetPort": "none"}, clusterIP="None"),
        service({"port": 53, "protocol": "UDP", "targetPort": 9999}),
    ],
)
def test_what_has_no_port_to_ask_for_is_left_alone(live: Object) -> None:
    number = (live["spec"]["ports"][0].get("targetPort"), 80)
    found = {"port": 9999 if 9999 in number else 80, "protocol": "TCP"}
    is_fine(way(live, slices(found if 9999 in number else None)))


def test_a_headless_service_without_ports_still_must_select_something() -> None:
    live = service(clusterIP="None", selector={"app": "wbe"})
    live["spec"].pop("ports")
    assert fails(way(live, slices(to=()))).id == "service-selects-nothing"


def test_a_name_that_no_container_has() -> None:
    live = service({"port": 80, "targetPort": "web"})
    found = fails(way(live, slices(None)))
    assert found.id == "service-wrong-port"
    assert "no container has a TCP port of the name `web`" in found.cause
    assert found.field == ("spec", "ports", 0, "targetPort")


def test_a_name_is_of_a_port_and_its_protocol() -> None:
    live = service({"port": 53, "protocol": "UDP", "targetPort": "http"})
    assert "no container has a UDP port" in fails(way(live, slices(None))).cause


def test_the_second_of_two_ports_is_the_wrong_one() -> None:
    ports = [
        {"name": "a", "port": 80, "targetPort": "http"},
        {"name": "b", "port": 81, "targetPort": "web"},
    ]
    found = tells(way(service(*ports), slices({"name": "a", "port": 8000})))
    assert found.field == ("spec", "ports", 1, "targetPort")
    ports[1] |= {"targetPort": 9999, "appProtocol": "http"}
    live = service(*ports)
    both = slices({"name": "b", "port": 9999}, {"name": "a", "port": 8000})
    assert at(way(live, both), 0).wants == {AnswerOf(service="web", port=81)}
    found = tells(refused(way(live, both), {8000: 0}, port=81))
    assert "port 81 of Service `web` leads to `9999`" in found.cause
    assert "the app listens on 8000" in found.cause
    # Where no port of it leads to the app it is of no use at all.
    ports[0] |= {"targetPort": "nor this", "name": "c"}
    fails(refused(way(service(*ports), both), {8000: 0}, port=81))


WRONG = service({"port": 80, "targetPort": 9999, "appProtocol": "http"})


@pytest.mark.parametrize(
    ("slot", "container", "http"),
    [
        ({"name": "http"}, {}, True),
        ({"name": "web-api"}, {}, True),
        ({"name": "https"}, {}, False),
        ({"name": "http", "appProtocol": "postgres"}, {}, False),
        ({}, {"ports": [{"name": "http", "containerPort": 9999}]}, True),
        ({}, {"ports": [{"name": "db", "containerPort": 9999}]}, False),
        ({}, {"livenessProbe": {"httpGet": {"port": 9999}}}, True),
        ({}, {"livenessProbe": {"tcpSocket": {"port": 9999}}}, False),
    ],
)
def test_only_a_server_of_http_is_sent_a_get_before_its_port_is_known_to_be_closed(
    slot: Object, container: Object, http: bool
) -> None:
    """Redis and Postgres log it as an attack, or as an invalid start of a connection."""
    live = service({"port": 80, "targetPort": 9999, **slot})
    found = slices({"port": 9999, "name": slot.get("name", "")})
    one = way(live, found, pod(**{"readinessProbe": {"httpGet": {"port": 8000}}, **container}))
    both = ["AnswerOf", "OpenPorts"]
    assert asked(one) == (both if http else both[::-1])
    (look,) = at(one, 0).wants
    if not http:
        assert is_fine(replace(one, facts={look: {9999: 0.0}})), "it listens"
        assert is_fine(replace(one, facts={look: None})), "nobody knows"
        fails(replace(one, facts={look: {}, AnswerOf(service="web", port=80): DIAL}))


def test_where_an_operator_may_make_pods_a_key_alone_is_no_mistake() -> None:
    one = replace(way(service(selector={"app": "db"}), slices(to=())), foreign=True)
    found = at(one, 500)
    assert found.state == READY
    assert found.finding is not None
    fails(replace(one, foreign=False))
    fails(replace(one, service=service(selector={"name": "web"})))


@pytest.mark.parametrize(
    ("version", "foreign"),
    [
        ("v1", False),
        ("apps/v1", False),
        ("networking.k8s.io/v1", False),
        ("acid.zalan.do/v1", True),
    ],
)
def test_kinds_that_are_not_kubernetes_own(version: str, foreign: bool) -> None:
    assert is_foreign({"apiVersion": version}) is foreign


@pytest.mark.parametrize("answer", [200, 404, 503, 0, None, "no answer within 1 s"])
def test_whatever_answers_is_an_answer(answer: int | str | None) -> None:
    one = way(WRONG, slices({"port": 9999}), facts={AnswerOf(service="web", port=80): answer})
    is_fine(one)


@pytest.mark.parametrize(
    ("opened", "words"),
    [
        ({8000: 0.0}, "the app listens on 8000"),
        ({}, "answers: connection refused"),
        (None, "refused"),
    ],
)
def test_a_number_where_nothing_listens(opened: dict[int, float] | None, words: str) -> None:
    found = fails(refused(way(WRONG, slices({"port": 9999})), opened))
    assert found.id == "service-wrong-port"
    assert words in found.cause


def test_a_probe_of_another_host_or_of_liveness_proves_no_port() -> None:
    """A liveness probe may not have been asked once when the pod is ready."""
    elsewhere: Object = {"httpGet": {"port": 9999, "host": "127.0.0.1"}}
    for fields in (
        {"readinessProbe": elsewhere},
        {"readinessProbe": None, "livenessProbe": {"httpGet": {"port": 9999}}},
        {"readinessProbe": {"exec": {"command": ["true"]}}},
        {"readinessProbe": None},
    ):
        one = way(WRONG, slices({"port": 9999}), pod(**fields))
        assert at(one, 0).wants == {AnswerOf(service="web", port=80)}


def test_an_app_without_probes_may_be_starting_still() -> None:
    """Its pod is Ready from the first moment on, which tells nothing."""
    one = refused(way(WRONG, slices({"port": 9999}), pod(readinessProbe=None)), {})
    assert at(one, 29).state == WAITING
    late = at(one, 31)
    assert late.state == READY
    assert late.finding is not None
    assert at(refused(one, None), 31).state == READY


def test_an_app_without_probes_that_listens_elsewhere_or_on_loopback() -> None:
    bare = way(WRONG, slices({"port": 9999}), pod(readinessProbe=None))
    assert "listens on 8000" in fails(refused(bare, {8000: 2.0}), 17.1).cause
    loopback = fails(refused(bare, {9999: 2.0}), 7.1)
    assert loopback.id == "listens-on-loopback"
    assert "--host 0.0.0.0" in loopback.fix
    # Ten seconds after its metrics comes the main port.
    assert at(refused(bare, {9000: 1.0}), 11).state == WAITING


def test_pods_of_others_alone_are_not_asked() -> None:
    others = slices({"port": 9999}, to=("db-0",))
    is_fine(way(service({"port": 80, "targetPort": 9999}, selector={"app": "db"}), others))


def test_patience_and_tolerance() -> None:
    one = way(service(selector={"app": "wbe"}), slices(to=()))
    assert at(one, 14, patience=3.0).state == WAITING
    assert at(one, 16, patience=3.0).state == FAILED
    tolerated = at(one, 500, tolerate={"service-selects-nothing"})
    assert tolerated.state == READY
    assert tolerated.finding is not None


def test_strangers_are_told_only_beside_our_own() -> None:
    both = way(service(), slices({"port": 8000}, to=("web-a", "db-0")))
    assert strangers(both) == ("Pod/db-0",)
    assert strangers(way(service(), slices({"port": 8000}, to=("db-0",)))) == ()
    assert strangers(replace(both, ours=both.ours | {"db-0"})) == ()
    assert strangers(way(service(), slices({"port": 8000}))) == ()
    gone = slices({"port": 8000}, to=("web-a",))
    gone[1]["endpoints"].append(slices(ready=False, to=("db-0",))[1]["endpoints"][0])
    assert strangers(way(service(), gone)) == ()


@st.composite
def ways(draw: st.DrawFn) -> Way:
    """Any Service over any slices, with the answers it asks for."""
    target = draw(st.sampled_from(["http", "web", 8000, 9999]))
    live = service(
        {"port": 80, "targetPort": target}, selector=draw(st.sampled_from([LABELS, {"app": "x"}]))
    )
    slot = draw(st.sampled_from([None, {"port": 8000}, {"port": 9999}]))
    to = tuple(draw(st.lists(st.sampled_from(["web-a", "web-b", "db-0"]), unique=True)))
    probe = draw(st.sampled_from([None, PROBE]))
    pods = [pod(name, readinessProbe=probe) for name in ("web-a", "web-b")]
    one = way(live, slices(slot, ready=draw(st.booleans()), to=to), *pods)
    opened = draw(st.none() | st.dictionaries(st.sampled_from([8000, 9999]), st.floats(0, 30)))
    return refused(one, opened, draw(st.sampled_from([DIAL, 200, None])))


@settings(deadline=None)
@given(one=ways(), early=st.floats(0, 60), later=st.floats(0, 60), data=st.data())
def test_neither_time_alone_nor_order_takes_a_verdict_back(
    one: Way, early: float, later: float, data: st.DataObject
) -> None:
    before = at(one, early)
    if before.state != WAITING:
        assert at(one, early + later).state == before.state
    other = replace(
        copy.deepcopy(one),
        pods=tuple(data.draw(st.permutations(one.pods))),
        slices=tuple(data.draw(st.permutations(one.slices))),
    )
    assert at(other, early) == before


def test_the_ports_of_the_pod_are_asked_for_besides_those_apps_like() -> None:
    one = way(WRONG, slices({"port": 9999}), facts={AnswerOf(service="web", port=80): DIAL})
    (asked,) = at(one, 0).wants
    assert isinstance(asked, OpenPorts)
    assert {9999, 8000, 8080} <= set(asked.ports)
