"""What the status line says, and what it leaves out where there is little room."""

from __future__ import annotations

import dataclasses

import pytest

from kubekit.events import (
    Event,
    FilesChanged,
    Listening,
    Progress,
    Reported,
    StageStarted,
    Synced,
    Watching,
)
from kubekit.lines import Signs, cells
from kubekit.statusline import KEYS, Status, after, row

URL = "http://127.0.0.1:8000"
SIGNS = Signs(ok="✓", bad="✗", here="●", more="…")
SAVED = FilesChanged(action="sync", text="app/main.py changed: syncing", files=("app/main.py",))
SYNCED = Synced(text="live in 0.12 s", seconds=0.12, files=2, size=9, mode="warm")
LIVE = Watching(text="2 pods", well=True, url=URL)
WAITS = Watching(text="waiting: 0 of 2 pods", well=False, url=URL, waits=True)
REBUILD = FilesChanged(action="rebuild", text="", files=("a.txt",))
FAILED = Reported(id="x", exit_code=4, message="it broke")


def status(*events: Event, start: Status | None = None) -> Status:
    found = start or Status()
    for event in events:
        found = after(found, event)
    return found


def text(found: Status, width: int = 200) -> str:
    return "".join(piece for piece, _ in row(found, width, SIGNS))


@pytest.mark.parametrize(
    ("events", "shown"),
    [
        ((), "● starting"),
        ((Listening(url=URL, text=""),), f"● starting  {URL}"),
        ((SAVED, SYNCED), "● starting  app/main.py synced in 0.12 s"),
        ((SAVED, FAILED), "● starting"),
        ((SAVED, SYNCED, LIVE), f"● live  {URL}   2 pods   app/main.py synced in 0.12 s"),
        ((LIVE,), f"● live  {URL}   2 pods"),
        ((LIVE, SAVED), f"● syncing  {URL}   2 pods"),
        ((LIVE, SAVED, SYNCED), f"● live  {URL}   2 pods   app/main.py synced in 0.12 s"),
        ((LIVE, SAVED, SYNCED, LIVE), f"● live  {URL}   2 pods   app/main.py synced in 0.12 s"),
        ((LIVE, SYNCED), f"● live  {URL}   2 pods   all files synced in 0.12 s"),
        ((LIVE, REBUILD, SAVED), f"● rebuilding  {URL}   2 pods"),
        (
            (LIVE, REBUILD, SAVED, SYNCED),
            f"● rebuilding  {URL}   2 pods   app/main.py synced in 0.12 s",
        ),
        ((LIVE, REBUILD, SAVED, FAILED), f"● rebuilding  {URL}   2 pods"),
        ((LIVE, REBUILD, LIVE), f"● live  {URL}   2 pods"),
        ((LIVE, SAVED, FAILED), f"✗ failed: x  {URL}   waiting for a save"),
        ((LIVE, SYNCED, WAITS), f"● waiting: 0 of 2 pods  {URL}   all files synced in 0.12 s"),
        ((LIVE, WAITS, LIVE), f"● live  {URL}   2 pods"),
        ((LIVE, FAILED, Watching(text="old code runs", well=False)), f"✗ old code runs  {URL}"),
        ((LIVE, SAVED, SYNCED, StageStarted(stage="teardown", text="")), "● tearing down"),
    ],
)
def test_what_it_says(events: tuple[Event, ...], shown: str) -> None:
    assert text(status(*events)) == shown


@pytest.mark.parametrize(
    "event",
    [FilesChanged(action="", text="notes.md: nothing to do"), Progress(stage="rollout", text="x")],
)
def test_what_it_does_not_tell(event: Event) -> None:
    assert status(LIVE, event) == status(LIVE)


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (("a.py",), "a.py"),
        (("a.py", "b.py"), "2 files"),
        ((f"app/{'deep/' * 9}x.py",), "x.py"),
    ],
)
def test_files_are_named_in_short(files: tuple[str, ...], named: str) -> None:
    saved = FilesChanged(action="sync", text="", files=files)
    assert status(saved, SYNCED).last == f"{named} synced in 0.12 s"


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (
            120,
            f"● live  {URL}   2 pods   app/main.py synced in 0.12 s   {KEYS}",
        ),
        (80, f"● live  {URL}   2 pods   app/main.py synced in 0.12 s   ? keys"),
        (60, f"● live  {URL}   2 pods   ? keys"),
        (40, f"● live  {URL}   ? keys"),
        (35, f"● live  {URL}"),
        (20, "● live"),
        (6, "● li…"),
    ],
)
def test_what_matters_least_goes_first(width: int, shown: str) -> None:
    found = status(LIVE, SAVED, SYNCED, start=Status(keys=True))
    assert text(found, width) == shown


def test_that_the_log_is_off_is_still_said_at_40_columns() -> None:
    muted = dataclasses.replace(status(LIVE), keys=True, muted=True)
    assert text(muted, 40) == f"● live  {URL}   log off"


@pytest.mark.parametrize("width", range(1, 130))
def test_it_always_fits(width: int) -> None:
    broken = Watching(text="main.py\x1b[2J:12: 语法错误 SyntaxError", well=False, url=URL)
    for found in (status(LIVE, SAVED, SYNCED, start=Status(keys=True)), status(broken)):
        shown = text(found, width)
        assert cells(shown) < max(width, 2)
        assert "\x1b" not in shown
