"""Names of variables, arguments and settings that hold secrets: two questions to one table. Pure.

What is shown cannot be taken back, while a false alarm of `lint` costs a line: so what is masked
goes by every word that may mean a secret, and what is called an error by those that surely do.
"""

from __future__ import annotations

import re

_BETWEEN_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|\W")

_SURELY = re.compile(
    # Words end in these, too, as PGPASSWORD and SSHKEY; but MONKEY and HOTKEY are no secrets.
    r"(?:PASSW(?:OR)?[DT]S?|PASSPHRASE|PWD|SECRETS?|TOKENS?|CREDENTIALS?|(?<!MON|HOT)KEYS?)\d*(?:_|$)"
    r"|(?:^|_)(?:PASS_PHRASE|CREDS?|SALT|ERLANG_COOKIE|DOCKER_AUTH_CONFIG|CONNECTION_STRING)(?:_|$)"
    # These say what a variable is only where they are its last word.
    r"|(?:^|_)(?:(?:DB|PG)?PASS|(?:O|BASIC)?AUTH|AUTHORIZATION|BEARER|JWT|PRIVATE(?:_PEM)?|SIGNING)\d*$"
)
_MAYBE = re.compile(r"SECRET|TOKEN|PASSW|PWD|KEY|CRED|AUTH|PRIVATE|(?:^|_)(?:PASS|PIN)\d*(?:_|$)")
_OTHER_WORDS = frozenset(
    {"AUTHOR", "AUTHORS", "HOTKEY", "HOTKEYS", "KEYBOARD", "KEYWORD", "KEYWORDS", "MONKEY"}
    | {"TOKENIZER", "TOKENIZERS"}
)
"""They have one of those letters in them, and mean something else."""

_COUNTS = frozenset(
    {"ATTEMPTS", "COUNT", "DAYS", "HOURS", "LEEWAY", "LENGTH", "LIFETIME", "LIMIT", "MINUTES"}
    | {"ROUNDS", "SECONDS", "SIZE", "TIMEOUT", "TTL"}
)
"""A name that ends in one of these is certainly no secret's."""

_ABOUT = _COUNTS | frozenset(
    {"ALG", "ALGORITHM", "ALGORITHMS", "ARN", "AUD", "AUDIENCE", "AUDIENCES", "BACKEND", "CLASS"}
    | {"DIR", "DISABLED", "ENABLED", "ENDPOINT", "FIELD", "FILE", "FOLDER", "FORMAT", "HEADER"}
    | {"HEADERS", "HOST", "ID", "IDS", "ISS", "ISSUER", "KIND", "MAX", "METHOD", "MIN", "MODE"}
    | {"NAME", "NAMES", "PATH", "POLICY", "PORT", "PREFIX", "PROVIDER", "REF", "REQUIRED"}
    | {"SUFFIX", "TYPE", "URI", "URL", "VERSION"}
)
"""And one that ends in these most often tells something of a secret: where it is, what uses it."""

_NO_SECRETS = re.compile(
    r"_EXPIR[A-Z]*(?:_(?:AFTER|AT|DELTA|IN|TIME))?$|^PRIMARY_KEYS?$"
    r"|(?:^|_)(?:CACHE|FOREIGN|GPG|PARTITION|PUBLIC|PUBLISHABLE|ROUTING|SORT)_KEYS?$"
    r"|(?:^|_)(?:MAX|MIN)_(?:NEW_)?TOKENS?$|^NEXT_PUBLIC_|_APPLICATION_CREDENTIALS$"
    # Limits; but MAX_MIND_LICENSE_KEY and MIN_IO_SECRET_KEY are of products called so.
    r"|^(?:MAX|MIN)_(?!\w+_(?:KEY|PASSWORD|SECRET|TOKEN)$)"
)
_ID_OF_LOGIN = re.compile("(?:VAULT|ROLE)_SECRET_IDS?$")
"""What a login of Vault has beside its public `ROLE_ID` is a secret."""


def looks_secret(name: str) -> bool:
    """Whether a name is surely a secret's: good enough for an error."""
    words = _words(name)
    if _SURELY.search(words) is None or _NO_SECRETS.search(words) is not None:
        return False
    return words.rpartition("_")[2] not in _ABOUT or _ID_OF_LOGIN.search(words) is not None


def may_be_secret(name: str) -> bool:
    """Whether a name may be a secret's: its value is shown nowhere."""
    words = _words(name)
    before, _, last = words.rpartition("_")
    if last in _COUNTS:
        return False
    told = before if last in _OTHER_WORDS else words
    return _SURELY.search(words) is not None or _MAYBE.search(told) is not None


def _words(name: str) -> str:
    return _BETWEEN_WORDS.sub("_", name).upper()
