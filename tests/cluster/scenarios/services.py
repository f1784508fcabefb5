"""Rows 67 to 70: Services that lead nowhere, or further than was meant."""

from __future__ import annotations

from tests.cluster.scenarios.actions import with_objects
from tests.cluster.scenarios.evidence import ready
from tests.cluster.scenarios.scenario import Edits, Scenario

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: ClusterIP
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"""
STRANGER = """\
apiVersion: v1
kind: Pod
metadata: {name: stranger, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: app
      image: python:3.13-slim
      imagePullPolicy: Never
      command: [sleep, "3600"]
      ports: [{name: http, containerPort: 8000}]
"""


def service(old: str = "", new: str = "") -> Edits:
    """A Service before the Deployment, with one thing other than it should be."""
    return (("apiVersion: apps/v1\n", f"{SERVICE.replace(old, new)}---\napiVersion: apps/v1\n"),)


SCENARIOS = {
    "service-selects-nothing": Scenario(
        title="The Service selects no pod.",
        rows=(67,),
        cause="service-selects-nothing",
        says=("`web`", "app=wbe"),
        at="selector: {app: wbe}",
        edits=service("{app: web}", "{app: wbe}"),
        tier="B",
        evidence=ready(),
    ),
    "service-too-broad": Scenario(
        title="The Service also leads to the pod of somebody else: a warning.",
        rows=(68,),
        code=0,
        mentions=("Pod/stranger",),
        edits=service(),
        prepare=with_objects(STRANGER),
        tier="W",
    ),
    "service-wrong-port": Scenario(
        title="The Service sends to a port where nothing listens.",
        rows=(69,),
        cause="service-wrong-port",
        says=("9000",),
        at="targetPort",
        edits=service("targetPort: http", "targetPort: 9000"),
        tier="B",
        evidence=ready(),
    ),
    "service-wrong-port-name": Scenario(
        title="The Service names a port that no container has.",
        rows=(69,),
        code=3,
        cause="service-port-name",
        says=("`grpc`",),
        at="targetPort",
        edits=service("targetPort: http", "targetPort: grpc"),
        tier="before",
    ),
    "load-balancer-pending": Scenario(
        title="A LoadBalancer that nobody gives an address: said, and no failure.",
        rows=(70,),
        code=0,
        mentions=("minikube tunnel",),
        edits=service("type: ClusterIP", "type: LoadBalancer"),
        tier="W",
    ),
}
