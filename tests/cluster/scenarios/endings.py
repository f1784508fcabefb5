"""Rows 71 to 82, and the endings that are nobody's failure."""

from __future__ import annotations

import signal

from tests.cluster.scenarios.actions import UNREADY, delete_namespace, kubectl, signalled, when
from tests.cluster.scenarios.evidence import gone, on
from tests.cluster.scenarios.scenario import Scenario, spec

SCENARIOS = {
    "timeout": Scenario(
        title="It only takes longer than `--timeout`.",
        code=7,
        cause="timeout",
        says=("not ready after 3 s", "raise `timeout`"),
        at="apiVersion:",
        edits=spec("minReadySeconds: 60"),
        flags=("--timeout", "3s"),
        within=20,
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
        at="apiVersion:",
        mode="unready",
        meddle=when(UNREADY, kubectl("delete", "deploy/web", "--wait=false")),
        tier="A",
        evidence=gone("Deployment", "web"),
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
    "namespace-terminating": Scenario(
        title="Somebody deletes the namespace meanwhile.",
        rows=(63,),
        cause="namespace-terminating",
        says=("is being deleted",),
        at="apiVersion:",
        mode="unready",
        meddle=when(UNREADY, delete_namespace),
        tier="A",
        evidence=gone("Deployment", "web"),
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
