"""The frames of SPDY/3.1, as far as forwarding ports needs them. Pure.

SPDY is what the API server and the kubelet speak under the websockets, too, and in every version:
unlike `v4.channel.k8s.io` it passes the end of one direction on, and one connection serves one
stream after the other.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

SYN_STREAM = 1
SYN_REPLY = 2
RST_STREAM = 3
PING = 6
GOAWAY = 7
DATA = 0
"""No control frame: what a stream carries. The other numbers are those of the protocol."""

_CONTROL = 0x80000000
_VERSION = 0x80030000
_FIN = 0x01
_LENGTH = 0xFFFFFF
_HEAD = struct.Struct(">II")
_STREAM = struct.Struct(">I")
_CONTROL_BYTES = 1 << 16


class ProtocolError(Exception):
    """The other side does not speak SPDY/3.1."""


class Frame(NamedTuple):
    """One frame, or a part of a data frame.

    Attributes:
        kind: `DATA`, or the type of a control frame.
        stream: which stream it is about; of a ping its number.
        data: what it carries; of control frames without the stream's number.
        fin: whether it is the last of its stream in this direction.
    """

    kind: int
    stream: int
    data: bytes
    fin: bool


class Reader:
    """Bytes as they come in, made into frames.

    Headers that were sent are left compressed: nothing in them is needed.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._stream = 0
        self._left = 0
        self._fin = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete, and as much of a data frame as there is.

        Raises:
            ProtocolError: it is no frame of SPDY/3.1, or a control frame of unlikely length.
        """
        self._buffer += data
        while self._buffer:
            if self._left:
                yield self._part()
                continue
            if len(self._buffer) < _HEAD.size:
                return
            word, rest = _HEAD.unpack_from(self._buffer)
            if word & _CONTROL:
                length = rest & _LENGTH
                if word & 0xFFFF0000 != _VERSION or length > _CONTROL_BYTES:
                    raise ProtocolError(f"no frame of SPDY/3.1: {word:#010x} {rest:#010x}")
                if len(self._buffer) < _HEAD.size + length:
                    return
                yield self._control(word & 0xFFFF, length, fin=bool(rest >> 24 & _FIN))
            else:
                del self._buffer[: _HEAD.size]
                self._stream, self._left = word, rest & _LENGTH
                self._fin = bool(rest >> 24 & _FIN)
                if not self._left:
                    yield Frame(DATA, word, b"", self._fin)

    def _part(self) -> Frame:
        data = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        self._left -= len(data)
        return Frame(DATA, self._stream, data, self._fin and not self._left)

    def _control(self, kind: int, length: int, *, fin: bool) -> Frame:
        body = bytes(self._buffer[_HEAD.size : _HEAD.size + length])
        del self._buffer[: _HEAD.size + length]
        stream = _STREAM.unpack_from(body)[0] if length >= _STREAM.size else 0
        return Frame(kind, stream, body[_STREAM.size :], fin)


class Writer:
    """Frames made into bytes; one for each connection, since headers are compressed in one go.

    The compression goes without the protocol's dictionary: a reader uses it only if asked to.
    """

    def __init__(self) -> None:
        self._compress = zlib.compressobj()

    def syn_stream(self, stream: int, headers: Mapping[str, str]) -> bytes:
        """Open a stream; clients give odd numbers, names of headers are in lower case."""
        block = _STREAM.pack(len(headers))
        for pair in headers.items():
            for text in pair:
                block += _STREAM.pack(len(text)) + text.encode()
        packed = self._compress.compress(block) + self._compress.flush(zlib.Z_SYNC_FLUSH)
        body = struct.pack(">IIH", stream, 0, 0) + packed
        return _HEAD.pack(_VERSION | SYN_STREAM, len(body)) + body


def data(stream: int, payload: bytes, *, fin: bool = False) -> bytes:
    """What a stream carries, at most 16 MiB of it, and whether that was the last."""
    return _HEAD.pack(stream, (_FIN << 24 if fin else 0) | len(payload)) + payload


def pong(number: int) -> bytes:
    """The answer to a ping."""
    return _HEAD.pack(_VERSION | PING, _STREAM.size) + _STREAM.pack(number)
