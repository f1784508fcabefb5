r"""The rules of `.dockerignore`, as the client of BuildKit applies them.

Written from Docker's reference of the file and compared with BuildKit itself on generated trees and
rules (tests/cluster/test_context.py). docker-py has a matcher too, but it differs: it ignores
case, swaps `[^a]` and `[!a]`, and knows neither `\[` nor a byte order mark.

Three things differ on purpose. A malformed pattern is refused with file and line even where Docker
happens not to look at it. Refused are also POSIX classes (`[[:alpha:]]`) and escapes that Go's
regular expressions have and Python's lack (`\pL`). And `|`, `{` and `}` are plain characters, which
the reference says and moby's translation to a regular expression forgets.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kubekit.errors import FilesError, Place
from kubekit.image.files.globs import DEEP, IN_RULES, MANY, REST, STAR, Steps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_GLOB_TOKEN = re.compile(r"\*\*/?|\\.|.", re.DOTALL)
_STEP = re.compile(r"\*\*/?|\[(?:\\.|[^\]\\*?])+\]|\\.|.", re.DOTALL)
"""As `_GLOB_TOKEN`, with a class in one piece where it holds no wildcards."""
_SPACES = " \t\n\v\f\r\x85\xa0"

_MEMBER = r"(?:\\.|[^\]\\-])"
_WELL_FORMED = re.compile(rf"(?:\\.|[^\[\\]|\[\^?(?:{_MEMBER}(?:-{_MEMBER})?)+\])*", re.DOTALL)
"""What Go's filepath.Match accepts, which Docker asks before anything else."""

_LETTER_ESCAPES = frozenset("dDwWsSafnrtv")
"""Escaped letters that mean in Go what they mean in Python; Docker hands them to Go's engine."""


class Matched(NamedTuple):
    """What the rules say of one path, kept for the paths below it.

    Attributes:
        excluded: the path is not sent.
        rules: for each rule whether it matched the path or a folder above it; empty while no
            rule is an exception, because then nothing below an excluded folder comes back.
    """

    excluded: bool
    rules: tuple[bool, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One line of the file.

    Attributes:
        prefix: the path every match starts with, up to the first wildcard's folder.
        exception: the line began with `!`: what it matches is sent after all.
        line: its number.
    """

    expression: re.Pattern[str] | Steps
    prefix: str
    exception: bool
    line: int


@dataclass(frozen=True)
class Ignore:
    """All rules of one file; the last one that matches a path decides."""

    rules: tuple[Rule, ...] = ()

    def matched(self, path: str, above: Matched | None = None) -> Matched:
        """Say whether `path` is excluded.

        Args:
            path: relative to the context, with `/`.
            above: what was said of the folder that holds it; None at the top of the context.
        """
        if not self._exceptions:
            over = above is not None and above.excluded
            return Matched(over or self._any(path) is not None)
        excluded = False
        seen = []
        for number, rule in enumerate(self.rules):
            hit = above is not None and above.rules[number]
            # Docker does not look at a rule that would change nothing, and so does not remember
            # that it matched: `a/b` then `!a` leaves a/b excluded.
            if not hit and rule.exception == excluded:
                hit = rule.expression.fullmatch(path) is not None
            if hit:
                excluded = not rule.exception
            seen.append(hit)
        return Matched(excluded, tuple(seen))

    @cached_property
    def plain(self) -> Callable[[str], object] | None:
        """What says of any path whether it is excluded itself; None if a rule is an exception."""
        return None if self._exceptions else self._any

    def leaves_out(self, path: str) -> bool:
        """Whether a path is not sent, by the rules for it and for the folders above it."""
        above: Matched | None = None
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            above = self.matched("/".join(parts[:depth]), above)
        return above is not None and above.excluded

    def line_against(self, path: str) -> int | None:
        """The line by which a path is not sent; None where it is sent."""
        parts = path.split("/")
        prefixes = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        rules = tuple(
            rule for rule in self.rules if any(map(rule.expression.fullmatch, prefixes))
        )  # the few that match at all: each is tried with all before it
        found = None
        for count, rule in enumerate(rules, start=1):
            out = Ignore(rules[:count]).leaves_out(path)
            found = (found or rule.line) if out else None
        return found

    def may_hold_exceptions(self, folder: str) -> bool:
        """Whether something below an excluded folder can be sent after all."""
        inside = f"{folder}/"
        return any(
            inside.startswith(rule.prefix) or rule.prefix.startswith(inside)
            for rule in self._exceptions
        )

    @cached_property
    def _exceptions(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.exception)

    @cached_property
    def _any(self) -> Callable[[str], object]:
        """What says whether a rule matches a path, without saying which."""
        all_ = [rule.expression for rule in self.rules]
        quick = [f"(?:{one.pattern})" for one in all_ if isinstance(one, re.Pattern)]
        slow = [one for one in all_ if isinstance(one, Steps)]
        # `(?!)` matches nothing, which is what an empty file excludes.
        at_once = re.compile("|".join(quick) or r"(?!)", re.ASCII | re.DOTALL).fullmatch
        if not slow:
            return at_once
        return lambda path: (
            at_once(path) or next(filter(None, (s.fullmatch(path) for s in slow)), None)
        )


def parse(text: str, *, file: Path) -> Ignore:
    """Read the text of a `.dockerignore`.

    Args:
        text: the whole file.
        file: where the text comes from, for messages.

    Raises:
        FilesError: a pattern is malformed; Docker refuses the same ones.
    """
    rules = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        # A comment starts in the first column; after a space `#` is part of a name.
        pattern = "" if line.startswith("#") else line.strip(_SPACES)
        if pattern:
            rules.append(_rule(pattern, file, number))
    return Ignore(tuple(rules))


def _rule(text: str, file: Path, line: int) -> Rule:
    place = Place(file=file, line=line)
    glob = _clean(text)
    exception = glob.startswith("!")
    glob = glob.removeprefix("!")
    if not glob:
        raise _bad(text, "no path follows the `!`", place)
    try:
        expression = _expression(glob)
    except (ValueError, re.error) as error:
        raise _bad(text, str(error), place) from None
    wild = IN_RULES.search(glob)
    prefix = f"{glob}/" if wild is None else glob[: glob.rfind("/", 0, wild.start()) + 1]
    return Rule(expression=expression, prefix=prefix, exception=exception, line=line)


def _bad(text: str, why: str, place: Place) -> FilesError:
    return FilesError(
        f"the pattern `{text}` is malformed: {why}",
        hints=("a literal `[`, `]`, `*`, `?` or `\\` is written with `\\` before it",),
        place=place,
        id="dockerignore-pattern",
    )


def _clean(text: str) -> str:
    """Bring a line into the form Docker compares: cleaned, relative, `!` kept in front.

    Docker cleans while it reads the file and again while it compiles, and looks for the `!` both
    times: so `/ a` is `a`, `/!a` is the exception `!a`, and `!/` is no pattern at all.
    """
    path = text.removeprefix("!").strip(_SPACES)
    if path:
        path = _clean_path(path)
        path = path[1:] if path.startswith("/") and path != "/" else path
    mark = "!" if text.startswith("!") else ""
    return _clean_path((mark + path).strip(_SPACES))


def _clean_path(path: str) -> str:
    # As Go's filepath.Clean, which reads `//` at the start as one slash; POSIX keeps it.
    return posixpath.normpath(re.sub(r"^/+", "/", path))


def _regex(glob: str) -> str:
    """Translate a cleaned glob; raises ValueError where it is malformed."""
    if not _WELL_FORMED.fullmatch(glob):
        raise ValueError("it ends in `\\`, or a `[` is not closed or holds a bare `-` or nothing")
    head, tail = glob.removesuffix("**"), glob.removeprefix("**")
    if not IN_RULES.search(glob):
        return re.escape(glob)
    if head != glob and not IN_RULES.search(head):
        return re.escape(head) + ".*"
    if tail != glob and not IN_RULES.search(tail):
        # Only here `**name` ends with the name; with another wildcard it is `**/name`.
        start = "(?:.*/)?" if tail.startswith("/") else ".*"
        return start + re.escape(tail.removeprefix("/"))
    tokens: list[str] = _GLOB_TOKEN.findall(glob)
    translated = [_translate(token) for token in tokens]
    if tokens[-1].startswith("**"):
        translated[-1] = REST
    return _python("".join(translated))


def _expression(glob: str) -> re.Pattern[str] | Steps:
    """What matches a cleaned glob; raises ValueError or re.error where it is malformed."""
    expression = re.compile(_regex(glob), re.ASCII | re.DOTALL)
    if glob.count("*") <= MANY:
        return expression
    tokens: list[str] = _STEP.findall(glob)
    stars = sum(token.startswith("*") for token in tokens)
    if stars <= MANY or "[" in tokens:  # a class that holds wildcards means another thing
        return expression
    pieces = [
        _python("".join(map(_translate, _GLOB_TOKEN.findall(token))))
        if token[0] == "["
        else _python(_translate(token))
        for token in tokens
    ]
    if tokens[-1].startswith("**"):
        pieces[-1] = REST
    return Steps(pieces)


def _translate(piece: str) -> str:
    if piece.startswith("**"):
        return DEEP
    if piece == "*":
        return STAR
    if piece == "?":
        return "[^/]"
    return f"\\{piece}" if piece in ".+()|{}$" else piece


def _python(expression: str) -> str:
    """Make Python read the expression as Go does: they differ within brackets and in escapes."""
    parts = []
    inside = False
    for piece in re.findall(r"\\.|.", expression, re.DOTALL):
        if piece.startswith("\\") and piece[1:].isalnum() and piece[1:] not in _LETTER_ESCAPES:
            raise ValueError(f"`{piece}` has no meaning here")
        if inside and piece in "[&~|":
            parts.append(f"\\{piece}")
            continue
        inside = piece == "[" or (inside and piece != "]")
        parts.append(piece)
    if "\\[:" in "".join(parts):
        raise ValueError("classes like `[:alpha:]` are not supported; write the range")
    return "".join(parts)
