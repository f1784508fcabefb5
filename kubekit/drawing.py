"""How what happened is drawn as lines: causes, evidence behind a bar, hints. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from kubekit.events import (
    Checked,
    Diagnosed,
    Ended,
    Failed,
    FileWritten,
    Found,
    Noted,
    ObjectChanged,
    Reported,
)
from kubekit.lines import Line, Signs
from kubekit.rollout.evidence import around_log
from kubekit.rollout.verdict import CRASHES

_OF_THE_APP = ("reload-failed", *CRASHES)
_ABOVE = "its traceback is in the log above"
_WHILE = 0.5
"""Seconds from which on it is told how long a check took."""
_LONG = 24
"""Lines of evidence above which the cause follows it: below, it would be scrolled out of sight."""


def end(event: Ended, signs: Signs) -> list[Line]:
    """How it went and what to do next; without the sign of a success where it is none."""
    sign = signs.warn if event.empty else signs.more if event.waits else signs.ok
    style = "bold green" if sign == signs.ok else "yellow"
    head = Line(event.text, lead=f"{sign} ", style=style, tail=passed(event.seconds))
    return [head, *hint_lines(event.hints)]


def failure(event: Failed | Reported, signs: Signs) -> list[Line]:
    """Cause and place, then what to do, then what a container logged.

    The evidence of other failures may be further causes, which come before what to do about all
    of them; a long output of a build stands above it all.
    """
    head = [Line(event.message, lead=f"{signs.bad} ", style="bold red")]
    if event.place and not event.message.startswith(event.place):
        head.append(Line(f"at {event.place}", lead="  "))
    said = [text for detail in event.details for text in detail.splitlines() or [""]]
    evidence = [evidence_line(text, signs, indent="  ") for text in said]
    hints = hint_lines(event.hints)
    _, logged, _ = around_log(event.details)
    if logged or event.id in _OF_THE_APP:
        return [*head, *hints, *evidence]
    first, then = (evidence, head) if len(evidence) > _LONG else (head, evidence)
    return [*first, *then, *hints]


def unrepeated(event: Reported, logged: Collection[str]) -> Reported:
    """What a traceback shows, without it where the log above has it whole."""
    if event.id not in _OF_THE_APP or not event.details:
        return event
    before, own, behind = around_log(event.details)
    if not own:  # of a reload there is nothing else
        before, own = [""], list(event.details)
    if any(line.strip() not in logged for detail in own for line in detail.splitlines()):
        return event
    return dataclasses.replace(event, details=(*before[:-1], _ABOVE, *behind))


def written(event: Noted | FileWritten, signs: Signs) -> list[Line]:
    """One line each for what was found or assumed, and for what became of a file."""
    if isinstance(event, Noted):
        lead = "found   " if event.found else "assumed "
        style = "" if event.found else "yellow"
        tail = f" ({event.where})" if event.where else ""
        return [Line(f"{event.text}{tail}", lead=f"  {lead} ", lead_style=style)]
    well = event.action in ("created", "updated", "overwritten")
    sign = signs.ok if well else signs.same
    styles = {"+": "green", "-": "red", "@": "cyan"}
    lines = [Line(text, lead="    ", style=styles.get(text[:1], "")) for text in event.diff]
    head = Line(
        event.path, lead=f"{sign} {event.action:<11} ", lead_style="green" if well else "dim"
    )
    return [head, *lines]


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


def checked(event: Checked, signs: Signs) -> list[Line]:
    """One line for what is well or was not looked at, more for what is not."""
    text = f"{event.title}: {event.text}"
    if event.state == "failure":
        failed = Failed(
            id="",
            exit_code=0,
            message=text,
            place=event.place,
            details=event.details,
            hints=event.hints,
        )
        return failure(failed, signs)
    if event.state == "skipped":
        return [Line(text, lead=f"{signs.same} ", style="dim")]
    if event.state == "ok":
        tail = passed(event.seconds) if event.seconds >= _WHILE else ""
        return [Line(text, lead=f"{signs.ok} ", lead_style="green", tail=tail)]
    said = [evidence_line(one, signs, indent="  ") for one in event.details]
    head = Line(text, lead=f"{signs.warn} ", style="yellow")
    return [head, *said, *hint_lines(event.hints)]


def finding(event: Found, signs: Signs) -> list[Line]:
    """What `lint` has found: where, why, what to do, and what the rule is called."""
    bad = event.severity == "error"
    lead, style = (signs.bad, "bold red") if bad else (signs.warn, "yellow")
    known = ", ".join([event.id, *event.also[:3]])
    return [
        Line(f"{event.place}: {event.text}", lead=f"{lead} ", lead_style=style),
        *hint_lines(event.hints),
        Line(known, lead="  ", style="dim"),
    ]


def answer(event: Checked | Diagnosed | Found, signs: Signs) -> list[Line]:
    """What was asked for, of one object, check or line of a file."""
    if isinstance(event, Found):
        return finding(event, signs)
    return checked(event, signs) if isinstance(event, Checked) else diagnosis(event, signs)


def change(event: ObjectChanged, *, more: bool) -> list[Line]:
    """One object, and field by field what a rehearsal would change; nothing of an unchanged one.

    With `more` all of it is told.
    """
    same = event.action == "unchanged"
    if same and not more:
        return []
    text = f"{event.ref} {event.action} {event.detail}"
    lines = [Line(text, lead="    ", style="dim" if same else "")]
    if more or event.action.startswith("would"):
        lines += [Line(field, lead="        ", style="dim") for field in event.changes]
    return lines


def evidence_line(text: str, signs: Signs, *, indent: str) -> Line:
    """What others said, behind a bar, so that it is not taken for kubekit's own words."""
    return Line(text, lead=f"{indent}{signs.bar} ", lead_style="dim", barred=True)


def hint_lines(hints: tuple[str, ...]) -> list[Line]:
    """What to do, each a line."""
    return [Line(hint, lead="  hint: ", style="cyan") for hint in hints]


def passed(value: float) -> str:
    """How long it took, in seconds, as a remark."""
    return f"({value:.1f} s)"
