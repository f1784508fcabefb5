"""`kubekit teardown` beside the pods' own termination, in one run.

The pods take some seconds to end, as they would in use; how long, `kubectl delete pod` tells for
the same ones without anything around them. A namespace takes Kubernetes five seconds more, whoever
deletes it: so a teardown that takes it away stands beside `kubectl delete namespace`.

    python -m tests.bench.teardown [--rounds N] [--write]
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from tests.bench.plain import PROFILE, bench, run, timed, where_and_when

KUBEKIT = Path(sys.executable).with_name("kubekit")
OURS, THEIRS, PLAIN = "bench-teardown", "bench-teardown-theirs", "bench-teardown-pods"
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


def ours(folder: Path, namespace: str) -> float:
    """Seconds that a teardown takes, as its stage says: until objects and pods are gone."""
    here = ["-n", namespace]
    run([KUBEKIT, "build-and-apply", "-q", *here], cwd=folder)
    said = run([KUBEKIT, "teardown", "-o", "json", *here], cwd=folder)
    events = [json.loads(line) for line in said.splitlines()]
    (stage,) = [event for event in events if event["type"] == "stage-done"]
    return float(stage["seconds"])


def applied(folder: Path) -> None:
    """The same objects, made by kubectl."""
    context = ["kubectl", "--context", PROFILE]
    run([*context, "create", "namespace", PLAIN])
    kubectl("apply", "-f", str(folder / "manifests/app.yaml"))
    kubectl("rollout", "status", "deployment/web")


def pods(folder: Path) -> float:
    """Seconds that the same pods take to end when nothing but them is deleted."""
    applied(folder)
    kubectl("delete", "deployment", "web", "--cascade=orphan")
    kubectl("delete", "replicaset", "-l", "app=web", "--cascade=orphan")
    seconds = timed(lambda: kubectl("delete", "pod", "-l", "app=web"))
    gone(PLAIN)
    return seconds


def whole(folder: Path) -> float:
    """Seconds that `kubectl delete namespace` takes for all of it."""
    applied(folder)
    return timed(lambda: gone(PLAIN))


def gone(namespace: str) -> None:
    """Delete it and wait until it is."""
    run(["kubectl", "--context", PROFILE, "delete", "namespace", namespace, "--ignore-not-found"])


def measured(rounds: int, folder: Path) -> str:
    """The table."""
    prepare(folder)
    for namespace in (OURS, THEIRS, PLAIN):
        gone(namespace)
    run(["kubectl", "--context", PROFILE, "create", "namespace", THEIRS])
    rows = [
        (pods(folder), ours(folder, THEIRS), whole(folder), ours(folder, OURS))
        for _ in range(rounds)
    ]
    gone(THEIRS)
    alone, left, plain, made = (statistics.median(column) for column in zip(*rows, strict=True))
    table = [
        "| | median s | beside | ratio |",
        "|---|---|---|---|",
        f"| the pods alone: `kubectl delete pod`, 3 pods of {SECONDS} s | {alone:.1f} | | |",
        f"| `kubekit teardown`, the namespace stays | {left:.1f} | the pods | {left / alone:.2f} |",
        f"| `kubectl delete namespace` | {plain:.1f} | the pods | {plain / alone:.2f} |",
        f"| `kubekit teardown`, the namespace too | {made:.1f} | that | {made / plain:.2f} |",
    ]
    return "\n".join([where_and_when(), "", *table])


if __name__ == "__main__":
    bench("teardown", 3, measured, __doc__)
