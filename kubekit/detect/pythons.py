"""The version of Python: .python-version, requires-python, what was used so far, else 3.13."""

from __future__ import annotations

import re

from kubekit.detect.hints import Hints
from kubekit.detect.project import Project
from kubekit.detect.report import Report
from kubekit.detect.versions import allows
from kubekit.errors import KubekitError, UsageError
from kubekit.text.read import read_text

USUAL = "3.13"
OLDEST, NEWEST = 10, 14
"""Minor versions that have a maintained image and that `kubekit dev` can reload in a pod."""

_OTHERS = (11, 12, 13, 14, 10)
"""In this order they are named as another one: the oldest that gets fixes, then newer ones."""

_VERSION = re.compile(r"3\.(\d{1,2})")
_PINNED = re.compile(
    r"(?:cpython[-@]|python[-@]?)?(3\.\d{1,2})(?:\.\d+|-dev|[ab]\d+|rc\d+)*(?=$|[-+])"
)
_COMPILED = re.compile(r"pip-compile with Python (3\.\d{1,2})")


def find_python(report: Report, project: Project, hints: Hints) -> str:
    """The version, such as "3.13".

    Raises:
        UsageError: the answer is no version of Python 3.
    """
    answer = report.answers.get("python")
    if answer is not None:
        return _answered(answer)
    version = _pinned(report, project) or _nearest(report, project, hints)
    minor = int(version[2:])
    if not OLDEST <= minor <= NEWEST:
        why = "it is newer than this kubekit" if minor > NEWEST else "it gets no fixes any more"
        report.assumed(f"there is an image of Python {version}", why)
    return version


def find_other(project: Project, version: str) -> str:
    """Another version that the project allows and that has an image; empty if there is none."""
    required = project.requires_python
    for minor in sorted(range(OLDEST, NEWEST + 1), key=_OTHERS.index):
        fits = required is None or allows(required.value, minor) is not False
        if fits and version != f"3.{minor}":
            return f"3.{minor}"
    return ""


def find_base(report: Report, hints: Hints) -> str:
    """What follows the version in the image's tag."""
    if (answer := report.answers.get("base")) is not None:
        return answer
    for hint in hints.bases:
        # The images without `slim` are the ones to get away from; Alpine runs no manylinux wheel.
        if re.fullmatch(r"slim(?:-[a-z]+)?", hint.value):
            report.found(f"base image python:*-{hint.value}", hint.path, hint.line)
            return hint.value
    return "slim"


def _answered(answer: str) -> str:
    if not _VERSION.fullmatch(answer):
        raise UsageError(f"`{answer}` is no version of Python", hints=("such as `3.13`",))
    return answer


def _pinned(report: Report, project: Project) -> str | None:
    file = ".python-version"
    try:
        text = read_text(report.folder / file) if (report.folder / file).is_file() else ""
    except KubekitError:
        report.found("not read: no UTF-8 text", file)
        return None
    for number, line in enumerate(text.splitlines(), start=1):
        found = _PINNED.match(line.strip())
        if found is None:
            continue
        version, required = found[1], project.requires_python
        if required is not None and allows(required.value, int(version[2:])) is False:
            return _contradiction(report, project, version, number)
        report.found(f"Python {version}", file, number)
        return version
    return None


def _contradiction(report: Report, project: Project, version: str, number: int) -> str | None:
    required = project.requires_python
    assert required is not None
    report.found(
        f"Python {version}, which `{required.value}` does not allow", ".python-version", number
    )
    fitting = _closest(required.value)
    if fitting is not None:
        report.ask(
            "python",
            f".python-version says {version}, {required.path} says `{required.value}`: which one?",
            (fitting, version),
            fitting,
        )
    return fitting


def _nearest(report: Report, project: Project, hints: Hints) -> str:
    required = project.requires_python
    used = _used(report, project, hints)
    if required is not None:
        fitting = _closest(required.value)
        if fitting is None:
            report.assumed(
                f"Python {USUAL}", f"`{required.value}` in {required.path} is not understood"
            )
            return USUAL
        if used is None or allows(required.value, int(used[2:])) is False:
            report.found(f"Python {fitting}, by `{required.value}`", required.path, required.line)
            return fitting
    if used is not None:
        return used
    report.assumed(f"Python {USUAL}", "neither .python-version nor requires-python says")
    return USUAL


def _used(report: Report, project: Project, hints: Hints) -> str | None:
    for hint in hints.pythons:
        if _VERSION.fullmatch(hint.value):
            report.found(f"Python {hint.value}", hint.path, hint.line)
            return hint.value
    for path in ("requirements.txt", "requirements.lock"):
        if head := project.heads.get(path):
            for number, line in enumerate(head, start=1):
                # What pip-compile pinned fits the Python it ran on, and maybe no other.
                if found := _COMPILED.search(line):
                    report.found(f"Python {found[1]}", path, number)
                    return found[1]
    return None


def _closest(specifier: str) -> str | None:
    """What is allowed and nearest to the usual one; older before newer."""
    usual = int(USUAL[2:])
    for minor in sorted(range(6, 30), key=lambda one: (abs(one - usual), one)):
        if allows(specifier, minor):
            return f"3.{minor}"
    return None
