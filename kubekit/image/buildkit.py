"""BuildKit's own account of a build, as the Engine API passes it on.

Each message with the id ``moby.buildkit.trace`` carries a protobuf `StatusResponse` of
`moby.buildkit.v1` (api/services/control/control.proto in moby/buildkit). Six of its fields matter
here, too few for a protobuf library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Fields = dict[int, list["int | bytes"]]
"""A decoded message: field number -> its values, integers or bytes, in order."""


@dataclass(frozen=True, kw_only=True)
class Vertex:
    """The state of one step; times are seconds since the epoch, None until they are known."""

    digest: str
    name: str
    cached: bool
    started: float | None
    completed: float | None
    error: str


@dataclass(frozen=True, kw_only=True)
class VertexLog:
    """Bytes one step printed; lines may be cut anywhere."""

    digest: str
    data: bytes


def decode(message: bytes) -> tuple[tuple[Vertex, ...], tuple[VertexLog, ...]]:
    """Decode one trace message into steps and output.

    Raises:
        ValueError: not a protobuf message.
    """
    fields = _fields(message)
    vertexes = tuple(_vertex(_fields(data)) for data in _messages(fields, 1))
    logs = tuple(_log(_fields(data)) for data in _messages(fields, 3))
    return vertexes, logs


def _vertex(fields: Fields) -> Vertex:
    return Vertex(
        digest=_text(fields, 1),
        name=_text(fields, 3),
        cached=bool(fields.get(4, [0])[-1]),
        started=_time(fields, 5),
        completed=_time(fields, 6),
        error=_text(fields, 7),
    )


def _log(fields: Fields) -> VertexLog:
    return VertexLog(digest=_text(fields, 1), data=b"".join(_messages(fields, 4)))


def _messages(fields: Fields, number: int) -> Iterator[bytes]:
    return (value for value in fields.get(number, []) if isinstance(value, bytes))


def _text(fields: Fields, number: int) -> str:
    return b"".join(_messages(fields, number)).decode("utf-8", "replace")


def _time(fields: Fields, number: int) -> float | None:
    for data in _messages(fields, number):
        stamp = _fields(data)
        seconds, nanos = stamp.get(1, [0])[-1], stamp.get(2, [0])[-1]
        if isinstance(seconds, int) and isinstance(nanos, int):
            return seconds + nanos / 1e9
    return None


def _fields(data: bytes) -> Fields:
    """Split a message by the wire format: a varint of number and type, then the value."""
    found: Fields = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        value: int | bytes
        if kind == 0:
            value, at = _varint(data, at)
        elif kind in {1, 2, 5}:
            size, at = _varint(data, at) if kind == 2 else (8 if kind == 1 else 4, at)  # noqa: PLR2004 - wire types
            if at + size > len(data):
                raise ValueError("a field is longer than its message")
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"wire type {kind} is unknown")
        found.setdefault(key >> 3, []).append(value)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:  # noqa: PLR2004 - the top bit says that more follows
            return value, at
    raise ValueError("a number is cut off")
