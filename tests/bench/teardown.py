"""`kubekit teardown` beside the pods' own termination, in one run.

The pods take some seconds to end, as they would in use. How long that takes is told by the cluster:
from the deletion of the Deployment to the moment when no pod is left, as `kubectl delete pod`
would need for them. Figures are ratios of the same run.

    python -m tests.bench.teardown [--rounds N] [--write]
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from tests.bench.plain import PROFILE, bench, run, timed, where_and_when

KUBEKIT = Path(sys.executable).with_name("kubekit")
OURS, PLAIN = "bench-teardown", "bench-teardown-pods"
SECONDS = 10
DEPLOYMENT = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 30
      containers:
        - name: app
          image: python:3.13-slim
          command:
            - python
            - -c
            - |
              import signal, sys, time
              def end(*_):
                  time.sleep({SECONDS})
                  sys.exit()
              signal.signal(signal.SIGTERM, end)
              print("ready", flush=True)
              while True:
                  time.sleep(1)
          readinessProbe:
            exec: {{command: ["true"]}}
            periodSeconds: 1
"""
CONFIG = """\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: b}
"""


def kubectl(*arguments: str) -> str:
    """In the namespace of the pods alone."""
    return run(["kubectl", "--context", PROFILE, "-n", PLAIN, *arguments])


def prepare(folder: Path) -> None:
    """A project of three slow pods and no image of its own."""
    (folder / "manifests").mkdir()
    (folder / "kubekit.yaml").write_text(f"name: {OURS}\n")
    (folder / "manifests/app.yaml").write_text(DEPLOYMENT + CONFIG)


def ours(folder: Path) -> tuple[float, float]:
    """Seconds of a teardown as it says, and of the whole command."""
    run([KUBEKIT, "build-and-apply", "-q"], cwd=folder)
    said: list[str] = []
    seconds = timed(
        lambda: said.append(run([KUBEKIT, "teardown", "-o", "json"], cwd=folder)),
    )
    events = [json.loads(line) for line in said[0].splitlines()]
    (stage,) = [event for event in events if event["type"] == "stage-done"]
    return float(stage["seconds"]), seconds


def pods(folder: Path) -> float:
    """Seconds that the same pods take to end when nothing but them is deleted."""
    kubectl("apply", "-f", str(folder / "manifests/app.yaml"))
    kubectl("rollout", "status", "deployment/web")
    kubectl("delete", "deployment", "web", "--cascade=orphan")
    kubectl("delete", "replicaset", "-l", "app=web", "--cascade=orphan")
    return timed(lambda: kubectl("delete", "pod", "-l", "app=web"))


def measured(rounds: int, folder: Path) -> str:
    """The table."""
    prepare(folder)
    run([KUBEKIT, "teardown", "-q"], cwd=folder)
    context = ["kubectl", "--context", PROFILE]
    run([*context, "delete", "namespace", PLAIN, "--ignore-not-found"])
    run([*context, "create", "namespace", PLAIN])
    rows = []
    for _ in range(rounds):
        alone = pods(folder)
        stage, whole = ours(folder)
        rows.append((alone, stage, whole))
    run([*context, "delete", "namespace", PLAIN])
    alone, stage, whole = (statistics.median(column) for column in zip(*rows, strict=True))
    rows_of = {
        f"the pods' own termination: `kubectl delete pod`, 3 pods of {SECONDS} s": alone,
        "`kubekit teardown`, its stage: objects, pods and namespace": stage,
        "`kubekit teardown`, the whole command": whole,
    }
    table = [f"| {what} | {took:.1f} | {took / alone:.2f} |" for what, took in rows_of.items()]
    return "\n".join([where_and_when(), "", "| | median s | ratio |", "|---|---|---|", *table])


if __name__ == "__main__":
    bench("teardown", 3, measured, __doc__)
