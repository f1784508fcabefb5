"""Secret values never leave: every text that goes out passes through here."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar
from urllib.parse import unquote

from kubekit.errors import KubekitError
from kubekit.events import Emit, Event

MASK = "***"
SHORTEST = 4
"""Shorter values stand in too many innocent texts to be masked, and are no secrets."""

# Values of Secrets that are none; masking these words would eat the messages.
_PLAIN_WORDS = frozenset(
    """
    true false none null debug info warn warning error critical dev development prod production
    staging test testing local localhost
    """.split()  # noqa: SIM905 - as a list it would be a line per word
)
_SHORTEST_NUMBER = 6  # ports and counts are shorter, and stand in many messages
_PASSWORD_IN_URL = re.compile(r"://[^:/@\s]*:([^/@\s]+)@")
_T = TypeVar("_T")


def passwords(text: str) -> list[str]:
    """The passwords of the URLs that stand in it."""
    return _PASSWORD_IN_URL.findall(text)


def has_password(text: str) -> bool:
    """Whether a URL with a password stands in it."""
    return bool(passwords(text))


def shapes(value: str) -> Iterator[str]:
    """A secret value, and how it looks in the API's base64 and in JSON; the passwords of URLs."""
    yield base64.b64encode(value.encode()).decode()
    inner = passwords(value)
    for text in (value, *inner, *map(unquote, inner)):
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]


def hidden(values: Iterable[str], *, public: str) -> Iterator[str]:
    """What to keep out of every output: the values in all their shapes.

    Values that are short, plain words, numbers such as ports, or part of `public`, the names that
    are told anyway, are no secrets; without them no message could be read.
    """
    for value in values:
        plain = value.lower() in _PLAIN_WORDS or value in public
        number = value.isdecimal() and len(value) < _SHORTEST_NUMBER
        if len(value) >= SHORTEST and not plain and not number:
            yield from shapes(value)


class Redactor:
    """Replaces secret values, longest first, so that one inside another leaves no rest."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        known = {value for value in values if len(value) >= SHORTEST}
        # A log shows a multi-line value line by line.
        known |= {line for value in known for line in value.splitlines() if len(line) >= SHORTEST}
        self._values = sorted(known, key=len, reverse=True)

    def clean(self, node: _T) -> _T:
        """The same text, list, mapping or event without the values."""
        return self._clean(node)  # type: ignore[no-any-return]

    def error(self, error: KubekitError) -> KubekitError:
        """The same error without the values, in place."""
        error.message = self.clean(error.message)
        error.hints = self.clean(error.hints)
        error.details = self.clean(error.details)
        error.args = (error.message,)
        return error

    def wrap(self, emit: Emit) -> Emit:
        """An emit that cleans each event first."""

        def cleaned(event: Event, /) -> None:
            emit(self.clean(event))

        return cleaned

    def _clean(self, node: Any) -> Any:
        if isinstance(node, str):
            for value in self._values:
                node = node.replace(value, MASK)
            return node
        if isinstance(node, dict):
            return {self._clean(key): self._clean(value) for key, value in node.items()}
        if isinstance(node, list | tuple):
            return type(node)(self._clean(item) for item in node)
        if dataclasses.is_dataclass(node) and not isinstance(node, type):
            fields = {
                field.name: self._clean(getattr(node, field.name))
                for field in dataclasses.fields(node)
            }
            return dataclasses.replace(node, **fields)
        return node
