"""Which values nobody should be shown, though the field they stand in is no Secret's.

The values of a `.env` may stand anywhere by a template, and those of an earlier one still do in
what is live. Those that a Secret of the project has are known; of others their name tells.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from kubekit.redact import Redactor, has_password
from kubekit.secretnames import may_be_secret

_NAMED = re.compile(r"(?:^data\.|\.env\[)([^\]]+)")


class Withheld:
    """Says of a field whether it is only to be named.

    Args:
        read: gets the secret values, when the first field is asked about.
    """

    def __init__(self, read: Callable[[], Iterable[str]] = tuple) -> None:
        self._redactor = functools.cache(lambda: Redactor(read()))

    def __call__(self, field: str, *values: Any) -> bool:
        """Whether one of these values of the field, such as ``data.url``, holds a secret."""
        return any(self._is_secret(field, value) for value in values)

    def _is_secret(self, field: str, value: Any) -> bool:
        texts = (json.dumps(value), json.dumps(value, ensure_ascii=False))
        named = _NAMED.search(field)
        return (
            (named is not None and ".valueFrom" not in field and may_be_secret(named[1]))
            or _has_variable(value)
            or any(has_password(text) or self._redactor().clean(text) != text for text in texts)
        )


def _has_variable(value: Any) -> bool:
    """Whether a variable of a container is in it that is called as secrets are."""
    if isinstance(value, list):
        return any(map(_has_variable, value))
    if not isinstance(value, dict):
        return False
    name = value.get("name")
    mine = isinstance(name, str) and bool(value.get("value")) and may_be_secret(name)
    return mine or any(map(_has_variable, value.values()))
