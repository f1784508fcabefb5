"""Pods that the API server refuses (rows 54 to 58)."""

from __future__ import annotations

from kubekit.rollout.cause import Cause
from kubekit.rollout.findings import not_created

ADMISSION: tuple[Cause, ...] = (
    Cause(
        id="quota",
        rows=(54,),
        signals="",
        find=not_created("exceeded quota", field="containers.0.resources"),
        cause="the namespace's quota does not allow the pod: {message}",
        fix="ask for less under `resources`, or raise the ResourceQuota",
        after=10.0,
        exit_code=5,
    ),
    Cause(
        id="limit-range",
        rows=(54,),
        signals="",
        find=not_created(r"(?:maximum|minimum) \S+ usage per", field="containers.0.resources"),
        cause="the namespace's LimitRange does not allow the pod: {message}",
        fix="change `resources` accordingly, or the LimitRange",
        exit_code=5,
    ),
    Cause(
        id="pod-security",
        rows=(55,),
        signals="",
        find=not_created("violates PodSecurity", field="containers.0.securityContext"),
        cause="the namespace's PodSecurity level does not allow the pod: {message}",
        fix="set what it names under `securityContext`",
        exit_code=5,
    ),
    Cause(
        id="service-account-missing",
        rows=(57,),
        signals="",
        find=not_created(
            r"error looking up service account \S+/(?P<name>[^:\s]+)", field="serviceAccountName"
        ),
        cause="ServiceAccount `{name}` does not exist",
        fix="add it to the manifests, or leave `serviceAccountName` out",
        after=5.0,
        exit_code=5,
    ),
    Cause(
        id="pod-refused",
        rows=(56, 57, 58),
        signals="",
        find=not_created(""),
        cause="the API server refuses the pod: {message}",
        fix="correct what it names",
        after=20.0,
        exit_code=5,
    ),
)
