"""Whether a variable, or an entry of a ConfigMap, holds a secret: what rules go by. Pure."""

from __future__ import annotations

import re

from kubekit.redact import passwords
from kubekit.secretnames import looks_secret

_REFERENCE = re.compile(r"\$\(\w+\)|\$\{[^}]*\}|\$\w+")
_SWITCHES = frozenset({"true", "false", "yes", "no", "on", "off", "none", "null", "0", "1"})
_BARE = frozenset({"key", "auth"})
"""Names that say nothing without another word."""


def is_secret(name: str, value: str) -> bool:
    """Whether it is one: by the password of a URL in it, or by its name where it is no URL."""
    if any(not _REFERENCE.fullmatch(found) for found in passwords(value)):
        return True
    told = value.lower() not in _SWITCHES and "://" not in value
    return told and name.lower() not in _BARE and looks_secret(name)
