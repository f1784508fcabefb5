"""The status line of `dev`: how it stands, told from the events, and fitted into a width. Pure."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from kubekit.events import Event, FilesChanged, Listening, Reported, StageStarted, Synced, Watching
from kubekit.lines import Signs, cells, clean, fitted

KEYS = "r rebuild  s re-sync  l logs  o open  q quit"
HELP = (
    ("r", "build the image again and roll it out"),
    ("s", "bring all files to the pods again"),
    ("l", "the log off, and on again"),
    ("o", "open the app in a browser"),
    ("q", "quit, as Ctrl-C does"),
)
"""What each key does."""

_SHORT_KEYS = "? keys"
_STYLES = {"live": "green", "busy": "yellow", "bad": "bold red"}
_DOING = {"sync": "syncing", "rebuild": "rebuilding", "apply": "applying"}
_STARTING = "starting"
_RELEASING = (_STARTING, "rebuilding", "applying")
"""States that only a release ends, whatever is synced meanwhile."""
_GAP = "   "
_LONG_PATH = 30


@dataclasses.dataclass(frozen=True, kw_only=True)
class Status:
    """How `dev` stands.

    Attributes:
        mood: whether the app runs with the last save, or something is being done about it.
        state: that in words.
        url: where the app answers; None where no port is forwarded, or not yet.
        more: such as how many pods.
        files: that were saved last, in short.
        last: what was done about them.
        keys: whether keys are read.
        muted: whether the log is off.
    """

    mood: Literal["live", "busy", "bad"] = "busy"
    state: str = _STARTING
    url: str | None = None
    more: str = ""
    files: str = ""
    last: str = ""
    keys: bool = False
    muted: bool = False


def after(status: Status, event: Event) -> Status:
    """The status once this has happened."""
    releasing = status.state in _RELEASING
    new: dict[str, Any] = {}
    match event:
        case Listening(url=url):
            new = {"url": url}
        case FilesChanged(action="sync", files=files) if releasing:
            new = {"files": _named(files), "last": ""}
        case FilesChanged(action=action, files=files) if action in _DOING:
            new = {"mood": "busy", "state": _DOING[action], "files": _named(files), "last": ""}
        case Synced(seconds=seconds):
            last = f"{status.files or 'all files'} synced in {seconds:.2f} s"
            new = {"last": last} if releasing else {"mood": "live", "state": "live", "last": last}
        case Reported(id=cause) if not releasing:
            more = "waiting for a save"
            new = {"mood": "bad", "state": f"failed: {cause}", "more": more, "last": ""}
        case Watching(well=True, text=text, url=url):
            new = {"mood": "live", "state": "live", "more": text, "url": url or status.url}
        case Watching(waits=True, text=text, url=url):
            new = {"mood": "busy", "state": text, "more": "", "url": url or status.url}
        case Watching(text=text, url=url):
            new = {"mood": "bad", "state": text, "more": "", "last": "", "url": url or status.url}
        case StageStarted(stage="teardown"):
            return Status(state="tearing down")
        case _:
            return status
    return dataclasses.replace(status, **new)


def row(status: Status, width: int, signs: Signs) -> list[tuple[str, str]]:
    """The status in one row: pieces of text with their styles; what matters least goes first.

    The state is whole as long as it fits by itself; the last column stays free.
    """
    sign = signs.bad if status.mood == "bad" else signs.here
    state = (f"{sign} {clean(status.state)}", _STYLES[status.mood])
    url = (status.url or "", "bold" if status.mood == "live" else "")
    muted = ("log off" if status.muted else "", "yellow")
    more = (clean(status.more), "")
    last = (clean(status.last), "dim")
    keys, short = (KEYS * status.keys, "dim"), (_SHORT_KEYS * status.keys, "dim")
    for pieces in (
        (state, url, muted, more, last, keys),
        (state, url, muted, more, last, short),
        (state, url, muted, more, short),
        (state, url, muted, short),
        (state, url, muted),
        (state, url),
        (state,),
    ):
        joined = _joined(pieces)
        if sum(cells(text) for text, _ in joined) < width:
            return joined
    return [(fitted(state[0], width - 1, signs), state[1])]


def _joined(pieces: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    found = [piece for piece in pieces if piece[0]]
    return [
        part
        for number, piece in enumerate(found)
        for part in ([(_GAP if number > 1 else "  ", "")] if number else []) + [piece]
    ]


def _named(files: tuple[str, ...]) -> str:
    if len(files) != 1:
        return f"{len(files)} files" if files else ""
    return files[0] if len(files[0]) <= _LONG_PATH else files[0].rpartition("/")[2]
