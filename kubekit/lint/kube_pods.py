"""Rules about a pod: what of the node it gets, its token, its volumes, its end, its siblings.

Ids of others: Checkov CKV_K8S, Trivy KSV, Kubescape C-, kube-score, kube-linter, Polaris.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from kubekit.lint.objects import LONG_RUNNING, Objects, at, env, hit, volumes, wish
from kubekit.lint.rule import Book, Hit
from kubekit.manifests.objects import mapping, mappings
from kubekit.manifests.workloads import Container, Workload, whole

_SERVED = frozenset({"Deployment", "StatefulSet"})
_GRACE = 30
_SPARE = 5
_GRACEFUL = re.compile(r"--(?:timeout-graceful-shutdown|graceful-timeout)[= ](\d+)")
_GRACEFUL_ENV = ("GRACEFUL_SECONDS", "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN", "GRACEFUL_TIMEOUT")
_SLEEP = re.compile(r"\bsleep\s+(\d+)")

Check = Callable[[Workload, Objects], Iterator[Hit]]
BOOK: Book[Check] = Book()
_rule = BOOK.rule


def _host(workload: Workload, field: str, what: str) -> Iterator[Hit]:
    if workload.spec.get(field) is True:
        text = f"the pods of `{workload.ref}` share the node's {what}"
        yield hit(workload.manifest, (*workload.path, field), text, f"leave `{field}` out")


@_rule("host-network", "CKV_K8S_19", "KSV-0009", "C-0041", "host-network", "hostNetworkSet",
       error=True)  # fmt: skip
def _network(workload: Workload, _: Objects) -> Iterator[Hit]:
    """The pod is in the node's network: it sees what else is there, and takes its ports."""
    yield from _host(workload, "hostNetwork", "network")


@_rule("host-pid", "CKV_K8S_17", "KSV-0010", "C-0038", "host-pid", "hostPIDSet", error=True)
def _pid(workload: Workload, _: Objects) -> Iterator[Hit]:
    """The pod sees all processes of the node."""
    yield from _host(workload, "hostPID", "processes")


@_rule("host-ipc", "CKV_K8S_18", "KSV-0008", "C-0038", "host-ipc", "hostIPCSet", error=True)
def _ipc(workload: Workload, _: Objects) -> Iterator[Hit]:
    """The pod shares memory with the processes of the node."""
    yield from _host(workload, "hostIPC", "shared memory")


@_rule("host-path", "CKV_K8S_27", "KSV-0023", "KSV-0006", "C-0048", "docker-sock",
       "sensitive-host-mounts", "hostPathSet", error=True)  # fmt: skip
def _path(workload: Workload, _: Objects) -> Iterator[Hit]:
    """A folder of the node, which is another one on each node, and may be the node's own."""
    for path, volume in volumes(workload):
        if "hostPath" in volume:
            where = at(volume, "hostPath", "path")
            text = f"the pods of `{workload.ref}` get `{where}` of the node"
            hint = "use an `emptyDir`, or a PersistentVolumeClaim"
            yield hit(workload.manifest, (*path, "hostPath"), text, hint)


@_rule("service-account-token", "CKV_K8S_38", "KSV-0036", "C-0034", "C-0261",
       "automountServiceAccountToken", fixes=True)  # fmt: skip
def _token(workload: Workload, objects: Objects) -> Iterator[Hit]:
    """The pod gets a token for the Kubernetes API, which most apps never use."""
    name = workload.spec.get("serviceAccountName")
    if name and objects.binds(workload):
        return
    near = objects.near("ServiceAccount", workload)
    accounts = [item.data for item in near if item.name == name]
    said = [one.get("automountServiceAccountToken") for one in accounts]
    own = workload.spec.get("automountServiceAccountToken")
    path = (*workload.path, "automountServiceAccountToken")
    if own is not False and (own is True or False not in said):
        text = f"the pods of `{workload.ref}` get a token for the Kubernetes API"
        # An account that is not here, or that says so, may have been given rights elsewhere.
        free = not name or (bool(said) and True not in said)
        fix = wish(workload.manifest, path, value=False) if free else None
        hint = "write `automountServiceAccountToken: false`, unless the app uses it"
        yield hit(workload.manifest, path, text, hint, wish=fix)


@_rule("default-service-account", "C-0034", "default-service-account",
       extra=True)  # fmt: skip
def _account(workload: Workload, _: Objects) -> Iterator[Hit]:
    """The pod runs under the namespace's default account, which others may give rights to."""
    if workload.spec.get("serviceAccountName") in (None, "", "default"):
        text = f"the pods of `{workload.ref}` run under the account `default`"
        hint = "write a ServiceAccount of its own and name it: `serviceAccountName`"
        yield hit(workload.manifest, (*workload.path, "serviceAccountName"), text, hint)


@_rule("service-account-absent", "non-existent-service-account")
def _absent(workload: Workload, objects: Objects) -> Iterator[Hit]:
    """The ServiceAccount is not among these manifests: no pod starts without it."""
    name = workload.spec.get("serviceAccountName")
    near = objects.near("ServiceAccount", workload)
    there = {item.name for item in near} | {"default", None, ""}
    if isinstance(name, str) and name not in there:
        text = f"there is no ServiceAccount `{name}` in these manifests"
        path = (*workload.path, "serviceAccountName")
        yield hit(workload.manifest, path, text, f"write one, called `{name}`")


@_rule("service-links", fixes=True)
def _links(workload: Workload, objects: Objects) -> Iterator[Hit]:
    """Each Service sets variables such as `APP_PORT=tcp://...`, which settings trip over.

    Not where an object speaks of such a variable: the app may need them.

    https://kubernetes.io/docs/tutorials/services/connect-applications-service/
    """
    path = (*workload.path, "enableServiceLinks")
    given = workload.spec.get("enableServiceLinks") is not False
    if given and any(objects.near("Service", workload)) and not objects.uses_links:
        text = f"the pods of `{workload.ref}` get variables such as `APP_PORT=tcp://...`"
        fix = wish(workload.manifest, path, value=False)
        yield hit(workload.manifest, path, text, "write `enableServiceLinks: false`", wish=fix)


@_rule("empty-dir-unlimited", extra=True)
def _empty(workload: Workload, _: Objects) -> Iterator[Hit]:
    """An `emptyDir` without a size: it may fill the node's disk."""
    for path, volume in volumes(workload):
        if isinstance(volume.get("emptyDir"), dict) and "sizeLimit" not in volume["emptyDir"]:
            text = f"the volume `{volume.get('name')}` of `{workload.ref}` has no `sizeLimit`"
            yield hit(workload.manifest, (*path, "emptyDir"), text, "write `sizeLimit: 64Mi`")


def _seconds(container: Container) -> tuple[int, int]:
    """How long its preStop hook sleeps, and how long the app takes to finish requests."""
    hook = mapping(container.data, "lifecycle", "preStop")
    slept = whole(mapping(hook, "sleep"), "seconds", 0)
    command = mapping(hook, "exec").get("command")
    words = [str(word) for word in command] if isinstance(command, list) else []
    slept = slept or sum(int(number) for number in _SLEEP.findall(" ".join(words)))
    started: list[str] = []
    for field in ("command", "args"):
        value = container.data.get(field)
        started += [str(word) for word in value] if isinstance(value, list) else []
    found = _GRACEFUL.findall(" ".join(started))
    for _, item in env(container):
        value = item.get("value")
        if item.get("name") in _GRACEFUL_ENV and isinstance(value, str) and value.isdecimal():
            found.append(value[:6])
        if item.get("name") == "DRAIN_SECONDS" and isinstance(value, str) and value.isdecimal():
            slept += int(value[:6])
    return slept, max(map(int, found), default=0)


@_rule("grace-without-reserve")
def _grace(workload: Workload, _: Objects) -> Iterator[Hit]:
    """The grace period is shorter than preStop, the app's own shutdown and 5 s together.

    What is not over by then is killed, in the middle of a request.
    """
    grace = whole(workload.spec, "terminationGracePeriodSeconds", _GRACE)
    for container in workload.containers():
        slept, graceful = _seconds(container)
        needed = slept + graceful + _SPARE
        if slept + graceful and slept < grace < needed:
            path = (*workload.path, "terminationGracePeriodSeconds")
            text = (
                f"`terminationGracePeriodSeconds` ({grace}) is shorter than what "
                f"{workload.named(container)} needs: {slept} s to drain, {graceful} s to finish, "
                f"and {_SPARE} s to spare"
            )
            yield hit(workload.manifest, path, text, f"make it {needed}")


def _claims(workload: Workload, objects: Objects) -> Iterator[str]:
    """The claims of the pod that only one node may write to at a time."""
    single = {
        item.name
        for item in objects.near("PersistentVolumeClaim", workload)
        if at(item.data, "spec", "accessModes") in (["ReadWriteOnce"], ["ReadWriteOncePod"])
    }
    for _, volume in volumes(workload):
        name = at(volume, "persistentVolumeClaim", "claimName")
        if isinstance(name, str) and name in single:
            yield name


@_rule("rolling-over-one-volume")
def _rolling(workload: Workload, objects: Objects) -> Iterator[Hit]:
    """A rolling update over a volume for one node: two writers, or it never ends (X18)."""
    strategy = at(workload.manifest.data, "spec", "strategy", "type")
    if workload.manifest.kind != "Deployment" or strategy == "Recreate":
        return
    for name in _claims(workload, objects):
        text = f"old and new pods of `{workload.ref}` would have `{name}` at the same time"
        hint = "write `strategy: {type: Recreate}`, or use a database server"
        yield hit(workload.manifest, ("spec", "strategy"), text, hint)


def _spread(workload: Workload) -> bool:
    return workload.manifest.kind in _SERVED and workload.replicas > 1


@_rule("single-replica", "deployment-replicas", "deploymentMissingReplicas", extra=True)
def _single(workload: Workload, objects: Objects) -> Iterator[Hit]:
    """One replica: while it moves to another node, nobody answers. With SQLite it must be one."""
    if workload.manifest.kind != "Deployment" or workload.replicas > 1:
        return
    if not any(_claims(workload, objects)):
        path = ("spec", "replicas")
        text = f"`{workload.ref}` has one replica"
        yield hit(
            workload.manifest, path, text, "write `replicas: 2`, once it is not for you alone"
        )


@_rule("strategy-unset", "deployment-strategy", "C-0305", extra=True)
def _strategy(workload: Workload, _: Objects) -> Iterator[Hit]:
    """A Deployment that does not say how its pods are replaced."""
    if workload.manifest.kind == "Deployment" and at(
        workload.manifest.data, "spec", "strategy", "type"
    ) not in ("Recreate", "RollingUpdate"):
        hint = "write `strategy: {type: RollingUpdate}`, or `Recreate` for one that has a volume"
        text = f"`{workload.ref}` does not say how its pods are replaced"
        yield hit(workload.manifest, ("spec", "strategy"), text, hint)


@_rule("budget-missing", "deployment-has-poddisruptionbudget", "missingPodDisruptionBudget")
def _budget(workload: Workload, objects: Objects) -> Iterator[Hit]:
    """Several replicas and no PodDisruptionBudget: all may be evicted at once."""
    if _spread(workload) and not any(objects.selecting("PodDisruptionBudget", workload)):
        text = f"nothing keeps all pods of `{workload.ref}` from being evicted at once"
        hint = "write a PodDisruptionBudget with `maxUnavailable: 1`"
        yield hit(workload.manifest, (), text, hint)


@_rule("anti-affinity-missing", "deployment-has-host-podantiaffinity", "no-anti-affinity")
def _affinity(workload: Workload, _: Objects) -> Iterator[Hit]:
    """Several replicas that may all be on one node."""
    terms = mapping(workload.spec, "affinity", "podAntiAffinity")
    spread = mappings(workload.spec.get("topologySpreadConstraints"))
    if _spread(workload) and not terms and not spread:
        text = f"all pods of `{workload.ref}` may be on one node"
        hint = "write `podAntiAffinity` on `kubernetes.io/hostname`, or spread constraints"
        yield hit(workload.manifest, workload.path, text, hint)


@_rule("spread-missing", "pod-topology-spread-constraints", "topologySpreadConstraint", extra=True)
def _topology(workload: Workload, _: Objects) -> Iterator[Hit]:
    """Several replicas without `topologySpreadConstraints`."""
    if _spread(workload) and not mappings(workload.spec.get("topologySpreadConstraints")):
        text = f"the pods of `{workload.ref}` are not spread over zones"
        hint = "write `topologySpreadConstraints` with `whenUnsatisfiable: ScheduleAnyway`"
        yield hit(workload.manifest, workload.path, text, hint)


@_rule("network-policy-missing", "CKV2_K8S_6", "C-0030", "C-0260", "pod-networkpolicy",
       "non-isolated-pod", "missingNetworkPolicy", extra=True)  # fmt: skip
def _isolated(workload: Workload, objects: Objects) -> Iterator[Hit]:
    """No NetworkPolicy selects the pod. Minikube's usual network does not heed any."""
    if workload.manifest.kind in {*LONG_RUNNING, "Pod"} and not any(
        objects.selecting("NetworkPolicy", workload)
    ):
        text = f"any pod of the cluster reaches the pods of `{workload.ref}`"
        hint = "write a NetworkPolicy with what may come in and go out"
        yield hit(workload.manifest, (), text, hint)


@_rule("priority-missing", "priorityClassNotSet", "priority-class-name", extra=True)
def _priority(workload: Workload, _: Objects) -> Iterator[Hit]:
    """No priority class: on a full cluster chance decides what runs."""
    if workload.manifest.kind in LONG_RUNNING and not workload.spec.get("priorityClassName"):
        text = f"the pods of `{workload.ref}` have no priority"
        path = (*workload.path, "priorityClassName")
        yield hit(workload.manifest, path, text, "write `priorityClassName`")
