"""The wire format of protobuf: what is written is read back, and rubbish is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.image.buildkit import protobuf


@given(
    st.dictionaries(
        st.integers(1, 2000),
        st.one_of(st.integers(1, 2**63), st.binary(min_size=1, max_size=300)),
        max_size=6,
    )
)
def test_what_is_written_is_read_back(fields: dict[int, int | bytes]) -> None:
    message = b"".join(protobuf.encode(number, value) for number, value in fields.items())
    assert protobuf.decode(message) == {number: [value] for number, value in fields.items()}


def test_the_known_bytes() -> None:
    # The examples of https://protobuf.dev/programming-guides/encoding/
    assert protobuf.encode(1, 150) == b"\x08\x96\x01"
    assert protobuf.encode(2, b"testing") == b"\x12\x07testing"


def test_nothing_is_an_absent_field() -> None:
    assert protobuf.encode(1, 0) == protobuf.encode(2, b"") == b""
    assert protobuf.integer({}, 1) == 0
    assert protobuf.text({}, 1) == ""


@pytest.mark.parametrize("message", [b"\x08", b"\x12\x07test", b"\x0b", b"\x09\x00", b"\x80"])
def test_rubbish(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|longer than|unknown"):
        protobuf.decode(message)
