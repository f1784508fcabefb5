"""What is shown with a failure: the end of the log, and the warnings of the cluster. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from kubekit.model import Object
from kubekit.rollout.finders.logs import raised_line
from kubekit.rollout.reading import event_time
from kubekit.rollout.verdict import Finding

LOG_LINES = 25
_LOG_OF = "log of "

_WARNINGS = 3
_POD_NAME = re.compile(r'"[\w.-]+-[a-z0-9]{5}"')


def evidence(
    finding: Finding, log: str | None, events: Iterable[Object], since: float
) -> tuple[str, ...]:
    """The end of the log that shows it, under its exception; the warnings since the apply."""
    found = []
    lines = (log or "").rstrip().splitlines()
    if finding.log and lines:
        said = raised_line(log or "")
        # The last line is found without it.
        first = f" {said}" if said and said != lines[-1].strip() else ""
        found.append(
            f"{_LOG_OF}Pod/{finding.log.pod}, container `{finding.log.container}`, "
            f"attempt {finding.log.attempt + 1}:{first}"
        )
        found += [f"  {line}" for line in lines[-LOG_LINES:]]
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


def around_log(details: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Evidence apart: what stands before the lines of the log, these, and what stands after."""
    at = next((n for n, line in enumerate(details, 1) if line.startswith(_LOG_OF)), len(details))
    log = list(takewhile(lambda line: line.startswith("  "), details[at:]))
    return list(details[:at]), [line[2:] for line in log], list(details[at + len(log) :])


def _warnings(where: str, events: Iterable[Object], since: float) -> Iterator[Object]:
    for event in events:
        about = event.get("involvedObject") or {}
        if (
            event.get("type") == "Warning"
            and event_time(event) >= since - 1
            and f"{about.get('kind')}/{about.get('name')}" == where
        ):
            yield event
