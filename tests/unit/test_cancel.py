"""What waits for a cancel is told of it, whoever else fails."""

from __future__ import annotations

import pytest

from kubekit.model import Cancel


def test_every_callback_is_called_whatever_one_raises() -> None:
    cancel, called = Cancel(), []

    def broken() -> None:
        called.append("broken")
        raise OSError("it was closed already")

    cancel.on_set(lambda: called.append("first"))
    cancel.on_set(broken)
    cancel.on_set(lambda: called.append("last"))
    with pytest.raises(OSError, match="closed already"):
        cancel.set()
    assert called == ["first", "broken", "last"]
    cancel.set()
    assert called == ["first", "broken", "last"]
