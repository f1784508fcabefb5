"""The rules over a Dockerfile and over objects: hits become findings, unless they are ignored."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubekit.errors import FilesError, Place
from kubekit.lint import registry
from kubekit.lint.ignores import is_ignored
from kubekit.lint.objects import Objects, at
from kubekit.lint.rule import Edit, Finding, Hit, Rule, Wish
from kubekit.lint.source import Source
from kubekit.lint.yaml_edits import insertion
from kubekit.manifests.lint import lint as preflight
from kubekit.model import Manifest, Manifests, Settings


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What a look at the files has found.

    Attributes:
        files: all that were looked at.
        items: the objects, by which a fix is proved.
    """

    findings: tuple[Finding, ...]
    files: tuple[Path, ...]
    items: tuple[Manifest, ...] = ()


@dataclass(frozen=True)
class Lines:
    """The lines of the user's files, read once."""

    known: dict[Path, Sequence[str]] = field(default_factory=dict)

    def of(self, file: Path) -> Sequence[str]:
        """The lines of a file without their ends; none where it cannot be read."""
        if file not in self.known:
            try:
                text = file.read_bytes().decode("utf-8-sig")
            except (OSError, UnicodeDecodeError):
                text = ""
            self.known[file] = tuple(line.rstrip("\r") for line in text.split("\n"))
        return self.known[file]


class Look:
    """One look: which rules count, and the lines of the files.

    Args:
        extra: whether rules count that are a matter of taste, too.
        ignored: ids that are left out everywhere.
    """

    def __init__(self, *, extra: bool = False, ignored: frozenset[str] = frozenset()) -> None:
        self._extra = extra
        self._ignored = ignored
        self.lines = Lines()

    def dockerfile(self, source: Source) -> list[Finding]:
        """What is wrong with a Dockerfile."""
        self.lines.known[source.file] = source.lines
        found = self._apply(registry.DOCKER, lambda rule: rule.check(source))
        return sorted(found, key=lambda one: (str(one.place.file), one.place.line or 0))

    def objects(
        self, manifests: Manifests, settings: Settings, *, image: str | None
    ) -> list[Finding]:
        """What is wrong with objects that belong together."""
        objects = Objects(manifests.items)
        found: list[Finding] = []
        for workload in objects.workloads:
            windows = at(workload.spec, "os", "name") == "windows"
            rules = [
                one for one in registry.CONTAINERS if not (windows and one.id in registry.LINUX)
            ]
            for container in workload.containers():
                run = functools.partial(_of_container, workload, container)
                found += self._apply(rules, run)
            found += self._apply(registry.PODS, functools.partial(_of, workload, objects))
        for item in manifests.items:
            found += self._apply(registry.OBJECTS, functools.partial(_of, item, objects))
        for one in preflight(manifests, settings, image=image):
            hit = Hit(place=one.place, text=one.text, hint="; ".join(one.hints))
            found += self._finding(one.id, registry.also(one.id), one.error, hit)
        return found

    def _apply(
        self, rules: Sequence[Rule[Any]], run: Callable[[Rule[Any]], Iterator[Hit]]
    ) -> list[Finding]:
        found: list[Finding] = []
        for rule in rules:
            if rule.extra and not self._extra:
                continue
            for hit in run(rule):
                found += self._finding(rule.id, rule.also, rule.error, hit)
        return found

    def _finding(self, id_: str, also: tuple[str, ...], error: bool, hit: Hit) -> Iterator[Finding]:
        lines = self.lines.of(hit.place.file)
        if {id_, *also} & self._ignored or is_ignored(hit, (id_, *also), lines):
            return
        wish = hit.edit if isinstance(hit.edit, Wish) else None
        edit = insertion(wish, lines) if wish else hit.edit
        yield Finding(
            id=id_,
            also=also,
            error=error,
            place=hit.place,
            text=hit.text,
            hints=(hit.hint,) if hit.hint else (),
            edit=edit if isinstance(edit, Edit) else None,
            wish=wish,
        )


def _of_container(workload: Any, container: Any, rule: Rule[Any]) -> Iterator[Hit]:
    found: Iterator[Hit] = rule.check(workload, container)
    return found


def _of(subject: Any, objects: Objects, rule: Rule[Any]) -> Iterator[Hit]:
    found: Iterator[Hit] = rule.check(subject, objects)
    return found


def unreadable(error: FilesError, file: Path) -> list[Finding]:
    """A file that no rule can read, as findings: each line of the error is one."""
    place = error.place or Place(file=file)
    hints = error.hints
    details = "; ".join(error.details)
    text = f"{error.message} ({details})" if details else error.message
    return [
        Finding(id=registry.UNREADABLE, also=(), error=True, place=place, text=text, hints=hints)
    ]
