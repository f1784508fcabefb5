"""What of the project's own files is behind a crash: the app's line, or a file the image lacks.

What is told is of the files as they are here, so only a container is asked about that runs the
image made of them.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kubekit.errors import FilesError, Place, shown
from kubekit.image.files import context, dockerfile, globs
from kubekit.image.files.placed import Layout
from kubekit.image.files.weigh import may_hold_secrets
from kubekit.model import BuildSettings, Object, Settings, SyncRule
from kubekit.rollout.finders.crashes import last_words
from kubekit.rollout.finders.logs import ending, last_line, plain, raised_line
from kubekit.rollout.verdict import Blame

Here = Callable[[str], Path | None]
"""Where the file at a path of the container is on this machine; None for what is not its own."""

_FRAME = re.compile(r'\s*File "(?P<file>[^"]+)", line (?P<line>\d{1,9})\b')
_INSTALLED = re.compile(r"/(?:site|dist)-packages/")
_LACKS = re.compile(
    r"No such file or directory: b?'(?P<path>[^']+)'|Directory '(?P<folder>[^']+)' does not exist"
)
_HANDLED = "During handling of the above exception"
_CAUSED = "direct cause of the following exception"
_STARTS = re.compile(r", in (?:_execute_child|_execvpe)$")
"""A frame of Python's own that looks for a program, of which a folder may have the name."""

_WRITTEN = re.compile(r"\.(log|pid|lock|sock|db\w*|sqlite\w*)$")
"""What programs write themselves: a volume is for that, whatever they have left on this machine."""

_WRITTEN_IN = frozenset({"cache", "log", "logs", "media", "temp", "tmp", "upload", "uploads"})


def line(text: str, here: Here) -> Place | None:
    """The innermost line of the project's own in a traceback, where it is on this machine."""
    frames = [match for one in text.splitlines() if (match := _FRAME.match(one))]
    for frame in reversed(frames):
        if (file := here(frame["file"])) is not None:
            return Place(file=file, line=int(frame["line"]))
    return None


def is_frame(text: str) -> bool:
    """Whether a line of a traceback says where the next one stands."""
    return _FRAME.match(text) is not None


def by_rules(rules: Sequence[SyncRule]) -> Here:
    """The files of the folders that are synced."""

    def here(path: str) -> Path | None:
        for rule in rules:
            if path.startswith(f"{rule.place}/"):
                return Path(rule.src, posixpath.relpath(path, rule.dest))
        return None

    return here


class OwnFiles:
    """The project's files as its containers have them, asked only once something has crashed."""

    def __init__(self, settings: Settings) -> None:
        self._rules = settings.dev.sync
        self._build = settings.build

    def blame(self, cause: str, container: Object, log: str) -> Blame | None:
        """What is behind the crash; None where it is nothing of the project's files.

        Args:
            cause: it, as the judge tells it, with the last words of the log.
            container: of the image that was built of these files.
            log: what it logged.
        """
        if self._image is not None:
            lacks = self._image.lacks(container, log, self._rules)
            if lacks is not None:
                last = last_words(log)
                told = (
                    cause.replace(last, lacks.said) if last in cause else f"{cause}: {lacks.said}"
                )
                return Blame(place=lacks.place, cause=told, hints=lacks.hints)
        place = line(ending(log), self._here) or line("\n".join(plain(log)), self._here)
        return Blame(place=place) if place else None

    def _here(self, path: str) -> Path | None:
        if _INSTALLED.search(path):  # also of a virtual environment that lies among the sources
            return None
        synced = by_rules(self._rules)(path)
        files = self._image.files(path) if self._image else ()
        return next(filter(os.path.isfile, (*([synced] if synced else ()), *files)), None)

    @functools.cached_property
    def _image(self) -> _Image | None:
        """None where its files cannot be read any more: this is a help only."""
        with contextlib.suppress(FilesError):
            return _Image(self._build) if self._build else None
        return None


@dataclass(frozen=True, kw_only=True)
class _Lack:
    """A file that the app opens, that is here, and that the image was not given."""

    said: str
    place: Place
    hints: tuple[str, ...]


class _Image:
    """What of the project's files the image is given, by its Dockerfile and `.dockerignore`."""

    def __init__(self, build: BuildSettings) -> None:
        self._context = build.context
        self._dockerfile = build.dockerfile
        self._layout = Layout(
            dockerfile.read(build.dockerfile), target=build.target, args=build.args
        )
        self._ignoring = context.ignore_path(build)
        self._ignored = context.ignore_file(build)

    def files(self, path: str) -> Iterator[Path]:
        """The files here, as far as there are any, that a `COPY` lays at this path."""
        return (self._context / one for one in self._layout.sources(path))

    def lacks(self, container: Object, log: str, rules: Sequence[SyncRule]) -> _Lack | None:
        """The file that the last words of the log miss."""
        named = _missed(log)
        if named is None:
            return None
        folder = posixpath.normpath(container.get("workingDir") or self._layout.workdir)
        path = posixpath.normpath(posixpath.join(folder, named))
        if _is_mounted(container, path, rules) or not self._layout.is_known(path):
            return None
        files = [*self.files(path), *(self._context / one for one in self._layout.beside(path))]
        if path.startswith(f"{folder}/"):  # as if that were the context's own folder
            files.append(self._context / posixpath.relpath(path, folder))
        there = next(filter(os.path.exists, files), None)  # never raises, whatever a log holds
        if there is None or there == self._context or not _may_be_copied(there, self._context):
            return None
        return self._left_out(there, path)

    def _left_out(self, file: Path, path: str) -> _Lack | None:
        inside = file.relative_to(self._context).as_posix()
        number = self._ignored.line_against(inside)
        rules = Place(file=self._ignoring, line=number)
        head = f"`{shown(file)}` is in your project but not in the image"
        pattern = globs.IN_RULES.sub(r"\\\g<0>", inside)
        let_in = f"add `!{pattern}` at the end of `{shown(self._ignoring)}`"
        if not self._layout.brings(inside, path, folder=file.is_dir()):
            recipe = Place(file=self._dockerfile, line=self._layout.last)
            copy = f"add `COPY {self._copied(file, path)}` to `{shown(recipe.file)}`"
            too = () if number is None else (f"{let_in}: its line {number} leaves it out, too",)
            said = f"{head}: no `COPY` brings it to `{path}`"
            return _Lack(said=said, place=recipe, hints=(copy, *too))
        if number is None:  # it came into the image: what a `RUN` did to it is not known
            return None
        return _Lack(said=f"{head}: `{rules}` leaves it out", place=rules, hints=(let_in,))

    def _copied(self, file: Path, path: str) -> str:
        """What is to be copied where: the folder of a file, if it has one of its own."""
        source, dest = file, path
        alone = file.parent == self._context or posixpath.basename(path) != file.name
        if not (file.is_dir() or alone) and _may_be_copied(file.parent, self._context):
            source, dest = file.parent, posixpath.dirname(path)
        words = (
            globs.CHARACTERS.sub(r"[\g<0>]", source.relative_to(self._context).as_posix()),
            dest,
        )
        plain_form = " ".join(words)
        as_list = len(plain_form.split()) > len(words)
        return json.dumps(words, ensure_ascii=False) if as_list else plain_form


def _missed(log: str) -> str | None:
    """What the program ended for as it was not there: by its last words, or by their cause."""
    *causes, last = ending(log).rpartition(_HANDLED)[2].split(_CAUSED)
    said = [(last, last_line(log)), *((one, raised_line(one)) for one in reversed(causes))]
    for text, words in said:
        if match := _LACKS.search(words):
            frames = [one for one in text.splitlines() if is_frame(one)]
            of_program = bool(frames) and _STARTS.search(frames[-1])
            return None if of_program else match["path"] or match["folder"]
    return None


def _may_be_copied(path: Path, context: Path) -> bool:
    """Whether none of it may hold secrets, and none is what programs write themselves."""
    inside = path.relative_to(context)
    names = [one.as_posix() for one in (inside, *inside.parents)]
    below = [
        Path(top, name).relative_to(context).as_posix()
        for top, folders, files in os.walk(path)
        for name in (*folders, *files)
    ]
    return not any(map(may_hold_secrets, (*names, *below))) and not any(
        _WRITTEN.search(one) or not _WRITTEN_IN.isdisjoint(one.lower().split("/"))
        for one in (names[0], *below)
    )


def _is_mounted(container: Object, path: str, rules: Sequence[SyncRule]) -> bool:
    """Whether a volume lies there in which nothing of the image shows; `dev` fills its own."""
    filled = {posixpath.normpath(rule.dest) for rule in rules}
    mounts = (posixpath.normpath(one["mountPath"]) for one in container.get("volumeMounts") or ())
    return any(f"{path}/".startswith(f"{one}/") for one in mounts if one not in filled)
