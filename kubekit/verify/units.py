"""Sizes as people write them: decimal, as registries and disks count, or binary. Pure."""

from __future__ import annotations

import re

from kubekit.errors import UsageError

_FACTORS = {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_FACTORS |= {f"{key}b": _FACTORS[key] for key in "kmg"}
_FACTORS |= {f"{key}ib": 1 << (10 * power) for power, key in enumerate("kmg", start=1)}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)")
_MEGA = 10**6


def parse_size(text: str) -> int:
    """Bytes, of `200MB`, `1.5GB`, `180MiB` or a plain number.

    Raises:
        UsageError: it is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    factor = _FACTORS.get(found.group(2).lower()) if found else None
    if found is None or factor is None:
        raise UsageError(
            f"`{text}` is no size", hints=("write it as 200MB or 180MiB",), id="size-invalid"
        )
    return int(float(found.group(1)) * factor)


def bytes_said(count: int) -> str:
    """A size in decimal units."""
    if count < _MEGA:
        return f"{count / 1000:.1f} kB"
    return f"{count / _MEGA:.1f} MB"
