"""What runs before the rest, as a Job that migrates the database of the app. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from kubekit.errors import FilesError, Place
from kubekit.manifests.objects import mapping
from kubekit.manifests.podspec import POD_SPECS
from kubekit.model import Manifest

ANNOTATION = "kubekit.dev/phase"
"""With ``before`` on a workload: it is applied, and waited for, before the other workloads."""

_BEFORE = "before"


def is_before(manifest: Manifest) -> bool:
    """Whether the workload is waited for before the others are applied."""
    return mapping(manifest.data, "metadata", "annotations").get(ANNOTATION) == _BEFORE


def check_phases(manifests: Iterable[Manifest]) -> None:
    """Make sure that each phase is one there is, on what can be waited for.

    Raises:
        FilesError: names all that are not.
    """
    problems: list[tuple[Place, str]] = []
    for manifest in manifests:
        value = mapping(manifest.data, "metadata", "annotations").get(ANNOTATION)
        if value is None:
            continue
        place = manifest.place(("metadata", "annotations", ANNOTATION))
        if value != _BEFORE:
            problems.append((place, f"`{ANNOTATION}` must be `{_BEFORE}`, got `{value}`"))
        elif manifest.kind not in POD_SPECS or manifest.kind == "CronJob":
            text = f"`{manifest.ref}` runs nothing that could be waited for"
            problems.append((place, f"{text}: leave `{ANNOTATION}` out"))
    if problems:
        raise FilesError.of(problems)
