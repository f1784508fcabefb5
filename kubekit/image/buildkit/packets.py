"""The packets by which BuildKit and its client compare and copy a tree of files. Pure.

`Packet` and `Stat` of github.com/tonistiigi/fsutil/types; the client tells what there is (STAT, in
order, the number of each is its ID), BuildKit asks for the content it does not have (REQ), gets it
(DATA, an empty one ends a file), and says when it has all (FIN).
"""

from __future__ import annotations

import enum
import os
import stat
from dataclasses import dataclass

from kubekit.image.buildkit import protobuf
from kubekit.image.buildkit.calls import frame
from kubekit.image.files import context
from kubekit.model import ContextFile


class Kind(enum.IntEnum):
    """What a packet is."""

    STAT = 0
    REQ = 1
    DATA = 2
    FIN = 3
    ERR = 4


# Modes are those of Go's os.FileMode.
_FOLDER, _LINK, _SETUID, _SETGID, _STICKY = (1 << bit for bit in (31, 27, 23, 22, 20))
_SPECIAL = ((stat.S_ISUID, _SETUID), (stat.S_ISGID, _SETGID), (stat.S_ISVTX, _STICKY))


@dataclass(frozen=True, kw_only=True)
class Packet:
    """A packet as it arrives."""

    kind: int
    id: int
    data: bytes


def read(message: bytes) -> Packet:
    """Decode a packet.

    Raises:
        ValueError: it is none.
    """
    fields = protobuf.decode(message)
    return Packet(
        kind=protobuf.integer(fields, 1),
        id=protobuf.integer(fields, 3),
        data=b"".join(protobuf.submessages(fields, 4)),
    )


def entry(file: ContextFile, fingerprint: str, path: str) -> bytes:
    """A framed STAT: what is at `path`, owned by root, with a time that follows from its content.

    BuildKit asks for the content only if some of this differs from what it has. Of a folder it
    compares no time, and sets it only when it makes the folder (`sameFile` and `HandleChange` of
    fsutil): one in which a file changes later has the time of that transfer, whatever is told.
    """
    kind, _, rest = fingerprint.partition(":")
    link = os.fsencode(rest) if kind == "link" else b""
    fields = (
        protobuf.encode(1, os.fsencode(path)),
        protobuf.encode(2, mode(file.mode)),
        protobuf.encode(5, len(link) or file.size),
        protobuf.encode(6, context.modified(fingerprint)),
        protobuf.encode(7, link),
    )
    return frame(protobuf.encode(2, b"".join(fields)))


def mode(st_mode: int) -> int:
    """The `os.FileMode` of a file, folder or link."""
    if stat.S_ISLNK(st_mode):
        return _LINK | 0o777
    value = st_mode & 0o777
    for bit, flag in _SPECIAL:
        if st_mode & bit:
            value |= flag
    return value | _FOLDER if stat.S_ISDIR(st_mode) else value


END_OF_ENTRIES = frame(b"")
"""A framed STAT of nothing: there is no more."""

FINISHED = frame(protobuf.encode(1, Kind.FIN))
"""A framed FIN."""


def data(id_: int, block: bytes) -> bytes:
    """A framed DATA: a part of the content, or nothing at its end."""
    return frame(
        protobuf.encode(1, Kind.DATA) + protobuf.encode(3, id_) + protobuf.encode(4, block)
    )
