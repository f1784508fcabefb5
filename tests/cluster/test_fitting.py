"""What is said to fit no node ever, beside what the scheduler does with the same pods."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from kubekit.api.preflight import nodes
from kubekit.model import Object
from kubekit.rollout.finders.fitting import misfit
from tests.cluster.conftest import PROFILE
from tests.cluster.scratch import Scratch, scratch

pytestmark = pytest.mark.cluster

WORDS = {
    "selector": r"didn't match Pod's node affinity/selector|didn't satisfy .*\[NodeAffinity\]",
    "resources": r"Insufficient ",
}


@pytest.fixture(scope="module")
def space(cluster: dict[str, str]) -> Iterator[Scratch]:
    with scratch() as made:
        yield made


def asking(amounts: dict[str, str], key: str = "requests", **more: Any) -> Object:
    app = {"name": "app", "image": "python:3.13-slim", "imagePullPolicy": "Never"}
    return {**app, "command": ["sleep", "600"], "resources": {key: amounts}, **more}


def affinity(*terms: tuple[str, str, str, list[str]]) -> Object:
    rules = [{kind: [{"key": k, "operator": o, "values": v}]} for kind, k, o, v in terms]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": rules}}
    return {"affinity": {"nodeAffinity": required}}


def first(*containers: Object) -> Object:
    named = [{**one, "name": f"first{index}"} for index, one in enumerate(containers)]
    return {"initContainers": named}


LABEL, FIELD = "matchExpressions", "matchFields"
OS = "kubernetes.io/os"
SIDECAR = {"restartPolicy": "Always"}
GPU = {"nvidia.com/gpu": "1"}
CASES: dict[str, tuple[Object, str | None]] = {
    "nothing asked": ({}, None),
    "cpu in all": ({"containers": [asking({"cpu": "2000.5m"})]}, "resources"),
    "cpu of two": (
        {"containers": [asking({"cpu": "1"}), asking({"cpu": "1.5"}, name="other")]},
        "resources",
    ),
    "memory": ({"containers": [asking({"memory": "1.5Ti"})]}, "resources"),
    "memory in exponents": ({"containers": [asking({"memory": "9e12"})]}, "resources"),
    "little in exponents": ({"containers": [asking({"memory": "1e6", "cpu": "1e-3"})]}, None),
    "bytes in milli": ({"containers": [asking({"memory": "64000000000m"})]}, None),
    "a limit is a request": ({"containers": [asking({"cpu": "64"}, "limits")]}, "resources"),
    "ephemeral storage": ({"containers": [asking({"ephemeral-storage": "99Ti"})]}, "resources"),
    "huge pages": (
        {"containers": [asking({"hugepages-2Mi": "4Mi", "memory": "64Mi"}, "limits")]},
        "resources",
    ),
    "an init container": (first(asking({"cpu": "3"})), "resources"),
    "init containers in turn": (first(asking({"cpu": "10m"}), asking({"cpu": "20m"})), None),
    "a sidecar beside": (
        {**first(asking({"cpu": "1500m"}, **SIDECAR)), "containers": [asking({"cpu": "600m"})]},
        "resources",
    ),
    "a sidecar before": (
        first(asking({"cpu": "1500m"}, **SIDECAR), asking({"cpu": "600m"})),
        "resources",
    ),
    "a sidecar after": (first(asking({"cpu": "20m"}), asking({"cpu": "10m"}, **SIDECAR)), None),
    "a label": ({"nodeSelector": {"disk": "nvme"}}, "selector"),
    "a label there is": ({"nodeSelector": {OS: "linux"}}, None),
    "affinity In": (affinity((LABEL, OS, "In", ["plan9", "hurd"])), "selector"),
    "affinity NotIn": (affinity((LABEL, OS, "NotIn", ["linux"])), "selector"),
    "affinity NotIn of no label": (affinity((LABEL, "disk", "NotIn", ["x"])), None),
    "affinity Exists": (affinity((LABEL, "disk", "Exists", [])), "selector"),
    "affinity DoesNotExist": (affinity((LABEL, "disk", "DoesNotExist", [])), None),
    "affinity Gt": (affinity((LABEL, OS, "Gt", ["1"])), "selector"),
    "affinity Lt of no label": (affinity((LABEL, "disk", "Lt", ["1"])), "selector"),
    "affinity of another name": (affinity((FIELD, "metadata.name", "In", ["x"])), "selector"),
    "affinity of the name": (affinity((FIELD, "metadata.name", "In", [PROFILE])), None),
    "either of two": (
        affinity((LABEL, "disk", "Exists", []), (LABEL, OS, "In", ["linux"])),
        None,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_scheduler_agrees(space: Scratch, case: str) -> None:
    given, expected = CASES[case]
    spec = {"containers": [asking({})], **given}
    name = "".join(letter if letter.isalnum() else "-" for letter in case.lower())
    before = misfit(spec, live(space))
    made = space.pod(name, spec)
    try:
        verdict = space.until(lambda: scheduled(space.get_pod(name)))
        after = misfit(made["spec"], live(space))
    finally:
        path = f"/api/v1/namespaces/{space.name}/pods/{name}"
        space.kube.request("DELETE", path, body={"gracePeriodSeconds": 0})
    assert before == after, "what the API server fills in changes nothing"
    assert (before and before.kind) == expected
    if expected is None:
        assert verdict["status"] == "True"
    else:
        assert (verdict["status"], verdict["reason"]) == ("False", "Unschedulable")
        assert re.search(WORDS[expected], verdict["message"])


def live(space: Scratch) -> tuple[Object, ...]:
    found = nodes(space.kube)
    assert found
    return found


def scheduled(pod: Object) -> Object | None:
    """What the scheduler said of the pod, once it has."""
    conditions = pod["status"].get("conditions") or ()
    return next((one for one in conditions if one["type"] == "PodScheduled"), None)


def test_a_device_may_come_with_its_plugin(space: Scratch) -> None:
    """The scheduler has no place for it now; a plugin that registers later brings it."""
    spec = {"containers": [asking(GPU, "limits")]}
    space.pod("device", spec)
    verdict = space.until(lambda: scheduled(space.get_pod("device")))
    assert verdict["reason"] == "Unschedulable"
    assert misfit(spec, live(space)) is None
