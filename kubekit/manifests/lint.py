"""What can be seen in the rendered objects alone: what cannot work, and what is likely not to.

An error is only what can never succeed; everything else is a warning. Kinds that kubekit does not
know, and shapes that the API server will refuse anyway, are left to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kubekit.manifests import lint_containers as containers
from kubekit.manifests import lint_pods as pods
from kubekit.manifests import lint_services as services
from kubekit.manifests.podspec import POD_SPECS
from kubekit.manifests.workloads import Finding, Workload
from kubekit.model import Manifests, Settings

TOLERABLE = frozenset(
    {
        "probe-port-name",
        "selector-mismatch",
        "service-port-name",
        "duplicate-env",
        "duplicate-port",
        "progress-deadline",
        "grace-too-short",
    }
)
"""Ids of the rules that may find an error, which `tolerate` turns into a warning."""

_OF_ONE: tuple[Callable[[Workload], Iterator[Finding]], ...] = (
    pods.selector_mismatch,
    pods.progress_deadline,
    pods.grace_too_short,
    containers.probe_ports,
    containers.probe_times,
    containers.duplicates,
    containers.never_latest,
)


def lint(manifests: Manifests, settings: Settings, *, image: str | None) -> list[Finding]:
    """All that is wrong with the objects, in the order of the objects.

    Args:
        image: the reference kubekit builds; None when nothing is built.
    """
    items = manifests.items
    workloads = [Workload(manifest=item) for item in items if item.kind in POD_SPECS]
    found: list[Finding] = []
    for workload in workloads:
        for rule in _OF_ONE:
            found += rule(workload)
        found += pods.ready_too_late(workload, settings.timeout)
        found += pods.sqlite_shared(workload, items)
        if image is not None:
            found += containers.other_image(workload, settings.name, image)
    for item in items:
        if item.kind == "Service":
            found += services.service(item, workloads, items)
    return found
