"""How what happened is drawn as lines: causes, evidence behind a bar, hints. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from kubekit.events import Diagnosed, Failed, Reported
from kubekit.lines import Line, Signs

_ABOVE = "its traceback is in the log above"
_LONG = 24
"""Lines of evidence above which the cause follows it: below, it would be scrolled out of sight."""


def failure(event: Failed | Reported, signs: Signs) -> list[Line]:
    """Cause and place, then the evidence, then what to do; a long evidence stands above."""
    head = [Line(event.message, lead=f"{signs.bad} ", style="bold red")]
    if event.place and not event.message.startswith(event.place):
        head.append(Line(f"at {event.place}", lead="  "))
    said = [text for detail in event.details for text in detail.splitlines() or [""]]
    evidence = [evidence_line(text, signs, indent="  ") for text in said]
    first, then = (evidence, head) if len(evidence) > _LONG else (head, evidence)
    return [*first, *then, *hint_lines(event.hints)]


def unrepeated(event: Reported, logged: Collection[str]) -> Reported:
    """What failed without the lines that stand in the log above it."""
    above = set(logged)
    lines = [line for detail in event.details for line in detail.splitlines()]
    new = [line for line in lines if line.strip() not in above]
    if len(new) == len(lines):
        return event
    return dataclasses.replace(event, details=(*filter(str.strip, new), _ABOVE))


def diagnosis(event: Diagnosed, signs: Signs) -> list[Line]:
    """One line for what is well, more for what may not be; what is wrong is told as a failure."""
    text = f"{event.title}: {event.text}"
    hints = (event.fix,) if event.fix else ()
    if event.wrong:
        failed = Failed(
            id="",
            exit_code=0,
            message=text,
            place=event.place,
            details=event.details,
            hints=hints,
        )
        return failure(failed, signs)
    if event.state != "ready":
        return [Line(text, lead=f"{signs.more} ", style="yellow"), *hint_lines(hints)]
    if event.id is not None:
        return [Line(text, lead=f"{signs.warn} ", style="yellow"), *hint_lines(hints)]
    return [Line(text, lead=f"{signs.ok} ", lead_style="green")]


def evidence_line(text: str, signs: Signs, *, indent: str) -> Line:
    """What others said, behind a bar, so that it is not taken for kubekit's own words."""
    return Line(text, lead=f"{indent}{signs.bar} ", lead_style="dim", barred=True)


def hint_lines(hints: tuple[str, ...]) -> list[Line]:
    """What to do, each a line."""
    return [Line(hint, lead="  hint: ", style="cyan") for hint in hints]


def passed(value: float) -> str:
    """How long it took, in seconds, as a remark."""
    return f"({value:.1f} s)"
