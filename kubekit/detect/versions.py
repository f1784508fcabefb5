"""Which minor versions of Python a specifier allows: PEP 440, and Poetry's own signs."""

from __future__ import annotations

import re

_CLAUSE = re.compile(
    r"(===|==|!=|>=|<=|~=|>|<|\^|~|=)?\s*v?(\d+(?:\.\d+)*)(\.\*)?(?:\.?(?:a|b|rc|dev)\d*)?"
)
_LAST = 999
"""Stands for the newest patch of a minor version."""


def allows(specifier: str, minor: int) -> bool | None:
    """Whether some Python 3.`minor` fits; None if the specifier cannot be read."""
    answers = [_all(one, minor) for one in specifier.split("||")]
    if any(answer is None for answer in answers):
        return None
    return any(answers)


def _all(specifier: str, minor: int) -> bool | None:
    for clause in re.split(r"\s*,\s*|(?<=[\d*])\s+(?=[<>=!~^])", specifier.strip().strip(",")):
        if clause in {"", "*"}:
            continue
        found = _CLAUSE.fullmatch(clause)
        if found is None:
            return None
        sign, number, star = found[1] or "==", found[2], found[3] is not None
        if len(number) > 40:  # noqa: PLR2004 - no version is as long; int() refuses 4,300 digits
            return None
        if not _fits(sign, tuple(int(part) for part in number.split(".")), minor, star=star):
            return False
    return True


def _fits(sign: str, version: tuple[int, ...], minor: int, *, star: bool) -> bool:
    first, last = (3, minor, 0), (3, minor, _LAST)
    same = version[:2] == (3, minor)[: len(version)]
    padded = (*version, 0, 0)[:3]
    fits = {
        ">=": last >= version,
        ">": last > version,
        "<": first < padded,
        "<=": first <= padded,
        "!=": not (star and same and len(version) <= len(first[:2])),
        "~=": last >= version and version[:-1] == (3, minor)[: len(version) - 1],
        "^": last >= version and version[0] == 3,  # noqa: PLR2004 - Python 3
    }
    return fits.get(sign, same)
