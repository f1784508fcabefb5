"""Endings of a workload as a whole, and what is told beside them (rows 59, 71 to 82)."""

from __future__ import annotations

from kubekit.rollout.cause import EXPLAINS, Cause
from kubekit.rollout.finders.jobs import job_failed
from kubekit.rollout.finders.passing import ending, flapping, held_up, staying

ENDINGS: tuple[Cause, ...] = (
    Cause(
        id="superseded",
        rows=(73,),
        signals="the workload's `metadata.generation` is newer than this apply, with another "
        "pod template",
        cause="{kind} `{name}` was changed by another apply",
        fix="run kubekit again",
        exit_code=10,
    ),
    Cause(
        id="replaced",
        rows=(75,),
        signals="an object of the same name with another uid",
        cause="{kind} `{name}` was deleted and made anew",
        fix="run kubekit again",
        exit_code=10,
    ),
    Cause(
        id="deleted",
        rows=(75,),
        signals="the workload is gone, or has a `deletionTimestamp`",
        cause="{kind} `{name}` was deleted during the rollout",
        fix="run kubekit again",
    ),
    Cause(
        id="namespace-terminating",
        rows=(63,),
        signals="the namespace is gone or has a `deletionTimestamp`; the controllers stay silent; "
        "at the apply 403 with the cause NamespaceTerminating",
        cause="namespace `{namespace}` is being deleted, and all that is in it",
        fix="run kubekit again: it waits until the namespace is gone and makes it anew",
        exit_code=5,
    ),
    Cause(
        id="deletion-blocked",
        rows=(82,),
        signals="an old pod, which must be gone first, has a `deletionTimestamp` that is over and "
        "`metadata.finalizers`; at the apply an object that is being deleted has them",
        find=held_up,
        cause="the old pod `{pod}` is deleted, and its finalizer holds it up: {holders}",
        fix="its controller must remove the finalizer: see whether it runs (`kubectl get pod {pod} "
        "-o yaml`)",
        after=15.0,
    ),
    Cause(
        id="paused",
        rows=(76,),
        signals="`spec.paused: true`",
        cause="{kind} `{name}` is paused, so its rollout does not go on",
        fix="resume it: `kubectl -n {namespace} rollout resume {kind}/{name}`",
    ),
    Cause(
        id="controller-silent",
        rows=(72,),
        signals="`status.observedGeneration` stays behind `metadata.generation`",
        cause="no controller has taken up the change of {kind} `{name}`",
        fix="the cluster's controller-manager seems to be down: "
        "`kubectl -n kube-system get pods`, then `minikube start`",
        after=30.0,  # of milliseconds when it is well
        exit_code=8,
    ),
    Cause(
        id="job-failed",
        rows=(18,),
        signals="the Job's condition `Failed` is True, or the Pod's `status.phase` is Failed",
        find=job_failed,
        cause="{kind} `{name}` failed: {message}",
        fix="see the logs of its pods",
    ),
    Cause(
        id="deadline",
        rows=(59,),
        signals="the condition `Progressing` has the reason ProgressDeadlineExceeded, from after "
        "this apply",
        cause="the rollout made no progress for {seconds} s (`progressDeadlineSeconds`)",
        fix="see what the pods wait for with `kubekit why`",
        exit_code=7,
    ),
    Cause(
        id="timeout",
        rows=(),
        signals="`--timeout` is over, and nothing is known to be wrong",
        cause="it was not ready in time",
        fix="if it only needs longer, raise `timeout`",
        exit_code=7,
    ),
    Cause(
        id="image-outdated",
        rows=(9,),
        signals="`containerStatuses[].imageID` of a running container is not the ID of the image "
        "in the daemon",
        cause="container `{container}` still runs an older build of `{image}`",
        fix="the tag was moved after the pod had started: delete the pod `{pod}`, and it starts "
        "with the new one",
    ),
    Cause(
        id="scaled-to-zero",
        rows=(77,),
        signals="`spec.replicas: 0`",
        cause="{kind} `{name}` is scaled to 0, so nothing runs",
        fix="set `replicas` to 1 or more",
        exit_code=0,
    ),
    Cause(
        id="scaled",
        rows=(74,),
        signals="a newer `metadata.generation` with the same pod template",
        cause="another number of replicas was asked for meanwhile",
        fix="nothing: the new number is waited for",
        exit_code=0,
    ),
    Cause(
        id="old-revision-failing",
        rows=(71,),
        signals="pods of an earlier ReplicaSet crash, or are not ready",
        cause="no pod of the revision before is ready",
        fix="nothing: only the new pods decide",
        exit_code=0,
    ),
    Cause(
        id="old-pod-ending",
        rows=(78, 81),
        signals="a pod of an earlier revision has a `deletionTimestamp`, and with the strategy "
        "Recreate, or in a StatefulSet, the new one waits for its end",
        find=ending,
        cause="the old pod `{pod}` must end before its successor is made: {how}",
        fix="let the app end on SIGTERM, and it is quicker; `terminationGracePeriodSeconds` is "
        "what it may take",
        after=EXPLAINS,
    ),
    Cause(
        id="min-ready-seconds",
        rows=(79,),
        signals="the pods' condition `Ready` is True, and they are not counted under "
        "`availableReplicas` yet",
        find=staying,
        cause="the new pods are ready, and must stay so for {seconds} s (`minReadySeconds`), "
        "{left} s more",
        fix="nothing: it passes",
        after=EXPLAINS,
    ),
    Cause(
        id="flapping",
        rows=(80,),
        signals="the pod's condition `Ready` turned False after its container had started",
        find=flapping,
        cause="container `{container}` was ready and is not any more",
        fix="see why its readiness probe fails now",
        after=EXPLAINS,
    ),
)
