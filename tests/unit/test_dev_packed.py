"""Texts by path in little memory: whatever is done to them, they are what a dict would hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.dev import packed
from kubekit.dev.packed import Packed

# All on few shelves, so that they meet.
WORDS = st.text(alphabet="ab/\n\udce9é", min_size=1, max_size=3)
TEXTS = st.dictionaries(WORDS, WORDS, max_size=12)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_SHELVES", 2)


@given(TEXTS, TEXTS, st.sets(WORDS))
def test_it_holds_what_a_dict_would(
    first: dict[str, str], new: dict[str, str], gone: set[str]
) -> None:
    before = Packed(first.items())
    after = before.patched(gone, new)
    left = {path: text for path, text in first.items() if path not in gone} | new
    for found, meant in ((before, first), (after, left)):
        assert dict(found.items()) == meant
        assert (len(found), set(found)) == (len(meant), set(meant))
        for path in {*meant, *gone, *first}:
            assert found.get(path) == meant.get(path)
    assert after.differing(before) == {path for path, _ in first.items() ^ left.items()}


@given(TEXTS, TEXTS)
def test_what_is_shared_is_the_same(first: dict[str, str], second: dict[str, str]) -> None:
    before = Packed(first.items())
    assert dict(Packed(second.items()).sharing(before)) == second
    assert dict(before) == first
    again = Packed(reversed(first.items()))
    assert not again.differing(before)
    assert not again.sharing(before).differing(before)
