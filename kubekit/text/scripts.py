"""Commands that hand a script to a shell. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})
_FLAGS = re.compile(r"[-+][A-Za-z]+")


def shell_script(command: Sequence[str]) -> str | None:
    """What a shell is told to run: by `-c`, `-ec`, `-o pipefail -c`; None for others."""
    if not command or posixpath.basename(command[0]) not in _SHELLS:
        return None
    words = iter(command[1:])
    for word in words:
        if word.startswith("--"):
            continue
        if not _FLAGS.fullmatch(word):
            return None
        if "o" in word.lower():
            next(words, None)  # the option's name
        if "c" in word and word.startswith("-"):
            return next(words, None)
    return None
