"""Whether a variable, or an entry of a ConfigMap, holds a secret: what rules go by. Pure.

Many names have a word such as `key` or `token` and hold none: how long it is valid, where it is.
"""

from __future__ import annotations

import re

_WORD = re.compile(
    r"((^|_)((api_?|access_?|client_?|private_?|signing_?)?key|auth|bearer|credentials?|jwt|pwd)"
    r"|passw(or)?d|passphrase|secret|token)(_|$)",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"_(alg\w*|arn|attempts|aud\w*|backend|class|count|days|dir|(en|dis)abled|endpoint|expir\w*"
    r"|field|file|folder|format|headers?|host|hours|ids?|iss(uer)?|kind|leeway|length|lifetime"
    r"|limit|max|method|min|minutes|mode|names?|path|policy|port|prefix|provider|ref|required"
    r"|rounds|seconds|size|suffix|timeout|ttl|type|ur[il]|version)$"
    r"|(^|_)(cache|foreign|gpg|partition|public|publishable|routing|sort)(_|$)|^(max|min)_|^(auth|key)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[-.]")
_PASSWORD = re.compile(r"://[^:/@\s]*:([^/@\s]+)@")
_REFERENCE = re.compile(r"\$\(\w+\)|\$\{[^}]*\}|\$\w+")
_SWITCHES = frozenset({"true", "false", "yes", "no", "on", "off", "none", "null", "0", "1"})


def is_secret(name: str, value: str) -> bool:
    """Whether it is one: by its name, or by the password of a URL in it."""
    if any(not _REFERENCE.fullmatch(found) for found in _PASSWORD.findall(value)):
        return True
    named = _WORD.search(_CAMEL.sub("_", name)) is not None and not only_about(name)
    return named and value.lower() not in _SWITCHES


def only_about(name: str) -> bool:
    """Whether the name says something about a secret, such as its lifetime, and has none."""
    return _ABOUT.search(_CAMEL.sub("_", name)) is not None
