"""Services that lead nowhere though the pods are ready (rows 67 to 70)."""

from __future__ import annotations

from kubekit.rollout.cause import Cause

ENDPOINT_SECONDS = 5.0
"""How long endpoints may take to follow the pods; when all is well they are there before the
Deployment counts its pods as available (1 to 365 ms before, seen with 1.34)."""

SERVICES: tuple[Cause, ...] = (
    Cause(
        id="service-selects-nothing",
        rows=(67,),
        signals="no ready endpoint in the Service's EndpointSlices while the pods are Ready",
        cause="Service `{name}` selects no ready pod: it asks for {selector}, but {nearest}",
        fix="let its `selector` name the labels of the pod template",
        after=ENDPOINT_SECONDS,
    ),
    Cause(
        id="service-wrong-port",
        rows=(69,),
        signals="EndpointSlices without the port, or the API server's proxy to the Service "
        "reaches nothing",
        cause="port {port} of Service `{name}` leads to `{target}`, where nothing answers: {said}",
        fix="let its `targetPort` be the port the app listens on, by number or by the name in "
        "`ports` of the container",
        after=ENDPOINT_SECONDS,
    ),
    Cause(
        id="service-too-broad",
        rows=(68,),
        signals="an endpoint's `targetRef` is a pod of somebody else",
        cause="Service `{name}` also leads to pods that are not of this project: {pods}",
        fix="give its `selector` a label that only these pods have",
        exit_code=0,
    ),
    Cause(
        id="load-balancer-pending",
        rows=(70,),
        signals="`status.loadBalancer` has no ingress",
        cause="Service `{name}` has no address outside the cluster yet",
        fix="`minikube tunnel` gives it one",
        exit_code=0,
    ),
)
