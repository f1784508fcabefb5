"""Which files of the context a build can use, told from its Dockerfile. Pure.

A path too many costs time, one too few makes a wrong image: whatever is not certain means all of
the context. Not told by the Dockerfile, and so not known here, is ONBUILD in a base image.
"""

from __future__ import annotations

import functools
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kubekit.image.files import dockerfile
from kubekit.image.files.dockerfile import Dockerfile, Instruction

_FLAGS = {
    # `exclude` takes files away again; none is missed without it. `parents` has globs of its own.
    "COPY": frozenset({"from", "chown", "chmod", "link", "exclude"}),
    "ADD": frozenset({"chown", "chmod", "link", "exclude", "checksum", "keep-git-dir", "unpack"}),
}
_NO_FILES = frozenset({"cache", "tmpfs", "secret", "ssh"})
_SYNTAX = re.compile(r"(docker\.io/)?docker/dockerfile(-upstream)?(:[\w.-]+)?(@sha256:\w+)?")
_STRANGE = re.compile(
    r"\s*(//|\{|\#!)"  # other ways to name a syntax
    r"|(?s:.*)^[ \t]*\#[ \t]*escape[ \t]*="  # another character that lines go on with
    r"|(?s:.*)[\\`]{2}[ \t]*\r?$",  # old daemons go on with the next line here, new ones do not
    re.MULTILINE | re.IGNORECASE,
)
_SPACES = re.compile(r"[\t\v\f\r ]+")
_OPEN = re.compile(r"[$\"'\\`\ufffd]")
_URL = ("http://", "https://")


@dataclass(frozen=True)
class Sources:
    """Paths that are taken with all below them, each as its parts; ``()`` is the whole context.

    A part may hold `*` and `?`, which stand for what they stand for in Go's filepath.Match.
    """

    paths: tuple[tuple[str, ...], ...]

    @property
    def all(self) -> bool:
        """Whether everything is taken that lies here."""
        return () in self.paths

    def below(self, name: str) -> Sources:
        """What is taken of the file or folder `name` that lies here, told from there."""
        rest = tuple(path[1:] for path in self.paths if path and _matches(path[0], name))
        return ALL if () in rest else Sources(rest)


ALL = Sources(((),))


class _UncertainError(Exception):
    """What an instruction takes cannot be told."""


def of(parsed: Dockerfile, text: str, *, target: str | None, args: Mapping[str, str]) -> Sources:
    """Tell which paths of the context a build can use.

    Args:
        parsed: the Dockerfile.
        text: its text.
        target: the stage that is built, None for the last.
        args: build arguments.
    """
    stages = parsed.needed(target)
    if not stages or not is_plain(parsed, text, args=args):
        return ALL
    try:
        named = {path for stage in stages for one in stage.body for path in _named(one)}
    except _UncertainError:
        return ALL
    return ALL if () in named else Sources(tuple(sorted(named)))


def is_plain(parsed: Dockerfile, text: str, *, args: Mapping[str, str]) -> bool:
    """Whether every builder reads the Dockerfile as it is read here."""
    syntax = parsed.directives.get("syntax")
    if _STRANGE.match(text.removeprefix("\ufeff")) or "BUILDKIT_SYNTAX" in args:
        return False
    if syntax is not None and not _SYNTAX.fullmatch(syntax):
        return False
    return _takers(parsed) == _takers(dockerfile.parse(text, heredocs=False))


def taken(instruction: Instruction) -> tuple[tuple[str, ...], ...]:
    """Tell which paths one instruction takes, as in `Sources`; none where that is not certain."""
    try:
        return tuple(_named(instruction))
    except _UncertainError:
        return ()


def _takers(parsed: Dockerfile) -> list[tuple[object, ...]]:
    """What decides which files are taken; the same whether or not the daemon knows heredocs."""
    return [
        (one.keyword, one.flags, one.text)
        for one in parsed.instructions
        if one.keyword in {"FROM", "COPY", "ADD", "ONBUILD"} or one.mounts
    ]


def _named(instruction: Instruction) -> Iterator[tuple[str, ...]]:
    if instruction.keyword == "ONBUILD":
        raise _UncertainError
    if instruction.keyword in _FLAGS:
        yield from _copied(instruction)
    elif instruction.keyword == "RUN":
        for mount, value in zip(instruction.mounts, instruction.values("mount"), strict=True):
            yield from _mounted(mount, value)


def _copied(instruction: Instruction) -> Iterator[tuple[str, ...]]:
    if not {name for name, _ in instruction.flags} <= _FLAGS[instruction.keyword]:
        raise _UncertainError
    if any(instruction.values("from")):
        return
    for word in _words(instruction.text)[:-1]:
        if instruction.keyword == "ADD" and word.startswith(_URL):
            continue
        yield _path(word, globs=True)


def _words(text: str) -> list[str]:
    words: object = _SPACES.split(text)
    if text.startswith("["):
        try:
            words = json.loads(text) if "\\" not in text else None
        except ValueError:
            raise _UncertainError from None
    if not isinstance(words, list) or len(words) < 2:  # noqa: PLR2004 - a source and where it goes
        raise _UncertainError
    if not all(isinstance(word, str) and not word.startswith("--") for word in words):
        raise _UncertainError
    return words


def _mounted(mount: Mapping[str, str], value: str) -> Iterator[tuple[str, ...]]:
    """What a `--mount` shows of the context; the type is `bind` unless it says otherwise."""
    if re.search(r"[\"'\\]", value):
        raise _UncertainError
    kind = mount.get("type", "bind").lower()
    if kind in _NO_FILES or (kind == "bind" and mount.get("from") and "$" not in mount["from"]):
        return
    if kind != "bind" or "$" in mount.get("from", ""):
        raise _UncertainError
    for source in [mount[key] for key in ("source", "src") if key in mount] or ["/"]:
        yield _path(source, globs=False)


def _path(word: str, *, globs: bool) -> tuple[str, ...]:
    if _OPEN.search(word) or not word.isprintable():
        raise _UncertainError
    # As BuildKit, which reads `../a` as `/a`.
    parts = tuple(part for part in posixpath.normpath(f"/{word}").split("/") if part)
    if not globs and re.search(r"[*?\[]", word):
        raise _UncertainError
    for index, part in enumerate(parts):
        if "[" in part or "**" in part:
            return parts[:index]
    return parts


@functools.cache
def _glob(part: str) -> re.Pattern[str]:
    tokens = {"*": ".*", "?": "."}
    return re.compile("".join(tokens.get(one, re.escape(one)) for one in part), re.DOTALL)


def _matches(part: str, name: str) -> bool:
    if "*" in part or "?" in part:
        return _glob(part).fullmatch(name) is not None
    return part == name
