"""Two small apps of FastAPI: `root` may write everywhere, `locked` as little as possible."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.conftest import Project

SYNCED = "/app/src"
"""Where the containers have `src`."""

DOCKERFILE = """\
FROM python:3.13-slim
RUN pip install --no-cache-dir fastapi "uvicorn[standard]"
COPY requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir -r /tmp/requirements.txt
ENV PYTHONPATH=/app/src PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
ENV BUILT=first
COPY src /app/src
"""
MAIN = """\
import os
import pathlib

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from app import answer

app = FastAPI()
HERE = pathlib.Path(__file__).parent


@app.get("/ready")
def ready() -> str:
    return "yes"


@app.get("/")
def root() -> dict[str, str]:
    names = ("HOSTNAME", "GREETING", "MODE", "BUILT")
    return {"text": answer.TEXT, **{name.lower(): os.environ.get(name, "") for name in names}}


@app.get("/page", response_class=PlainTextResponse)
def page() -> str:
    return (HERE / "page.html").read_text()


@app.get("/log")
def log() -> str:
    print(f"the greeting is {os.environ['GREETING']}")
    return "logged"
"""
MODULE = """\
import uvicorn

if __name__ == "__main__":
    uvicorn.run("app.main:app", host="0.0.0.0", log_level="warning")
"""
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: {{ replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 2
      enableServiceLinks: false
      containers:
        - name: app
          image: "{{ image }}"
          ports: [{name: http, containerPort: 8000}]
          envFrom: [{secretRef: {name: "{{ secret }}"}}]
          env: [{name: MODE, value: "{{ mode }}"}]
          readinessProbe:
            httpGet: {path: /ready, port: http}
            periodSeconds: 1
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"""
SETTINGS = """\
name: {name}
build: {{context: .}}
timeout: 120s
values: {{mode: plain, replicas: {replicas}}}
dev: {{port: {port}, sync: [{{src: src, dest: /app/src}}]}}
"""
LOCKED = """\
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: app
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
"""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def root_project(parent: Path, env: Mapping[str, str]) -> Project:
    """Two replicas, run as root by uvicorn's own command."""
    command = 'CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--log-level", "warning"]\n'
    return _project(parent, env, DOCKERFILE + command, MANIFEST, replicas=2)


def locked_project(parent: Path, env: Mapping[str, str]) -> Project:
    """One replica that may write nowhere, in a namespace that lets no other in."""
    manifest = MANIFEST.replace("      containers:\n        - name: app\n", LOCKED)
    command = 'USER 10001:10001\nCMD ["python", "-m", "app"]\n'
    project = _project(parent, env, DOCKERFILE + command, manifest, replicas=1)
    project.kubectl("create", "namespace", project.name)
    restricted = "pod-security.kubernetes.io/enforce=restricted"
    project.kubectl("label", "namespace", project.name, restricted)
    return project


def _project(
    parent: Path, env: Mapping[str, str], dockerfile: str, manifest: str, *, replicas: int
) -> Project:
    name = f"t-{uuid.uuid4().hex[:8]}"
    project = Project(folder=parent / name, name=name, env=dict(env))
    settings = SETTINGS.format(name=name, replicas=replicas, port=free_port())
    project.write("kubekit.yaml", settings)
    project.write("Dockerfile", dockerfile)
    project.write(".dockerignore", "**/__pycache__\n.env\n")
    project.write("requirements.txt", "")
    project.write("src/app/__init__.py", "")
    project.write("src/app/__main__.py", MODULE)
    project.write("src/app/main.py", MAIN)
    project.write("src/app/answer.py", 'TEXT = "first"\n')
    project.write("src/app/page.html", "a page\n")
    project.write("manifests/app.yaml.j2", manifest)
    project.write(".env", "GREETING=hello-there\n")
    return project
