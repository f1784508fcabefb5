"""From when to when a certificate is valid, read from its own bytes. Pure.

Python's `ssl` tells that only of a certificate that it trusts; one that has expired it does not.
"""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from typing import NamedTuple

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION = 0xA0
_UTC_TIME = 0x17
_LONG = 0x80
_CENTURY = 50
"""RFC 5280, 4.1.2.5.1: of years with two digits those from 50 on are of the last century."""


class Validity(NamedTuple):
    """From when and until when, both in UTC."""

    begins: datetime
    ends: datetime


def of_pem(text: str) -> Validity:
    """The validity of the first certificate in the text of a PEM file.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    block = _BLOCK.search(text)
    if block is None:
        raise ValueError("no certificate in it")
    return of_der(ssl.PEM_cert_to_DER_cert(block[0]))


def of_der(data: bytes) -> Validity:
    """The validity of a certificate as it is sent: X.509, RFC 5280, 4.1.

    Raises:
        ValueError: it is damaged.
    """
    try:
        at = _element(data, _element(data, 0).start).start
        first = _element(data, at)
        at = first.end if first.tag == _VERSION else at
        for _ in ("serial number", "algorithm", "issuer"):
            at = _element(data, at).end
        begins = _element(data, _element(data, at).start)
        return Validity(_time(data, begins), _time(data, _element(data, begins.end)))
    except IndexError:
        raise ValueError("the certificate is cut off") from None


class _Element(NamedTuple):
    """One element of DER: its tag, and where what it holds begins and ends."""

    tag: int
    start: int
    end: int


def _element(data: bytes, at: int) -> _Element:
    tag, length, start = data[at], data[at + 1], at + 2
    if length >= _LONG:
        start += length - _LONG
        length = int.from_bytes(data[at + 2 : start], "big")
    if start + length > len(data):
        raise IndexError
    return _Element(tag, start, start + length)


def _time(data: bytes, element: _Element) -> datetime:
    text = data[element.start : element.end].decode("ascii", "replace")
    if element.tag == _UTC_TIME:
        text = f"{'19' if text[:2] >= str(_CENTURY) else '20'}{text}"
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
