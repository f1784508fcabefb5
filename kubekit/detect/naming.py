"""What a project is called, as a DNS label."""

from __future__ import annotations

import re

from kubekit.config.validators import label as dns_label
from kubekit.detect.project import Project
from kubekit.detect.report import Report
from kubekit.errors import UsageError

_VAGUE = frozenset({"backend", "server", "api", "app", "service", "src", "code"})
"""Names of folders that tell the part, not the project."""


def find_name(report: Report, project: Project) -> str:
    """The name, by pyproject.toml, setup.cfg or setup.py, else by the folder.

    Raises:
        UsageError: the answer is no DNS label.
    """
    if (answer := report.answers.get("name")) is not None:
        try:
            return dns_label(answer)
        except ValueError as error:
            raise UsageError(str(error), hints=("such as `tasks`",)) from None
    if project.name is not None and (label := label_of(project.name.value)):
        report.found(f"name {label}", project.name.path, project.name.line)
        return label
    folder = report.folder
    if folder.name.lower() in _VAGUE and folder != report.root:
        folder = report.root
    label = label_of(folder.name) or "app"
    report.assumed(f"name {label}", "no project name; it is the folder's")
    return label


def label_of(name: str) -> str:
    """The nearest DNS label; empty where nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].rstrip("-")
