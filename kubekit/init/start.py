"""`kubekit init`: look at a backend, ask what cannot be found, and write what is missing."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast, get_args

from kubekit.config.files import copy_hint
from kubekit.detect.backend import Backend, Looked, Question
from kubekit.detect.look import look
from kubekit.errors import UsageError
from kubekit.events import Warned
from kubekit.init import remember, stamp
from kubekit.init.files import Change, decide, write
from kubekit.init.naming import check_name
from kubekit.init.plan import rendered
from kubekit.init.remember import Told
from kubekit.init.storing import tell_of_sqlite, to_mend
from kubekit.init.telling import (
    Outlet,
    Telling,
    report,
    warn_of_others,
    warn_of_said,
    warn_of_unread,
)
from kubekit.init.values import Dialect, variables

Ask = Callable[[Question], str]
"""Asks the person; it is given only where somebody is there to answer."""

_IGNORES_ENV = re.compile(r"^\s*(?:\*\*)?/?(?:\.env\*?|\*\.env|\.\*)\s*$", re.MULTILINE)

_OF_PROJECT = frozenset({"name", "dialect"})
"""Answers that are not about one backend."""
_RUNTIME = re.compile(r"^\s*FROM\s.*\sAS\s+runtime\s*$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the command line says.

    Attributes:
        folder: the backend's, as the person wrote it.
        answers: by flag, those that were given; the dialect among them.
        force: overwrite what a person has written, too.
    """

    folder: str | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    force: bool = False


def init(wanted: Wanted, out: Outlet, *, root: Path, ask: Ask | None) -> None:
    """Write Dockerfile, .dockerignore, kubekit.yaml, manifests and .env.example for a backend.

    Args:
        wanted: what the command line says.
        out: where it is told.
        root: the folder of kubekit.yaml, absolute.
        ask: None where nobody can be asked.

    Raises:
        UsageError: the files do not tell something, and nobody is there to say it.
        FilesError: files of the backend are wrong, or cannot be written.
    """
    start = out.clock.now()
    earlier, said = remember.told(root)
    folder = _within(wanted.folder or earlier.folder or said.folder or ".", root)
    kept = _of_same(folder, earlier, (root / (earlier.folder or said.folder or ".")).resolve())
    given = {**kept, **said.answers, **wanted.answers}
    dialect = _dialect(given.pop("dialect", "plain"))
    looked, answered = _look(root, folder, given, Telling(out.emit), ask)
    backend = _backend(looked)
    tell_of_sqlite(backend, out.emit)
    check_name(backend.name)
    told = Told(folder=backend.folder, answers={**kept, **wanted.answers, **answered})
    changes = _changes(root, backend, told, dialect=dialect, force=wanted.force)
    _warn_of_own(changes, out)
    write(changes, cancel=out.cancel)
    warn_of_others(root, changes, out)
    if not wanted.force:
        warn_of_said(said.answers, wanted.answers, out)
    warn_of_unread(root, changes, out)
    report(changes, out, start, hints=_next(backend, root))


def _changes(
    root: Path, backend: Backend, told: Told, *, dialect: Dialect, force: bool
) -> list[Change]:
    render = functools.partial(rendered, backend, dialect=dialect)
    changes = decide(root, render(told=str(told)), force=force)
    if _lacks_stage(changes):
        changes = decide(root, render(told=str(told), target=""), force=force)
    if _is_own(changes):
        # What it copies is a person's to say, and not to be kept out.
        return [one for one in changes if one.file.name != ".dockerignore"]
    if _loses_own(changes):
        # Next time nobody could read there what it says now.
        learnt = {"python": backend.python, "base": backend.base, "port": str(backend.port)}
        told = replace(told, answers={**learnt, **told.answers})
        return decide(root, render(told=str(told)), force=force)
    return changes


def _dockerfile(changes: list[Change]) -> Change:
    (one,) = (change for change in changes if change.file.name == "Dockerfile")
    return one


def _lacks_stage(changes: list[Change]) -> bool:
    """Whether a Dockerfile that stays as a person wrote it has no stage `runtime`."""
    one = _dockerfile(changes)
    return one.action == "kept" and not _RUNTIME.search(one.before or "")


def _is_own(changes: list[Change]) -> bool:
    """Whether a Dockerfile stays that `init` has never written."""
    one = _dockerfile(changes)
    return one.action == "kept" and stamp.read(one.before or "") is None


def _loses_own(changes: list[Change]) -> bool:
    """Whether a Dockerfile of a person's own is overwritten."""
    one = _dockerfile(changes)
    return one.action == "overwritten" and stamp.read(one.before or "") is None


def _warn_of_own(changes: list[Change], out: Outlet) -> None:
    if _lacks_stage(changes):
        text = "`Dockerfile` has no stage `runtime`, so its last one is built"
        hint = (
            "the manifests run it as user 10001, on a read-only root: `kubekit lint` and "
            "`kubekit verify` say whether it can be"
        )
        out.emit(Warned(text=text, hints=(hint,)))
    if _is_own(changes) and not _dockerfile(changes).file.with_name(".dockerignore").exists():
        text = "no `.dockerignore` is written: `Dockerfile` was not written by `init`"
        hint = "`kubekit lint` says whether it copies what should stay out of an image"
        out.emit(Warned(text=text, hints=(hint,)))


def _of_same(folder: Path, earlier: Told, before: Path) -> dict[str, str]:
    """What an earlier run was told that holds still: another backend has another application."""
    answers = dict(earlier.answers)
    return answers if folder == before else {k: v for k, v in answers.items() if k in _OF_PROJECT}


def _within(folder: str, root: Path) -> Path:
    path = (root / folder).resolve()
    if not path.is_dir():
        raise UsageError(f"there is no folder `{folder}`")
    if not path.is_relative_to(root.resolve()):
        hints = ("run `kubekit init` in a folder above it: kubekit.yaml is written there",)
        raise UsageError(f"`{folder}` lies outside of this folder", hints=hints)
    return path


def _dialect(text: str) -> Dialect:
    if text not in get_args(Dialect):
        raise UsageError(f"`--dialect` is plain or buildkit, not `{text}`")
    return cast("Dialect", text)


def _look(
    root: Path, folder: Path, answers: Mapping[str, str], tell: Telling, ask: Ask | None
) -> tuple[Looked, dict[str, str]]:
    """Look until no question is open; gives what the person answered, too."""
    answered: dict[str, str] = {}
    while True:
        known = {**answers, **answered}
        looked = look(folder, root=root.resolve(), answers=known, tell=tell)
        # What was answered, and is no help, is the look's to refuse: it is not asked again.
        opened = [one for one in looked.questions if one.key not in {*answers, *answered}]
        if not opened or (ask is None and all(one.default is not None for one in opened)):
            return looked, answered
        if ask is None:
            raise _unanswered([one for one in opened if one.default is None])
        answered[opened[0].key] = ask(opened[0])


def _unanswered(questions: list[Question]) -> UsageError:
    first = questions[0]
    hints = [_flag(one) for one in questions]
    return UsageError(first.text.rstrip("."), hints=tuple(hints), id="init-question")


def _flag(question: Question) -> str:
    values = question.choices or ("VALUE",)
    if question.key == "folder":
        said = [f"`kubekit init {value}`" for value in question.choices or ("FOLDER",)]
    else:
        said = [f"`--{question.key} {value}`" for value in values]
    return f"say it with {' or '.join(said)}"


def _backend(looked: Looked) -> Backend:
    if looked.backend is None:
        raise _unanswered(list(looked.questions))
    return looked.backend


def _next(backend: Backend, root: Path) -> tuple[str, ...]:
    hints = list(to_mend(backend))
    if variables(backend):
        asked = any(one.default is None for one in variables(backend))
        if asked and not (root / ".env").exists():
            hints.append(copy_hint(root / ".env.example", root / ".env"))
        if not _ignored(root):
            hints.append("write `.env` into .gitignore: it will hold secrets")
        hints += _hosts(backend)
    return (*hints, "then `kubekit build-and-apply`" if hints else "run `kubekit build-and-apply`")


def _hosts(backend: Backend) -> list[str]:
    """For Django's ALLOWED_HOSTS out of `.env`; a default that lets probes in may stay."""
    return [
        f"let `{one.name}` in .env have `localhost` in it: by that name probes ask"
        for one in variables(backend)
        if backend.framework == "django"
        and one.name.endswith("ALLOWED_HOSTS")
        and not re.search(r"\*|localhost", one.default or "")
    ]


def _ignored(root: Path) -> bool:
    """Whether git is told of `.env`, here or above."""
    for folder in (root, *root.parents):
        file = folder / ".gitignore"
        if file.is_file() and _IGNORES_ENV.search(file.read_text("utf-8", "replace")):
            return True
        if (folder / ".git").exists():
            break
    return False
