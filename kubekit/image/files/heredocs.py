"""Heredocs of a Dockerfile: the lines below an instruction that are handed to it as files. Pure."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

# As BuildKit tells them (frontend/dockerfile/parser): a word of its own, so that what is shifted in
# `$((1<<2))` is no document. What is read is not given back: quotes that never close take no time.
_WORD = re.compile(r"(?:[^\s\"'\\]|\\.|\"(?:[^\"\\]|\\.)*+\"|'[^']*+')++", re.DOTALL)
_BEGINS = re.compile(r"\d*<<(?P<tabs>-?)(?P<word>[^<]+)", re.DOTALL)
_QUOTES = re.compile(r"\\(.)|[\"']", re.DOTALL)


@dataclass(frozen=True)
class Heredoc:
    """One document: the line that it ends with, and whether tabs before that do not count."""

    word: str
    tabs: bool


def begun(text: str) -> Iterator[Heredoc]:
    """The documents that the text of an instruction says stand below it."""
    if "<<" not in text or _WORD.sub("", text).strip():  # a quote that does not close: none
        return
    for found in map(_BEGINS.fullmatch, _WORD.findall(text)):
        if found:
            yield Heredoc(_QUOTES.sub(r"\1", found["word"]), bool(found["tabs"]))


class Ends:
    """Where heredocs end: for a word that ends none, not every line below is looked at again."""

    def __init__(self, lines: list[str]) -> None:
        # The number of the last line that reads so.
        self._last = {line: number for number, line in enumerate(lines, start=1)}
        self._last_bare = {line.lstrip("\t"): number for number, line in enumerate(lines, start=1)}

    def skip(self, rest: deque[tuple[int, str]], heredoc: Heredoc) -> None:
        """Drop the lines of a heredoc; without an end it is none."""
        word, last = heredoc.word, self._last_bare if heredoc.tabs else self._last
        if not rest or last.get(word, 0) < rest[0][0]:
            return
        while (line := rest.popleft()[1]) != word:
            if heredoc.tabs and line.lstrip("\t") == word:
                return
