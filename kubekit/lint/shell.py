"""The commands of a shell script, as far as rules need them. Pure, and lenient: never fails."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

_ASSIGNMENT = re.compile(r"\w+=")
_ENDS = frozenset({"&&", "||", ";", "|", "&", "|&", ";;", "(", ")", "{", "}", "\n"})
_LEADING = frozenset({"env", "exec", "command", "time", "then", "do", "else", "if", "!", "while"})


@dataclass(frozen=True)
class Command:
    """One command: its words without the quotes, and whether its output goes into the next one."""

    words: tuple[str, ...]
    piped: bool = False

    @property
    def name(self) -> str:
        """The program's name without its folder."""
        return self.words[0].rpartition("/")[2]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Words that are no flags."""
        return tuple(word for word in self.words[1:] if not word.startswith("-"))

    def runs(self, name: str, *subcommands: str) -> bool:
        """Whether it is this program, with one of these subcommands if any are named."""
        if self.name != name:
            return False
        return not subcommands or (bool(self.arguments) and self.arguments[0] in subcommands)

    def has(self, *flags: str) -> bool:
        """Whether it has one of the flags: `--long`, `--long=value`, `-x`, or `-ax` for `-x`."""
        return any(_is_flag(word, flag) for word in self.words[1:] for flag in flags)


def _is_flag(word: str, flag: str) -> bool:
    if word == flag or word.startswith(f"{flag}="):
        return True
    short = len(flag) == 2 and flag.startswith("-")  # noqa: PLR2004 - `-x`
    return short and re.fullmatch(r"-[A-Za-z]+", word) is not None and flag[1] in word[1:]


def commands(script: str) -> tuple[Command, ...]:
    """The commands of a script in their order; none where its quotes do not close."""
    lexer = shlex.shlex(script, posix=True, punctuation_chars="();|&\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        return ()
    return tuple(_commands(tokens))


def _commands(tokens: list[str]) -> Iterator[Command]:
    words: list[str] = []
    for token in [*tokens, ";"]:
        end = token in _ENDS or (token and set(token) <= set("();|&\n"))
        if not end:
            words.append(token)
            continue
        plain = _plain(words)
        if plain:
            yield Command(tuple(plain), piped=token.strip("()\n") in {"|", "|&"})
        words = []


def _plain(words: list[str]) -> list[str]:
    """The words from the program's name on."""
    for index, word in enumerate(words):
        if not _ASSIGNMENT.match(word) and word not in _LEADING:
            return words[index:]
    return []
