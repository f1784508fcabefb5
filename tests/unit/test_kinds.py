"""Each kind of workload: when its rollout is over, and which pods are the present ones."""

from __future__ import annotations

from typing import Any

import pytest

from kubekit.model import Object
from kubekit.rollout.kinds import is_present, observed, outdated, settled

BUILT = "sha256:aaaa"


def live(kind: str, spec: Object | None = None, **status: Any) -> Object:
    return {
        "kind": kind,
        "metadata": {"name": "x", "uid": "u", "generation": 3, "annotations": {}},
        "spec": spec or {},
        "status": {"observedGeneration": 3, **status},
    }


def conditions(**states: str) -> list[Object]:
    return [{"type": name, "status": state} for name, state in states.items()]


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (live("Deployment", {"replicas": 2}, updatedReplicas=2, replicas=3), None),
        (
            live("Deployment", {"replicas": 2}, updatedReplicas=2, replicas=2, availableReplicas=2),
            "2 of 2 ready",
        ),
        (live("Deployment", {"replicas": 0}), "scaled to 0: nothing runs"),
        (live("ReplicaSet", {"replicas": 1}, replicas=1, availableReplicas=1), "1 of 1 ready"),
        (live("ReplicaSet", {"replicas": 1}, replicas=1), None),
        (
            live(
                "StatefulSet",
                {"replicas": 2},
                updatedReplicas=2,
                availableReplicas=2,
                currentRevision="a",
                updateRevision="a",
            ),
            "2 of 2 ready",
        ),
        (
            live(
                "StatefulSet",
                {"replicas": 2},
                updatedReplicas=2,
                availableReplicas=2,
                currentRevision="a",
                updateRevision="b",
            ),
            None,
        ),
        (
            live(
                "StatefulSet",
                {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
                updatedReplicas=1,
                availableReplicas=3,
                currentRevision="a",
                updateRevision="b",
            ),
            "3 of 3 ready",
        ),
        (
            live(
                "StatefulSet",
                {"replicas": 1, "updateStrategy": {"type": "OnDelete"}},
                availableReplicas=1,
                currentRevision="a",
                updateRevision="b",
            ),
            "1 of 1 ready",
        ),
        (live("DaemonSet", desiredNumberScheduled=2, numberAvailable=2), None),
        (
            live(
                "DaemonSet", desiredNumberScheduled=2, numberAvailable=2, updatedNumberScheduled=2
            ),
            "2 of 2 ready",
        ),
        (live("DaemonSet", desiredNumberScheduled=0), "no node is meant to run it"),
        (live("Job", conditions=conditions(Complete="True")), "completed"),
        (live("Job", conditions=conditions(Failed="True")), None),
        (live("Job", {"suspend": True}), "suspended: nothing runs"),
        (live("Pod", conditions=conditions(Ready="True"), phase="Running"), "ready"),
        (live("Pod", conditions=conditions(Ready="False"), phase="Running"), None),
        (live("Pod", phase="Succeeded"), "completed"),
    ],
)
def test_settled(obj: Object, text: str | None) -> None:
    assert settled(obj) == text


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"])
def test_what_its_controller_has_not_seen_is_not_settled(kind: str) -> None:
    obj = live(kind, {"replicas": 0}, observedGeneration=2, desiredNumberScheduled=0)
    assert not observed(obj)
    assert settled(obj) is None


def pod(owner: str = "u", **labels: str) -> Object:
    return {"metadata": {"uid": "p", "labels": labels, "ownerReferences": [{"uid": owner}]}}


def test_the_present_pods_of_each_kind() -> None:
    stateful = live("StatefulSet", updateRevision="b")
    assert is_present(pod(**{"controller-revision-hash": "b"}), stateful)
    assert not is_present(pod(**{"controller-revision-hash": "a"}), stateful)
    daemons = live("DaemonSet")
    daemons["metadata"]["annotations"] = {"deprecated.daemonset.template.generation": "2"}
    assert is_present(pod(**{"pod-template-generation": "2"}), daemons)
    assert not is_present(pod(**{"pod-template-generation": "1"}), daemons)
    assert is_present(pod(), live("Job"))
    assert not is_present(pod(owner="other"), live("Job"))
    alone = live("Pod")
    assert is_present({"metadata": {"uid": "u"}}, alone)
    assert not is_present(pod(), alone)


REPOSITORY = "r.io/team/tasks"


@pytest.mark.parametrize(
    ("image_id", "known", "old"),
    [
        ("docker://sha256:aaaa", {BUILT}, False),
        ("docker://sha256:bbbb", {BUILT}, True),
        ("sha256:bbbb", {BUILT}, True),
        # An ID and a digest cannot be compared.
        ("docker-pullable://tasks@sha256:bbbb", {BUILT}, False),
        ("docker://sha256:bbbb", {f"{REPOSITORY}@sha256:aaaa"}, False),
        (f"docker-pullable://{REPOSITORY}@sha256:aaaa", {f"{REPOSITORY}@sha256:aaaa"}, False),
        (f"{REPOSITORY}@sha256:bbbb", {f"{REPOSITORY}@sha256:aaaa"}, True),
        # Docker shows any of the repositories it knows the image of.
        ("docker-pullable://other/tasks@sha256:aaaa", {f"{REPOSITORY}@sha256:aaaa"}, False),
        (f"{REPOSITORY}@sha256:bbbb", {BUILT, f"{REPOSITORY}@sha256:aaaa"}, True),
        ("", {BUILT}, False),
    ],
)
def test_a_container_of_an_older_build(image_id: str, known: set[str], *, old: bool) -> None:
    running = {
        "spec": {"containers": [{"name": "app", "image": "tasks:kk-1"}]},
        "status": {"containerStatuses": [{"name": "app", "imageID": image_id}]},
    }
    ids = frozenset(known)
    assert (outdated(running, {"tasks:kk-1": ids}) is not None) == old
    assert outdated(running, {"other:1": ids}) is None
