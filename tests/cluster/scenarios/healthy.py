"""Awkward, but healthy: each must end Ready. Apps that take their time, and what they wait for."""

from __future__ import annotations

from tests.cluster.scenarios.actions import UNREADY, fed, kubectl, pause, when
from tests.cluster.scenarios.scenario import (
    JOB,
    REGISTRY,
    Edits,
    Scenario,
    container,
    env,
    extra,
    image,
    kind,
    no_probe,
    pod,
    replaced,
    spec,
)
from tests.cluster.scenarios.services import service
from tests.cluster.scenarios.start import INIT, KEY_REF

SLEEP = '[sh, -c, "sleep 10"]'
SIDECAR = "\n          restartPolicy: Always"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {A: b}\n"
DATABASE = """\
apiVersion: v1
kind: Service
metadata: {name: db}
spec:
  selector: {app: db}
  ports: [{name: http, port: 8000}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: db
          image: "{{ image }}"
          ports: [{name: http, containerPort: 8000}]
          env: [{name: MODE, value: slow-start}]
          readinessProbe: {periodSeconds: 1, httpGet: {path: /ready, port: http}}
"""


def alive(fields: str) -> Edits:
    """A liveness probe."""
    return container(f"livenessProbe: {{httpGet: {{path: /alive, port: http}}, {fields}}}")


SCENARIOS = {
    "ready": Scenario(title="All is well.", code=0, says=("is live",)),
    "slow-start": Scenario(
        title="The app listens only after 12 s.", rows=(39,), code=0, mode="slow-start"
    ),
    "slow-image": Scenario(
        title="The image takes 10 s to come.",
        rows=(10,),
        code=0,
        edits=(*image(f'"{REGISTRY}/slow/app:1"'), *no_probe()),
    ),
    "late-ready": Scenario(
        title="The app answers 503 for 15 s, then it is ready.", rows=(36,), code=0, mode="late"
    ),
    "flapping": Scenario(
        title="Ready, then not for 6 s, then ready again.",
        rows=(80,),
        code=0,
        mode="flaps",
        edits=(
            *spec("minReadySeconds: 5"),
            *replaced("periodSeconds: 1\n", "periodSeconds: 1\n            failureThreshold: 1\n"),
        ),
    ),
    "min-ready-seconds-pass": Scenario(
        title="The pod must stay ready for 8 s.",
        rows=(79,),
        code=0,
        edits=spec("minReadySeconds: 8"),
        mentions=("minReadySeconds",),
    ),
    "crashes-once": Scenario(title="The app crashes once, then starts.", code=0, mode="once"),
    "says-error": Scenario(
        title="The app's log speaks of errors, and it is fine.", code=0, mode="errors"
    ),
    "secret-comes-late": Scenario(
        title="A Secret that somebody else makes comes 8 s late.",
        rows=(11,),
        code=0,
        edits=env(KEY_REF),
        meddle=when(
            "Secret `keys` does not exist",
            pause(7),
            kubectl("create", "secret", "generic", "keys", "--from-literal=TOKEN=b"),
        ),
    ),
    "configmap-comes-late": Scenario(
        title="A ConfigMap that somebody else makes comes 8 s late.",
        rows=(11,),
        code=0,
        edits=container("envFrom: [{configMapRef: {name: settings}}]"),
        meddle=when("ConfigMap `settings` does not exist", pause(7), fed(CONFIG)),
    ),
    "dependency-comes-late": Scenario(
        title="The app quits as long as its database is away, which is up after 12 s.",
        rows=(21,),
        code=0,
        mode="database",
        edits=extra(DATABASE),
        within=100,
    ),
    "slow-init-container": Scenario(
        title="A container that must run before the app takes 10 s.",
        code=0,
        edits=pod(INIT.format(command=SLEEP)),
    ),
    "sidecar": Scenario(
        title="A container that starts before the app, and stays.",
        code=0,
        edits=pod(INIT.format(command='[sh, -c, "sleep 3600"]') + SIDECAR),
    ),
    "patient-startup-probe": Scenario(
        title="A startup probe that has patience with an app that takes 12 s.",
        rows=(33,),
        code=0,
        mode="slow-start",
        edits=container(
            "startupProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1, "
            "failureThreshold: 60}"
        ),
    ),
    "liveness-fails-once": Scenario(
        title="The liveness probe fails once, and kills the app once.",
        rows=(32,),
        code=0,
        mode="stumbles",
        edits=(
            *alive("periodSeconds: 1, failureThreshold: 3"),
            *spec("minReadySeconds: 5"),
        ),
    ),
    "redirect": Scenario(
        title="The probe is sent to another host, which counts as passed.",
        rows=(44,),
        code=0,
        mode="redirect",
        mentions=("redirect",),
        edits=spec("minReadySeconds: 3"),
        tier="W",
    ),
    "job-succeeds": Scenario(title="A Job that does its work.", code=0, mode="ends", manifest=JOB),
    "statefulset": Scenario(
        title="A StatefulSet of two, which start one after the other.",
        code=0,
        edits=(*kind("StatefulSet"), *replaced("  replicas: 1\n", "  replicas: 2\n")),
    ),
    "daemonset": Scenario(title="A DaemonSet.", code=0, edits=kind("DaemonSet")),
    "two-deployments": Scenario(
        title="Of two Deployments one takes 12 s longer.", code=0, edits=extra(DATABASE)
    ),
    "scaled-meanwhile": Scenario(
        title="Somebody scales it to 3 meanwhile, as an autoscaler would.",
        rows=(74,),
        code=0,
        mode="late",
        meddle=when(UNREADY, kubectl("scale", "deploy/web", "--replicas=3")),
        tier="W",
    ),
    "scaled-to-zero": Scenario(
        title="It is to have no pods: said, and no failure.",
        rows=(77,),
        code=0,
        edits=replaced("  replicas: 1\n", "  replicas: 0\n"),
        mentions=("scaled to 0",),
        tier="W",
    ),
    "pod-deleted-meanwhile": Scenario(
        title="Somebody deletes the pod meanwhile.",
        rows=(51,),
        code=0,
        mode="late",
        meddle=when(UNREADY, kubectl("delete", "pods", "-l", "app=web", "--wait=false")),
        within=60,
    ),
    "service": Scenario(title="A Service that leads to the app.", code=0, edits=service()),
}
