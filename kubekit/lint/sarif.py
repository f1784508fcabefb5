"""Findings as SARIF 2.1.0, which code hosts show beside the lines.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kubekit import __version__
from kubekit.lint.registry import Entry, entries
from kubekit.lint.rule import Finding

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def report(findings: Iterable[Finding], *, root: Path) -> dict[str, Any]:
    """All findings as one run.

    Args:
        findings: in the order in which they are told.
        root: of the repository: paths are told from there.
    """
    rules = list(entries())
    numbers = {rule.id: index for index, rule in enumerate(rules)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "kubekit lint",
                        "version": __version__,
                        "rules": [_rule(rule) for rule in rules],
                    }
                },
                "originalUriBaseIds": {"ROOT": {"uri": f"{root.as_uri().rstrip('/')}/"}},
                "results": [_result(one, numbers[one.id], root) for one in findings],
                "columnKind": "unicodeCodePoints",
            }
        ],
    }


def _rule(rule: Entry) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.about.split(". ")[0].rstrip(".")},
        "fullDescription": {"text": rule.about},
        "defaultConfiguration": {"level": rule.severity.split(" ", maxsplit=1)[0]},
        "properties": {"tags": list(rule.also)},
    }


def _result(finding: Finding, number: int, root: Path) -> dict[str, Any]:
    file = finding.place.file
    path = file.relative_to(root) if file.is_relative_to(root) else file
    uri = quote(path.as_posix()) if not path.is_absolute() else path.as_uri()
    where: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    if not path.is_absolute():
        where["artifactLocation"]["uriBaseId"] = "ROOT"
    if finding.place.line is not None:
        where["region"] = {"startLine": max(finding.place.line, 1)}
    text = "; ".join([finding.text, *finding.hints])
    known = hashlib.sha256(f"{finding.id}\0{path.as_posix()}\0{finding.text}".encode()).hexdigest()
    return {
        "ruleId": finding.id,
        "ruleIndex": number,
        "level": finding.severity,
        "message": {"text": text},
        "locations": [{"physicalLocation": where}],
        "partialFingerprints": {"kubekitLint/v1": known[:32]},
    }
