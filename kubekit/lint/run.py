"""`kubekit lint` as a whole: what is looked at, what is told, and how it ends."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kubekit.errors import FilesError, UsageError, shown
from kubekit.events import Emit, Ended, Found, Output
from kubekit.lint import files, sarif
from kubekit.lint.fixing import fix
from kubekit.lint.look import Look, Looked
from kubekit.lint.registry import Entry, entries
from kubekit.lint.rule import Finding
from kubekit.model import Clock, Settings


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the command was asked for.

    Attributes:
        paths: files and folders; none for the project as a whole.
        ignored: ids of rules that are left out.
        extra: rules of taste count, too.
        strict: a warning is as bad as an error.
    """

    paths: tuple[Path, ...] = ()
    ignored: frozenset[str] = frozenset()
    extra: bool = False
    strict: bool = False
    fix: bool = False
    sarif: bool = False


def lint(settings: Settings | None, wanted: Wanted, emit: Emit, clock: Clock) -> None:
    """Look at the files and tell what is found.

    Args:
        settings: of the project; None where there is no kubekit.yaml.
        wanted: by the flags.
        emit: takes what is found.
        clock: for the time that it took.

    Raises:
        FilesError: there are errors, or warnings where they count.
        UsageError: a path is not there, or none that can be looked at, or there is no such rule.
    """
    start = clock.now()
    _check(wanted.ignored)
    look = functools.partial(_look, settings, wanted)
    edits = 0
    if wanted.fix:
        fixed = fix(look)
        looked, edits = fixed.looked, fixed.edits
        if fixed.diff:
            emit(Output(text=fixed.diff, data={"edits": edits}))
    else:
        looked = look()
    if wanted.sarif:
        data = sarif.report(looked.findings, root=_repository(settings))
        emit(Output(text=json.dumps(data, indent=2, ensure_ascii=False), data=data))
    for one in () if wanted.sarif else looked.findings:
        emit(_told(one))
    if not looked.files and not looked.findings:
        emit(_empty(settings, wanted, clock.now() - start))
        return
    _end(looked, wanted, edits, emit, clock.now() - start)


def _repository(settings: Settings | None) -> Path:
    """The folder that code hosts tell paths from; without a repository the project's."""
    folder = settings.root.resolve() if settings else Path.cwd()
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)


def _check(ids: frozenset[str]) -> None:
    """Make sure that there is a rule of each id, ours or another tool's."""
    known = {name for rule in entries() for name in (rule.id, *rule.also)}
    for id_ in sorted(ids - known):
        close = difflib.get_close_matches(id_, sorted(known), n=1)
        end = f"; did you mean `{close[0]}`?" if close else ""
        hint = "`kubekit lint --rules` lists them all"
        raise UsageError(f"there is no rule `{id_}`{end}", hints=(hint,))


def _look(settings: Settings | None, wanted: Wanted) -> Looked:
    look = Look(extra=wanted.extra, ignored=wanted.ignored)
    paths = [path.resolve() for path in wanted.paths]
    if settings is not None and (not paths or any(_of_project(path, settings) for path in paths)):
        looked = files.project(settings, look)
        within = _within(paths)
        others = [path for path in paths if not _of_project(path, settings)]
        findings = [one for one in looked.findings if within(one.place.file)]
        if not others:
            return Looked(findings=tuple(findings), files=looked.files, items=looked.items)
        beside = files.loose(others, look)
        return Looked(
            findings=(*findings, *beside.findings),
            files=(*looked.files, *beside.files),
            items=(*looked.items, *beside.items),
        )
    return files.loose(paths or [Path.cwd()], look)


def _of_project(path: Path, settings: Settings) -> bool:
    """Whether the path is what kubekit.yaml names, or below it, or above all of it."""
    own = [file.resolve() for file in settings.manifests]
    if settings.build is not None:
        own.append(settings.build.dockerfile.resolve())
    return path == settings.root.resolve() or any(path.is_relative_to(file) for file in own)


def _within(paths: list[Path]) -> Callable[[Path], bool]:
    if not paths:
        return lambda _: True
    return lambda file: any(file.resolve().is_relative_to(path) for path in paths)


def _told(finding: Finding) -> Found:
    place = finding.place
    return Found(
        id=finding.id,
        also=finding.also,
        severity=finding.severity,
        text=finding.text,
        hints=finding.hints,
        place=str(place),
        file=shown(place.file),
        line=place.line,
        fixable=finding.edit is not None,
    )


def _empty(settings: Settings | None, wanted: Wanted, seconds: float) -> Ended:
    """The end of a look at nothing: nobody is to take it for files that are good."""
    where = " and ".join(f"in `{shown(path)}`" for path in wanted.paths) or "here"
    text = f"there is nothing to look at: no Dockerfile and no manifest {where}"
    hint = "`kubekit init` writes a Dockerfile and manifests for the app of this folder"
    fresh = settings is None and not wanted.paths
    return Ended(text=text, seconds=seconds, hints=(hint,) if fresh else (), empty=True)


def _end(looked: Looked, wanted: Wanted, edits: int, emit: Emit, seconds: float) -> None:
    errors = sum(one.error for one in looked.findings)
    warnings = len(looked.findings) - errors
    counted = [
        f"{number} {word}{'' if number == 1 else 's'}"
        for number, word in ((errors, "error"), (warnings, "warning"))
        if number
    ]
    done = f"{edits} fixed, " if edits else ""
    # What is left after `--fix` is what it has taken back.
    fixable = 0 if wanted.fix else sum(one.edit is not None for one in looked.findings)
    hints = (f"`kubekit lint --fix` corrects {fixable} of them",) if fixable else ()
    if errors or (wanted.strict and warnings):
        raise FilesError(f"{done}{' and '.join(counted)}", hints=hints, id="lint")
    text = f"{done}{' and '.join(counted) or 'nothing found'}"
    number = len(looked.files)
    text += f" in {number} {'file' if number == 1 else 'files'}"
    emit(Ended(text=text, seconds=seconds, hints=hints))


def rules(emit: Emit) -> None:
    """Tell every rule there is."""
    listed = list(entries())
    lines: list[str] = []
    part = ""
    for rule in listed:
        if rule.part != part:
            part = rule.part
            lines += ["", part] if lines else [part]
        lines += [f"  {rule.id}  ({_remarks(rule)})", f"      {rule.about}"]
        if rule.also:
            lines.append(f"      also: {', '.join(rule.also)}")
    emit(Output(text="\n".join(lines), data=[vars(rule) for rule in listed]))


def _remarks(rule: Entry) -> str:
    marks = [rule.severity]
    if rule.fixes:
        marks.append("--fix")
    if rule.extra:
        marks.append("only with --all")
    return ", ".join(marks)
