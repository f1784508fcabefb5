"""Pods that the API server refuses (rows 54 to 58)."""

from __future__ import annotations

from kubekit.rollout.cause import Cause
from kubekit.rollout.finders.refusals import Refused, set_refused

_SEEN = "the ReplicaSet's condition `ReplicaFailure`, or events FailedCreate of the workload: "
_DENIED = (
    r"(?:admission webhook \"|ValidatingAdmissionPolicy ')(?P<policy>[^\"']+)[\"']"
    r"(?: with binding '[^']+')? denied (?:the )?request(?::\s*(?P<why>.+))?"
)

_EXACT: tuple[Cause, ...] = (
    Cause(
        id="webhook-denied",
        rows=(56,),
        signals=f"{_SEEN}`admission webhook ... denied the request`, `ValidatingAdmissionPolicy "
        "... denied request`",
        find=Refused(_DENIED),
        cause="policy `{policy}` denies the pod{because}",
        fix="change the pod as it says, or ask whoever has set up that policy",
        exit_code=5,
    ),
    Cause(
        id="webhook-unreachable",
        rows=(56,),
        signals=f"{_SEEN}`failed calling webhook`",
        find=Refused(r'failed calling webhook "(?P<webhook>[^"]+)":\s*(?P<why>.+)'),
        cause="the webhook `{webhook}`, which has to let each pod in, does not answer{because}",
        fix="see whether the pods behind its Service run; `kubectl get "
        "validatingwebhookconfigurations,mutatingwebhookconfigurations` shows where it belongs",
        after=20.0,
        waits_for_others=True,
        exit_code=5,
    ),
    Cause(
        id="quota",
        rows=(54,),
        signals=f"{_SEEN}`exceeded quota`",
        find=Refused("exceeded quota|failed quota", "containers.0.resources"),
        cause="the namespace's quota does not allow the pod: {message}",
        fix="ask for less under `resources`, or raise the ResourceQuota",
        # What an old pod frees is taken up only at the ReplicaSet's next try: its pauses double.
        after=20.0,
        exit_code=5,
    ),
    Cause(
        id="limit-range",
        rows=(54,),
        signals=f"{_SEEN}`maximum cpu usage per Container is ...`",
        find=Refused(
            r"(?:maximum|minimum) \S+ usage per|max limit to request ratio per",
            "containers.0.resources",
        ),
        cause="the namespace's LimitRange does not allow the pod: {message}",
        fix="change `resources` accordingly, or the LimitRange",
        exit_code=5,
    ),
    Cause(
        id="pod-security",
        rows=(55,),
        signals=f"{_SEEN}`violates PodSecurity`",
        find=Refused("violates PodSecurity", "containers.0.securityContext"),
        cause="the namespace's PodSecurity level does not allow the pod: {message}",
        fix="set what it names; a container passes every level with `securityContext: "
        "{{allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {{drop: [ALL]}}, "
        "seccompProfile: {{type: RuntimeDefault}}}}`",
        exit_code=5,
    ),
    Cause(
        id="service-account-missing",
        rows=(57,),
        signals=f"{_SEEN}`error looking up service account`",
        find=Refused(
            r"error looking up service account [^\s/]+/(?P<name>[^:\s]+)", "serviceAccountName"
        ),
        cause="ServiceAccount `{name}` does not exist",
        fix="add it to the manifests, or leave `serviceAccountName` out",
        after=5.0,
        exit_code=5,
    ),
    Cause(
        id="priority-class-missing",
        rows=(57,),
        signals=f"{_SEEN}`no PriorityClass with name ... was found`",
        find=Refused(r"no PriorityClass with name (?P<name>\S+) was found", "priorityClassName"),
        cause="PriorityClass `{name}` does not exist",
        fix="see `kubectl get priorityclass`, or leave `priorityClassName` out",
        exit_code=5,
    ),
    Cause(
        id="replica-set-refused",
        rows=(58,),
        signals="the Deployment's condition `Progressing` is False with the reason "
        "ReplicaSetCreateError",
        find=set_refused,
        cause="the API server refuses the ReplicaSet: {message}",
        fix="correct what it names",
        exit_code=5,
    ),
)

ADMISSION: tuple[Cause, ...] = (
    *_EXACT,
    Cause(
        id="pod-refused",
        rows=(56, 57, 58),
        signals=f"{_SEEN}any other refusal",
        find=Refused("", unless=tuple(one.find for one in _EXACT if isinstance(one.find, Refused))),
        cause="the API server refuses the pod: {message}",
        fix="correct what it names",
        after=20.0,
        exit_code=5,
    ),
)
