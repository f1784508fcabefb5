"""Rows 54 to 59: pods that the API server refuses, and progress that is not made."""

from __future__ import annotations

from tests.cluster.scenarios.actions import hooked, namespace, with_objects
from tests.cluster.scenarios.evidence import condition, refused
from tests.cluster.scenarios.scenario import Scenario, pod, replaced, spec

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
FEW = """\
apiVersion: v1
kind: ResourceQuota
metadata: {name: few}
spec: {hard: {pods: 2}}
"""
NO_SETS = """\
apiVersion: v1
kind: ResourceQuota
metadata: {name: none}
spec: {hard: {count/replicasets.apps: 0}}
"""
POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NAME, labels: {scenario: NAME}}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}
  validations: [{expression: "false", message: no pods on Sundays}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NAME, labels: {scenario: NAME}}
spec:
  policyName: NAME
  validationActions: [Deny]
  matchResources:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}
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
        tier="before",
    ),
    "limit-range": Scenario(
        title="The namespace's LimitRange does not allow it.",
        rows=(54,),
        code=5,
        cause="limit-range",
        says=("maximum cpu usage per Container is 500m", "LimitRange"),
        at="resources:",
        prepare=with_objects(LIMITS),
        tier="before",
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
        tier="before",
    ),
    "service-account-missing": Scenario(
        title="A ServiceAccount that is not there.",
        rows=(57,),
        code=5,
        cause="service-account-missing",
        says=("`robot` does not exist",),
        at="serviceAccountName",
        edits=pod("serviceAccountName: robot"),
        tier="before",
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
    "count-quota": Scenario(
        title="The namespace may have no more pods.",
        rows=(54,),
        code=5,
        cause="quota",
        says=("exceeded quota: few", "pods"),
        at="resources:",
        edits=replaced("  replicas: 1\n", "  replicas: 3\n"),
        prepare=with_objects(FEW),
        tier="B",
        evidence=refused("exceeded quota"),
    ),
    "policy-denies": Scenario(
        title="An admission policy does not allow the pod.",
        rows=(56,),
        code=5,
        cause="webhook-denied",
        says=("no pods on Sundays",),
        at="    spec:",
        prepare=with_objects(POLICY, settle=3),
        leaves="validatingadmissionpolicies,validatingadmissionpolicybindings",
        tier="A",
        evidence=refused("denied"),
    ),
    "webhook-denies": Scenario(
        title="A webhook does not allow the pod.",
        rows=(56,),
        code=5,
        cause="webhook-denied",
        says=("no pods here", "pods.kubekit.test"),
        at="    spec:",
        prepare=hooked(5078),
        leaves="validatingwebhookconfigurations",
        tier="A",
        evidence=refused("denied"),
    ),
    "webhook-away": Scenario(
        title="A webhook must be asked about each pod, and does not answer.",
        rows=(56,),
        code=5,
        cause="webhook-unreachable",
        says=("pods.kubekit.test",),
        at="    spec:",
        prepare=hooked(5079),
        leaves="validatingwebhookconfigurations",
        tier="B",
        evidence=refused("failed calling webhook"),
    ),
    "priority-class-missing": Scenario(
        title="A PriorityClass that is not there.",
        rows=(57,),
        code=5,
        cause="priority-class-missing",
        says=("`urgent` does not exist",),
        at="priorityClassName",
        edits=pod("priorityClassName: urgent"),
        tier="before",
    ),
    "runtime-class-missing": Scenario(
        title="A RuntimeClass that is not there.",
        rows=(57,),
        code=5,
        cause="pod-refused",
        says=("RuntimeClass", "wasm"),
        at="    spec:",
        edits=pod("runtimeClassName: wasm"),
        tier="before",
    ),
    "replica-set-refused": Scenario(
        title="The namespace may have no ReplicaSet.",
        rows=(58,),
        code=5,
        cause="replica-set-refused",
        says=("exceeded quota: none",),
        at="apiVersion:",
        prepare=with_objects(NO_SETS),
        tier="A",
        evidence=condition("Deployment", "Progressing", reason="ReplicaSetCreateError"),
    ),
}
