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
_BETWEEN_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|\W")
_SECRET_NAME = re.compile(
    # Words end in these, too, as PGPASSWORD and SSHKEY; but MONKEY and HOTKEY are no secrets.
    r"(?:PASSW(?:OR)?[DT]S?|PASSPHRASE|PWD|SECRETS?|TOKENS?|CREDENTIALS?|(?<!MON|HOT)KEYS?)\d*(?:_|$)"
    r"|(?:^|_)(?:PASS_PHRASE|CREDS?|SALT|ERLANG_COOKIE|DOCKER_AUTH_CONFIG|CONNECTION_STRING)(?:_|$)"
    # These say what a variable is only where they are its last word.
    r"|(?:^|_)(?:(?:DB|PG)?PASS|(?:O|BASIC)?AUTH|AUTHORIZATION|BEARER|JWT|PRIVATE(?:_PEM)?|SIGNING)\d*$"
)
_ABOUT_SECRETS = re.compile(
    r"_(?:ALG|ALGORITHMS?|ARN|ATTEMPTS|AUD|AUDIENCES?|BACKEND|CLASS|COUNT|DAYS|DIR|(?:EN|DIS)ABLED"
    r"|ENDPOINT|EXPIR[A-Z]*(?:_(?:AFTER|AT|DELTA|IN|TIME))?|FIELD|FILE|FOLDER|FORMAT|HEADERS?|HOST|HOURS"
    # What a login of Vault has beside its public `ROLE_ID` is a secret.
    r"|(?<!VAULT_SECRET_)(?<!ROLE_SECRET_)IDS?|ISS|ISSUER|KIND|LEEWAY|LENGTH|LIFETIME|LIMIT|MAX|METHOD"
    r"|MIN|MINUTES|MODE|NAMES?|PATH|POLICY|PORT|PREFIX|PROVIDER|REF|REQUIRED|ROUNDS|SECONDS|SIZE|SUFFIX"
    r"|TIMEOUT|TTL|TYPE|UR[IL]|VERSION)$"
    r"|(?:^|_)(?:CACHE|FOREIGN|GPG|PARTITION|PRIMARY|PUBLIC|PUBLISHABLE|ROUTING|SORT)_KEYS?$"
    r"|(?:^|_)(?:MAX|MIN)_(?:NEW_)?TOKENS?$|^(?:MAX|MIN)_|^NEXT_PUBLIC_|_APPLICATION_CREDENTIALS$"
)
"""Names that have such a word and no secret: how long one is valid, where it is, how many."""
_PASSWORD_IN_URL = re.compile(r"://[^:/@\s]*:([^/@\s]+)@")
_T = TypeVar("_T")


def looks_secret(name: str) -> bool:
    """Whether a variable, an argument or a setting of this name probably holds a secret."""
    words = _BETWEEN_WORDS.sub("_", name).upper()
    return _SECRET_NAME.search(words) is not None and _ABOUT_SECRETS.search(words) is None


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
