"""How a run of `init` tells what became of the files, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kubekit.config.project import parse
from kubekit.detect.backend import Note
from kubekit.errors import FilesError, shown
from kubekit.events import Emit, Ended, FileWritten, Noted, Warned
from kubekit.init import stamp
from kubekit.init.files import Change
from kubekit.model import Cancel, Clock
from kubekit.text.read import read_text

_MANIFESTS = (".yaml", ".yml", ".json", ".j2")


@dataclass(frozen=True, kw_only=True)
class Outlet:
    """Where a run of `init` tells, and how it is stopped."""

    emit: Emit
    clock: Clock = field(default_factory=Clock)
    cancel: Cancel = field(default_factory=Cancel)


class Telling:
    """Tells each note of a look once, though every answer leads to another look."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._told: set[Note] = set()

    def __call__(self, note: Note) -> None:
        """Tell it, if it is new."""
        if note not in self._told:
            self._told.add(note)
            self._emit(Noted(found=note.found, text=note.text, where=note.where))


def report(changes: list[Change], out: Outlet, start: float, *, hints: tuple[str, ...]) -> None:
    """Tell what became of each file, and what to do next."""
    for change in changes:
        out.emit(FileWritten(path=shown(change.file), action=change.action, diff=change.diff))
    if kept := [shown(change.file) for change in changes if change.action == "kept"]:
        one = len(kept) == 1
        names = ", ".join(f"`{name}`" for name in kept)
        text = f"{names} {'was' if one else 'were'} written or edited by hand: left as it is"
        if any(change.retold for change in changes):
            text += ", but for the first line of `kubekit.yaml`, which keeps what this run was told"
        hint = f"`kubekit init --force` overwrites {'it' if one else 'them'}, and shows how"
        out.emit(Warned(text=text if one else text.replace("it is", "they are"), hints=(hint,)))
    written = sum(change.writes for change in changes)
    text = f"wrote {written} file{'' if written == 1 else 's'}" if written else "nothing changed"
    out.emit(Ended(text=text, seconds=out.clock.now() - start, hints=hints if written else ()))


def warn_of_others(root: Path, changes: list[Change], out: Outlet) -> None:
    """Tell of manifests that lie beside those of `init`, for all in the folder is applied."""
    folder = root / "manifests"
    ours = {one.file for one in changes}
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    for file in files:
        if file in ours or file.suffix not in _MANIFESTS or not file.is_file():
            continue
        try:
            stamped = stamp.read(read_text(file))
        except FilesError as error:
            hints = (*error.hints, "all in the folder is applied: mend it, or take it out")
            out.emit(Warned(text=error.message, hints=hints))
            continue
        if stamped is None:
            text = f"`{shown(file)}` is there, too: all in the folder is applied"
            hint = "delete what is in both, or name the files under `manifests` in kubekit.yaml"
        else:
            text = f"`{shown(file)}` is of an earlier `init`, and not needed any more"
            hint = f"delete it: `rm {shown(file)}`"
        out.emit(Warned(text=text, hints=(hint,)))


def warn_of_said(said: Mapping[str, str], wanted: Mapping[str, str], out: Outlet) -> None:
    """Tell of arguments that hold for this run alone, as a kubekit.yaml of a person's own says."""
    for key, value in said.items():
        if wanted.get(key, value) != value:
            text = f"`kubekit.yaml` says {key} `{value}`, and a later run of `init` goes by it"
            out.emit(Warned(text=text, hints=(f"write `{wanted[key]}` there, too",)))


def warn_of_unread(root: Path, changes: list[Change], out: Outlet) -> None:
    """Tell of what was written and is not what a kubekit.yaml of a person's own names."""
    kept = next((one for one in changes if one.file.name == "kubekit.yaml"), None)
    if kept is None or kept.action != "kept":
        return
    project, _ = parse(kept.before or "", file=kept.file)
    named = {(root / one).resolve() for one in project.manifests}
    if (build := project.build) is not None:
        named.add((root / (build.dockerfile or f"{build.context}/Dockerfile")).resolve())
    ours = {one.file.name: one.file for one in changes if one.writes}
    for name in ("Dockerfile", "deployment.yaml.j2"):
        file = ours.get(name)
        if file is not None and named.isdisjoint((file.resolve(), *file.resolve().parents)):
            at = shown(file if name == "Dockerfile" else file.parent)
            text = f"`{at}` is not what `{shown(kept.file)}` names"
            hint = "name it there, or delete it; `kubekit init --force` writes all anew"
            out.emit(Warned(text=text, hints=(hint,)))
