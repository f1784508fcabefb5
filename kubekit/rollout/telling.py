"""What is told beside a cause: for how long, who still serves, the log, the warnings. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from kubekit.model import Object
from kubekit.rollout.evidence import evidence
from kubekit.rollout.progress import still_serving
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.verdict import Finding
from kubekit.rollout.wants import Want


def told(
    when: str,
    finding: Finding | None,
    snapshot: Snapshot | None,
    *,
    facts: Mapping[Want, Any],
    events: Iterable[Object],
    since: float,
) -> tuple[str, ...]:
    """The lines under a cause.

    Args:
        when: how long it took, or has stood; empty where nobody knows.
        snapshot: of the workload, None for what is none, such as a Service.
        since: server time before which warnings are of no interest.
    """
    serving = still_serving(snapshot) if snapshot else None
    log = facts.get(finding.log) if finding and finding.log else None
    shown = evidence(finding, log, events, since) if finding else ()
    head = "; ".join(filter(None, (when, serving)))
    return (head, *shown) if head else shown


def blindness(unseen: AbstractSet[str]) -> str:
    """What this user may not read, so that it could not decide."""
    return f"not seen, because this user may not read them: {', '.join(sorted(unseen))}"


def field_in(kind: str, field: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """A field of a pod's template, as a workload of this kind has it."""
    template = ("spec", "template")
    if field[:2] != template:
        return field
    if kind == "Pod":
        return field[2:]
    return ("spec", "jobTemplate", *field) if kind == "CronJob" else field


def duration(seconds: float) -> str:
    """A span of time in the two units that say most: ``12 s``, ``3 m 5 s``, ``2 d 4 h``."""
    rest, parts = int(max(seconds, 0.0)), list[str]()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, rest = divmod(rest, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
