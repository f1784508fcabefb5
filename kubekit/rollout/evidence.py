"""What is shown with a failure: the end of the log, and the warnings of the cluster. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kubekit.model import Object
from kubekit.rollout.logs import last_line
from kubekit.rollout.reading import event_time
from kubekit.rollout.verdict import Finding

LOG_LINES = 25
_WARNINGS = 3
_POD_NAME = re.compile(r'"[\w.-]+-[a-z0-9]{5}"')


def evidence(
    finding: Finding, log: str | None, events: Iterable[Object], since: float
) -> tuple[str, ...]:
    """The log that shows it, its telling line first, then its end; the warnings since the apply."""
    found = []
    if finding.log and log:
        said = last_line(log)
        first = f" {said}" if len(log.splitlines()) > 1 else ""
        found.append(
            f"log of Pod/{finding.log.pod}, container `{finding.log.container}`, "
            f"attempt {finding.log.attempt + 1}:{first}"
        )
        found += [f"  {line}" for line in log.splitlines()[-LOG_LINES:]]
    warnings = sorted(_warnings(finding.where, events, since), key=event_time)
    # The same refusal comes again for each pod that was tried, under another name.
    told = {
        _POD_NAME.sub("", message): f"  {event.get('reason') or 'Warning'}: {message}"
        for event in warnings
        if (message := event.get("message") or "")
        and not message.startswith("(combined from similar events)")
    }
    if told:
        found += [f"warnings of {finding.where}:", *list(told.values())[-_WARNINGS:]]
    return tuple(found)


def _warnings(where: str, events: Iterable[Object], since: float) -> Iterator[Object]:
    for event in events:
        about = event.get("involvedObject") or {}
        if (
            event.get("type") == "Warning"
            and event_time(event) >= since - 1
            and f"{about.get('kind')}/{about.get('name')}" == where
        ):
            yield event
