"""The catalogue: every way a rollout is known to fail, one entry each. Pure data.

An entry says where its evidence is looked for, how long that must stand before it decides, and
what a person is told. `rows` are the rows of the project's study of failures that it covers.
The first entry whose evidence is due decides, so the exact ones stand before the general ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubekit.rollout.crashes import crashed
from kubekit.rollout.findings import not_created, unschedulable, waiting
from kubekit.rollout.hits import Finder
from kubekit.rollout.probes import killed, probe, refused_but_listening
from kubekit.rollout.references import config_missing

LATE = 12.0
"""Seconds in which a Secret or ConfigMap that somebody else makes may still come."""

EXPLAINS = float("inf")
"""`after` of an entry that never decides: it only explains what is waited for."""

_LISTENING = (
    r"(?:running on|listening (?:on|at):?|serving on) (?:https?://)?"
    r"(?P<host>[\w.\[\]:*-]+?):(?P<listens>\d{2,5})\b"
)
# os.environ["NAME"], as the traceback of Python 3.11 and later shows it.
_NO_VARIABLE = r"in __getitem__\n(?:\s.*\n)*KeyError: '(?P<variable>[A-Z][A-Z0-9_]*)'"
_NOT_FOUND = r"not found|manifest unknown|repository does not exist|pull access denied"
_DENIED = r"unauthorized|authentication required|no basic auth|\b40[13]\b|denied"
_NO_REGISTRY = (
    r"i/o timeout|no such host|x509|connection refused|HTTP response to HTTPS|toomanyrequests"
    r"|server misbehaving|TLS handshake|network is unreachable|Temporary failure|deadline exceeded"
)
_COMES = r'(?:secret|configmap) "[^"]+" not found|find key|failed to sync'
_STATUS = "HTTP probe failed with statuscode:"
_PULL = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable")
_START = ("RunContainerError", "CreateContainerError", "StartError", "CrashLoopBackOff")


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One way to fail.

    Attributes:
        after: seconds the evidence must stand before it decides; 0 decides on first sight.
        exit_code: 5 the API server refuses the pod, 6 the workload cannot run.
        cause: one line, with the words of the hit in braces.
        fix: what to do, likewise.
    """

    id: str
    rows: tuple[int, ...]
    find: Finder
    cause: str
    fix: str
    after: float = 0.0
    exit_code: int = 6


CATALOGUE: tuple[Cause, ...] = (
    Cause(
        id="image-never-pulled",
        rows=(1,),
        find=waiting("ErrImageNeverPull"),
        cause="image `{image}` is not in the node, and `imagePullPolicy: Never` forbids to pull it",
        fix="build it with kubekit, or load it: `minikube image load --daemon {image}`",
    ),
    Cause(
        id="image-invalid-name",
        rows=(6,),
        find=waiting("InvalidImageName"),
        cause="`{image}` is not a valid image name",
        fix="names are lower case and have no spaces: `name:tag`",
    ),
    Cause(
        id="image-registry-unreachable",
        rows=(5,),
        find=waiting(*_PULL, text=_NO_REGISTRY),
        cause="the node cannot reach the registry of `{image}`: {message}",
        fix="check the node's network, or build the image with kubekit so that nothing is pulled",
        after=45.0,
    ),
    Cause(
        id="image-not-found",
        rows=(2, 3),
        find=waiting(*_PULL, text=_NOT_FOUND),
        cause="image `{image}` does not exist where the node looks for it",
        fix="check name and tag; an image of yours must be built by kubekit or loaded: "
        "`minikube image load --daemon {image}`",
    ),
    Cause(
        id="image-denied",
        rows=(4,),
        find=waiting(*_PULL, text=_DENIED),
        cause="the registry does not let the node pull `{image}`",
        fix="create a pull secret and name it in `imagePullSecrets`",
    ),
    Cause(
        id="image-pull-failed",
        rows=(5, 7),
        find=waiting(*_PULL, "ImageInspectError"),
        cause="image `{image}` cannot be pulled: {message}",
        fix="check the name, and that the node can reach its registry",
        after=45.0,
    ),
    Cause(
        id="secret-missing",
        rows=(11, 49),
        find=config_missing("Secret", text=r'\bsecret "(?P<name>[^"]+)" not found'),
        cause="Secret `{name}` does not exist",
        fix="put its values into `.env` and use `{{{{ secret }}}}`, or create it, "
        "or mark the reference `optional: true`",
        after=LATE,
    ),
    Cause(
        id="configmap-missing",
        rows=(11, 49),
        find=config_missing("ConfigMap", text=r'\bconfigmap "(?P<name>[^"]+)" not found'),
        cause="ConfigMap `{name}` does not exist",
        fix="add it to the manifests, or mark the reference `optional: true`",
        after=LATE,
    ),
    Cause(
        id="secret-key-missing",
        rows=(12,),
        find=config_missing(
            "Secret", text=r"couldn't find key (?P<key>\S+) in Secret (?P<name>\S+)"
        ),
        cause="Secret `{name}` has no key `{key}` (it has: {keys})",
        fix="add `{key}` to `.env`, or correct the key in the manifest",
    ),
    Cause(
        id="configmap-key-missing",
        rows=(12,),
        find=config_missing(
            "ConfigMap", text=r"couldn't find key (?P<key>\S+) in ConfigMap (?P<name>\S+)"
        ),
        cause="ConfigMap `{name}` has no key `{key}` (it has: {keys})",
        fix="add the key, or correct it in the manifest",
    ),
    Cause(
        id="runs-as-root",
        rows=(13,),
        find=waiting(
            "CreateContainerConfigError", text="runAsNonRoot|run as root", field="securityContext"
        ),
        cause="container `{container}` may not run as root, and its image does not say otherwise: "
        "{message}",
        fix="end the Dockerfile with a numeric user, `USER 10001`, or set `runAsUser`",
    ),
    Cause(
        id="container-config",
        rows=(14,),
        # What the kubelet misses and is there by now, it tries again by itself.
        find=waiting("CreateContainerConfigError", text=rf"^(?!.*(?:{_COMES}))", field="env"),
        cause="container `{container}` cannot be created: {message}",
        fix="correct what the message names",
        after=10.0,
    ),
    Cause(
        id="command-not-found",
        rows=(15,),
        find=waiting(
            *_START,
            text=r'exec: (?P<command>"[^"]*"): (?:executable file not found|stat .*no such file'
            r"|permission denied)|exec (?P<path>\S+): no such file",
            field="command",
        ),
        cause="container `{container}` cannot start its command: {message}",
        fix="check `command` and the Dockerfile's CMD; the file must exist in the image and be "
        "executable",
    ),
    Cause(
        id="container-start",
        rows=(15, 30),
        find=waiting(*_START[:3], "PostStartHookError", "PreStartHookError", field="command"),
        cause="container `{container}` cannot start: {message}",
        fix="correct what the message names",
        after=10.0,
    ),
    Cause(
        id="startup-probe-kills",
        rows=(33,),
        find=killed("Startup", times=2),
        cause="container `{container}` is killed because its startup probe does not pass "
        "({kills} times): {asks}",
        fix="check what the probe asks, or raise `failureThreshold`",
    ),
    Cause(
        id="liveness-probe-kills",
        rows=(32,),
        find=killed("Liveness", times=2),
        cause="container `{container}` is killed because its liveness probe does not pass "
        "({kills} times): {asks}",
        fix="check what the probe asks; a slow start belongs into a `startupProbe`",
    ),
    Cause(
        id="out-of-memory",
        rows=(22,),
        find=crashed(restarts=2, reason="OOMKilled", field="resources.limits.memory"),
        cause="container `{container}` needs more memory than {allowed}",
        fix="{more}, or use less",
    ),
    Cause(
        id="exits-at-once",
        rows=(19,),
        find=crashed(restarts=2, code=(0,)),
        cause="container `{container}` ends by itself with exit code 0",
        fix="the server must stay in the foreground: check the command",
    ),
    Cause(
        id="wrong-architecture",
        rows=(17,),
        find=crashed(restarts=1, log="exec format error"),
        cause="container `{container}` holds a program for another kind of processor",
        fix="build the image for the node's architecture",
    ),
    Cause(
        id="dependency-unreachable",
        rows=(21,),
        find=crashed(
            restarts=3,
            quick=False,
            log=r"ECONNREFUSED|could not translate host name|Connection refused"
            r"|Name or service not known|Temporary failure in name resolution",
        ),
        cause="container `{container}` quits because something it needs cannot be reached: {last}",
        fix="deploy that first, or let the app try again instead of quitting",
    ),
    Cause(
        id="variable-missing",
        rows=(20,),
        find=crashed(restarts=2, log=_NO_VARIABLE, field="env"),
        cause="container `{container}` crashes because the variable `{variable}` is not set",
        fix="add `{variable}` to `.env`, or to the container's `env`",
    ),
    Cause(
        id="crash-loop",
        rows=(18, 23, 24, 26, 27, 28, 29),
        find=crashed(restarts=2),
        cause="container `{container}` crashes with exit code {code}: {last}",
        fix="correct what its log shows",
    ),
    Cause(
        id="listens-on-loopback",
        rows=(38,),
        find=refused_but_listening(_LISTENING, loopback=True),
        cause="container `{container}` listens on {host}, where nothing outside it can reach it",
        fix="let the server listen on all addresses: `--host 0.0.0.0`",
    ),
    Cause(
        id="probe-wrong-port",
        rows=(37,),
        find=refused_but_listening(_LISTENING, loopback=False),
        cause="the {probe} probe of container `{container}` asks port {port}, "
        "but the app listens on {listens}",
        fix="set `containerPort` and the probe to {listens}, or let the app listen on {port}",
    ),
    Cause(
        id="probe-refused",
        rows=(37, 39),
        find=probe(
            "connection refused",
            times=3,
            seconds=30,
            window=True,
            network=True,
            field="httpGet.port",
        ),
        cause="nothing listens on port {port}, which the {probe} probe of container `{container}` "
        "asks",
        fix="check the port; the app must listen on 0.0.0.0 and on that port",
    ),
    Cause(
        id="probe-wrong-path",
        rows=(34,),
        find=probe(f"{_STATUS} 404", times=3, seconds=4, field="httpGet.path"),
        cause="the {probe} probe of container `{container}` gets 404: the app has no `{path}`",
        fix="correct the path of the probe, or add the route",
    ),
    Cause(
        id="probe-rejected",
        rows=(35,),
        find=probe(rf"{_STATUS} (?P<status>40[0135])", times=3, seconds=4, field="httpGet.path"),
        cause="the {probe} probe of container `{container}` gets {status} from `{path}`",
        fix="probes carry no credentials and the pod's IP as host: give them a path that is open",
    ),
    Cause(
        id="probe-failing",
        rows=(36,),
        find=probe(rf"{_STATUS} (?P<status>5\d\d)", times=1, seconds=0, field="httpGet.path"),
        cause="the app is not ready: `{path}` answers {status} to the {probe} probe of container "
        "`{container}`",
        fix="see its log: usually a database or another service is away",
        after=EXPLAINS,
    ),
    Cause(
        id="probe-slow",
        rows=(40,),
        find=probe(
            r"Client.Timeout|deadline exceeded|timed? ?out", times=3, seconds=30, window=True
        ),
        cause="the {probe} probe of container `{container}` gets no answer from {asks} in time",
        fix="raise `timeoutSeconds`, or make the check quicker",
    ),
    Cause(
        id="probe-other",
        rows=(41, 42, 43),
        find=probe(rf"^(?!{_STATUS} 5)", times=3, seconds=30, window=True),
        cause="the {probe} probe of container `{container}` does not pass: {said}",
        fix="correct the probe, or what it asks",
    ),
    Cause(
        id="volume-claim-missing",
        rows=(48,),
        find=unschedulable(r'persistentvolumeclaim "(?P<name>[^"]+)" not found', field="volumes"),
        cause="PersistentVolumeClaim `{name}` does not exist",
        fix="add it to the manifests",
    ),
    Cause(
        id="unschedulable",
        rows=(45, 46, 47, 48),
        find=unschedulable(""),
        cause="no node takes the pod, which asks for {asked}: {message}",
        fix="ask for less under `resources.requests`, or give Minikube more",
        after=20.0,
    ),
    Cause(
        id="quota",
        rows=(54,),
        find=not_created("exceeded quota", field="containers.0.resources"),
        cause="the namespace's quota does not allow the pod: {message}",
        fix="ask for less under `resources`, or raise the ResourceQuota",
        after=10.0,
        exit_code=5,
    ),
    Cause(
        id="limit-range",
        rows=(54,),
        find=not_created(r"(?:maximum|minimum) \S+ usage per", field="containers.0.resources"),
        cause="the namespace's LimitRange does not allow the pod: {message}",
        fix="change `resources` accordingly, or the LimitRange",
        exit_code=5,
    ),
    Cause(
        id="pod-security",
        rows=(55,),
        find=not_created("violates PodSecurity", field="containers.0.securityContext"),
        cause="the namespace's PodSecurity level does not allow the pod: {message}",
        fix="set what it names under `securityContext`",
        exit_code=5,
    ),
    Cause(
        id="service-account-missing",
        rows=(57,),
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
        find=not_created(""),
        cause="the API server refuses the pod: {message}",
        fix="correct what it names",
        after=20.0,
        exit_code=5,
    ),
)
