"""The frames of SPDY/3.1 as they are read and written."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.streams import spdy

PARTS = st.lists(st.tuples(st.sampled_from([1, 3, 7]), st.binary(max_size=300), st.booleans()))


def frames(wire: bytes, cuts: list[int]) -> list[spdy.Frame]:
    """What a reader makes of bytes that come in pieces."""
    found: list[spdy.Frame] = []
    reader, at = spdy.Reader(), 0
    for cut in [*sorted(cut % (len(wire) + 1) for cut in cuts), len(wire)]:
        found += reader.feed(wire[at:cut])
        at = cut
    return found


@given(parts=PARTS, cuts=st.lists(st.integers(min_value=0), max_size=8))
def test_data_arrives_whole_in_order_and_with_its_end_however_it_is_cut(
    parts: list[tuple[int, bytes, bool]], cuts: list[int]
) -> None:
    wire = b"".join(spdy.data(stream, payload, fin=fin) for stream, payload, fin in parts)
    found = frames(wire, cuts)
    assert {frame.kind for frame in found} <= {spdy.DATA}
    for stream in (1, 3, 7):
        mine = [frame for frame in found if frame.stream == stream]
        sent = b"".join(payload for one, payload, _ in parts if one == stream)
        assert b"".join(frame.data for frame in mine) == sent
        ends = sum(fin for one, _, fin in parts if one == stream)
        assert sum(frame.fin for frame in mine) == ends


@given(cuts=st.lists(st.integers(min_value=0), max_size=8))
def test_control_frames_are_told_only_when_they_are_whole(cuts: list[int]) -> None:
    reply = struct.pack(">HHIIB", 0x8003, spdy.SYN_REPLY, 5, 9, 0)
    wire = reply + spdy.data(9, b"hello", fin=True) + spdy.pong(2)
    found = [frame for frame in frames(wire, cuts) if frame.kind != spdy.DATA]
    assert found == [
        spdy.Frame(spdy.SYN_REPLY, 9, b"\0", fin=False),
        spdy.Frame(spdy.PING, 2, b"", fin=False),
    ]


@pytest.mark.parametrize("wire", [b"\xc8TTP/1.1", b"\x80\2\0\1\0\0\0\0", b"\x80\3\0\1\0\xff\0\0"])
def test_what_is_no_frame_is_refused(wire: bytes) -> None:
    with pytest.raises(spdy.ProtocolError):
        list(spdy.Reader().feed(wire))


def test_headers_are_compressed_in_one_go_over_all_streams() -> None:
    writer = spdy.Writer()
    sent = [{"streamtype": "error", "port": "80"}, {"streamtype": "data", "port": "80"}]
    inflate = zlib.decompressobj()
    for number, headers in enumerate(sent):
        wire = writer.syn_stream(2 * number + 1, headers)
        assert struct.unpack_from(">HHII", wire) == (0x8003, 1, len(wire) - 8, 2 * number + 1)
        assert read_block(inflate.decompress(wire[18:])) == headers


def read_block(block: bytes) -> dict[str, str]:
    """Names and values as the protocol has them: a count, then each text after its length."""
    texts, at = [], 4
    while at < len(block):
        end = at + 4 + int.from_bytes(block[at : at + 4])
        texts.append(block[at + 4 : end].decode())
        at = end
    assert int.from_bytes(block[:4]) * 2 == len(texts)
    return dict(zip(texts[::2], texts[1::2], strict=True))
