"""Rows 18 to 28: apps that start and end."""

from __future__ import annotations

from tests.cluster.conftest import Project
from tests.cluster.scenarios.evidence import condition, either, ended
from tests.cluster.scenarios.scenario import (
    APP,
    JOB,
    Scenario,
    container,
    extra,
    kind,
    pod,
    spec,
)

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
LOCKED = """\
initContainers:
        - name: lock
          image: "{{ image }}"
          command: [chmod, "700", /state]
          securityContext: {runAsUser: 0}
          volumeMounts: [{name: state, mountPath: /state}]"""
SECOND = """\
        - name: second
          image: "{{ image }}"
          env: [{name: MODE, value: fine}]
"""


def with_file(project: Project) -> None:
    """The file is here; in the image it would be wanted beside the app."""
    project.write("app/limits.json", "{}")


SCENARIOS = {
    "exception": Scenario(
        title="The app raises an exception when it starts.",
        rows=(18,),
        cause="crash-loop",
        says=(
            "exit code 1: RuntimeError: the schema `tasks` is at version 3",
            'File "/app/server.py"',
        ),
        at="raise RuntimeError(",
        file=APP,
        mode="raise",
        tier="A",
        evidence=ended(),
    ),
    "second-crashes": Scenario(
        title="Of two Deployments the first takes its time, and the second crashes.",
        rows=(18,),
        cause="crash-loop",
        says=("container `job` crashes with exit code 1", 'File "/app/server.py"'),
        at="raise RuntimeError(",
        file=APP,
        edits=(*spec("minReadySeconds: 120"), *extra(WORKER)),
        tier="A",
        evidence=ended("job"),
    ),
    "file-left-out": Scenario(
        title="The app reads a file of the project that the image was not given.",
        rows=(18,),
        cause="crash-loop",
        says=(
            "`app/limits.json` is in your project but not in the image",
            "no `COPY` brings it to `/app/limits.json`",
            "add `COPY limits.json /app/limits.json` to `app/Dockerfile`",
            "FileNotFoundError",
        ),
        at="COPY server.py",
        file="app/Dockerfile",
        mode="file",
        prepare=with_file,
        tier="A",
        evidence=ended(),
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
    "dependency-unreachable": Scenario(
        title="The app needs a server that nobody has started.",
        rows=(21,),
        cause="dependency-unreachable",
        says=("db",),
        at="- name: app",
        mode="database",
        within=110,
        tier="A",
        evidence=ended(times=4),
    ),
    "killed": Scenario(
        title="The app is killed by a signal (137), and not for its memory.",
        rows=(23,),
        cause="killed",
        says=("137", "SIGKILL"),
        at="- name: app",
        edits=pod("shareProcessNamespace: true"),
        mode="killed",
        tier="A",
        evidence=ended(),
    ),
    "segmentation-fault": Scenario(
        title="The app reads memory that is not its own (139).",
        rows=(24,),
        cause="native-crash",
        says=("139", "SIGSEGV"),
        at="- name: app",
        mode="segfault",
        tier="A",
        evidence=ended(),
    ),
    "abort": Scenario(
        title="The app aborts (134).",
        rows=(24,),
        cause="native-crash",
        says=("134", "SIGABRT"),
        at="- name: app",
        edits=pod("shareProcessNamespace: true"),
        mode="abort",
        tier="A",
        evidence=ended(),
    ),
    "ends-by-sigterm": Scenario(
        title="The app is ended by SIGTERM again and again (143), and not by the cluster.",
        rows=(25,),
        cause="terminated",
        says=("143", "SIGTERM"),
        at="- name: app",
        edits=pod("shareProcessNamespace: true"),
        mode="terminated",
        tier="A",
        evidence=ended(),
    ),
    "read-only-filesystem": Scenario(
        title="The app writes where it may only read.",
        rows=(26,),
        cause="read-only-filesystem",
        says=("/app/cache", "emptyDir"),
        at="readOnlyRootFilesystem",
        edits=container("securityContext: {readOnlyRootFilesystem: true}"),
        mode="cache",
        tier="A",
        evidence=ended(),
    ),
    "permission-denied": Scenario(
        title="The app writes into a volume that belongs to somebody else.",
        rows=(27,),
        cause="permission-denied",
        says=("/state/data", "fsGroup"),
        at="- name: app",
        edits=pod(LOCKED),
        mode="data",
        tier="A",
        evidence=ended(),
    ),
    "port-in-use": Scenario(
        title="Two containers of the pod want the same port.",
        rows=(28,),
        cause="port-in-use",
        says=("8000",),
        at="- name: second",
        edits=(*spec("minReadySeconds: 10"), ("      volumes: [", f"{SECOND}      volumes: [")),
        tier="A",
        evidence=either(ended("second"), ended("app")),
    ),
    "statefulset-crashes": Scenario(
        title="The pod of a StatefulSet crashes.",
        rows=(18,),
        cause="crash-loop",
        says=("RuntimeError: the schema `tasks` is at version 3",),
        at="raise RuntimeError(",
        file=APP,
        edits=kind("StatefulSet"),
        mode="raise",
        tier="A",
        evidence=ended(),
    ),
    "daemonset-crashes": Scenario(
        title="The pod of a DaemonSet crashes.",
        rows=(18,),
        cause="crash-loop",
        says=("RuntimeError: the schema `tasks` is at version 3",),
        at="raise RuntimeError(",
        file=APP,
        edits=kind("DaemonSet"),
        mode="raise",
        tier="A",
        evidence=ended(),
    ),
    "job-fails": Scenario(
        title="The pod of a Job fails, and `backoffLimit` is 0.",
        rows=(18,),
        cause="crash-loop",
        says=("RuntimeError: the schema `tasks` is at version 3",),
        at="raise RuntimeError(",
        file=APP,
        manifest=JOB,
        mode="raise",
        tier="A",
        evidence=condition("Job", "Failed"),
    ),
}
