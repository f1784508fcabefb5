"""The reference backend on a real PostgreSQL: its tests, its deployment, a roll under load."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster import postgres
from tests.cluster.conftest import PROFILE, Project
from tests.conftest import ROOT

pytestmark = pytest.mark.cluster

BACKEND = ROOT / "backend" / ".venv" / "bin" / "python"
"""Made by `make backend/.venv/ready`: the service's own pinned packages."""

PASSWORD = secrets.token_hex(12)
SIGNING = secrets.token_hex(24)
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: db}
spec:
  strategy: {type: Recreate}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, runAsUser: 10070, fsGroup: 10070}
      containers:
        - name: postgres
          image: "{{ image }}"
          ports: [{name: pg, containerPort: 5432}]
          envFrom: [{secretRef: {name: "{{ secret }}"}}]
          readinessProbe: {tcpSocket: {port: pg}, periodSeconds: 1}
          volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec:
  selector: {app: db}
  ports: [{name: pg, port: 5432, targetPort: pg}]
"""
# Asks without a pause, a new connection each time as many clients would, until it is told to end.
HAMMER = """\
import json, signal, sys, time, urllib.request
over = []
signal.signal(signal.SIGTERM, lambda *_: over.append(1))
request = urllib.request.Request(sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2]})
asked, failed = 0, []
while not over:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
    except OSError as error:
        failed.append(f"{asked}: {error}")
    asked += 1
    if asked % 50 == 0:
        print(json.dumps({"asked": asked, "failed": failed}), flush=True)
    time.sleep(0.005)
print(json.dumps({"asked": asked, "failed": failed, "over": True}), flush=True)
time.sleep(3600)
"""


@dataclass(frozen=True, kw_only=True)
class Database:
    """PostgreSQL in a namespace of its own."""

    project: Project

    def url(self, host: str, port: int = 5432) -> str:
        return f"postgresql://tasks:{PASSWORD}@{host}:{port}/tasks"

    @property
    def host(self) -> str:
        """Its name for pods of all namespaces."""
        return f"db.{self.project.name}.svc.cluster.local"

    @contextlib.contextmanager
    def forwarded(self) -> Iterator[int]:
        """A port of this machine that leads to it."""
        command = ["kubectl", "--context", PROFILE, "-n", self.project.name]
        with subprocess.Popen(
            [*command, "port-forward", "service/db", ":5432"],
            env=self.project.env,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
                assert found is not None
                yield int(found[1])
            finally:
                process.terminate()


@pytest.fixture(scope="module")
def database(
    cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    name = f"t-{uuid.uuid4().hex[:8]}"
    folder = tmp_path_factory.mktemp("database")
    project = Project(folder=folder, name=name, env=dict(cluster))
    postgres.write(project, namespace=name, manifest=MANIFEST, password=PASSWORD)
    project.apply()
    yield Database(project=project)
    project.kubectl("delete", "namespace", name, "--wait=false", check=False)


@pytest.fixture(scope="module")
def tasks(
    cluster: dict[str, str], database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """This repository's own project, deployed with two replicas on that PostgreSQL."""
    folder = tmp_path_factory.mktemp("repository")
    shutil.copy(ROOT / "kubekit.yaml", folder)
    for part in ("manifests", "backend"):
        shutil.copytree(
            ROOT / part, folder / part, ignore=shutil.ignore_patterns(".venv", "*cache*")
        )
    project = Project(folder=folder, name=f"t-{uuid.uuid4().hex[:8]}", env=dict(cluster))
    project.edit("kubekit.yaml", "replicas: 1", "replicas: 2")
    url = database.url(database.host)
    project.write(".env", f"DATABASE_URL={url}\nBETTER_AUTH_SECRET={SIGNING}\n")
    project.apply("-n", project.name)
    yield project
    project.kubectl("delete", "namespace", project.name, "--wait=false", check=False)


def test_the_backends_own_tests_pass_on_it(database: Database) -> None:
    """Those that a database takes part in; `make test` runs all of them with sqlite."""
    files = [f"backend/tests/test_{name}.py" for name in ("tasks", "health", "drain")]
    with database.forwarded() as port:
        done = subprocess.run(
            [BACKEND, "-m", "pytest", *files, "-q", "-x", "-p", "no:cacheprovider"],
            cwd=ROOT,
            env={**os.environ, "BACKEND_TEST_DATABASE_URL": database.url("127.0.0.1", port)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert re.search(r"\d+ passed", done.stdout)


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def pods(project: Project) -> set[str]:
    """The names of the backend's pods that are to stay."""
    return {
        item["metadata"]["name"]
        for item in project.objects("pods")
        if not item["metadata"].get("deletionTimestamp")
        and item["metadata"]["labels"].get("app.kubernetes.io/name") == "tasks"
    }


def token() -> str:
    """A JSON Web Token for the user `me`."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = {"sub": "me", "exp": int(time.time()) + 3600}
    head = ".".join(part(json.dumps(item).encode()) for item in ({"alg": "HS256"}, claims))
    signature = hmac.digest(SIGNING.encode(), head.encode(), hashlib.sha256)
    return f"{head}.{part(signature)}"


def ask(project: Project, method: str, path: str, body: object = None) -> Answer:
    """A request from inside the cluster, through the Service."""
    script = (
        "import sys, urllib.error, urllib.request as u\n"
        "method, url, token, body = sys.argv[1:]\n"
        "heads = {'Authorization': 'Bearer ' + token, 'Content-Type': 'application/json'}\n"
        "r = u.Request(url, body.encode() or None, heads, method=method)\n"
        "try:\n    a = u.urlopen(r, timeout=60)\n"
        "except urllib.error.HTTPError as e:\n    a = e\n"
        "except OSError as e:\n    sys.exit(print(f'0\\n{e}'))\n"
        "print(a.status)\nprint(a.read().decode())\n"
    )
    text = json.dumps(body) if body is not None else ""
    url = f"http://tasks:8000{path}"
    said = project.kubectl(
        "exec", min(pods(project)), "--", "python", "-c", script, method, url, token(), text
    )
    status, _, rest = said.partition("\n")
    return Answer(status=int(status), body=rest.strip())


def test_tasks_live_in_it(tasks: Project) -> None:
    # A ready pod is in the EndpointSlice at once; the node's kube-proxy follows a moment later.
    until(lambda: ask(tasks, "GET", "/health/ready").status == 200, "the Service leads to it")
    made = ask(tasks, "POST", "/api/tasks", {"title": "prove it"})
    assert made.status == 201, made.body
    path = f"/api/tasks/{made.json['id']}"
    assert ask(tasks, "GET", path).json["title"] == "prove it"
    assert ask(tasks, "PATCH", path, {"title": "proved"}).json["title"] == "proved"
    assert ask(tasks, "DELETE", path).status == 204
    assert ask(tasks, "GET", path).status == 404


@contextlib.contextmanager
def hammering(project: Project) -> Iterator[None]:
    """A pod that asks the Service all the time; the test fails if one request does."""
    name = f"hammer-{uuid.uuid4().hex[:8]}"
    url = "http://tasks:8000/api/tasks"  # asks the database; readiness is refused on purpose
    image = project.objects("deployments")[0]["spec"]["template"]["spec"]["containers"][0]["image"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "hammer"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "hammer",
                    "image": image,
                    "command": ["python", "-u", "-c", HAMMER, url, token()],
                }
            ],
        },
    }
    file = project.folder / "hammer.json"
    file.write_text(json.dumps(pod))
    project.kubectl("create", "-f", str(file))
    try:
        until(lambda: asked(project, name)["asked"] >= 100, "the load has begun")
        yield
        before = asked(project, name)["asked"]
        until(lambda: asked(project, name)["asked"] > before + 100, "the load goes on")
        end = asked(project, name)
    finally:
        project.kubectl("delete", "pod", name, "--wait=false")
    assert end["failed"] == [], f"of {end['asked']} requests"


def asked(project: Project, pod: str) -> dict[str, Any]:
    lines = project.kubectl("logs", pod, "--tail=1", check=False).splitlines()
    return json.loads(lines[-1]) if lines else {"asked": 0, "failed": []}


def until(done: Any, what: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"in {seconds} s not: {what}"
        time.sleep(0.3)


def test_a_rolling_update_under_load_loses_no_request(tasks: Project) -> None:
    names = pods(tasks)
    new = f"ROLLED_{uuid.uuid4().hex}"
    with hammering(tasks):
        tasks.edit(
            "manifests/deployment.yaml.j2",
            "name: GRACEFUL_SECONDS",
            f'name: {new}\n              value: "1"\n            - name: GRACEFUL_SECONDS',
        )
        tasks.apply("-n", tasks.name)
    assert not names & pods(tasks), "nothing was rolled"


def test_without_it_the_backend_lives_and_is_not_ready(tasks: Project, database: Database) -> None:
    database.project.kubectl("scale", "deployment/db", "--replicas=0")
    database.project.kubectl("delete", "pods", "--all", "--wait=true")
    tasks_pod = tasks.objects("pods")[0]
    assert inside(tasks, tasks_pod, "/health/live") == 200
    until(lambda: inside(tasks, tasks_pod, "/health/ready") == 503, "not ready")
    assert inside(tasks, tasks_pod, "/health/live") == 200
    assert tasks.objects("pods")[0]["status"]["containerStatuses"][0]["restartCount"] == 0

    result = tasks.run("status", "-n", tasks.name)
    assert "Deployment/tasks             not ready" in result.out


def inside(project: Project, pod: dict[str, Any], path: str) -> int:
    """The status of an answer of the pod itself: a Service leads to ready ones only."""
    script = (
        "import sys, urllib.error, urllib.request as u\n"
        "try:\n    print(u.urlopen(sys.argv[1], timeout=60).status)\n"
        "except urllib.error.HTTPError as e:\n    print(e.status)\n"
    )
    url = f"http://127.0.0.1:8000{path}"
    name = pod["metadata"]["name"]
    return int(project.kubectl("exec", name, "--", "python", "-c", script, url))
