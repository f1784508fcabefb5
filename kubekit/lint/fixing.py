"""`kubekit lint --fix`: the edits that are safe, each proved to change nothing else.

What an edit does to objects is known beforehand: a field more. The files are read again after each
round, and edits after which the objects are not exactly that are taken back.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from kubekit.errors import FilesError, Place, shown
from kubekit.lint.look import Looked
from kubekit.lint.registry import UNREADABLE
from kubekit.lint.rule import Edit, Finding, Wish
from kubekit.model import Object

_ROUNDS = 200


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """What was done.

    Attributes:
        edits: how many.
        diff: as `diff -u` shows it.
        looked: what is left.
    """

    edits: int
    diff: str
    looked: Looked


def fix(look: Callable[[], Looked]) -> Fixed:
    """Do what is safe, until nothing of it is left.

    Args:
        look: reads all files anew and looks at them.

    Raises:
        FilesError: a file cannot be written.
    """
    looked = look()
    before: dict[Path, str] = {}
    refused: set[Edit] = set()
    done, alone = 0, False
    for _ in range(_ROUNDS):
        chosen = _compatible(one for one in looked.findings if one.edit not in refused)
        if alone:
            chosen = {file: some[:1] for file, some in list(chosen.items())[:1]}
        if not chosen:
            break
        texts = {file: _read(file) for file in chosen}
        for file, findings in chosen.items():
            before.setdefault(file, texts[file])
            _write(file, _applied(texts[file], [one.edit for one in findings if one.edit]))
        after = look()
        some = [one for listed in chosen.values() for one in listed]
        if _as_wished(looked, after, some):
            looked, done = after, done + len(some)
            continue
        for file, text in texts.items():
            _write(file, text)
        if len(some) == 1:
            refused |= {one.edit for one in some if one.edit}
        alone = len(some) > 1  # one by one, until it is known which of them it is
    diff = "".join(_diff(file, text, _read(file)) for file, text in before.items())
    return Fixed(edits=done, diff=diff, looked=looked)


def _compatible(findings: Iterable[Finding]) -> dict[Path, list[Finding]]:
    """Edits that do not touch: of one object a single one in each round, and of different lines."""
    chosen: dict[Path, list[Finding]] = {}
    for one in findings:
        if one.edit is None:
            continue
        others = chosen.setdefault(one.edit.file, [])
        taken = {line for other in others if other.edit for line in _lines(other.edit)}
        objects = [other.wish.manifest.origin for other in others if other.wish]
        same = one.wish is not None and one.wish.manifest.origin in objects
        if not same and taken.isdisjoint(_lines(one.edit)):
            others.append(one)
    return chosen


def _lines(edit: Edit) -> range:
    return range(edit.first, edit.first + max(len(edit.old), 1))


def _applied(text: str, edits: list[Edit]) -> str:
    lines = text.splitlines(keepends=True) if "\r" not in text.replace("\r\n", "") else [text]
    end = "\r\n" if "\r\n" in text else "\n"
    for edit in sorted(edits, key=lambda one: one.first, reverse=True):
        at = edit.first - 1
        if at > 0 and at <= len(lines) and not lines[at - 1].endswith("\n"):
            lines[at - 1] += end
        there = [line.rstrip("\r\n") for line in lines[at : at + len(edit.old)]]
        if [line.removeprefix("\ufeff") for line in there] == list(edit.old):
            mark = "\ufeff" if there and there[0].startswith("\ufeff") else ""
            last = at + len(edit.old) >= len(lines) and not text.endswith("\n") and edit.old
            new = [f"{line}{end}" for line in edit.new]
            if last and new:
                new[-1] = new[-1].removesuffix(end)
            lines[at : at + len(edit.old)] = [mark + "".join(new)]
    return "".join(lines)


def _as_wished(before: Looked, after: Looked, findings: list[Finding]) -> bool:
    """Whether the objects are what they were, but for the fields that were to be put in."""
    broken = {one.id for one in after.findings} - {one.id for one in before.findings}
    if UNREADABLE in broken:
        return False
    wanted = {(item.ref, item.origin): copy.deepcopy(item.data) for item in before.items}
    for one in findings:
        if one.wish is None:
            continue
        for item in before.items:
            # A template's line may be that of several objects, as in a loop.
            if item.origin == one.wish.manifest.origin:
                _put(wanted[item.ref, item.origin], one.wish)
    have = [(item.ref, item.data) for item in after.items]
    return have == [(ref, data) for (ref, _), data in wanted.items()]


def _put(data: Object, wish: Wish) -> None:
    node: object = data
    for key in wish.path[:-1]:
        if isinstance(node, dict):
            node = node.setdefault(key, {})
        elif isinstance(node, list) and isinstance(key, int):
            node = node[key]
    if isinstance(node, dict):
        node[wish.path[-1]] = wish.value


def _read(file: Path) -> str:
    return file.read_bytes().decode("utf-8", "surrogateescape")


def _write(file: Path, text: str) -> None:
    try:
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise FilesError(f"cannot write `{shown(file)}`: {why}", place=Place(file=file)) from error


def _diff(file: Path, before: str, after: str) -> str:
    name = shown(file)
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{name} (before)", f"{name} (after)", lineterm=""
    )
    return "".join(f"{line}\n" for line in lines)
