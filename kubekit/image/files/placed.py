"""Which file of the context lies at a path of the image, as the Dockerfile's `COPY` lays them.

Lenient on purpose: more than one may be named, and whether it is there the disk knows. Not followed
is what a `RUN` moves, or an installer puts elsewhere.
"""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from kubekit.image.files import globs, variables
from kubekit.image.files.dockerfile import Dockerfile, Instruction, Stage
from kubekit.image.files.words import operands, pairs

_STRANGE = frozenset({"parents", "exclude"})
"""Flags by which a `COPY` lays files otherwise."""


_Named = Callable[[str, str], bool]
"""Whether what lies at this path below where a source goes may be what is called so."""


def _file(inside: str, name: str) -> bool:
    return "/" not in inside and fnmatch.fnmatchcase(inside, name)


def _folder(inside: str, name: str) -> bool:
    # What is in it is laid, never it itself: by its name, or as all that a glob matches.
    return inside == "." and globs.CHARACTERS.search(name) is not None


@dataclass(frozen=True, kw_only=True)
class _Copy:
    """One source of a `COPY`, and where it goes; of another stage, or of the context for None."""

    source: str
    dest: str
    stage: _Laid | None

    def lays(self, path: str) -> bool:
        """Whether it may lay something there."""
        return path == self.dest or path.startswith(f"{self.dest.rstrip('/')}/")

    def within(self, path: str, named: _Named) -> Iterator[str]:
        """Where a path of the image may come from: below this source, or it itself."""
        if self.lays(path):
            inside = posixpath.relpath(path, self.dest)
            folder, name = posixpath.split(self.source)
            if named(inside, name):
                yield posixpath.normpath(posixpath.join(folder, inside))
            yield posixpath.normpath(posixpath.join(self.source, inside))

    def beside(self, path: str) -> Iterator[str]:
        """Where a path would come from if what lies beside the source were copied, too."""
        folder, name = posixpath.split(self.dest)
        above, source = posixpath.split(self.source)
        place = folder if name == source else self.dest
        if path.startswith(f"{place}/"):  # never at `/`, where everything would
            yield posixpath.join(above, posixpath.relpath(path, place))


@dataclass(frozen=True, kw_only=True)
class _Laid:
    """What a stage holds of the context, and the folder that it ends in.

    Attributes:
        runs: a `RUN` may have made what is copied from it.
    """

    copies: tuple[_Copy, ...] = ()
    args: Mapping[str, str]
    env: Mapping[str, str]
    workdir: str = "/"
    runs: bool = False

    def sources(self, path: str, named: _Named, seen: set[tuple[int, str]]) -> Iterator[str]:
        """What `Layout.sources` gives; no question is asked twice."""
        if (id(self), path) in seen:
            return
        seen.add((id(self), path))
        for copy in reversed(self.copies):
            for inside in copy.within(path, named):
                if copy.stage is None:
                    yield inside
                else:
                    yield from copy.stage.sources(inside, named, seen)


class Layout:
    """Where the files of the context lie in the image of one stage.

    Args:
        parsed: the Dockerfile.
        target: the stage that is built, None for the last.
        args: build arguments.

    Attributes:
        workdir: the folder that its program starts in.
        last: the line of what copies last into the stage; None where nothing does.
    """

    def __init__(self, parsed: Dockerfile, *, target: str | None, args: Mapping[str, str]) -> None:
        self._parsed = parsed
        self._given = args
        self._args = dict(args)
        for one in parsed.arguments:
            self._args |= {
                name: variables.expand(value, self._args)
                for name, value in pairs(one)
                if name not in args
            }
        self._stages: list[_Laid] = []
        stage = parsed.stage(target)
        for each in parsed.stages[: stage.index + 1] if stage else ():
            self._stages.append(self._of(each))
        self._laid = self._stages[-1] if self._stages else _Laid(args={}, env={})
        self._is_strange = any(
            name in _STRANGE for one in parsed.instructions for name, _ in one.flags
        )
        self.workdir = self._laid.workdir
        copies = [one for one in (stage.body if stage else ()) if one.keyword in {"COPY", "ADD"}]
        self.last = copies[-1].line if copies else None

    def sources(self, path: str) -> tuple[str, ...]:
        """Paths in the context that may lie at this absolute path of it, the likeliest first.

        Empty where no `COPY` lays anything there.
        """
        return tuple(dict.fromkeys(self._laid.sources(path, fnmatch.fnmatchcase, set())))

    def brings(self, inside: str, path: str, *, folder: bool) -> bool:
        """Whether a `COPY` lays this path of the context there, by Docker's own rules.

        Args:
            inside: in the context.
            path: of the image.
            folder: it is one, of which only what is in it is laid, never it under its own name.
        """
        return inside in self._laid.sources(path, _folder if folder else _file, set())

    def is_known(self, path: str) -> bool:
        """Whether what is laid there can be told: not where a `RUN` of another stage made it."""
        copies = (one for one in self._laid.copies if one.stage is not None and one.stage.runs)
        return not self._is_strange and not any(one.lays(path) for one in copies)

    def beside(self, path: str) -> tuple[str, ...]:
        """Paths in the context that would lie there if what is copied brought its neighbours."""
        own = (one for one in reversed(self._laid.copies) if one.stage is None and one.source)
        return tuple(dict.fromkeys(inside for one in own for inside in one.beside(path)))

    def _of(self, stage: Stage) -> _Laid:
        laid = self._earlier(stage, stage.base) or _Laid(args={}, env={})
        args, env, workdir = dict(laid.args), dict(laid.env), laid.workdir
        copies, runs = list(laid.copies), laid.runs
        for one in stage.body:
            scope = args | env
            match one.keyword:
                case "ENV":
                    env |= {name: variables.expand(value, scope) for name, value in pairs(one)}
                case "ARG":
                    for name, value in pairs(one):
                        before = self._args.get(name, args.get(name, ""))
                        own = variables.expand(value, scope) or before
                        args[name] = self._given.get(name, own)
                case "WORKDIR":
                    meant = variables.expand(one.text.strip("\"'"), scope)
                    workdir = posixpath.normpath(posixpath.join(workdir, meant))
                case "COPY" | "ADD" if not one.heredoc:
                    copies += self._copied(stage, one, scope, workdir)
                case "RUN":
                    runs = True
                case _:
                    pass
        runs = runs or any(one.stage is not None and one.stage.runs for one in copies)
        return _Laid(copies=tuple(copies), args=args, env=env, workdir=workdir, runs=runs)

    def _copied(
        self, stage: Stage, one: Instruction, scope: Mapping[str, str], workdir: str
    ) -> Iterator[_Copy]:
        words = [variables.expand(word, scope) for word in operands(one)]
        label = next(iter(one.values("from")), None)
        other = self._earlier(stage, variables.expand(label, scope)) if label else None
        if not words or (label and other is None):  # another image: nothing of the project's
            return
        dest = posixpath.normpath(posixpath.join(workdir, words[-1]))
        for word in words[:-1]:
            source = posixpath.normpath(f"/{word.lstrip('/')}")
            yield _Copy(source=source if other else source[1:], dest=dest, stage=other)

    def _earlier(self, stage: Stage, label: str) -> _Laid | None:
        found = self._parsed.stage(label)
        return self._stages[found.index] if found and found.index < stage.index else None
