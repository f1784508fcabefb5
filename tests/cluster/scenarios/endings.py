"""Rows 71 to 82, and the endings that are nobody's failure."""

from __future__ import annotations

import signal

from tests.cluster.conftest import Project
from tests.cluster.scenarios import access
from tests.cluster.scenarios.actions import (
    UNREADY,
    applied,
    delete_namespace,
    kubectl,
    mode,
    namespace,
    signalled,
    when,
)
from tests.cluster.scenarios.evidence import gone, held, on, told
from tests.cluster.scenarios.scenario import RECREATE, Scenario, spec

FINALIZERS = '{"metadata": {"finalizers": %s}}'
CONTROLLERS = "docker ps -q --filter name=k8s_kube-controller-manager"


def silenced(project: Project) -> None:
    """The namespace is there; then nobody works in the cluster but the API server and the node."""
    namespace(project)
    project.kubectl("wait", "serviceaccount/default", "--for=create")
    access.in_node(project, f"docker pause $({CONTROLLERS})")


def awake(project: Project) -> None:
    access.in_node(project, f"docker unpause $({CONTROLLERS})")


def held_pod(project: Project) -> None:
    """The pod that runs has a finalizer; the next version is to follow it."""
    applied(project)
    patch = FINALIZERS % '["kubekit.test/held"]'
    project.kubectl("patch", *old_pods(project), "--type=merge", "-p", patch)
    project.edit("kubekit.yaml", "mode: fine", "mode: errors")


def let_go(project: Project) -> None:
    project.kubectl("patch", *old_pods(project), "--type=merge", "-p", FINALIZERS % "null")


def old_pods(project: Project) -> list[str]:
    return project.kubectl("get", "pods", "-o", "name").split()


SCENARIOS = {
    "timeout": Scenario(
        title="It only takes longer than `--timeout`.",
        code=7,
        cause="timeout",
        says=("not ready after 1 s", "raise `timeout`"),
        at="apiVersion:",
        flags=("--timeout", "1s"),
        mode="slow-start",
        within=20,
    ),
    "controller-silent": Scenario(
        title="The controllers of the cluster have stopped.",
        rows=(72,),
        code=8,
        cause="controller-silent",
        says=("controller", "s after the apply"),
        at="apiVersion:",
        prepare=silenced,
        cleanup=awake,
        alone=True,
        within=60,
        tier="B",
        evidence=on("Deployment", "metadata", "generation", value=1),
    ),
    "superseded": Scenario(
        title="Somebody else applies another version meanwhile.",
        rows=(73,),
        code=10,
        cause="superseded",
        says=("another apply",),
        mode="unready",
        at="apiVersion:",
        meddle=when(UNREADY, kubectl("set", "env", "deploy/web", "OTHER=1")),
        tier="A",
        evidence=on("Deployment", "metadata", "generation", value=2),
    ),
    "deleted": Scenario(
        title="Somebody deletes the Deployment meanwhile.",
        rows=(75,),
        cause="deleted",
        says=("was deleted during the rollout",),
        mode="unready",
        at="apiVersion:",
        meddle=when(UNREADY, kubectl("delete", "deploy/web", "--wait=false")),
        tier="A",
        evidence=gone("Deployment"),
    ),
    "paused": Scenario(
        title="The Deployment is paused.",
        rows=(76,),
        cause="paused",
        says=("is paused", "rollout resume"),
        at="paused:",
        edits=spec("paused: true"),
        within=20,
        tier="A",
        evidence=on("Deployment", "spec", "paused"),
    ),
    "paused-meanwhile": Scenario(
        title="Somebody pauses the Deployment meanwhile.",
        rows=(76,),
        cause="paused",
        says=("is paused", "rollout resume"),
        at="spec:",
        mode="unready",
        meddle=when(UNREADY, kubectl("rollout", "pause", "deploy/web")),
        tier="A",
        evidence=on("Deployment", "spec", "paused"),
    ),
    "old-pod-ending": Scenario(
        title="The old pod takes longer to end than `--timeout`, and must be gone first.",
        rows=(78,),
        code=7,
        cause="old-pod-ending",
        says=("must end before its successor is made",),
        at="terminationGracePeriodSeconds",
        edits=RECREATE,
        mode="drain",
        prepare=mode("drain", "fine"),
        flags=("--timeout", "5s"),
        tier="C",
        evidence=gone("Pod"),
    ),
    "min-ready-seconds": Scenario(
        title="The pod must stay ready for longer than `--timeout`.",
        rows=(79,),
        code=7,
        cause="min-ready-seconds",
        says=("60 s", "minReadySeconds"),
        at="minReadySeconds",
        edits=spec("minReadySeconds: 60"),
        flags=("--timeout", "10s"),
        within=20,
        tier="C",
        evidence=on("Deployment", "status", "readyReplicas"),
    ),
    "deletion-blocked": Scenario(
        title="A finalizer keeps the old pod, which must be gone first.",
        rows=(82,),
        cause="deletion-blocked",
        says=("kubekit.test/held",),
        at="apiVersion:",
        edits=RECREATE,
        prepare=held_pod,
        cleanup=let_go,
        within=90,
        tier="B",
        window=16,  # its second of grace, and the catalogue's
        evidence=held(),
    ),
    "old-revision-failing": Scenario(
        title="The new version is not ready in time, and the one before was crashing already.",
        rows=(71,),
        code=7,
        cause="probe-failing",
        says=("answers 503", "no pod of the revision before is ready"),
        at="path:",
        mode="raise",
        prepare=mode("raise", "unready"),
        flags=("--timeout", "10s"),
        tier="C",
        evidence=told("Unhealthy"),
    ),
    "namespace-terminating": Scenario(
        title="Somebody deletes the namespace meanwhile.",
        rows=(63,),
        code=5,
        cause="namespace-terminating",
        says=("is being deleted",),
        at="apiVersion:",
        mode="unready",
        meddle=when(UNREADY, delete_namespace),
        tier="A",
        evidence=gone("Namespace"),
    ),
    "interrupted": Scenario(
        title="Ctrl-C.",
        code=130,
        cause="interrupted",
        mode="unready",
        meddle=when(UNREADY, signalled(signal.SIGINT)),
    ),
    "terminated": Scenario(
        title="SIGTERM.",
        code=130,
        cause="interrupted",
        mode="unready",
        meddle=when(UNREADY, signalled(signal.SIGTERM)),
    ),
}
