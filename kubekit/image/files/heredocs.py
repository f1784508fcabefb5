"""Heredocs of a Dockerfile: the lines below an instruction that are handed to it as files. Pure."""

from __future__ import annotations

import re
from collections import deque

# A word of its own: what is shifted in `$((1<<2))` is no document.
HEREDOC = re.compile(r"(?<!\S)\d*<<(?P<tabs>-?)(?P<quote>[\"']?)(?P<word>\w+)(?P=quote)")


class Ends:
    """Where heredocs end: for a word that ends none, not every line below is looked at again."""

    def __init__(self, lines: list[str]) -> None:
        # The number of the last line that reads so.
        self._last = {line: number for number, line in enumerate(lines, start=1)}
        self._last_bare = {line.lstrip("\t"): number for number, line in enumerate(lines, start=1)}

    def skip(self, rest: deque[tuple[int, str]], heredoc: re.Match[str]) -> None:
        """Drop the lines of a heredoc; without an end it is none."""
        word, last = heredoc["word"], self._last_bare if heredoc["tabs"] else self._last
        if not rest or last.get(word, 0) < rest[0][0]:
            return
        while (line := rest.popleft()[1]) != word:
            if heredoc["tabs"] and line.lstrip("\t") == word:
                return
