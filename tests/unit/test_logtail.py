"""What is told of a log that cannot be had."""

from __future__ import annotations

from typing import Any

import pytest

from kubekit.errors import KubekitError
from kubekit.streams.logtail import Runs, Source, Tail

SOURCE = Source(namespace="here", pod="web", uid="1", container="app")


class Broken:
    """Fails in a way that nobody expects."""

    source = SOURCE

    def read(self, **_: bool) -> None:
        raise LookupError("a defect")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_in_reading_a_log_is_told() -> None:
    told: list[tuple[Source, KubekitError]] = []
    reader: Any = Broken()
    tail = Tail(
        reader, deliver=lambda _: True, trouble=lambda source, error: told.append((source, error))
    )
    tail.start(Runs(present="first"))
    tail.join(30)
    ((source, error),) = told
    assert (source, error.message) == (SOURCE, "LookupError: a defect")
