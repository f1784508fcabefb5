"""How a plain YAML scalar becomes a value: as kubectl does it."""

from __future__ import annotations

import math
import re
from typing import Any

_MAX_DIGITS = 300

_WORDS: dict[str, bool | float | None] = {
    spelling: value
    for value, words in (
        (True, "y yes true on"),
        (False, "n no false off"),
        (None, "null"),
        (math.nan, ".nan"),
        (math.inf, ".inf +.inf"),
        (-math.inf, "-.inf"),
    )
    for word in words.split()
    for spelling in (word, word.title(), word.upper())
} | {"": None, "~": None, ".NaN": math.nan}
_INT = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_BASES = (16, 2, 8, 10)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def resolve(text: str) -> Any:
    """The value of a plain scalar, as kubectl resolves it: None, bool, int, float or the text.

    Recorded from kubectl in the tests; the rules are those of goyaml.v2, YAML 1.1 without
    timestamps, base 60 and ``=``.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789" or len(text) > _MAX_DIGITS:
        return text
    plain = text if text[0] == "." else text.replace("_", "")
    if (match := _INT.fullmatch(plain)) is not None:
        sign, *digits = match.groups()
        base, number = next((b, d) for b, d in zip(_BASES, digits, strict=True) if d is not None)
        return int(sign + number, base)
    if _FLOAT.fullmatch(plain) is None or math.isinf(value := float(plain)):
        return text
    return int(value) if "." not in plain and value.is_integer() else value
