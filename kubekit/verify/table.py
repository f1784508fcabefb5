"""A report as people read it, within 80 columns, and as data. Pure."""

from __future__ import annotations

import dataclasses
import itertools
import re
import textwrap
from collections import Counter
from typing import Any

from kubekit.verify.model import Checked, Report
from kubekit.verify.units import bytes_said

WIDTH = 80
_WORDS = {"passed": "ok", "failed": "FAIL", "skipped": "-", "told": "i"}
_MARK = 5
_ID = 20
_FEW = 2
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0e-\x1f\x7f-\x9f]")
"""What an app logged must not steer the terminal."""
_SKIPPED = f"{_WORDS['skipped']:<{_MARK}}"


def table(report: Report) -> str:
    """One row a check; what failed has its evidence and its fix below it."""
    rows: list[str] = []
    for text, group in itertools.groupby(report.checks, key=_reason):
        checks = list(group)
        if text is not None and len(checks) > _FEW:
            rows += _wrapped(f"{text}: {', '.join(check.id for check in checks)}", _SKIPPED)
        else:
            rows += [line for check in checks for line in _row(check)]
    return "\n".join([*rows, "", summary(report)])


def summary(report: Report) -> str:
    """How it stands, in one line."""
    count = Counter(check.status for check in report.checks)
    parts = [f"{count['passed']} passed", f"{count['failed']} failed"]
    parts.append(f"{count['skipped']} skipped")
    parts.append(bytes_said(report.size))
    if report.start_seconds is not None:
        parts.append(f"answers after {report.start_seconds:.1f} s")
    if report.memory is not None:
        parts.append(f"{bytes_said(report.memory)} of memory")
    return ", ".join(parts)


def data(report: Report) -> dict[str, Any]:
    """The same for machines; without the bill of materials, which has a file of its own."""
    return {
        "image": report.image,
        "id": report.id,
        "size": report.size,
        "start_seconds": report.start_seconds,
        "memory": report.memory,
        "checks": [dataclasses.asdict(check) for check in report.checks],
    }


def _reason(check: Checked) -> str | None:
    """Why it was skipped: those with the same reason are one row."""
    return check.text if check.status == "skipped" else None


def _row(check: Checked) -> list[str]:
    lead = f"{_WORDS[check.status]:<{_MARK}}{check.id:<{_ID}} "
    lines = _wrapped(check.text, lead)
    if check.status == "failed":
        indent = " " * (_MARK + 2)
        for detail in check.details:
            lines += _wrapped(detail, f"{indent}| ")
        if check.fix:
            lines += _wrapped(check.fix, f"{indent}fix: ")
    return lines


def _wrapped(text: str, lead: str) -> list[str]:
    """Wrapped between words; a long word, as a path, is left whole so that it can be copied."""
    return textwrap.wrap(
        _CONTROL.sub("", text.expandtabs()),
        width=WIDTH,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [lead.rstrip()]
