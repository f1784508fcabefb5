"""BuildKit's own account of a build, as the Engine API passes it on.

Each message with the id ``moby.buildkit.trace`` carries a protobuf `StatusResponse` of
`moby.buildkit.v1` (api/services/control/control.proto in moby/buildkit). Six of its fields matter
here, too few for a protobuf library.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubekit.image.buildkit import protobuf
from kubekit.image.buildkit.protobuf import Fields


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
    fields = protobuf.decode(message)
    vertexes = tuple(_vertex(protobuf.decode(v)) for v in protobuf.submessages(fields, 1))
    logs = tuple(_log(protobuf.decode(log)) for log in protobuf.submessages(fields, 3))
    return vertexes, logs


def _vertex(fields: Fields) -> Vertex:
    return Vertex(
        digest=protobuf.text(fields, 1),
        name=protobuf.text(fields, 3),
        cached=bool(protobuf.integer(fields, 4)),
        started=_time(fields, 5),
        completed=_time(fields, 6),
        error=protobuf.text(fields, 7),
    )


def _log(fields: Fields) -> VertexLog:
    return VertexLog(
        digest=protobuf.text(fields, 1), data=b"".join(protobuf.submessages(fields, 4))
    )


def _time(fields: Fields, number: int) -> float | None:
    for data in protobuf.submessages(fields, number):
        stamp = protobuf.decode(data)
        return protobuf.integer(stamp, 1) + protobuf.integer(stamp, 2) / 1e9
    return None
