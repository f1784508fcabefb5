"""Lint rules about a whole pod and the object that makes it: labels, deadlines, its end, its data.

Defaults of the fields are those of the API reference:
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kubekit.api.references import references
from kubekit.manifests.hashed import decoded
from kubekit.manifests.objects import mapping, mappings
from kubekit.manifests.workloads import SELECTING, Container, Finding, Workload, items, whole
from kubekit.model import Manifest
from kubekit.text.scripts import shell_script
from kubekit.text.strictyaml import FieldPath

_GRACE = 30
_DEADLINE = 600
_SLEEP = re.compile(r"\bsleep\s+(\d+)\b")
# A dialect may name its driver: https://docs.sqlalchemy.org/en/20/core/engines.html#sqlite
_SQLITE = re.compile(r"sqlite3?(\+\w+)?:", re.IGNORECASE)


def selector_mismatch(workload: Workload) -> Iterator[Finding]:
    """The selector does not match the labels of its own template, which the API server refuses.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#selector
    """
    template = mapping(workload.manifest.data, "spec", "template", "metadata")
    if workload.manifest.kind not in SELECTING or not isinstance(template.get("labels", {}), dict):
        return
    selector = mapping(workload.manifest.data, "spec", "selector")
    labels = workload.labels
    for key, value in mapping(selector, "matchLabels").items():
        other = labels.get(key, "")
        if isinstance(value, str) and isinstance(other, str) and other != value:
            yield _mismatch(workload, ("matchLabels", key), f"`{key}: {value}`", key)
    for index, rule in enumerate(mappings(selector.get("matchExpressions"))):
        if not matches(rule, labels):
            key = str(rule.get("key"))
            values = ", ".join(map(str, rule.get("values") or ()))
            asked = f"`{key} {rule.get('operator')} {values}`".replace(" `", "`")
            yield _mismatch(workload, ("matchExpressions", index), asked, key)


def _mismatch(workload: Workload, where: FieldPath, asked: str, key: str) -> Finding:
    have = f"`{key}: {workload.labels[key]}`" if key in workload.labels else f"no `{key}`"
    return Finding(
        id="selector-mismatch",
        place=workload.place(("spec", "selector", *where)),
        text=f"the selector of `{workload.ref}` asks for {asked}, but its template has {have}",
        hints=("use the same labels in `spec.selector` and `spec.template.metadata.labels`",),
        error=True,
    )


def matches(rule: Mapping[str, Any], labels: Mapping[str, object]) -> bool:
    """Whether the labels match, as far as the rule is one that is known.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#set-based-requirement
    """
    key, values = rule.get("key"), rule.get("values")
    there = key in labels
    listed = there and isinstance(values, list) and labels[str(key)] in values
    known = {
        "In": listed,
        "NotIn": not listed,
        "Exists": there,
        "DoesNotExist": not there,
    }
    return known.get(str(rule.get("operator")), True)


def progress_deadline(workload: Workload) -> Iterator[Finding]:
    """A deadline before the pods could be available.

    One that is not longer than `minReadySeconds` the API server refuses.
    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#progress-deadline-seconds
    """
    if workload.manifest.kind != "Deployment":
        return
    spec = mapping(workload.manifest.data, "spec")
    deadline = whole(spec, "progressDeadlineSeconds", _DEADLINE)
    ready = whole(spec, "minReadySeconds", 0)
    asked = max((_readiness(one)[0] for one in workload.containers()), default=0)
    if ready and deadline <= ready:
        late = f"`minReadySeconds` ({ready})"
    elif asked and deadline <= asked:
        late = f"the `initialDelaySeconds` of its readiness probe ({asked})"
    else:
        return
    field = "progressDeadlineSeconds" if "progressDeadlineSeconds" in spec else "minReadySeconds"
    yield Finding(
        id="progress-deadline",
        place=workload.place(("spec", field)),
        text=f"`progressDeadlineSeconds` ({deadline}) of `{workload.ref}` is over before {late}",
        hints=("make `progressDeadlineSeconds` longer than a start may take",),
        error=bool(ready) and deadline <= ready,
    )


def ready_too_late(workload: Workload, timeout: float) -> Iterator[Finding]:
    """Pods that cannot be available before kubekit's own wait is over."""
    if workload.manifest.kind not in SELECTING:
        return
    spec = mapping(workload.manifest.data, "spec")
    minimum = whole(spec, "minReadySeconds", 0)
    delay, path = max((_readiness(one) for one in workload.containers()), default=(0, ()))
    if delay + minimum < timeout or delay + minimum <= 0:
        return
    place = ("spec", "minReadySeconds") if minimum >= delay else path
    yield Finding(
        id="ready-too-late",
        place=workload.place(place),
        text=f"a pod of `{workload.ref}` is available after {delay + minimum} s at the earliest "
        f"(`initialDelaySeconds` {delay}, `minReadySeconds` {minimum}), but `timeout` is "
        f"{timeout:g} s",
        hints=("make them shorter, or `timeout` longer",),
    )


def _readiness(container: Container) -> tuple[int, FieldPath]:
    """How long the container is not asked whether it is ready, and where that stands."""
    return max(
        (
            (whole(probe, "initialDelaySeconds", 0), (*path, "initialDelaySeconds"))
            for kind, path, probe in container.probes()
            if kind != "livenessProbe"
        ),
        default=(0, ()),
        key=lambda found: found[0],
    )


def grace_too_short(workload: Workload) -> Iterator[Finding]:
    """The time a pod gets to end is over while its preStop hook still sleeps.

    The grace period counts from before the hook; what it leaves is the app's. One shorter than
    the hook's own `sleep` action the API server refuses.
    https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/#hook-handler-execution
    """
    grace = whole(workload.spec, "terminationGracePeriodSeconds", _GRACE)
    if "terminationGracePeriodSeconds" in workload.spec:
        path: FieldPath = (*workload.path, "terminationGracePeriodSeconds")
    else:
        path = ()
    for container in workload.containers():
        hook = mapping(container.data, "lifecycle", "preStop")
        action = whole(mapping(hook, "sleep"), "seconds", 0)
        slept = action or _slept(mapping(hook, "exec").get("command"))
        if slept and grace <= slept:
            yield Finding(
                id="grace-too-short",
                place=workload.place(path or (*container.path, "lifecycle", "preStop")),
                text=f"the preStop hook of {workload.named(container)} sleeps {slept} s, and "
                f"`terminationGracePeriodSeconds` ({grace}) leaves the app no time to end",
                hints=("make it longer than the hook and the app's own shutdown together",),
                error=grace < action,
            )


def _slept(command: Any) -> int:
    """The seconds of ``[sleep, N]`` or ``[sh, -c, "sleep N"]``; 0 for anything else."""
    if not isinstance(command, list) or not all(isinstance(part, str) for part in command):
        return 0
    program = str(command[0]).rpartition("/")[2] if command else ""
    script = " ".join(["sleep", *command[1:]]) if program == "sleep" else shell_script(command)
    return sum(int(seconds) for seconds in _SLEEP.findall(script or ""))


def sqlite_shared(workload: Workload, manifests: Iterable[Manifest]) -> Iterator[Finding]:
    """Several replicas on SQLite, which is one file with one writer: each has data of its own.

    The value itself is never shown. https://www.sqlite.org/whentouse.html
    """
    if workload.replicas <= 1:
        return
    sources = {(item.kind, item.name): item for item in manifests}
    for container in workload.containers():
        variable = next(_sqlite_variables(container, sources), None)
        if variable is not None:
            yield Finding(
                id="sqlite-replicas",
                place=workload.place(("spec", "replicas")),
                text=f"`{workload.ref}` has {workload.replicas} replicas, but `{variable}` names "
                "an SQLite database, which is one file with one writer",
                hints=("use one replica, or a database server",),
            )
            return


def _sqlite_variables(
    container: Container, sources: Mapping[tuple[str, str], Manifest]
) -> Iterator[str]:
    for _, item in items(container.data.get("env"), ()):
        if _SQLITE.match(str(item.get("value", ""))):
            yield str(item.get("name"))
    for field in ("env", "envFrom"):
        listed = container.data.get(field)
        for reference in references(listed if isinstance(listed, list) else []):
            source = sources.get((reference.kind, reference.name))
            if source is None:
                continue
            wanted = reference.holder.get("key") if field == "env" else None
            for key, value in decoded(source):
                if wanted in (None, key) and _SQLITE.match(value):
                    yield str(key)
