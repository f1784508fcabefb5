"""Checks that no secret is in an image: its variables, its history, its layers. Pure.

What is told is the name of a secret and where it is, never any of its value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubekit.verify.model import Check, Outcome, Subject, failed, passed
from kubekit.verify.needles import Needles, is_secret

_ASSIGNED = re.compile(r"(?<![\w-])([A-Za-z_][A-Za-z0-9_]*)=(\"[^\"]*\"|'[^']*'|[^\s;&|]*)")
_FIX = "take it out, and change the secret: who has the image has it"


def needles(subject: Subject) -> Needles:
    """The values of the project's environment, without what the image says of itself."""
    return Needles(subject.known.env, public=subject.image.reference)


def assigned(text: str) -> Iterator[str]:
    """The names that a step of a build gives a value to, and that look secret."""
    for name, value in _ASSIGNED.findall(text):
        if is_secret(name, value) and name == name.upper():
            yield name


def _env(subject: Subject) -> Outcome:
    found = {name for name, value in subject.image.environment.items() if is_secret(name, value)}
    pairs = subject.image.config.get("Env") or ()
    labels = (subject.image.config.get("Labels") or {}).values()
    found |= needles(subject).inside([*map(str, pairs), *map(str, labels)])
    return _told(found, "the image's variables and labels")


def _history(subject: Subject) -> Outcome:
    steps = [str(step.get("CreatedBy") or "") for step in subject.image.history]
    steps += [str(step.get("Comment") or "") for step in subject.image.history]
    found = {name for step in steps for name in assigned(step)}
    found |= needles(subject).inside(steps)
    return _told(found, "the history, where build arguments and ENV stay")


def _layers(subject: Subject) -> Outcome:
    found: dict[str, set[str]] = {}
    for layer in subject.image.tree.layers:
        for name, paths in layer.secrets.items():
            found.setdefault(name, set()).update(paths)
    details = [f"{name} in /{path}" for name in sorted(found) for path in sorted(found[name])[:3]]
    outcome = _told(set(found), "files of its layers, also deleted ones")
    return failed(outcome.text, *details) if found else outcome


def _told(found: set[str], where: str) -> Outcome:
    if found:
        return failed(f"in {where}: {', '.join(sorted(found))}")
    return passed(f"none in {where}")


CHECKS = (
    Check(
        id="secrets-env",
        title="no secrets in ENV",
        fix=f"{_FIX}; give it to the pod by a Secret",
        look=_env,
    ),
    Check(
        id="secrets-history",
        title="no secrets in the history",
        fix=f"{_FIX}; a build gets one by `RUN --mount=type=secret`",
        look=_history,
    ),
    Check(
        id="secrets-layers",
        title="no secrets in layers",
        fix=f"{_FIX}; a later RUN that deletes a file does not take it out",
        look=_layers,
    ),
)
"""In the order of the report."""
