"""Projects without an image of their own: objects alone, for what an apply does to them."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.cluster.conftest import Project

POD = """\
      terminationGracePeriodSeconds: 0
      containers:
        - name: app
          image: python:3.13-slim
          imagePullPolicy: Never
"""
DEPLOYMENT = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
{POD}\
          command: [python, -c, "import time; time.sleep(1e6)"]
          readinessProbe: {{exec: {{command: ["true"]}}, periodSeconds: 1}}
"""
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: red}
"""


def job(code: str, *, before: bool = False, more: str = "") -> str:
    """A Job that runs this Python once."""
    phase = ', annotations: {kubekit.dev/phase: "before"}' if before else ""
    return f"""\
apiVersion: batch/v1
kind: Job
metadata: {{name: migrate{phase}}}
spec:
  backoffLimit: 0
{more}\
  template:
    spec:
      restartPolicy: Never
{POD}\
          command: [python, -c, {code!r}]
"""


def without_image(project: Project) -> Project:
    """The project as one of a single ConfigMap, with nothing to build."""
    (project.folder / "manifests/app.yaml.j2").unlink()
    (project.folder / ".env").unlink()
    project.write("kubekit.yaml", f"name: {project.name}\ntimeout: 60s\n")
    project.write("manifests/config.yaml", CONFIG)
    return project


def feed(project: Project, text: str) -> None:
    """`kubectl apply` of a person, in the project's namespace."""
    subprocess.run(
        ["kubectl", "--context", project.context, "-n", project.name, "apply", "-f", "-"],
        input=text,
        env=project.env,
        text=True,
        check=True,
        capture_output=True,
    )


def live(project: Project, ref: str) -> Any:
    """One object as it is."""
    return json.loads(project.kubectl("get", ref, "-o", "json"))
