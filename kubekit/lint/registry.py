"""All rules there are: what each is called, here and elsewhere, and what it finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kubekit.lint import (
    docker_config,
    docker_files,
    docker_python,
    docker_run,
    docker_stages,
    kube_containers,
    kube_objects,
    kube_pods,
)
from kubekit.lint.rule import Rule
from kubekit.manifests import lint_containers, lint_pods, lint_services

DOCKER = (
    *docker_stages.BOOK.rules,
    *docker_config.BOOK.rules,
    *docker_files.BOOK.rules,
    *docker_run.BOOK.rules,
    *docker_python.BOOK.rules,
)
CONTAINERS = tuple(kube_containers.BOOK.rules)
LINUX = frozenset(
    (
        *("privilege-escalation", "capabilities-kept", "root-filesystem-writable"),
        *("low-user-id", "seccomp-missing", "proc-mount"),
    )
)
"""Rules about what a pod of Windows cannot have: the API server refuses it there."""
PODS = tuple(kube_pods.BOOK.rules)
OBJECTS = tuple(kube_objects.BOOK.rules)

UNREADABLE = "unreadable"
"""The id of what is wrong with a file so that no rule can read it."""

_PREFLIGHT: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "selector-mismatch": (lint_pods.selector_mismatch, ("mismatching-selector",), "error"),
    "progress-deadline": (lint_pods.progress_deadline, (), "error or warning"),
    "grace-too-short": (lint_pods.grace_too_short, (), "error or warning"),
    "ready-too-late": (lint_pods.ready_too_late, (), "warning"),
    "sqlite-replicas": (lint_pods.sqlite_shared, (), "warning"),
    "probe-port-name": (
        lint_containers.probe_ports,
        ("liveness-port", "readiness-port", "startup-port"),
        "error or warning",
    ),
    "probe-port-undeclared": (
        lint_containers.probe_ports,
        ("liveness-port", "readiness-port", "startup-port"),
        "warning",
    ),
    "probe-timeout": (lint_containers.probe_times, (), "warning"),
    "liveness-before-readiness": (lint_containers.probe_times, (), "warning"),
    "duplicate-env": (lint_containers.duplicates, ("duplicate-env-var",), "error"),
    "duplicate-port": (lint_containers.duplicates, (), "error"),
    "never-latest": (lint_containers.never_latest, (), "warning"),
    "other-image": (lint_containers.other_image, (), "warning"),
    "service-selects-nothing": (
        lint_services.service,
        ("service-targets-pod", "dangling-service"),
        "warning",
    ),
    "service-port-name": (lint_services.service, ("invalid-target-ports",), "error"),
    "service-port-undeclared": (lint_services.service, ("invalid-target-ports",), "warning"),
}

_OWN_WORDS = {
    "probe-port-name": "A probe asks a port by a name that its container does not have.",
    "probe-port-undeclared": "A probe asks a number that is no declared port of its container.",
    "probe-timeout": "A probe that may take longer than the time between two of them.",
    "liveness-before-readiness": "A liveness probe that kills before readiness is asked.",
    "duplicate-env": "The same variable twice, which a server-side apply refuses.",
    "duplicate-port": "The same port twice, which a server-side apply refuses.",
    "service-selects-nothing": "A Service that selects no pods of this project.",
    "service-port-name": "A Service asks its pods for a port by a name that they do not have.",
    "service-port-undeclared": "A Service asks its pods for a number that is no port of theirs.",
}
"""Of rules that one function checks together."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A rule for people: `kubekit lint --rules`, and docs/lint.md."""

    part: str
    id: str
    severity: str
    also: tuple[str, ...]
    about: str
    fixes: bool = False
    extra: bool = False


def entries() -> Iterator[Entry]:
    """Every rule, part by part."""
    rules: tuple[tuple[str, tuple[Rule[Any], ...]], ...] = (
        ("Dockerfile", DOCKER),
        ("Containers", CONTAINERS),
        ("Pods", PODS),
        ("Other objects", OBJECTS),
    )
    for part, listed in rules:
        for rule in listed:
            yield Entry(
                part=part,
                id=rule.id,
                severity="error" if rule.error else "warning",
                also=rule.also,
                about=rule.about,
                fixes=rule.fixes,
                extra=rule.extra,
            )
    yield from _preflight()


def _preflight() -> Iterator[Entry]:
    part = "What each run looks for before it applies anything"
    for id_, (check, also, severity) in _PREFLIGHT.items():
        about = _OWN_WORDS.get(id_) or " ".join((check.__doc__ or "").split("\n\n")[0].split())
        yield Entry(part=part, id=id_, severity=severity, also=also, about=about)
    about = "A file that cannot be read as what it should be: no YAML, no template, no object."
    yield Entry(part=part, id=UNREADABLE, severity="error", also=(), about=about)


def also(id_: str) -> tuple[str, ...]:
    """What else a rule of the preflight is called."""
    return _PREFLIGHT[id_][1] if id_ in _PREFLIGHT else ()
