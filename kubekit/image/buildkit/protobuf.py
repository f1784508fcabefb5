"""The wire format of protobuf, as far as BuildKit's few messages need it. Pure.

A message is a row of fields, each a varint of number and type, then its value:
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

Fields = dict[int, list["int | bytes"]]
"""A decoded message: field number -> its values, integers or bytes, in order."""

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_MORE = 0x80


def decode(data: bytes) -> Fields:
    """Split a message into its fields.

    Raises:
        ValueError: not a protobuf message.
    """
    found: Fields = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        value: int | bytes
        if kind == _VARINT:
            value, at = _varint(data, at)
        elif kind in {_FIXED_64, _BYTES, _FIXED_32}:
            size, at = _varint(data, at) if kind == _BYTES else (8 if kind == _FIXED_64 else 4, at)
            if at + size > len(data):
                raise ValueError("a field is longer than its message")
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"wire type {kind} is unknown")
        found.setdefault(key >> 3, []).append(value)
    return found


def submessages(fields: Fields, number: int) -> Iterator[bytes]:
    """The values of a field that holds messages or bytes."""
    return (value for value in fields.get(number, []) if isinstance(value, bytes))


def text(fields: Fields, number: int) -> str:
    """The value of a field that holds text; empty if it is not there."""
    return b"".join(submessages(fields, number)).decode("utf-8", "replace")


def integer(fields: Fields, number: int) -> int:
    """The value of a field that holds a whole number that is not negative; 0 if it is not there."""
    value = fields.get(number, [0])[-1]
    return value if isinstance(value, int) else 0


def encode(number: int, value: int | bytes) -> bytes:
    """One field; 0 and empty are what an absent field means, and are left out."""
    if not value:
        return b""
    if isinstance(value, int):
        return varint(number << 3 | _VARINT) + varint(value)
    return varint(number << 3 | _BYTES) + varint(len(value)) + value


def varint(value: int) -> bytes:
    """A whole number that is not negative, seven bits to the byte."""
    out = bytearray()
    while value >= _MORE:
        out.append(value & 0x7F | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < _MORE:
            return value, at
    raise ValueError("a number is cut off")
