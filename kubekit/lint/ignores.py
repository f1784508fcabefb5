"""Findings that a comment or an annotation says to leave out, in our own words or other tools'.

Ours: ``# kubekit: ignore=ID[,ID] reason`` on the line, or on one of the comments right above it,
or above the first line of the instruction or object. hadolint's: ``# hadolint ignore=`` above the
instruction, ``# hadolint global ignore=`` anywhere. Checkov's: ``# checkov:skip=ID:reason``
anywhere in a Dockerfile, annotations in objects; those of kube-score, kube-linter and Polaris, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from kubekit.lint.rule import Hit

_OURS = re.compile(r"(?:#|\{#-?)\s*kubekit:\s*ignore=([\w,-]+)")
_HADOLINT = re.compile(r"#\s*hadolint\s+ignore\s*=\s*([\w, ]+)")
_WHOLE_FILE = re.compile(r"#\s*(?:hadolint\s+global\s+ignore\s*=\s*([\w, ]+)|checkov:skip=(\w+))")
_COMMENT = re.compile(r"\s*(#|\{#)")
_CHECKOV = re.compile(r"checkov\.io/skip\d+")
_KUBE_LINTER = "ignore-check.kube-linter.io/"
_POLARIS = re.compile(r"polaris\.fairwinds\.com/(\w+)-exempt")


def is_ignored(hit: Hit, ids: Sequence[str], lines: Sequence[str]) -> bool:
    """Whether somebody has said to leave the finding out.

    Args:
        hit: what a rule found.
        ids: of the rule, ours and others'.
        lines: of the file.
    """
    named = {id_.lower() for id_ in ids}
    listed = {id_.lower() for id_ in _listed(hit, lines)}
    return not named.isdisjoint(listed)


def _listed(hit: Hit, lines: Sequence[str]) -> Iterator[str]:
    yield from _annotated(hit.annotations)
    for line in lines:
        for found in _WHOLE_FILE.findall(line):
            yield from _split("".join(found))
    for number in {hit.place.line, hit.starts} - {None}:
        assert number is not None  # for the type checker
        if not 0 < number <= len(lines):
            continue
        for found in _OURS.findall(lines[number - 1]):
            yield from _split(found)
        for line in _comments_above(lines, number):
            for pattern in (_OURS, _HADOLINT):
                for found in pattern.findall(line):
                    yield from _split(found)


def _comments_above(lines: Sequence[str], number: int) -> Iterator[str]:
    for line in reversed(lines[: number - 1]):
        if not _COMMENT.match(line):
            return
        yield line


def _split(text: str) -> list[str]:
    return [id_ for id_ in re.split(r"[,\s]+", text) if id_]


def _annotated(annotations: Mapping[str, object]) -> Iterator[str]:
    for key, value in annotations.items():
        if _CHECKOV.fullmatch(key):
            yield str(value).partition("=")[0]
        elif key == "kube-score/ignore":
            yield from _split(str(value))
        elif key.startswith(_KUBE_LINTER):
            yield key.removeprefix(_KUBE_LINTER)
        elif (match := _POLARIS.fullmatch(key)) and str(value).lower() == "true":
            yield match[1]
