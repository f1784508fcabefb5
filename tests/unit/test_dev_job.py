"""A release of `dev`: what it does by itself before it tells that it failed."""

from __future__ import annotations

import queue
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kubekit.api.feed import Feed
from kubekit.dev import job as jobs
from kubekit.dev.job import Ended, Job
from kubekit.errors import FilesError, KubekitError
from kubekit.session import Run

CHANGED = FilesError("`src/a.py` changed while it was sent", id="context-changed")
OTHER = FilesError("`src` is not a folder", id="context-missing")


@pytest.mark.parametrize(
    ("met", "ends"),
    [
        ([], None),
        ([CHANGED] * 3, None),
        ([CHANGED] * 4, CHANGED),
        ([OTHER], OTHER),
    ],
)
def test_files_that_change_while_they_are_sent_are_sent_anew(
    met: list[KubekitError], ends: KubekitError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = list(met)

    def release(*_: object, **__: object) -> Any:
        if left:
            raise left.pop(0)
        return SimpleNamespace(built=None)

    manifests = SimpleNamespace(secret_values=frozenset())
    nothing: Any = SimpleNamespace(image=None, manifests=manifests)
    monkeypatch.setattr(jobs, "check_tolerated", lambda _: None)
    monkeypatch.setattr(jobs, "prepare", lambda *_, **__: nothing)
    monkeypatch.setattr(jobs, "release", release)
    told: list[object] = []
    ended: queue.SimpleQueue[object] = queue.SimpleQueue()
    job = Job(
        SimpleNamespace(file=Path("x")),  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        SimpleNamespace(until=lambda _: None),  # type: ignore[arg-type]
        Run(emit=told.append),
        built=None,
        config=None,
        syncs=True,
        deliver=ended.put,
        hide=lambda _: None,
        feed=Feed(None, "x"),  # type: ignore[arg-type]
    )
    assert ended.get(timeout=90) == Ended(job=job, error=ends)
    assert len(told) == min(len(met), 3) * (ends is not OTHER)
    assert not left
