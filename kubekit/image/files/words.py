"""The words of a Dockerfile's instructions, read leniently: the daemon judges them. Pure."""

from __future__ import annotations

import json
import re

from kubekit.image.files.dockerfile import Instruction

# Each way to read a text is one alone, or a quote that does not close would be tried 2^n times.
_KEY_VALUE = re.compile(
    r"(?P<name>[\w.-]+)=(?P<value>\"(?:\\.|[^\"\\])*\"|'[^']*'|(?:\\.|[^\s\\]|\\$)*)"
)


def exec_form(text: str) -> tuple[str, ...] | None:
    """The arguments of the form with brackets; None for the form that a shell reads."""
    if not text.lstrip().startswith("["):
        return None
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return None
    return tuple(words)


def pairs(instruction: Instruction) -> tuple[tuple[str, str], ...]:
    """What an `ENV`, `ARG` or `LABEL` sets: names with values, without quotes."""
    text = instruction.text
    first = text.split(maxsplit=1)
    if instruction.keyword == "ENV" and first and "=" not in first[0]:
        return ((first[0], first[1] if len(first) > 1 else ""),)
    if instruction.keyword == "ARG":
        found = [word.partition("=") for word in _words(text)]
        return tuple((name, value.strip("\"'")) for name, _, value in found)
    matches = _KEY_VALUE.finditer(text)
    return tuple((one["name"], one["value"].strip("\"'")) for one in matches)


def _words(text: str) -> list[str]:
    return re.findall(r"(?:\"[^\"]*\"|'[^']*'|\S)+", text)


def operands(instruction: Instruction) -> tuple[str, ...]:
    """Sources and destination of a `COPY` or `ADD`."""
    argv = exec_form(instruction.text)
    return tuple(word.strip("\"'") for word in _words(instruction.text)) if argv is None else argv
