"""What the log of an app adds to what its probe gets. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from kubekit.rollout.finders.hits import Finder, Hit, brief
from kubekit.rollout.snapshot import Snapshot

_MISTAKE = re.compile(
    # In a line of JSON the start of a line is the two characters of its escape.
    r"(?:\b|(?<=\\n))(?:NameError|TypeError|AttributeError|ImportError|ModuleNotFoundError|SyntaxError"
    r"|IndentationError|UnboundLocalError|ZeroDivisionError|RecursionError): [^\n\"\\]+"
)


def with_log_line(finder: Finder) -> Finder:
    """Adds the last line of the log, without those of requests by the probe, as ``ends``."""

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for hit in finder(snapshot, now):
            request = re.compile(rf'\b(?:GET|HEAD) {re.escape(str(hit.words["path"]))}(?:[ ?"]|$)')
            lines = snapshot.log(hit.log).splitlines() if hit.log else []
            told = [line for line in lines if line.strip() and not request.search(line)]
            ends = f"; its log ends: {brief(told[-1])}" if told else ""
            yield replace(hit, words={**hit.words, "ends": ends})

    return find


def with_mistake(finder: Finder) -> Finder:
    """Of these, where the log shows a mistake in the program itself, as ``error``.

    Such as a name that is not defined: no database that comes up later mends that.
    """

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for hit in finder(snapshot, now):
            found = _MISTAKE.findall(snapshot.log(hit.log)) if hit.log else []
            unread = hit.log is not None and hit.log not in snapshot.facts
            if found or unread:
                yield replace(hit, words={**hit.words, "error": brief(found[-1]) if found else ""})

    return find
