"""Rows 18 to 28: apps that start and end."""

from __future__ import annotations

from tests.cluster.scenarios.evidence import ended
from tests.cluster.scenarios.scenario import Scenario, extra, spec

# A second Deployment of the same image, which crashes at once.
WORKER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: job
          image: "{{ image }}"
          env: [{name: MODE, value: raise}]
"""

SCENARIOS = {
    "exception": Scenario(
        title="The app raises an exception when it starts.",
        rows=(18,),
        cause="crash-loop",
        says=(
            "exit code 1: RuntimeError: the schema `tasks` is at version 3",
            'File "/app/server.py"',
        ),
        at="- name: app",
        mode="raise",
        tier="A",
        evidence=ended(),
    ),
    "second-crashes": Scenario(
        title="Of two Deployments the first takes its time, and the second crashes.",
        rows=(18,),
        cause="crash-loop",
        says=("container `job` crashes with exit code 1", 'File "/app/server.py"'),
        at="- name: job",
        edits=(*spec("minReadySeconds: 120"), *extra(WORKER)),
        tier="A",
        evidence=ended("job"),
    ),
    "variable-missing": Scenario(
        title="The app reads a variable that nobody sets.",
        rows=(20,),
        cause="variable-missing",
        says=("`API_TOKEN`", "KeyError: 'API_TOKEN'", ".env"),
        at="env:",
        mode="variable",
        tier="A",
        evidence=ended(),
    ),
    "exits-at-once": Scenario(
        title="The app ends, with exit code 0.",
        rows=(19,),
        cause="exits-at-once",
        says=("exit code 0", "foreground", "nothing to do"),
        at="- name: app",
        mode="ends",
        tier="A",
        evidence=ended(),
    ),
    "out-of-memory": Scenario(
        title="The app needs more memory than its limit.",
        rows=(22,),
        cause="out-of-memory",
        says=("limit of 128Mi", "resources.limits.memory"),
        at="limits:",
        mode="memory",
        tier="A",
        evidence=ended(),
    ),
}
