"""Rows 11 to 17 and 29 to 31: containers that cannot be created or started."""

from __future__ import annotations

from tests.cluster.scenarios.actions import with_objects
from tests.cluster.scenarios.evidence import ended, told, waits
from tests.cluster.scenarios.scenario import Scenario, container, env, pod, volume

KEY_REF = "{name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: TOKEN}}}"
OTHER_KEY = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\ndata: {OTHER: YWJj}\n"
NO_CONFIG = "CreateContainerConfigError"

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
        evidence=waits("RunContainerError", "CreateContainerError", "CrashLoopBackOff"),
    ),
    "init-container": Scenario(
        title="A container that must run before the app fails.",
        rows=(29,),
        cause="crash-loop",
        says=("container `migrate` crashes with exit code 3", "no such table"),
        at="command: [python",
        edits=pod(
            'initContainers:\n        - name: migrate\n          image: "{{ image }}"\n'
            "          command: [python, -c, 'import sys; print(\"no such table\"); sys.exit(3)']"
        ),
        tier="A",
        evidence=ended("migrate"),
    ),
}
