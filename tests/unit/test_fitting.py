"""Which pods no node will ever take."""

from __future__ import annotations

import decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity

from kubekit.api.quantity import parse, said
from kubekit.rollout.finders.fitting import misfit, requests

SUFFIXES = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]


def node(
    name: str = "n",
    labels: dict[str, str] | None = None,
    taints: tuple[dict[str, str], ...] = (),
    **given: str,
) -> dict[str, Any]:
    has = {
        "cpu": "2",
        "memory": "4Gi",
        "pods": "110",
        **{k.replace("_", "-"): v for k, v in given.items()},
    }
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": has},
    }


def asking(**amounts: str) -> dict[str, Any]:
    named = {key.replace("_", "-"): value for key, value in amounts.items()}
    return {"name": "a", "resources": {"requests": named}}


def taint(text: str) -> dict[str, str]:
    rest, effect = text.rsplit(":", 1)
    key, _, value = rest.partition("=")
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


def affinity(*terms: Any) -> dict[str, Any]:
    rule = {"nodeSelectorTerms": list(terms)}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": rule}}}


def rule(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("100m", Fraction(1, 10)),
        ("64", 64),
        (7, 7),
        (0.5, Fraction(1, 2)),
        ("1.5Gi", 3 * 2**29),
        ("128M", 128_000_000),
        ("1e3", 1000),
        ("12E2", 1200),
        ("1E", 10**18),
        ("5e-1", Fraction(1, 2)),
        (".5", Fraction(1, 2)),
        ("1.", 1),
        ("-1Ki", -1024),
    ],
)
def test_quantities(text: object, number: Fraction) -> None:
    assert parse(text) == number


@pytest.mark.parametrize(
    "text",
    ["m", "1 Gi", "1gi", "1mi", "1K", "NaN", "1_000", "1e1Ki", "0x10", "\u0661", True, None, []],
)
def test_what_is_no_quantity(text: object) -> None:
    assert parse(text) is None


@given(st.decimals(-(10**9), 10**9, places=4), st.sampled_from(SUFFIXES))
def test_quantities_mean_what_the_package_says(number: Any, suffix: str) -> None:
    text = f"{number}{suffix}"
    with decimal.localcontext(prec=60):  # it rounds to the digits of the context
        assert parse(text) == Fraction(parse_quantity(text))


few = st.fractions(0, 2**60) | st.integers(0, 2**40) | st.fractions(2**30 - 2, 2**30 + 2)


@given(few, few, st.sampled_from(["cpu", "memory", "nvidia.com/gpu"]))
def test_what_is_asked_never_looks_like_the_less_there_is(one: Any, other: Any, name: str) -> None:
    less, more = sorted((Fraction(one), Fraction(other)))
    if less < more:
        assert said(name, more, up=True) != said(name, less)


@pytest.mark.parametrize(
    ("name", "text", "down", "up"),
    [
        ("cpu", "1500m", "1.5 CPU", "1.5 CPU"),
        ("cpu", "2000001u", "2 CPU", "2.01 CPU"),
        ("cpu", "0", "0 CPU", "0 CPU"),
        ("memory", "100", "100 bytes memory", "100 bytes memory"),
        ("memory", "24684084Ki", "23.54 GiB memory", "23.55 GiB memory"),
        ("ephemeral-storage", "5Mi", "5 MiB ephemeral-storage", "5 MiB ephemeral-storage"),
        ("hugepages-2Mi", "4Ki", "4 KiB hugepages-2Mi", "4 KiB hugepages-2Mi"),
        ("example.com/fpga", "10", "10 `example.com/fpga`", "10 `example.com/fpga`"),
    ],
)
def test_amounts_in_words(name: str, text: str, down: str, up: str) -> None:
    amount = parse(text)
    assert amount is not None
    assert (said(name, amount), said(name, amount, up=True)) == (down, up)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"containers": [asking(cpu="64")]},
            "it asks for 64 CPU, and the node, `n`, has 2 CPU in all",
        ),
        (
            {"containers": [asking(cpu="1500m"), asking(cpu="501m")]},
            "it asks for 2.01 CPU, and the node, `n`, has 2 CPU in all",
        ),
        (
            {"containers": [{"name": "a", "resources": {"limits": {"memory": "64Gi"}}}]},
            "it asks for 64 GiB memory, and the node, `n`, has 4 GiB memory in all",
        ),
    ],
)
def test_more_than_the_node_has(spec: dict[str, Any], text: str) -> None:
    found = misfit(spec, [node()])
    assert found is not None
    assert (found.kind, found.text) == ("resources", text)
    assert found.field == ("containers", 0, "resources")


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [asking(cpu="2", memory="4Gi")]},
        {"containers": [{"resources": {"limits": {"cpu": "64"}, "requests": {"cpu": "1"}}}]},
        {"containers": [asking(ephemeral_storage="1Ti")]},
        {"containers": [{"resources": {"limits": {"nvidia.com/gpu": 1}}}]},
        {"containers": [asking(cpu="many")]},
        {"containers": [asking(cpu="64")], "nodeName": "n"},
        {"containers": [asking(cpu="64")], "schedulerName": "mine"},
        {"containers": [{}]},
        {},
    ],
    ids=[
        "all of it",
        "a limit above",
        "not told yet",
        "no plugin yet",
        "unread",
        "placed",
        "mine",
        "none",
        "empty",
    ],
)
def test_what_may_fit(spec: dict[str, Any]) -> None:
    assert misfit(spec, [node()]) is None


def test_of_no_nodes_nothing_is_known() -> None:
    assert misfit({"containers": [asking(cpu="64")]}, []) is None


def test_ephemeral_storage_counts_once_it_is_told() -> None:
    spec = {"containers": [asking(ephemeral_storage="1Ti")]}
    assert misfit(spec, [node(ephemeral_storage="0")]) is None
    assert misfit(spec, [node(ephemeral_storage="2Ti")]) is None
    found = misfit(spec, [node(ephemeral_storage="9Gi")])
    assert found is not None
    assert "1024 GiB ephemeral-storage" in found.text


def test_the_largest_of_several_nodes_is_named() -> None:
    spec = {"containers": [asking(memory="16Gi")]}
    found = misfit(spec, [node("small"), node("large", memory="8Gi")])
    assert found is not None
    assert found.text.endswith("and the largest node, `large`, has 8 GiB memory in all")
    assert misfit(spec, [node("small"), node("huge", memory="16Gi")]) is None


def test_what_no_single_node_has_together() -> None:
    spec = {"containers": [asking(cpu="4"), asking(memory="6Gi")]}
    found = misfit(spec, [node("a", cpu="8"), node("b", memory="8Gi")])
    assert found is not None
    text = "it asks for 4 CPU and 6 GiB memory, and no single node has all of that"
    assert found.text == text


def test_overhead_and_the_pods_own_requests_count() -> None:
    spec = {"containers": [asking(cpu="1")]}
    assert requests({**spec, "overhead": {"cpu": "1500m"}}) == {"cpu": Fraction(5, 2)}
    assert requests({**spec, "resources": {"requests": {"cpu": "3"}}}) == {"cpu": 3}


small = st.integers(0, 5)


@given(st.lists(st.tuples(small, st.booleans()), max_size=4), st.lists(small, max_size=3))
def test_requests_are_the_most_a_pod_uses_at_one_time(
    first: list[tuple[int, bool]], then: list[int]
) -> None:
    """Played through: each init container starts after the one before, which ends or stays."""
    staying, moments = 0, [0]
    for amount, stays in first:
        moments.append(staying + amount)
        staying += amount if stays else 0
    moments.append(staying + sum(then))
    spec = {
        "initContainers": [
            {**asking(cpu=str(amount)), **({"restartPolicy": "Always"} if stays else {})}
            for amount, stays in first
        ],
        "containers": [asking(cpu=str(amount)) for amount in then],
    }
    assert requests(spec).get("cpu", 0) == max(moments)


@pytest.mark.parametrize(
    ("spec", "text", "field"),
    [
        (
            {"nodeSelector": {"disk": "nvme", "zone": "x"}},
            "no node has the label `disk=nvme`",
            ("nodeSelector", "disk"),
        ),
        (
            {"nodeSelector": {"disk": "ssd", "zone": "y"}},
            "no node has all of the labels `disk=ssd`, `zone=y`",
            ("nodeSelector",),
        ),
        (
            affinity({"matchExpressions": [rule("disk", "In", "tape", "drum")]}),
            "no node meets its node affinity `disk In (tape, drum)`",
            None,
        ),
    ],
)
def test_labels_that_no_node_has(spec: dict[str, Any], text: str, field: Any) -> None:
    nodes = [node("a", {"disk": "ssd", "zone": "x"}), node("b", {"disk": "hdd", "zone": "y"})]
    found = misfit(spec, nodes)
    assert found is not None
    assert (found.kind, found.text) == ("selector", text)
    assert found.field == field or field is None


@pytest.mark.parametrize(
    ("term", "meets"),
    [
        ({"matchExpressions": [rule("disk", "In", "ssd")]}, True),
        ({"matchExpressions": [rule("disk", "NotIn", "ssd")]}, False),
        ({"matchExpressions": [rule("gone", "NotIn", "ssd")]}, True),
        ({"matchExpressions": [rule("disk", "Exists")]}, True),
        ({"matchExpressions": [rule("gone", "Exists")]}, False),
        ({"matchExpressions": [rule("disk", "DoesNotExist")]}, False),
        ({"matchExpressions": [rule("gone", "DoesNotExist")]}, True),
        ({"matchExpressions": [rule("gen", "Gt", "4")]}, True),
        ({"matchExpressions": [rule("gen", "Gt", "5")]}, False),
        ({"matchExpressions": [rule("gen", "Lt", "10")]}, True),
        ({"matchExpressions": [rule("disk", "Gt", "1")]}, False),
        ({"matchExpressions": [rule("gone", "Lt", "1")]}, False),
        ({"matchExpressions": [rule("disk", "Resembles", "x")]}, True),
        ({"matchFields": [rule("metadata.name", "In", "n")]}, True),
        ({"matchFields": [rule("metadata.name", "NotIn", "n")]}, False),
        ({"matchExpressions": [rule("disk", "Exists"), rule("gen", "Gt", "9")]}, False),
        ({}, False),
    ],
)
def test_rules_of_node_affinity(term: dict[str, Any], meets: bool) -> None:
    there = node("n", {"disk": "ssd", "gen": "5"})
    assert (misfit(affinity(term), [there]) is None) is meets
    assert misfit(affinity(term, {"matchExpressions": [rule("gen", "Exists")]}), [there]) is None


def test_labels_and_affinity_must_both_be_met() -> None:
    spec = {"nodeSelector": {"a": "1"}, **affinity({"matchExpressions": [rule("b", "Exists")]})}
    found = misfit(spec, [node("x", {"a": "1"}), node("y", {"b": "1"})])
    assert found is not None
    assert found.text == "no node meets its node affinity `b Exists` and the label `a=1`"


@pytest.mark.parametrize(
    ("tolerations", "fits"),
    [
        ([], False),
        ([{"key": "gpu", "value": "yes", "effect": "NoSchedule"}], True),
        ([{"key": "gpu", "value": "yes"}], True),
        ([{"key": "gpu", "operator": "Exists"}], True),
        ([{"operator": "Exists"}], True),
        ([{"key": "gpu", "value": "no"}], False),
        ([{"key": "gpu"}], False),
        ([{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}], False),
        ([{"key": "disk", "operator": "Exists"}], False),
    ],
)
def test_taints_and_tolerations(tolerations: list[dict[str, str]], fits: bool) -> None:
    found = misfit({"tolerations": tolerations}, [node(taints=(taint("gpu=yes:NoSchedule"),))])
    assert (found is None) is fits
    if found is not None:
        text = "it does not tolerate the taint of node `n`: `gpu=yes:NoSchedule`"
        assert (found.kind, found.text) == ("taint", text)


@pytest.mark.parametrize(
    "passing",
    [
        "node.kubernetes.io/not-ready:NoExecute",
        "node.kubernetes.io/disk-pressure:NoSchedule",
        "node.kubernetes.io/unschedulable:NoSchedule",
        "node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule",
        "gpu=yes:PreferNoSchedule",
    ],
)
def test_a_taint_that_passes_or_only_asks_forbids_nothing(passing: str) -> None:
    assert misfit({}, [node(taints=(taint(passing),))]) is None


def test_a_tainted_node_is_blamed_only_if_the_others_lack_the_label() -> None:
    tainted = node("a", {"gpu": "1"}, (taint("gpu:NoSchedule"),))
    spec = {"nodeSelector": {"gpu": "1"}}
    found = misfit(spec, [node("b"), tainted])
    assert found is not None
    assert found.text == "it does not tolerate the taint of node `a`: `gpu:NoSchedule`"
    assert misfit({}, [node("b"), tainted]) is None


amounts = st.fixed_dictionaries(
    {}, optional={"cpu": st.sampled_from(["1", "3"]), "memory": st.sampled_from(["1Gi", "5Gi"])}
)
label = st.dictionaries(st.sampled_from("ab"), st.sampled_from("12"))
taints = st.lists(st.sampled_from([taint("a=1:NoSchedule"), taint("b:NoExecute")]), max_size=2)
nodes = st.builds(
    lambda name, has, tainted, given: node(name, has, tuple(tainted), **given),
    st.sampled_from("xyz"),
    label,
    taints,
    amounts,
)
terms = st.lists(
    st.builds(
        lambda key, operator: {
            "matchExpressions": [rule(key, operator, *("1" if operator in {"In", "NotIn"} else ""))]
        },
        st.sampled_from("ab"),
        st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    ),
    min_size=1,
    max_size=2,
)
specs = st.builds(
    lambda asked, selector, tolerations, wanted: {
        "containers": [asking(**asked)],
        "nodeSelector": selector,
        "tolerations": tolerations,
        **(affinity(*wanted) if wanted else {}),
    },
    amounts,
    label,
    st.lists(st.sampled_from([{"key": "a", "value": "1"}, {"operator": "Exists"}]), max_size=1),
    st.none() | terms,
)


@given(specs, st.lists(nodes, min_size=1, max_size=3))
def test_none_takes_it_means_that_each_does_not(spec: Any, some: list[Any]) -> None:
    assert (misfit(spec, some) is None) is any(misfit(spec, [one]) is None for one in some)


@given(
    specs,
    st.lists(nodes, min_size=1, max_size=3),
    st.sampled_from(["nodeSelector", "affinity", "containers"]),
)
def test_asking_for_less_is_never_worse(spec: Any, some: list[Any], less: str) -> None:
    if misfit(spec, some) is None:
        assert misfit({key: value for key, value in spec.items() if key != less}, some) is None
