"""One call of the daemon, as what answers it sees it: whole messages in, whole messages out. Pure.

BuildKit calls by gRPC: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

Metadata = Mapping[str, Sequence[str]]
"""The headers of a call, each with all its values."""

_PREFIX = struct.Struct(">BI")


class Code(enum.IntEnum):
    """The endings of a call that are used here."""

    OK = 0
    UNKNOWN = 2
    NOT_FOUND = 5
    UNIMPLEMENTED = 12


class RefusedError(Exception):
    """A call ends without its answer, and the daemon is told why."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Call(Protocol):
    """One call. Every method may raise RefusedError, or a KubekitError, which ends the build."""

    def take(self, message: bytes) -> None:
        """Take one message of the daemon."""

    def give(self) -> bytes | None:
        """The next framed messages to send; None when there are none before the daemon says more.

        Asked again and again, but no faster than the daemon takes what it gets.
        """

    def ended(self) -> bool:
        """Whether nothing more will be given, ever."""


Method = Callable[[Metadata], Call]
"""What the daemon may call: starts one call."""


class Unary:
    """A call with one question and one answer."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._answers: list[bytes] = []
        self._ended = False

    def take(self, message: bytes) -> None:
        """See Call."""
        self._answers.append(frame(self._answer(message)))

    def give(self) -> bytes | None:
        """See Call."""
        if not self._answers:
            return None
        self._ended = True
        return self._answers.pop()

    def ended(self) -> bool:
        """See Call."""
        return self._ended


def unary(answer: Callable[[bytes], bytes]) -> Method:
    """A method with one question and one answer, from a function of the question."""
    return lambda _: Unary(answer)


def frame(message: bytes) -> bytes:
    """A message as gRPC sends it: uncompressed, its length, itself."""
    return _PREFIX.pack(0, len(message)) + message


class Unframing:
    """Finds the messages in what arrives in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def add(self, data: bytes) -> list[bytes]:
        """The messages that are whole now.

        Raises:
            ValueError: a message is compressed, which nobody offered.
        """
        rest, at, messages = self._rest + data, 0, []
        while len(rest) - at >= _PREFIX.size:
            compressed, size = _PREFIX.unpack_from(rest, at)
            if compressed:
                raise ValueError("a message is compressed")
            end = at + _PREFIX.size + size
            if end > len(rest):
                break
            messages.append(rest[at + _PREFIX.size : end])
            at = end
        self._rest = rest[at:]
        return messages
