"""What the apply itself is told by the API server, and what cuts a run off (rows 60 to 66, 82).

Nothing of it is looked for in a snapshot: it is told where it happens, with more exact words.
"""

from __future__ import annotations

from kubekit.rollout.cause import Cause

APPLYING: tuple[Cause, ...] = (
    Cause(
        id="api-immutable",
        rows=(60,),
        signals="422 Invalid: `field is immutable`, `may not change once set`, `updates to "
        "statefulset spec ... are forbidden`",
        cause="the object is there already, and this field of it cannot be changed",
        fix="of a Deployment, Job or Service: `--recreate`; else delete the object (`kubectl "
        "delete`) and run kubekit again, or give it another name",
        exit_code=5,
    ),
    Cause(
        id="api-conflict",
        rows=(61,),
        signals="409 Conflict: causes FieldManagerConflict with field and manager",
        cause="fields are owned by another manager, such as an autoscaler",
        fix="leave these fields out of the manifest, or take them with `--take-ownership`",
        exit_code=5,
    ),
    Cause(
        id="api-invalid",
        rows=(60, 62),
        signals="422 Invalid or 400 BadRequest: an unknown field, a value of another type, "
        "`provided port is already allocated`, `selector does not match template labels`",
        cause="the API server does not take the object as it is written",
        fix="correct the field that is named; of a port that is taken, the Service that has it is "
        "told",
        exit_code=5,
    ),
    Cause(
        id="api-forbidden",
        rows=(64,),
        signals="403 Forbidden: `User ... cannot patch resource ...`",
        cause="this user may not do that in this namespace",
        fix="ask for the missing right, or use another context; without the right to read events "
        "and logs kubekit goes on, and says what it could not see",
        exit_code=5,
    ),
    Cause(
        id="api-refused",
        rows=(62,),
        signals="any other refusal of the API server",
        cause="the API server refuses a request",
        fix="correct what it names",
        exit_code=5,
    ),
    Cause(
        id="kind-unknown",
        rows=(62,),
        signals="the API lists no such kind",
        cause="the cluster serves no such kind",
        fix="check `apiVersion` and `kind`, or install what defines it first",
        exit_code=5,
    ),
    Cause(
        id="not-ours",
        rows=(61,),
        signals="an object of this name without kubekit's labels",
        cause="an object of this name is there that kubekit has not made",
        fix="give yours another name, or another namespace",
        exit_code=5,
    ),
    Cause(
        id="owned-by-another-project",
        rows=(61,),
        signals="an object of this name with the label of another kubekit project",
        cause="an object of this name belongs to another kubekit project",
        fix="give yours another name, or another namespace",
        exit_code=5,
    ),
    Cause(
        id="still-deleting",
        rows=(82,),
        signals="a `deletionTimestamp`, no finalizers",
        cause="an object is still being deleted after a minute",
        fix="wait for it, and run kubekit again",
        exit_code=8,
    ),
    Cause(
        id="api-unreachable",
        rows=(65,),
        signals="no connection to the API server at the start",
        cause="the API server of the context does not answer",
        fix="start the cluster with `kubekit up`",
        exit_code=8,
    ),
    Cause(
        id="api-lost",
        rows=(65,),
        signals="no connection to the API server for half a minute during the wait",
        cause="the API server did not answer any more",
        fix="see `minikube status`; when it runs again, the same command goes on",
        exit_code=8,
    ),
    Cause(
        id="api-certificate",
        rows=(65,),
        signals="the API server's certificate is not one the kubeconfig trusts",
        cause="the kubeconfig does not trust the API server's certificate",
        fix="run `minikube update-context` or `kubekit up`",
        exit_code=8,
    ),
    Cause(
        id="unauthorized",
        rows=(65,),
        signals="401 Unauthorized, as also after the client's certificate has expired",
        cause="the API server does not accept the credentials of the kubeconfig",
        fix="if the certificates have expired, `minikube start` makes new ones",
        exit_code=8,
    ),
    Cause(
        id="kubeconfig",
        rows=(65,),
        signals="the kubeconfig has no such context, or cannot be read",
        cause="the kubeconfig cannot be used for the context",
        fix="look at it with `kubectl config view --minify`",
        exit_code=8,
    ),
    Cause(
        id="api-busy",
        rows=(66,),
        signals="429 or 5xx for half a minute, in spite of waiting as `Retry-After` says",
        cause="the API server is overloaded, or one of its parts fails",
        fix="run kubekit again in a while",
        exit_code=8,
    ),
    Cause(
        id="busy",
        rows=(),
        signals="a run on this machine has the lock, or one on another machine renews its Lease",
        cause="another run of kubekit is at work for this project in this namespace",
        fix="wait for its end, end it, or use a namespace of your own: `--namespace`",
        exit_code=2,
    ),
)
