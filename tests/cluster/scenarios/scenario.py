"""What a scenario is, and the small project that all of them change in one way or another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from kubekit.rollout.catalogue import CAUSES
from tests.cluster.conftest import Project
from tests.cluster.scenarios.recorder import Evidence
from tests.cluster.scenarios.running import Running
from tests.conftest import KUBEKIT

FILE = "manifests/app.yaml.j2"
APP = "app/server.py"
REGISTRY = "127.0.0.1:5077"
"""Where the node itself answers as a registry: Docker asks loopback addresses without TLS."""

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
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: web}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      enableServiceLinks: false
      containers:
        - name: app
          image: "{{ image }}"
          env:
            - {name: MODE, value: "{{ mode }}"}
"""

Meddling = Callable[[Project, Running], None]
Edits = tuple[tuple[str, str], ...]
Tier = Literal["A", "B", "C", "before", "W", ""]
"""How a cause is decided: see `Scenario.tier`."""

AT_SIGHT = 1.0
"""Seconds that may pass from the evidence, or the end of its window, to the verdict."""
BEFORE = 6.0
"""Seconds in which a run must tell what the API server refuses when it is asked, or does not."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One way to end.

    Attributes:
        title: what was done, for the documentation.
        rows: the rows of the study of failures (section 2) that it shows.
        code: the exit code.
        cause: the id of the failure; none where it must end well.
        says: what the end must tell, hints and log included.
        mentions: what must be told before the end: a warning, or what is waited for.
        at: a text of the line that must be named; empty: no place is.
        file: the file that it is in.
        edits: texts of the manifest and what they become.
        manifest: what is edited.
        tier: A fails on first sight of the evidence; B when it has stood for its window; C only
            explains, when the time is over; ``before`` is told before anything is written, so that
            nothing of it can be seen in the API; W is no failure.
        window: seconds the evidence must stand; None: what the catalogue says.
        evidence: which change in the API shows the failure; the earliest counts. None: it could be
            seen before the apply, so that seconds count from there.
        within: seconds the last stage may take; far more than on an idle machine.
        prepare: what is done to the cluster before.
        meddle: what is done while it runs.
        cleanup: what is done afterwards, however it went.
        leaves: kinds of objects outside the namespace, labelled with the project's name.
        alone: whether nothing else may run meanwhile, because the node or the API server suffers.
        program: what is run in place of kubekit.
    """

    title: str
    rows: tuple[int, ...] = ()
    code: int = 6
    cause: str = ""
    says: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    at: str = ""
    file: str = FILE
    mode: str = "fine"
    edits: Edits = ()
    manifest: str = MANIFEST
    tier: Tier = ""
    window: float | None = None
    evidence: Evidence | None = None
    within: float = 45.0
    flags: tuple[str, ...] = ()
    prepare: Callable[[Project], None] | None = None
    meddle: Meddling | None = None
    cleanup: Callable[[Project], None] | None = None
    leaves: str = ""
    alone: bool = False
    program: tuple[str, ...] = (str(KUBEKIT),)

    @property
    def patience(self) -> float:
        """Seconds from the first evidence to the verdict, at most, without what a machine adds."""
        if self.window is not None:
            return self.window
        return CAUSES[self.cause].after


def replaced(old: str, new: str) -> Edits:
    """One text of the manifest becomes another one."""
    return ((old, new),)


def env(line: str) -> Edits:
    """One more entry of the container's `env`."""
    return _after('            - {name: MODE, value: "{{ mode }}"}\n', f"            - {line}\n")


def spec(line: str) -> Edits:
    """One more field of the Deployment."""
    return _after("  replicas: 1\n", f"  {line}\n")


def pod(line: str) -> Edits:
    """One more field of the pod's spec."""
    return _after("      enableServiceLinks: false\n", f"      {line}\n")


def container(lines: str) -> Edits:
    """More fields of the container."""
    return _after('          image: "{{ image }}"\n', f"          {lines}\n")


def image(name: str) -> Edits:
    """Another image."""
    return replaced('"{{ image }}"', name)


def volume(source: str) -> Edits:
    """What is mounted at /state."""
    return replaced("emptyDir: {}", source)


def extra(document: str) -> Edits:
    """One more object in the file."""
    return _after("      volumes: [{name: state, emptyDir: {}}]\n", f"---\n{document}")


def kind(name: str) -> Edits:
    """A StatefulSet or a DaemonSet instead of the Deployment."""
    edits = replaced("kind: Deployment", f"kind: {name}")
    return (*edits, ("  replicas: 1\n", "")) if name == "DaemonSet" else edits


def no_probe() -> Edits:
    """An app that nobody asks whether it is ready."""
    return replaced(
        "          readinessProbe:\n            periodSeconds: 1\n            httpGet:\n"
        "              path: /ready\n              port: http\n",
        "",
    )


def _after(old: str, new: str) -> Edits:
    return ((old, old + new),)


RECREATE = spec("strategy: {type: Recreate}") + replaced(
    "terminationGracePeriodSeconds: 1\n", "terminationGracePeriodSeconds: 30\n"
)
"""The old pod goes, however long it takes, before the new one comes."""
