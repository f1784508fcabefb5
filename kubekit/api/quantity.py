"""Quantities of the Kubernetes API as exact numbers, and how they are said to a person. Pure."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))"
    r"(?:(?P<decimal>[numkMGTPE])|(?P<binary>[KMGTPE])i|[eE](?P<exponent>[+-]?\d{1,3}))?",
    re.ASCII,
)
_DECIMAL = {name: 3 * power for power, name in enumerate("num kMGTPE", start=-3)}
_BINARY = "KMGTPE"


def parse(value: Any) -> Fraction | None:
    """The number that ``100m``, ``1.5Gi``, ``128M``, ``1e3``, ``2`` or 0.5 means; None for others.

    The package's own parser also takes ``NaN``, ``1_000`` and ``1e1Ki``, which the API refuses, and
    would cost a pure module the import of `kubernetes`. See
    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    found = None if isinstance(value, bool) else _QUANTITY.fullmatch(str(value))
    if found is None:
        return None
    number = Fraction(found["number"])
    if found["binary"]:
        return number * Fraction(1024 ** (1 + _BINARY.index(found["binary"])))
    power = int(found["exponent"] or _DECIMAL[found["decimal"] or " "])
    return number * Fraction(f"1e{power}")


def said(resource: str, amount: Fraction, *, up: bool = False) -> str:
    """An amount of a resource in words, rounded down; `up`: rounded up, as what is asked for is."""
    if resource == "cpu":
        return f"{_rounded(amount, up)} CPU"
    if resource not in ("memory", "ephemeral-storage") and not resource.startswith("hugepages-"):
        return f"{_rounded(amount, up)} `{resource}`"
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if amount >= 1024**power:
            return f"{_rounded(amount / 1024**power, up)} {unit} {resource}"
    return f"{_rounded(amount, up)} bytes {resource}"


def _rounded(amount: Fraction, up: bool) -> str:
    whole, rest = divmod(math.ceil(amount * 100) if up else math.floor(amount * 100), 100)
    return f"{whole}.{rest:02}".rstrip("0").rstrip(".")
