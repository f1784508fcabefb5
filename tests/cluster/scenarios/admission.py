"""Rows 54 to 66: what the API server refuses, and what the controllers do not do."""

from __future__ import annotations

from tests.cluster.scenarios.actions import namespace, other_owner, with_objects
from tests.cluster.scenarios.evidence import condition, refused
from tests.cluster.scenarios.scenario import Scenario, pod, spec

QUOTA = """\
apiVersion: v1
kind: ResourceQuota
metadata: {name: small}
spec: {hard: {requests.cpu: 5m}}
"""
LIMITS = """\
apiVersion: v1
kind: LimitRange
metadata: {name: narrow}
spec: {limits: [{type: Container, max: {cpu: 500m}}]}
"""

SCENARIOS = {
    "quota": Scenario(
        title="The namespace's ResourceQuota is used up.",
        rows=(54,),
        code=5,
        cause="quota",
        says=("exceeded quota: small", "raise the ResourceQuota"),
        at="resources:",
        prepare=with_objects(QUOTA),
        tier="B",
        evidence=refused("exceeded quota"),
    ),
    "limit-range": Scenario(
        title="The namespace's LimitRange does not allow it.",
        rows=(54,),
        code=5,
        cause="limit-range",
        says=("maximum cpu usage per Container is 500m", "LimitRange"),
        at="resources:",
        prepare=with_objects(LIMITS),
        tier="A",
        evidence=refused("maximum cpu"),
    ),
    "pod-security": Scenario(
        title='The namespace\'s PodSecurity level is "restricted".',
        rows=(55,),
        code=5,
        cause="pod-security",
        says=("allowPrivilegeEscalation", "securityContext"),
        at="- name: app",
        prepare=lambda project: namespace(
            project, labels="pod-security.kubernetes.io/enforce: restricted"
        ),
        tier="A",
        evidence=refused("violates PodSecurity"),
    ),
    "service-account-missing": Scenario(
        title="A ServiceAccount that is not there.",
        rows=(57,),
        code=5,
        cause="service-account-missing",
        says=("`robot` does not exist",),
        at="serviceAccountName",
        edits=pod("serviceAccountName: robot"),
        tier="B",
        evidence=refused("error looking up service account"),
    ),
    "deadline": Scenario(
        title="The Deployment's own `progressDeadlineSeconds` passes.",
        rows=(59,),
        code=7,
        cause="deadline",
        says=("no progress for 6 s", "answers 503"),
        at="path:",
        edits=spec("progressDeadlineSeconds: 6"),
        mode="unready",
        tier="A",
        evidence=condition("Deployment", "Progressing", reason="ProgressDeadlineExceeded"),
    ),
    "field-conflict": Scenario(
        title="A field that another manager owns.",
        rows=(61,),
        code=5,
        cause="api-conflict",
        says=("`Deployment/web`", ".spec.replicas", "autoscaler", "leave these fields out"),
        at="replicas:",
        prepare=other_owner,
        within=30,
        tier="before",
    ),
}
