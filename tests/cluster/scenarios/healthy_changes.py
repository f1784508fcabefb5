"""Awkward, but healthy: what a change finds there, and clusters that have a bad moment."""

from __future__ import annotations

import sys
import time

from tests.cluster.conftest import PROFILE, Project
from tests.cluster.scenarios import access
from tests.cluster.scenarios.actions import (
    UNREADY,
    applied,
    feed,
    kubectl,
    mode,
    namespace,
    pause,
    then,
    when,
)
from tests.cluster.scenarios.harness import HERE
from tests.cluster.scenarios.running import Running, finished, start
from tests.cluster.scenarios.scenario import RECREATE, Scenario, replaced, spec
from tests.conftest import until

ONE_POD = """\
apiVersion: v1
kind: ResourceQuota
metadata: {name: one}
spec: {hard: {pods: 1}}
"""
PRESSURE = "node.kubernetes.io/memory-pressure"
OLD_FIRST = spec("strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}") + replaced(
    "terminationGracePeriodSeconds: 1\n", "terminationGracePeriodSeconds: 30\n"
)


def one_pod_allowed(project: Project) -> None:
    """The quota is full until the old pod is gone, which takes 6 s."""
    namespace(project)
    feed(project, ONE_POD)
    mode("linger", "fine")(project)


def deadline_passed_before(project: Project) -> None:
    """The revision before ran into its deadline; that condition is still there."""
    failed = finished(project, start(project))
    assert failed.last["id"] == "deadline", failed.text
    project.edit("kubekit.yaml", "mode: unready", "mode: fine")


def rolled_back(project: Project) -> None:
    """The change goes back to a revision that was there before, after a deadline that passed."""
    project.edit("kubekit.yaml", "mode: fine", "mode: late")
    applied(project)
    project.edit("kubekit.yaml", "mode: late", "mode: unready")
    assert finished(project, start(project)).last["id"] == "deadline"
    project.edit("kubekit.yaml", "mode: unready", "mode: late")


def under_pressure(project: Project, _run: Running) -> None:
    """Its taint is put on as often as the node's controller takes it away, for ten seconds."""
    for _ in range(10):
        project.kubectl("taint", "node", PROFILE, f"{PRESSURE}=:NoSchedule", "--overwrite")
        uncordoned(project)
        time.sleep(1)
    relieved(project)


def relieved(project: Project) -> None:
    project.kubectl("taint", "node", PROFILE, f"{PRESSURE}-", check=False)


def cordoned(project: Project) -> None:
    project.kubectl("cordon", PROFILE)


def uncordoned(project: Project) -> None:
    project.kubectl("uncordon", PROFILE)


def server_killed(project: Project, _run: Running) -> None:
    access.in_node(project, "docker rm -f $(docker ps -q --filter name=k8s_kube-apiserver)")


def server_answers(project: Project) -> None:
    """Until it does, nothing else may be done."""
    until(lambda: project.kubectl("get", "--raw", "/readyz", check=False) == "ok", 300)


def skewed(seconds: int) -> tuple[str, ...]:
    return (sys.executable, str(HERE / "skewed.py"), str(seconds))


SCENARIOS = {
    "nothing-changed": Scenario(
        title="It is applied once more, as it is.",
        code=0,
        says=("nothing changed",),
        prepare=applied,
    ),
    "metadata-only": Scenario(
        title="Only a label of the Deployment changes.",
        code=0,
        prepare=then(("metadata: {name: web}", "metadata: {name: web, labels: {team: blue}}")),
    ),
    "only-replicas": Scenario(
        title="Only the number of replicas changes.",
        code=0,
        prepare=then(("replicas: 1", "replicas: 2")),
    ),
    "old-revision-crashes": Scenario(
        title="The revision before was crashing; the new one is fine.",
        rows=(71,),
        code=0,
        mode="raise",
        prepare=mode("raise", "fine"),
    ),
    "old-pod-drains": Scenario(
        title="The old pod takes 20 s to end, and nothing waits for it.",
        rows=(81,),
        code=0,
        mode="drain",
        edits=replaced("terminationGracePeriodSeconds: 1\n", "terminationGracePeriodSeconds: 30\n"),
        prepare=mode("drain", "fine"),
        tier="W",
    ),
    "recreate-drains": Scenario(
        title="`Recreate`, and the old pod takes 20 s to end.",
        rows=(78,),
        code=0,
        mode="drain",
        edits=RECREATE,
        prepare=mode("drain", "fine"),
        mentions=("must end before its successor is made",),
        tier="W",
    ),
    "quota-full-for-a-while": Scenario(
        title="The quota is full until the old pod is gone.",
        rows=(54,),
        code=0,
        mode="linger",
        edits=OLD_FIRST,
        prepare=one_pod_allowed,
    ),
    "stale-deadline": Scenario(
        title="The revision before has passed its deadline.",
        rows=(59,),
        code=0,
        mode="unready",
        edits=spec("progressDeadlineSeconds: 5"),
        prepare=deadline_passed_before,
    ),
    "rollback": Scenario(
        title="Back to a revision that was there, after one that passed its deadline.",
        rows=(59,),
        code=0,
        edits=spec("progressDeadlineSeconds: 20"),
        prepare=rolled_back,
        within=60,
    ),
    "clock-fast": Scenario(
        title="kubekit's clock is an hour fast.", code=0, mode="late", program=skewed(3600)
    ),
    "clock-slow": Scenario(
        title="kubekit's clock is an hour slow.", code=0, mode="once", program=skewed(-3600)
    ),
    "watches-cut": Scenario(
        title="Every connection breaks once a second.",
        rows=(65,),
        code=0,
        mode="late",
        prepare=access.through_proxy,
        meddle=when(UNREADY, access.sawed),
        cleanup=access.no_proxy,
    ),
    "network-away": Scenario(
        title="The network is away for 10 s.",
        rows=(65,),
        code=0,
        mode="late",
        prepare=access.through_proxy,
        meddle=when(UNREADY, access.cut, pause(10), access.restore),
        mentions=("the API server does not answer; waiting",),
        cleanup=access.no_proxy,
    ),
    "too-many-requests": Scenario(
        title="The API server takes no request (429) for 8 s.",
        rows=(66,),
        code=0,
        mode="late",
        prepare=access.through_busy_proxy,
        meddle=when(UNREADY, access.busy_for(8)),
        cleanup=access.no_busy_proxy,
    ),
    "memory-pressure": Scenario(
        title="The node is said to be short of memory for 10 s.",
        rows=(46,),
        code=0,
        prepare=cordoned,
        meddle=when("node", under_pressure),
        cleanup=relieved,
        alone=True,
    ),
    "node-cordoned": Scenario(
        title="The node takes no pods for 10 s.",
        rows=(46,),
        code=0,
        prepare=cordoned,
        meddle=when("unschedulable", pause(10), kubectl("uncordon", PROFILE)),
        cleanup=uncordoned,
        alone=True,
    ),
    "api-server-restarts": Scenario(
        title="The API server is killed, and comes back.",
        rows=(65,),
        code=0,
        mode="late",
        meddle=when(UNREADY, server_killed),
        cleanup=server_answers,
        alone=True,
        within=90,
    ),
}
