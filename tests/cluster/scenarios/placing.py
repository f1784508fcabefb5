"""Rows 45 to 53: nodes and volumes."""

from __future__ import annotations

from tests.cluster.scenarios.evidence import unschedulable
from tests.cluster.scenarios.scenario import Scenario, volume

SCENARIOS = {
    "unschedulable": Scenario(
        title="No node has what the pod asks for.",
        rows=(45,),
        cause="unschedulable",
        says=("Insufficient cpu", "cpu 64", "resources.requests"),
        at="requests:",
        edits=(
            ("requests: {cpu: 10m", 'requests: {cpu: "64"'),
            ('limits: {cpu: "1"', 'limits: {cpu: "64"'),
        ),
        tier="B",
        evidence=unschedulable("Insufficient cpu"),
    ),
    "volume-claim-missing": Scenario(
        title="A PersistentVolumeClaim that is not there.",
        rows=(48,),
        cause="volume-claim-missing",
        says=("`disk` does not exist",),
        at="claimName",
        edits=volume("persistentVolumeClaim: {claimName: disk}"),
        tier="A",
        evidence=unschedulable("not found"),
    ),
}
