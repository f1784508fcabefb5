"""Rows 11 to 17 and 29 to 31: containers that cannot be created or started."""

from __future__ import annotations

import base64
import struct

from tests.cluster.scenarios.actions import with_objects
from tests.cluster.scenarios.evidence import ended, told, waits
from tests.cluster.scenarios.scenario import Edits, Scenario, container, env, pod, volume

KEY_REF = "{name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: TOKEN}}}"
OTHER_KEY = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\ndata: {OTHER: YWJj}\n"
NO_CONFIG = "CreateContainerConfigError"
NO_START = ("RunContainerError", "CreateContainerError", "CrashLoopBackOff")
INIT = """\
initContainers:
        - name: migrate
          image: "{{{{ image }}}}"
          command: {command}"""
# The head of an ELF file, and nothing more: a program for s390x.
FOREIGN = base64.b64encode(
    struct.pack(">16sHHI", b"\x7fELF\x02\x02\x01", 2, 22, 1).ljust(64, b"\0")
).decode()
SCRIPT = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: script}
"""
RUNTIME_CLASS = """\
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: NAME, labels: {scenario: NAME}}
handler: no-such-handler
"""


def script(data: str) -> Edits:
    """The command is a file of a ConfigMap."""
    return (
        *container("command: [/state/run.sh]"),
        *volume("configMap: {name: script, defaultMode: 0755}"),
        ("apiVersion: apps/v1\n", f"{SCRIPT}{data}\n---\napiVersion: apps/v1\n"),
    )


SCENARIOS = {
    "secret-missing": Scenario(
        title="A Secret that is not there.",
        rows=(11,),
        cause="secret-missing",
        says=("Secret `keys` does not exist", ".env"),
        at=KEY_REF,
        edits=env(KEY_REF),
        tier="B",
        evidence=waits(NO_CONFIG),
    ),
    "secret-missing-in-a-volume": Scenario(
        title="A Secret that is not there, as a volume.",
        rows=(49,),
        cause="secret-missing",
        says=("Secret `keys` does not exist",),
        at="secretName: keys",
        edits=volume("secret: {secretName: keys}"),
        tier="B",
        evidence=told("FailedMount", 'secret "keys" not found'),
    ),
    "secret-key-missing": Scenario(
        title="A key that the Secret does not have.",
        rows=(12,),
        cause="secret-key-missing",
        says=("`keys` has no key `TOKEN` (it has: OTHER)",),
        at=KEY_REF,
        edits=env(KEY_REF),
        prepare=with_objects(OTHER_KEY),
        tier="A",
        evidence=waits(NO_CONFIG),
    ),
    "configmap-missing": Scenario(
        title="A ConfigMap that is not there.",
        rows=(11,),
        cause="configmap-missing",
        says=("ConfigMap `settings` does not exist", "add it to the manifests"),
        at="configMapRef",
        edits=container("envFrom: [{configMapRef: {name: settings}}]"),
        tier="B",
        evidence=waits(NO_CONFIG),
    ),
    "configmap-key-missing": Scenario(
        title="A key that the ConfigMap does not have.",
        rows=(12,),
        cause="configmap-key-missing",
        says=("`kube-root-ca.crt` has no key `PORT` (it has: ca.crt)",),
        at="configMapKeyRef",
        edits=env("{name: X, valueFrom: {configMapKeyRef: {name: kube-root-ca.crt, key: PORT}}}"),
        tier="A",
        evidence=waits(NO_CONFIG),
    ),
    "runs-as-root": Scenario(
        title="The pod must not run as root, and the image does.",
        rows=(13,),
        cause="runs-as-root",
        says=("may not run as root", "USER 10001"),
        at="securityContext",
        edits=container("securityContext: {runAsNonRoot: true}"),
        prepare=lambda project: project.edit("app/Dockerfile", "USER 10001:10001\n", ""),
        tier="A",
        evidence=waits(NO_CONFIG),
    ),
    "command-not-found": Scenario(
        title="The command is not in the image.",
        rows=(15,),
        cause="command-not-found",
        says=("gunicorn", "must exist in the image"),
        at="command:",
        edits=container("command: [gunicorn, app]"),
        tier="A",
        evidence=waits(*NO_START),
    ),
    "init-container": Scenario(
        title="A container that must run before the app fails.",
        rows=(29,),
        cause="init-crash-loop",
        says=("init container `migrate` crashes with exit code 3", "no such table"),
        at="command: [python",
        edits=pod(
            INIT.format(command="[python, -c, 'import sys; print(\"no such table\"); sys.exit(3)']")
        ),
        tier="A",
        evidence=ended("migrate"),
    ),
    "configmap-missing-in-a-volume": Scenario(
        title="A ConfigMap that is not there, as a volume.",
        rows=(49,),
        cause="configmap-missing",
        says=("ConfigMap `settings` does not exist",),
        at="configMap: {name: settings}",
        edits=volume("configMap: {name: settings}"),
        tier="B",
        evidence=told("FailedMount", 'configmap "settings" not found'),
    ),
    "secret-key-missing-in-a-volume": Scenario(
        title="A key that the Secret does not have, as a file.",
        rows=(49,),
        cause="secret-key-missing",
        says=("`keys` has no key `TOKEN` (it has: OTHER)",),
        at="key: TOKEN",
        edits=volume("secret: {secretName: keys, items: [{key: TOKEN, path: token}]}"),
        prepare=with_objects(OTHER_KEY),
        tier="A",
        evidence=told("FailedMount", "non-existent"),
    ),
    "not-executable": Scenario(
        title="The command is a file that may not be executed.",
        rows=(15,),
        cause="command-not-found",
        says=("/app/server.py", "permission denied", "executable"),
        at="command:",
        edits=container("command: [/app/server.py]"),
        tier="A",
        evidence=waits(*NO_START),
    ),
    "interpreter-missing": Scenario(
        title="A script that was written on Windows: its first line ends in a carriage return.",
        rows=(16,),
        cause="interpreter-missing",
        says=("/state/run.sh", "dos2unix"),
        at="command:",
        edits=script('data: {run.sh: "#!/bin/sh\\r\\nexec sleep 60\\r\\n"}'),
        tier="A",
        evidence=ended(times=1),
    ),
    "wrong-architecture": Scenario(
        title="A program for another kind of processor.",
        rows=(17,),
        cause="wrong-architecture",
        says=("node's kind of processor", "architecture"),
        at="command:",
        edits=script(f"binaryData: {{run.sh: {FOREIGN}}}"),
        tier="A",
        evidence=ended(times=1),
    ),
    "init-command-not-found": Scenario(
        title="The command of a container that must run before the app is not in the image.",
        rows=(29,),
        cause="command-not-found",
        says=("init container `migrate`", "alembic"),
        at="command: [alembic",
        edits=pod(INIT.format(command="[alembic, upgrade, head]")),
        tier="A",
        evidence=waits(*NO_START),
    ),
    "post-start-hook": Scenario(
        title="The command that is to run right after the start fails.",
        rows=(30,),
        cause="post-start-hook",
        says=("container `app`",),
        at="lifecycle:",
        edits=container('lifecycle: {postStart: {exec: {command: [sh, -c, "exit 3"]}}}'),
        tier="A",
        evidence=told("FailedPostStartHook", count=2),
    ),
    "sandbox-failed": Scenario(
        title="A RuntimeClass whose handler the node does not have.",
        rows=(31,),
        cause="sandbox-failed",
        says=("no-such-handler",),
        at="apiVersion:",
        edits=pod('runtimeClassName: "{{ namespace }}"'),
        prepare=with_objects(RUNTIME_CLASS),
        leaves="runtimeclasses",
        within=90,
        tier="B",
        evidence=told("FailedCreatePodSandBox"),
    ),
}
