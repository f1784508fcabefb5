"""Lint rules about Services: whom they select, and the ports they lead to.

https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence

from kubekit.manifests.lint_containers import PORT_HINT, did_you_mean
from kubekit.manifests.objects import mapping
from kubekit.manifests.workloads import Finding, Workload, items, port_number
from kubekit.model import Manifest, Object
from kubekit.text.strictyaml import FieldPath

# Labels that controllers give their pods: no template shows them.
_GIVEN = frozenset(
    {
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
        "batch.kubernetes.io/job-name",
        "controller-revision-hash",
        "controller-uid",
        "job-name",
        "pod-template-hash",
        "statefulset.kubernetes.io/pod-name",
    }
)


def service(
    manifest: Manifest, workloads: Sequence[Workload], manifests: Sequence[Manifest]
) -> Iterator[Finding]:
    """A Service that selects no pods of this project, or asks them for ports they do not have.

    Without a selector its endpoints are made by hand, and an `ExternalName` has none. Where there
    are kinds of others, they may make pods, too.
    """
    spec = mapping(manifest.data, "spec")
    selector = mapping(spec, "selector")
    if not selector or spec.get("type") == "ExternalName":
        return
    asked = {key: value for key, value in selector.items() if key not in _GIVEN}
    selected = [one for one in workloads if asked.items() <= _texts(one.labels).items()]
    if selected:
        for path, port in items(spec.get("ports"), ("spec", "ports")):
            yield from _port(manifest, selected, path, port)
    elif not any(_custom(item) for item in manifests):
        yield _selects_nothing(manifest, workloads, asked)


def _texts(labels: Mapping[str, object]) -> dict[str, object]:
    """The labels whose values can be compared as text; others the API server refuses."""
    return {key: value for key, value in labels.items() if isinstance(value, str)}


def _custom(manifest: Manifest) -> bool:
    """Whether the kind is not Kubernetes' own, by its API group."""
    group = str(manifest.data["apiVersion"]).rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


def _selects_nothing(
    manifest: Manifest, workloads: Sequence[Workload], asked: Mapping[str, object]
) -> Finding:
    place = manifest.place(("spec", "selector"))
    text = f"`{manifest.ref}` selects no pods of these manifests"
    if not workloads:
        hint = "add the workload it leads to, or leave the selector out"
        return Finding(id="service-selects-nothing", place=place, text=text, hints=(hint,))
    nearest = max(workloads, key=lambda one: _likeness(asked, one.labels))
    labels = _texts(nearest.labels)
    key = next(key for key, value in asked.items() if (key, value) not in labels.items())
    have = f"`{key}: {nearest.labels[key]}`" if key in nearest.labels else f"no label `{key}`"
    return Finding(
        id="service-selects-nothing",
        place=manifest.place(("spec", "selector", key)),
        text=f"{text}: it asks for `{key}: {asked[key]}`, and the pods of `{nearest.ref}` "
        f"have {have}",
        hints=(f"give the selector the labels of the pods of `{nearest.ref}`",),
    )


def _likeness(asked: Mapping[str, object], labels: Mapping[str, object]) -> float:
    """How near the labels are to those that are asked for."""
    return sum(
        difflib.SequenceMatcher(None, str(value), str(labels.get(key, ""))).ratio()
        for key, value in asked.items()
    )


def _port(
    manifest: Manifest, selected: Sequence[Workload], path: FieldPath, port: Object
) -> Iterator[Finding]:
    """One port of the Service; sidecars' ports count, those of other init containers do not."""
    protocol = port.get("protocol", "TCP")
    declared = [
        there
        for workload in selected
        for container in workload.containers()
        if container.runs_on
        for _, there in container.ports()
        if there.get("protocol", "TCP") == protocol
    ]
    target = port.get("targetPort") or port.get("port")
    place = manifest.place((*path, "targetPort" if "targetPort" in port else "port"))
    whose = " and ".join(f"`{workload.ref}`" for workload in selected)
    number = port_number(target)
    numbers = sorted({str(there.get("containerPort")) for there in declared})
    names = [str(there["name"]) for there in declared if there.get("name")]
    if isinstance(target, str) and number is None and target not in names:
        yield Finding(
            id="service-port-name",
            place=place,
            text=f"`{manifest.ref}` leads to the port `{target}`, which no container of {whose} "
            f"declares, so nothing answers there{did_you_mean(target, names)}",
            hints=(PORT_HINT,),
            error=True,
        )
    elif number is not None and numbers and str(number) not in numbers:
        shown = ", ".join(f"`{one}`" for one in numbers)
        yield Finding(
            id="service-port-undeclared",
            place=place,
            text=f"`{manifest.ref}` leads to port `{number}`, but the ports {whose} declares are "
            f"{shown}",
            hints=("set `targetPort` to the port the app listens on",),
        )
