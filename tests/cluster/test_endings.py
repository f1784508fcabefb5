"""Each way a rollout can end, made to happen on the real Minikube.

A scenario is one entry of the table: what is done to a small project that works, and what kubekit
must then say. They run side by side, each in a namespace of its own, and share one image, which
behaves as the value `mode` of the project tells it. Each test looks at one result.
"""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kubekit.console import TextView
from kubekit.events import Event
from tests.cluster.conftest import DOCKERFILE, PROFILE, Project, small_project
from tests.conftest import KUBEKIT, ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(420)]

WORKERS = 5
"""As many as two cores bear without the waits becoming longer than what is waited for."""

DOCS = ROOT / "docs" / "endings.md"
APP = '''\
"""A server that goes wrong in the way MODE names."""

import http.server
import os
import pathlib
import signal
import sys
import time

MODE = os.environ["MODE"]


def connect() -> None:
    raise RuntimeError("the schema `tasks` is at version 3, and this app needs 4")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if MODE == "slow" and self.path == "/ready":
            time.sleep(5)
        status = {"unready": 503, "locked": 401, "dead": 500}.get(MODE, 200)
        self.send_response(status if self.path in ("/", "/ready") else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if MODE == "raise":
    connect()
if MODE == "variable":
    print("token of", len(os.environ["API_TOKEN"]))
if MODE == "ends":
    print("nothing to do", flush=True)
    sys.exit(0)
if MODE == "memory":
    print("reading all of it", flush=True)
    hoard = bytearray(512 * 1024 * 1024)
if MODE == "once":
    mark = pathlib.Path("/state/started")
    if not mark.exists():
        mark.touch()
        sys.exit("the database is not there yet")
if MODE == "nothing":
    time.sleep(3600)
host = "127.0.0.1" if MODE == "loopback" else "0.0.0.0"
port = 9000 if MODE == "port" else 8000
print(f"listening on http://{host}:{port}", flush=True)
http.server.ThreadingHTTPServer((host, port), Handler).serve_forever()
'''
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      enableServiceLinks: false
      containers:
        - name: app
          image: "{{ image }}"
          ports: [{name: http, containerPort: 8000}]
          env:
            - {name: MODE, value: "{{ mode }}"}
          readinessProbe:
            periodSeconds: 1
            httpGet:
              path: /ready
              port: http
          resources:
            requests: {cpu: 10m, memory: 24Mi}
            limits: {cpu: "1", memory: 128Mi}
          volumeMounts: [{name: state, mountPath: /state}]
      volumes: [{name: state, emptyDir: {}}]
"""
FILE = "manifests/app.yaml.j2"
VOLUMES = "      volumes: [{name: state, emptyDir: {}}]\n"
# A second Deployment of the same image, which crashes at once.
WORKER = """\
---
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
# Where the node itself answers as a registry: Docker asks loopback addresses without TLS.
REGISTRY = "127.0.0.1:5077"
REGISTRY_APP = """\
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        closed = "/private/" in self.path
        status = 200 if self.path == "/v2/" else 401 if closed else 404
        code = "UNAUTHORIZED" if closed else "MANIFEST_UNKNOWN"
        text = "authentication required" if closed else "manifest unknown"
        body = b'{"errors": [{"code": "%s", "message": "%s"}]}' % (code.encode(), text.encode())
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
    do_HEAD = do_GET

http.server.ThreadingHTTPServer(("127.0.0.1", 5077), Handler).serve_forever()
"""


@dataclass(kw_only=True)
class Running:
    """A run of kubekit that others may meddle with while it lasts."""

    process: subprocess.Popen[str]
    lines: list[tuple[float, str]] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.arrived:
                self.lines.append((time.monotonic(), line))
                self.arrived.notify_all()

    def until(self, text: str, seconds: float = 60) -> None:
        """Wait until the run has said this."""

        def said() -> bool:
            return any(text in line for _, line in self.lines)

        with self.arrived:
            assert self.arrived.wait_for(said, seconds), f"{text!r} was not said: {self.lines}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one scenario ended."""

    project: Project
    code: int
    events: list[dict[str, Any]]
    err: str
    total: float
    """Seconds from the start of the process to its end."""
    waited: float
    """Seconds from the start of the last stage to the end of the process."""

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def text(self) -> str:
        """All that is said at the end."""
        end = self.last
        said = (end.get("message") or end["text"], *end.get("details", ()), *end["hints"])
        return "\n".join(said)


Meddling = Callable[[Project, Running], None]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One way to end.

    Attributes:
        title: what was done, for the documentation.
        code: the exit code.
        cause: the id of the failure; none where it must end well.
        says: what the end must tell, hints and log included.
        at: a text of the manifest's line that must be named; none: no place is.
        edits: texts of the manifest and what they become.
        within: seconds the wait may take; far more than it takes on an idle machine.
        prepare: what is done to the cluster before.
        meddle: what is done while it runs.
    """

    title: str
    code: int = 6
    cause: str = ""
    says: tuple[str, ...] = ()
    at: str | None = None
    mode: str = "fine"
    edits: tuple[tuple[str, str], ...] = ()
    within: float = 45.0
    flags: tuple[str, ...] = ()
    prepare: Callable[[Project], None] | None = None
    meddle: Meddling | None = None


def env(line: str) -> tuple[tuple[str, str], ...]:
    """One more entry of the container's `env`."""
    old = '            - {name: MODE, value: "{{ mode }}"}\n'
    return ((old, f"{old}            - {line}\n"),)


def pod(line: str) -> tuple[tuple[str, str], ...]:
    """One more field of the pod's spec."""
    old = "      enableServiceLinks: false\n"
    return ((old, f"{old}      {line}\n"),)


def container(lines: str) -> tuple[tuple[str, str], ...]:
    """More fields of the container."""
    old = '          image: "{{ image }}"\n'
    return ((old, f"{old}          {lines}\n"),)


def image(name: str) -> tuple[tuple[str, str], ...]:
    return (('"{{ image }}"', name),)


def namespace(project: Project, *, labels: str = "", also: str = "") -> None:
    """The project's namespace, made by somebody else beforehand."""
    name = f"metadata: {{name: {project.name}, labels: {{{labels}}}}}"
    feed(project, f"apiVersion: v1\nkind: Namespace\n{name}\n")
    if also:
        feed(project, also)


def feed(project: Project, text: str, *arguments: str) -> None:
    """`kubectl apply -f -`."""
    command = ["kubectl", "--context", PROFILE, "-n", project.name, "apply", *arguments, "-f", "-"]
    done = subprocess.run(
        command, input=text, env=project.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def with_quota(project: Project) -> None:
    also = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\n"
    namespace(project, also=f"{also}spec: {{hard: {{requests.cpu: 5m}}}}\n")


def with_limits(project: Project) -> None:
    also = "apiVersion: v1\nkind: LimitRange\nmetadata: {name: narrow}\n"
    namespace(project, also=f"{also}spec: {{limits: [{{type: Container, max: {{cpu: 500m}}}}]}}\n")


def restricted(project: Project) -> None:
    namespace(project, labels="pod-security.kubernetes.io/enforce: restricted")


def other_owner(project: Project) -> None:
    """Another field manager owns the number of replicas, as an autoscaler would."""
    assert finished(project, start(project)).code == 0
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}\n"
    feed(project, text, "--server-side", "--field-manager=autoscaler", "--force-conflicts")
    project.edit(FILE, "replicas: 1", "replicas: 3")


def broken_before(project: Project) -> None:
    """The revision before this one crashes, and goes on crashing."""
    project.edit("kubekit.yaml", "mode: fine", "mode: raise")
    assert finished(project, start(project)).last["id"] == "crash-loop"
    project.edit("kubekit.yaml", "mode: raise", "mode: fine")


def when(said: str, act: Meddling) -> Meddling:
    """Do it once the run has said this."""

    def meddle(project: Project, run: Running) -> None:
        run.until(said)
        act(project, run)

    return meddle


def kubectl(*arguments: str) -> Meddling:
    return lambda project, _run: project.kubectl(*arguments) and None


def delete_namespace(project: Project, _run: Running) -> None:
    project.kubectl("delete", "namespace", project.name, "--wait=false")


def signalled(number: signal.Signals) -> Meddling:
    return lambda _project, run: run.process.send_signal(number)


def late_secret(project: Project, run: Running) -> None:
    """The Secret comes eight seconds after it was missed first: kubectl takes one of them."""
    run.until("Secret `keys` does not exist")
    time.sleep(7)
    project.kubectl("create", "secret", "generic", "keys", "--from-literal=A=b")


UNREADY = "answers 503"
KEY_REF = "{name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: TOKEN}}}"
SCENARIOS = {
    "ready": Scenario(title="All is well.", code=0, says=("is live",)),
    "crashes-once": Scenario(
        title="The app crashes once, then starts: not a failure.", code=0, mode="once"
    ),
    "secret-comes-late": Scenario(
        title="A Secret that somebody else makes comes 8 s late: not a failure.",
        code=0,
        edits=env(KEY_REF.replace("key: TOKEN", "key: A")),
        meddle=late_secret,
    ),
    "old-revision-crashes": Scenario(
        title="The revision before was crashing; the new one is fine.",
        code=0,
        prepare=broken_before,
    ),
    "image-never-pulled": Scenario(
        title="`imagePullPolicy: Never`, and no such image in the node.",
        cause="image-never-pulled",
        says=("`shop:v7`", "minikube image load"),
        at="image:",
        edits=image("shop:v7\n          imagePullPolicy: Never"),
    ),
    "image-not-found": Scenario(
        title="A registry that answers, but has no such image.",
        cause="image-not-found",
        says=(f"`{REGISTRY}/nothing:1`", "check name and tag"),
        at="image:",
        edits=image(f'"{REGISTRY}/nothing:1"'),
    ),
    "image-denied": Scenario(
        title="A registry that wants to know who asks.",
        cause="image-denied",
        says=(f"`{REGISTRY}/private/tasks:1`", "imagePullSecrets"),
        at="image:",
        edits=image(f'"{REGISTRY}/private/tasks:1"'),
    ),
    "image-registry-unreachable": Scenario(
        title="An image of a registry that cannot be reached.",
        cause="image-registry-unreachable",
        says=("registry.invalid", "network"),
        at="image:",
        edits=image("registry.invalid/tasks:1"),
        within=90,
    ),
    "image-invalid-name": Scenario(
        title="A name that no image can have.",
        cause="image-invalid-name",
        says=("`Tasks:V1`", "lower case"),
        at="image:",
        edits=image("Tasks:V1"),
    ),
    "secret-missing": Scenario(
        title="A Secret that is not there.",
        cause="secret-missing",
        says=("Secret `keys` does not exist", ".env"),
        at=KEY_REF,
        edits=env(KEY_REF),
    ),
    "secret-missing-in-a-volume": Scenario(
        title="A Secret that is not there, as a volume.",
        cause="secret-missing",
        says=("Secret `keys` does not exist",),
        at="secretName: keys",
        edits=(("{name: state, emptyDir: {}}", "{name: state, secret: {secretName: keys}}"),),
    ),
    "secret-key-missing": Scenario(
        title="A key that the Secret does not have.",
        cause="secret-key-missing",
        says=("`keys` has no key `TOKEN` (it has: OTHER)",),
        at=KEY_REF,
        edits=env(KEY_REF),
        prepare=lambda project: namespace(
            project,
            also="apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\ndata: {OTHER: YWJj}\n",
        ),
    ),
    "configmap-missing": Scenario(
        title="A ConfigMap that is not there.",
        cause="configmap-missing",
        says=("ConfigMap `settings` does not exist", "add it to the manifests"),
        at="configMapRef",
        edits=container("envFrom: [{configMapRef: {name: settings}}]"),
    ),
    "configmap-key-missing": Scenario(
        title="A key that the ConfigMap does not have.",
        cause="configmap-key-missing",
        says=("`kube-root-ca.crt` has no key `PORT` (it has: ca.crt)",),
        at="configMapKeyRef",
        edits=env("{name: X, valueFrom: {configMapKeyRef: {name: kube-root-ca.crt, key: PORT}}}"),
    ),
    "exception": Scenario(
        title="The app raises an exception when it starts.",
        cause="crash-loop",
        says=(
            "exit code 1: RuntimeError: the schema `tasks` is at version 3",
            'File "/app/server.py"',
        ),
        at="- name: app",
        mode="raise",
    ),
    "second-crashes": Scenario(
        title="Of two Deployments the first takes its time, and the second crashes.",
        cause="crash-loop",
        says=("container `job` crashes with exit code 1", 'File "/app/server.py"'),
        at="- name: job",
        edits=(
            ("  replicas: 1\n", "  replicas: 1\n  minReadySeconds: 120\n"),
            (VOLUMES, VOLUMES + WORKER),
        ),
    ),
    "variable-missing": Scenario(
        title="The app reads a variable that nobody sets.",
        cause="variable-missing",
        says=("`API_TOKEN`", "KeyError: 'API_TOKEN'", ".env"),
        at="env:",
        mode="variable",
    ),
    "exits-at-once": Scenario(
        title="The app ends, with exit code 0.",
        cause="exits-at-once",
        says=("exit code 0", "foreground", "nothing to do"),
        at="- name: app",
        mode="ends",
    ),
    "out-of-memory": Scenario(
        title="The app needs more memory than its limit.",
        cause="out-of-memory",
        says=("limit of 128Mi", "resources.limits.memory"),
        at="limits:",
        mode="memory",
    ),
    "command-not-found": Scenario(
        title="The command is not in the image.",
        cause="command-not-found",
        says=("gunicorn", "must exist in the image"),
        at="command:",
        edits=container("command: [gunicorn, app]"),
    ),
    "init-container": Scenario(
        title="A container that must run before the app fails.",
        cause="crash-loop",
        says=("container `migrate` crashes with exit code 3", "no such table"),
        at="command: [python",
        edits=pod(
            'initContainers:\n        - name: migrate\n          image: "{{ image }}"\n'
            "          command: [python, -c, 'import sys; print(\"no such table\"); sys.exit(3)']"
        ),
    ),
    "probe-wrong-path": Scenario(
        title="The readiness probe asks a path the app does not have.",
        cause="probe-wrong-path",
        says=("404", "`/healthz`"),
        at="path:",
        edits=(("path: /ready", "path: /healthz"),),
    ),
    "probe-wrong-port": Scenario(
        title="The app listens on another port than the probe asks.",
        cause="probe-wrong-port",
        says=("asks port 8000, but the app listens on 9000",),
        at="port:",
        mode="port",
    ),
    "probe-refused": Scenario(
        title="The app runs and listens nowhere.",
        cause="probe-refused",
        says=("nothing listens on port 8000",),
        at="port:",
        mode="nothing",
        within=75,
    ),
    "probe-rejected": Scenario(
        title="The path of the probe wants credentials.",
        cause="probe-rejected",
        says=("401", "no credentials"),
        at="path:",
        mode="locked",
    ),
    "probe-slow": Scenario(
        title="The answer to the probe takes longer than `timeoutSeconds`.",
        cause="probe-slow",
        says=("`timeoutSeconds`",),
        at="readinessProbe:",
        mode="slow",
        within=75,
    ),
    "listens-on-loopback": Scenario(
        title="The app listens on 127.0.0.1.",
        cause="listens-on-loopback",
        says=("127.0.0.1", "--host 0.0.0.0"),
        at="readinessProbe:",
        mode="loopback",
    ),
    "liveness-probe-kills": Scenario(
        title="The liveness probe fails, so the app is killed again and again.",
        cause="liveness-probe-kills",
        says=("liveness", "`/alive`"),
        at="/alive",
        edits=container(
            "livenessProbe: {httpGet: {path: /alive, port: http}, periodSeconds: 1, "
            "failureThreshold: 1}"
        ),
        mode="unready",
    ),
    "probe-failing": Scenario(
        title="The app says it is not ready (503), for longer than `--timeout`.",
        code=7,
        cause="probe-failing",
        says=("not ready after 12 s", "answers 503", "raise `timeout`"),
        at="path:",
        mode="unready",
        flags=("--timeout", "12s"),
    ),
    "timeout": Scenario(
        title="It only takes longer than `--timeout`.",
        code=7,
        cause="timeout",
        says=("not ready after 3 s", "raise `timeout`"),
        at="apiVersion:",
        edits=(("  replicas: 1\n", "  replicas: 1\n  minReadySeconds: 60\n"),),
        flags=("--timeout", "3s"),
        within=20,
    ),
    "deadline": Scenario(
        title="The Deployment's own `progressDeadlineSeconds` passes.",
        code=7,
        cause="deadline",
        says=("no progress for 6 s", "answers 503"),
        at="path:",
        edits=(("  replicas: 1\n", "  replicas: 1\n  progressDeadlineSeconds: 6\n"),),
        mode="unready",
    ),
    "runs-as-root": Scenario(
        title="The pod must not run as root, and the image does.",
        cause="runs-as-root",
        says=("may not run as root", "USER 10001"),
        at="securityContext",
        edits=container("securityContext: {runAsNonRoot: true}"),
        prepare=lambda project: project.edit("app/Dockerfile", "USER 10001:10001\n", ""),
    ),
    "unschedulable": Scenario(
        title="No node has what the pod asks for.",
        cause="unschedulable",
        says=("Insufficient cpu", "cpu 64", "resources.requests"),
        at="requests:",
        edits=(
            ("requests: {cpu: 10m", 'requests: {cpu: "64"'),
            ('limits: {cpu: "1"', 'limits: {cpu: "64"'),
        ),
    ),
    "volume-claim-missing": Scenario(
        title="A PersistentVolumeClaim that is not there.",
        cause="volume-claim-missing",
        says=("`disk` does not exist",),
        at="claimName",
        edits=(("emptyDir: {}", "persistentVolumeClaim: {claimName: disk}"),),
    ),
    "quota": Scenario(
        title="The namespace's ResourceQuota is used up.",
        code=5,
        cause="quota",
        says=("exceeded quota: small", "raise the ResourceQuota"),
        at="resources:",
        prepare=with_quota,
    ),
    "limit-range": Scenario(
        title="The namespace's LimitRange does not allow it.",
        code=5,
        cause="limit-range",
        says=("maximum cpu usage per Container is 500m", "LimitRange"),
        at="resources:",
        prepare=with_limits,
    ),
    "pod-security": Scenario(
        title='The namespace\'s PodSecurity level is "restricted".',
        code=5,
        cause="pod-security",
        says=("allowPrivilegeEscalation", "securityContext"),
        at="- name: app",
        prepare=restricted,
    ),
    "service-account-missing": Scenario(
        title="A ServiceAccount that is not there.",
        code=5,
        cause="service-account-missing",
        says=("`robot` does not exist",),
        at="serviceAccountName",
        edits=pod("serviceAccountName: robot"),
    ),
    "field-conflict": Scenario(
        title="A field that another manager owns.",
        code=5,
        cause="api-conflict",
        says=("`Deployment/web`", ".spec.replicas", "autoscaler", "leave these fields out"),
        at="replicas:",
        prepare=other_owner,
        within=30,
    ),
    "paused": Scenario(
        title="The Deployment is paused.",
        cause="paused",
        says=("is paused", "rollout resume"),
        at="paused:",
        edits=(("  replicas: 1\n", "  replicas: 1\n  paused: true\n"),),
        within=20,
    ),
    "superseded": Scenario(
        title="Somebody else applies another version meanwhile.",
        code=10,
        cause="superseded",
        says=("another apply",),
        mode="unready",
        at="apiVersion:",
        meddle=when(UNREADY, kubectl("set", "env", "deploy/web", "OTHER=1")),
    ),
    "deleted": Scenario(
        title="Somebody deletes the Deployment meanwhile.",
        cause="deleted",
        says=("was deleted during the rollout",),
        at="apiVersion:",
        mode="unready",
        meddle=when(UNREADY, kubectl("delete", "deploy/web", "--wait=false")),
    ),
    "namespace-terminating": Scenario(
        title="Somebody deletes the namespace meanwhile.",
        cause="namespace-terminating",
        says=("is being deleted",),
        at="apiVersion:",
        mode="unready",
        meddle=when(UNREADY, delete_namespace),
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


def make(parent: Path, environ: dict[str, str], scenario: Scenario) -> Project:
    """The project of a scenario; all share one name, and so one image, but no namespace."""
    project = small_project(parent, environ)
    project.write(
        "kubekit.yaml",
        f"name: tasks\nnamespace: {project.name}\nbuild: {{context: app}}\n"
        f"timeout: 120s\nvalues: {{mode: {scenario.mode}}}\n",
    )
    (project.folder / ".env").unlink()
    project.write("app/Dockerfile", DOCKERFILE)
    project.write("app/server.py", APP)
    project.write(FILE, MANIFEST)
    for old, new in scenario.edits:
        project.edit(FILE, old, new)
    return project


def start(project: Project, *flags: str) -> Running:
    process = subprocess.Popen(
        [KUBEKIT, "build-and-apply", "-o", "json", *flags],
        cwd=project.folder,
        env=project.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Running(process=process)


def finished(project: Project, run: Running, meddle: Meddling | None = None) -> Outcome:
    """The end of a run, meddled with while it lasts."""
    began = time.monotonic()
    reader = threading.Thread(target=run.read)
    reader.start()
    try:
        if meddle is not None:
            meddle(project, run)
        assert run.process.stderr is not None
        err = run.process.stderr.read()
        code = run.process.wait(timeout=200)
    finally:
        run.process.kill()
        reader.join()
        run.process.__exit__(None, None, None)
    ended = time.monotonic()
    stages = [when for when, line in run.lines if '"stage-started"' in line]
    return Outcome(
        project=project,
        code=code,
        events=[json.loads(line) for _, line in run.lines],
        err=err,
        total=ended - began,
        waited=ended - (stages[-1] if stages else began),
    )


def play(parent: Path, environ: dict[str, str], scenario: Scenario) -> Outcome:
    """One scenario from its beginning to its end; its namespace is gone or going afterwards."""
    project = make(parent, environ, scenario)
    try:
        if scenario.prepare is not None:
            scenario.prepare(project)
        return finished(project, start(project, *scenario.flags), scenario.meddle)
    finally:
        project.kubectl("delete", "namespace", project.name, "--wait=false", check=False)


@pytest.fixture(scope="module")
def registry(cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A registry in the node that knows no image and wants credentials for some."""
    project = make(tmp_path_factory.mktemp("registry"), cluster, SCENARIOS["ready"])
    for old, new in (
        *container(f"command: [python, -u, -c, {json.dumps(REGISTRY_APP)}]"),
        *pod("hostNetwork: true"),
        ("          ports: [{name: http, containerPort: 8000}]\n", ""),
        ("httpGet:\n", "httpGet:\n              host: 127.0.0.1\n"),
        ("path: /ready", "path: /v2/"),
        ("port: http", "port: 5077"),
    ):
        project.edit(FILE, old, new)
    try:
        project.apply()
        yield
    finally:
        # Waited for: the pod holds a port of the node, which the next run needs.
        project.kubectl("delete", "namespace", project.name, check=False)


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest,
    cluster: dict[str, str],
    registry: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Future[Outcome]]]:
    """The outcome of every scenario that was asked for, as they come in."""
    wanted = [
        item.callspec.params["name"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and hasattr(item, "callspec")
        and item.function is test_ending
    ]
    wanted.sort(key=lambda name: -SCENARIOS[name].within)  # the longest first
    parent = tmp_path_factory.mktemp("endings")
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        yield {name: pool.submit(play, parent, cluster, SCENARIOS[name]) for name in wanted}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", SCENARIOS)
def test_ending(name: str, outcomes: dict[str, Future[Outcome]]) -> None:
    scenario, outcome = SCENARIOS[name], outcomes[name].result()
    assert "Traceback" not in outcome.err
    assert outcome.code == scenario.code, outcome.text
    if not scenario.cause:
        assert outcome.last["type"] == "ended"
    else:
        assert outcome.last["type"] == "failed"
        assert outcome.last["id"] == scenario.cause, outcome.text
        assert outcome.last["exit_code"] == outcome.code
    for text in scenario.says:
        assert text in outcome.text
    if scenario.cause and scenario.cause != "interrupted":
        assert outcome.last["hints"]
        assert outcome.last["place"] == f"{FILE}:{line_of(outcome, scenario.at)}"
    assert outcome.waited < scenario.within


def line_of(outcome: Outcome, text: str | None) -> int:
    """The number of the one line of the manifest that holds this text."""
    assert text is not None
    lines = (outcome.project.folder / FILE).read_text().splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if text in line)
    return number


def test_the_text_view_draws_the_same_events(
    cluster: dict[str, str], tmp_path: Path, registry: None
) -> None:
    """The documentation is drawn from events; this is what a person sees who asks for text."""
    scenario = SCENARIOS["secret-key-missing"]
    project = make(tmp_path, cluster, scenario)
    assert scenario.prepare is not None
    scenario.prepare(project)
    try:
        finished(project, start(project))
        text = project.run("build-and-apply")
        events = finished(project, start(project))
    finally:
        project.kubectl("delete", "namespace", project.name, "--wait=false", check=False)
    assert text.out == ""
    drawn = drawing(events.events)
    # Seconds differ, and how far the pod was when it was looked at first.
    assert ends(drawn) == ends(text.err)
    assert "has no key `TOKEN`" in ends(drawn)[0]


def ends(text: str) -> list[str]:
    lines = re.sub(r"[0-9]+", "#", text).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("✗"))
    # An event may come after the status that decides, so it is shown in some runs only.
    return [line for line in lines[start:] if not line.startswith("  │")]


def drawing(events: list[dict[str, Any]]) -> str:
    """What the text view makes of these events."""
    buffer = io.BytesIO()
    with io.TextIOWrapper(buffer, encoding="utf-8", write_through=True) as err:
        draw(TextView(err, err, verbosity=0), events)
        return buffer.getvalue().decode()


def draw(view: TextView, events: list[dict[str, Any]]) -> None:
    kinds = {kind.type: kind for kind in Event.__subclasses__()}
    for event in events:
        fields = {key: value for key, value in event.items() if key not in ("v", "type")}
        view(kinds[event["type"]](**fields))
    view.close()


@pytest.fixture(scope="module", autouse=True)
def _documentation(
    request: pytest.FixtureRequest, outcomes: dict[str, Future[Outcome]]
) -> Iterator[None]:
    """With `--write-docs`, and if every scenario was played: the documentation made of them."""
    yield
    if request.config.getoption("--write-docs", default=False) and len(outcomes) == len(SCENARIOS):
        DOCS.write_text(documentation({name: outcomes[name].result() for name in SCENARIOS}))


def documentation(outcomes: dict[str, Outcome]) -> str:
    rows = [
        f"| [{name}](#{name}) | {outcome.code} | {outcome.last.get('id', '')} "
        f"| {outcome.waited:.0f} |"
        for name, outcome in outcomes.items()
    ]
    parts = [section(name, outcome) for name, outcome in outcomes.items()]
    return "\n".join([HEAD, *rows, "", *parts])


HEAD = """\
# How a rollout ends

Each ending as `kubekit build-and-apply` told it on a real Minikube, from its last stage on.
`pytest tests/cluster/test_endings.py --write-docs` writes this page from what was seen; only the
names of namespaces and pods are made the same everywhere. Do not edit it.

| what | exit code | id (in `-o json`) | seconds of the last stage |
|---|---|---|---|"""


def section(name: str, outcome: Outcome) -> str:
    events = outcome.events
    starts = [at for at, event in enumerate(events) if event["type"] == "stage-started"]
    text = drawing(events[starts[-1] if starts else 0 :])
    text = text.replace(outcome.project.name, "tasks")
    text = re.sub(r"web-[0-9a-f]{6,10}-[a-z0-9]{5}(?![a-z0-9])", "web-5d8c7b9f64-x2k4p", text)
    text = re.sub(r"web-[0-9a-f]{8,10}\b(?!-)", "web-5d8c7b9f64", text)
    scenario = SCENARIOS[name]
    asked = " ".join(("kubekit build-and-apply", *scenario.flags))
    seen = f"```console\n$ {asked}\n{text}$ echo $?\n{outcome.code}\n```"
    return f"## {name}\n{scenario.title}\n{seen}\n"
