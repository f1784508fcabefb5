"""Rules about one container: its rights, its resources, its probes, its image, its environment.

Ids of others: Checkov CKV_K8S, Trivy KSV, Kubescape C-, kube-score, kube-linter, Polaris.
PodSecurity: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kubekit.lint.objects import LONG_RUNNING, at, env, hit, secured, wish
from kubekit.lint.rule import Book, Hit
from kubekit.lint.secrets import is_secret
from kubekit.manifests.objects import mapping
from kubekit.manifests.workloads import Container, Workload

_BASELINE = frozenset(
    (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
        *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)
_LOW = 10_000

Check = Callable[[Workload, Container], Iterator[Hit]]
BOOK: Book[Check] = Book()
_rule = BOOK.rule


@_rule("privileged", "CKV_K8S_16", "KSV-0017", "C-0057", "container-security-context-privileged",
       "privileged-container", "runAsPrivileged", error=True)  # fmt: skip
def _privileged(workload: Workload, container: Container) -> Iterator[Hit]:
    """A privileged container is root on the node; PodSecurity `baseline` refuses it."""
    path = (*container.path, "securityContext", "privileged")
    if at(container.data, "securityContext", "privileged") is True:
        text = f"{workload.named(container)} is privileged: it is root on the node"
        yield hit(workload.manifest, path, text, "leave `privileged` out")


@_rule("privilege-escalation", "CKV_K8S_20", "KSV-0001", "C-0016",
       "privilege-escalation-container", "privilegeEscalationAllowed", fixes=True)  # fmt: skip
def _escalation(workload: Workload, container: Container) -> Iterator[Hit]:
    """`allowPrivilegeEscalation` is not false: a setuid program in the image may become root."""
    path = (*container.path, "securityContext", "allowPrivilegeEscalation")
    if at(container.data, "securityContext", "allowPrivilegeEscalation") is not False:
        text = f"{workload.named(container)} may gain rights that it was not started with"
        hint = "write `allowPrivilegeEscalation: false` into its `securityContext`"
        # The API server refuses it beside either of these.
        added = at(container.data, "securityContext", "capabilities", "add")
        free = at(container.data, "securityContext", "privileged") is not True and not (
            isinstance(added, list) and "CAP_SYS_ADMIN" in added
        )
        fix = wish(workload.manifest, path, value=False) if free else None
        yield hit(workload.manifest, path, text, hint, wish=fix)


@_rule("capabilities-kept", "CKV_K8S_37", "CKV_K8S_28", "KSV-0003", "KSV-0106", "C-0046",
       "drop-net-raw-capability", "insecureCapabilities")  # fmt: skip
def _capabilities(workload: Workload, container: Container) -> Iterator[Hit]:
    """Not all capabilities are dropped, though an app needs none."""
    dropped = at(container.data, "securityContext", "capabilities", "drop")
    names = {str(one).upper() for one in dropped} if isinstance(dropped, list) else set()
    if "ALL" not in names:
        path = (*container.path, "securityContext", "capabilities", "drop")
        text = f"{workload.named(container)} keeps capabilities that an app needs none of"
        hint = "write `capabilities: {drop: [ALL]}` into its `securityContext`"
        yield hit(workload.manifest, path, text, hint)


@_rule("capability-added", "CKV_K8S_25", "CKV_K8S_39", "KSV-0022", "C-0046",
       "dangerousCapabilities", error=True)  # fmt: skip
def _added(workload: Workload, container: Container) -> Iterator[Hit]:
    """A capability is added that PodSecurity `baseline` refuses."""
    added = at(container.data, "securityContext", "capabilities", "add")
    for index, name in enumerate(added if isinstance(added, list) else ()):
        if str(name).upper().removeprefix("CAP_") not in _BASELINE:
            path = (*container.path, "securityContext", "capabilities", "add", index)
            text = f"{workload.named(container)} gets the capability `{name}`"
            yield hit(workload.manifest, path, text, "leave it out")


@_rule("root-filesystem-writable", "CKV_K8S_22", "KSV-0014", "C-0017",
       "container-security-context-readonlyrootfilesystem", "no-read-only-root-fs",
       "notReadOnlyRootFilesystem")  # fmt: skip
def _writable(workload: Workload, container: Container) -> Iterator[Hit]:
    """The root filesystem can be written: who breaks in can leave something there."""
    path = (*container.path, "securityContext", "readOnlyRootFilesystem")
    if at(container.data, "securityContext", "readOnlyRootFilesystem") is not True:
        text = f"{workload.named(container)} can write to its own image"
        hint = "write `readOnlyRootFilesystem: true`, and mount an `emptyDir` at `/tmp`"
        yield hit(workload.manifest, path, text, hint)


@_rule("may-run-as-root", "CKV_K8S_23", "KSV-0012", "C-0013", "run-as-non-root",
       "runAsRootAllowed")  # fmt: skip
def _root(workload: Workload, container: Container) -> Iterator[Hit]:
    """`runAsNonRoot` is not true: an image without a `USER` runs as root."""
    path = (*container.path, "securityContext", "runAsNonRoot")
    if secured(workload, container, "runAsNonRoot") is not True:
        text = f"{workload.named(container)} may run as root"
        yield hit(workload.manifest, path, text, "write `runAsNonRoot: true` and a `runAsUser`")


@_rule("low-user-id", "CKV_K8S_40", "KSV-0020", "KSV-0021",
       "container-security-context-user-group-id")  # fmt: skip
def _low(workload: Workload, container: Container) -> Iterator[Hit]:
    """A user or group is named below 10001, which the node itself may have, too."""
    for field in ("runAsUser", "runAsGroup"):
        number = secured(workload, container, field)
        if isinstance(number, int) and not isinstance(number, bool) and number <= _LOW:
            own = field in mapping(container.data, "securityContext")
            path = (*(container.path if own else workload.path), "securityContext", field)
            text = f"{workload.named(container)} has {number} as its `{field}`"
            yield hit(workload.manifest, path, text, f"write `{field}: 10001`")


@_rule("seccomp-missing", "CKV_K8S_31", "KSV-0030", "KSV-0104", "C-0055", "C-0210",
       "container-seccomp-profile", fixes=True)  # fmt: skip
def _seccomp(workload: Workload, container: Container) -> Iterator[Hit]:
    """No seccomp profile: the container may make any system call, even those nobody uses."""
    profile = at(secured(workload, container, "seccompProfile"), "type")
    if profile in ("RuntimeDefault", "Localhost"):
        return
    path = (*workload.path, "securityContext", "seccompProfile", "type")
    own = at(container.data, "securityContext", "seccompProfile") is not None
    privileged = at(container.data, "securityContext", "privileged") is True
    fix = None if own or privileged else wish(workload.manifest, path, value="RuntimeDefault")
    text = f"{workload.named(container)} has no seccomp profile"
    hint = "write `seccompProfile: {type: RuntimeDefault}` into the pod's `securityContext`"
    yield hit(workload.manifest, path, text, hint, wish=fix)


@_rule("proc-mount", "KSV-0027", "unsafe-proc-mount", "procMount", error=True)
def _proc(workload: Workload, container: Container) -> Iterator[Hit]:
    """`procMount` other than Default shows the container what of the kernel is hidden from it."""
    value = at(container.data, "securityContext", "procMount")
    if value is not None and value != "Default":
        path = (*container.path, "securityContext", "procMount")
        text = f"{workload.named(container)} sees all of the kernel's `/proc`"
        yield hit(workload.manifest, path, text, "leave `procMount` out")


@_rule("host-port", "CKV_K8S_26", "KSV-0024", "C-0044", "hostPortSet", error=True)
def _host_port(workload: Workload, container: Container) -> Iterator[Hit]:
    """A port of the node: two pods cannot share it, and no Service guards it."""
    for path, port in container.ports():
        if port.get("hostPort"):
            text = f"{workload.named(container)} takes port {port['hostPort']} of the node"
            yield hit(workload.manifest, (*path, "hostPort"), text, "use a Service")


def _missing(
    workload: Workload, container: Container, kind: str, resource: str, why: str
) -> Iterator[Hit]:
    amount = at(container.data, "resources", kind, resource)
    requested = kind == "requests" and at(container.data, "resources", "limits", resource)
    if amount is None and not requested:  # a limit alone is the request, too
        path = (*container.path, "resources", kind, resource)
        text = f"{workload.named(container)} has no `{kind}` of `{resource}`: {why}"
        yield hit(workload.manifest, path, text, f"write `{kind}: {{{resource}: ...}}`")


@_rule("cpu-request-missing", "CKV_K8S_10", "KSV-0015", "C-0268", "container-resources",
       "unset-cpu-requirements", "cpuRequestsMissing")  # fmt: skip
def _cpu_request(workload: Workload, container: Container) -> Iterator[Hit]:
    """No CPU is asked for: the scheduler puts any number of such pods on a node."""
    yield from _missing(workload, container, "requests", "cpu", "a busy node gives it next to none")


@_rule("memory-request-missing", "CKV_K8S_12", "KSV-0016", "C-0269", "container-resources",
       "unset-memory-requirements", "memoryRequestsMissing")  # fmt: skip
def _memory_request(workload: Workload, container: Container) -> Iterator[Hit]:
    """No memory is asked for: such a pod is the first to be evicted."""
    yield from _missing(workload, container, "requests", "memory", "it is evicted first")


@_rule("cpu-limit-missing", "CKV_K8S_11", "KSV-0011", "C-0270", "container-resources",
       "unset-cpu-requirements", "cpuLimitsMissing", extra=True)  # fmt: skip
def _cpu_limit(workload: Workload, container: Container) -> Iterator[Hit]:
    """No limit of CPU: one pod may take all that the node has to spare. Many want just that."""
    yield from _missing(workload, container, "limits", "cpu", "it may take all of the node's")


@_rule("memory-limit-missing", "CKV_K8S_13", "KSV-0018", "C-0271", "container-resources",
       "unset-memory-requirements", "memoryLimitsMissing")  # fmt: skip
def _memory_limit(workload: Workload, container: Container) -> Iterator[Hit]:
    """No limit of memory: a leak takes the node's, and others are killed for it."""
    yield from _missing(workload, container, "limits", "memory", "a leak takes all of the node's")


@_rule("ephemeral-storage-missing", "container-ephemeral-storage-request-and-limit", extra=True)
def _storage(workload: Workload, container: Container) -> Iterator[Hit]:
    """No request or limit of ephemeral storage, which logs and `emptyDir` fill."""
    for kind in ("requests", "limits"):
        yield from _missing(workload, container, kind, "ephemeral-storage", "logs may fill it")


def _serves(workload: Workload, container: Container) -> bool:
    return workload.manifest.kind in {*LONG_RUNNING, "Pod"} and container.path[-2] == "containers"


@_rule("readiness-missing", "CKV_K8S_9", "C-0018", "pod-probes", "no-readiness-probe",
       "readinessProbeMissing")  # fmt: skip
def _readiness(workload: Workload, container: Container) -> Iterator[Hit]:
    """No readiness probe: requests reach the app too early, and a rollout proves nothing."""
    if _serves(workload, container) and "readinessProbe" not in container.data:
        text = f"{workload.named(container)} has no readiness probe: it gets requests at once"
        hint = "write a `readinessProbe` on a path that answers 503 until the app can serve"
        yield hit(workload.manifest, container.path, text, hint)


@_rule("liveness-missing", "CKV_K8S_8", "C-0056", "pod-probes", "no-liveness-probe",
       "livenessProbeMissing")  # fmt: skip
def _liveness(workload: Workload, container: Container) -> Iterator[Hit]:
    """No liveness probe: an app that hangs is never started anew."""
    if _serves(workload, container) and "livenessProbe" not in container.data:
        text = f"{workload.named(container)} has no liveness probe: it is not restarted if it hangs"
        hint = "write a `livenessProbe` on a path that asks no database"
        yield hit(workload.manifest, container.path, text, hint)


@_rule("probes-identical", "pod-probes-identical")
def _identical(workload: Workload, container: Container) -> Iterator[Hit]:
    """Readiness and liveness ask the same: a database that is away restarts every pod."""
    ready, live = (
        mapping(container.data, kind, "httpGet") for kind in ("readinessProbe", "livenessProbe")
    )
    if (
        ready
        and live
        and (ready.get("path"), ready.get("port"))
        == (
            live.get("path"),
            live.get("port"),
        )
    ):
        text = f"both probes of {workload.named(container)} ask `{live.get('path', '/')}`"
        hint = "let liveness ask a path that says only that the process is there"
        yield hit(workload.manifest, (*container.path, "livenessProbe"), text, hint)


@_rule("probe-host", error=True)
def _probe_host(workload: Workload, container: Container) -> Iterator[Hit]:
    """A probe that asks another host; PodSecurity refuses it since 1.34."""
    for _, path, probe in container.probes():
        for action in ("httpGet", "tcpSocket"):
            if at(probe, action, "host"):
                text = f"a probe of {workload.named(container)} asks another host than its pod"
                yield hit(workload.manifest, (*path, action, "host"), text, "leave `host` out")


def _tag(image: str) -> str:
    return "digest" if "@" in image else image.rpartition("/")[2].partition(":")[2]


@_rule("container-image-untagged", "CKV_K8S_14", "KSV-0013", "C-0075", "container-image-tag",
       "latest-tag", "tagNotSpecified")  # fmt: skip
def _untagged(workload: Workload, container: Container) -> Iterator[Hit]:
    """An image without a tag, or `latest`: nobody can say what runs, or bring it back."""
    image = container.data.get("image")
    if isinstance(image, str) and image and _tag(image) in {"", "latest"}:
        path = (*container.path, "image")
        text = f"`{image}` of {workload.named(container)} is another image every few weeks"
        yield hit(workload.manifest, path, text, "name a version or a digest")


@_rule("container-image-no-digest", "CKV_K8S_43", "C-0306", extra=True)
def _digest(workload: Workload, container: Container) -> Iterator[Hit]:
    """An image by its tag, which its owner may move. What kubekit builds is named by content."""
    image = container.data.get("image")
    if isinstance(image, str) and "@" not in image:
        text = f"`{image}` of {workload.named(container)} has no digest"
        hint = "write `NAME@sha256:...`; `kubekit push` prints it"
        yield hit(workload.manifest, (*container.path, "image"), text, hint)


@_rule(
    "pull-policy", "CKV_K8S_15", "container-image-pull-policy", "pullPolicyNotAlways", extra=True
)
def _pull(workload: Workload, container: Container) -> Iterator[Hit]:
    """`imagePullPolicy` is not Always; on a Minikube that builds its images it must not be."""
    image = container.data.get("image")
    if isinstance(image, str) and container.data.get("imagePullPolicy") != "Always":
        path = (*container.path, "imagePullPolicy")
        text = f"{workload.named(container)} may run an image that the node has kept"
        yield hit(workload.manifest, path, text, "write `imagePullPolicy: Always`")


@_rule("secret-in-env", "C-0012", "env-var-secret", "sensitiveContainerEnvVar",
       error=True)  # fmt: skip
def _secret(workload: Workload, container: Container) -> Iterator[Hit]:
    """The value of a secret stands in the manifest, where anybody reads it."""
    for path, item in env(container):
        name, value = item.get("name"), item.get("value")
        if not isinstance(name, str) or not isinstance(value, str) or not value:
            continue
        if is_secret(name, value):
            text = f"the value of `{name}` stands in {workload.named(container)} for all to read"
            hint = "take it from a Secret: `valueFrom: {secretKeyRef: ...}`"
            yield hit(workload.manifest, (*path, "value"), text, hint)


@_rule("secret-as-variable", "CKV_K8S_35", "C-0207", "read-secret-from-env-var", extra=True)
def _variable(workload: Workload, container: Container) -> Iterator[Hit]:
    """A secret in the environment, which child processes and crash reports see; a file is safer."""
    for path, item in env(container):
        if at(item, "valueFrom", "secretKeyRef") is not None:
            text = f"{workload.named(container)} gets `{item.get('name')}` as a variable"
            yield hit(workload.manifest, path, text, "mount the Secret as files")
    listed = container.data.get("envFrom")
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        if at(item, "secretRef") is not None:
            path = (*container.path, "envFrom", index)
            text = f"{workload.named(container)} gets all of a Secret as variables"
            yield hit(workload.manifest, path, text, "mount the Secret as files")
