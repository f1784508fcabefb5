"""Which files were touched, told by the system; what is ignored costs nothing.

watchdog's observer sleeps until the system tells it something. watchfiles, quicker in a burst, asks
every few milliseconds: 0.5 % of a core at the 10 ms it needs to be as quick as this.
"""

from __future__ import annotations

import contextlib
import errno
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kubekit.dev.tree import is_noise
from kubekit.events import Emit, Warned

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers.api import BaseObserver

_QUIET_SECONDS = 0.01
"""After so long without another touch, what came is delivered: an editor's save is several."""
_BURST_SECONDS = 0.5
"""What goes on for longer, such as a `git checkout`, is delivered in parts."""
_MANY = 1000
"""Of more touches than this some may be missing: the system's queue overflows without a word."""
_POLL_SECONDS = 1.0
_TRIES = 5
_LIMITS = {errno.ENOSPC: "max_user_watches=524288", errno.EMFILE: "max_user_instances=1024"}

Roots = Mapping[Path, bool]
"""Folder -> whether all below it is watched too."""


class _Touch(NamedTuple):
    path: str
    is_folder: bool


_LOOK = _Touch("", is_folder=False)


class Watch:
    """Watches folders until it is closed, and delivers the paths touched in them.

    More may be delivered than was touched, and a folder stands for all below it: it came as a
    whole, or some touches in it may be missing.
    """

    def __init__(self, deliver: Callable[[frozenset[Path]], None], *, emit: Emit) -> None:
        self._deliver = deliver
        self._emit = emit
        self._touched: queue.SimpleQueue[_Touch | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._roots: Roots = {}
        self._watched: Roots = {}
        self._polls = False
        self._observer = _observer()
        self._retired: BaseObserver | None = None
        self._thread = threading.Thread(target=self._collect, name="watch", daemon=True)
        self._thread.start()

    def on(self, roots: Roots) -> None:
        """Watch these folders from now on, and no others; one that is not there, once it is."""
        with self._lock:
            self._roots = dict(roots)
            if _there(self._roots) != self._watched:
                self._renew()
        self._touched.put(_LOOK)

    def close(self) -> None:
        """Watch no more."""
        self._touched.put(None)
        self._thread.join()
        self._retire()
        _end(self._observer)

    def _renew(self) -> None:
        """Watch anew what is there now; what the observer of before has yet to tell is taken."""
        try:
            observer, watched = self._observing()
        except OSError as error:
            self._polls = True
            self._emit(_unwatched(error))
            observer, watched = self._observing()
        self._retire()
        self._retired, self._observer, self._watched = self._observer, observer, watched

    def _retire(self) -> None:
        if self._retired is not None:
            _end(self._retired)
            self._retired = None

    def _observing(self) -> tuple[BaseObserver, Roots]:
        from watchdog.observers.polling import PollingObserver

        observer = PollingObserver(timeout=_POLL_SECONDS) if self._polls else _observer()
        handler = _handler(self._touched.put)
        observer.start()
        try:
            there = _there(self._roots).items()
            return observer, {
                root: deep for root, deep in there if _schedule(observer, handler, root, deep=deep)
            }
        except BaseException:
            _end(observer)
            raise

    def _collect(self) -> None:
        while True:
            try:
                first = self._touched.get(timeout=self._patience())
            except queue.Empty:
                paths = self._look()
            else:
                touched = self._burst(first)
                if touched is None:
                    return
                paths = self._taken(touched)
            if paths:
                self._deliver(frozenset(paths))

    def _patience(self) -> float | None:
        """How long to wait for a touch, in seconds; None while there is nothing to look after."""
        with self._lock:
            whole = all(_holder(root, self._watched) for root in self._roots)
            return None if whole and self._retired is None else _POLL_SECONDS

    def _look(self) -> set[Path]:
        """See to folders that were missing, after a time without any touch; those that came."""
        with self._lock:
            self._retire()
            before = self._watched
            if _there(self._roots) != before:
                self._renew()
            return {root for root in self._watched if root not in before}

    def _burst(self, first: _Touch | None) -> set[_Touch] | None:
        """What is touched in one go; None at the end."""
        touched: set[_Touch] = set()
        end = time.monotonic() + _BURST_SECONDS
        with contextlib.suppress(queue.Empty):
            while first is not None and time.monotonic() < end:
                touched.add(first)
                first = self._touched.get(timeout=_QUIET_SECONDS)
        if first is None:
            return None
        return touched | {first}

    def _taken(self, touched: set[_Touch]) -> set[Path]:
        """What to deliver; where some of it may not be watched, that begins anew before."""
        with self._lock:
            holders = {Path(one.path): _holder(Path(one.path), self._roots) for one in touched}
            paths = {path for path, holder in holders.items() if holder}
            leading = {path for root in self._roots for path in (root, *root.parents)}
            folders = {Path(one.path) for one in touched if one.is_folder}
            # What leads to a root may also be a link that leads elsewhere now.
            folders |= leading.intersection(holders)
            stale = {path for folder in folders for path in self._unwatched_below(folder)}
            if len(touched) > _MANY:
                hit = {holder: self._roots[holder] for holder in holders.values() if holder}
                stale |= {root for root in self._roots if _holder(root, hit)}
            if stale:
                self._renew()
            return paths | stale

    def _unwatched_below(self, folder: Path) -> set[Path]:
        """Which folders are not, or not wholly, watched now that this one has come or gone."""
        roots = {root for root in self._roots if root.is_relative_to(folder)}
        if roots or self._polls:
            return roots
        holder = _holder(folder, self._watched)
        if holder is None or not self._watched[holder] or not folder.is_dir():
            return set()
        return set() if is_noise(folder.relative_to(holder).as_posix()) else {folder}


def _schedule(
    observer: BaseObserver, handler: FileSystemEventHandler, root: Path, *, deep: bool
) -> bool:
    """Watch a folder; False if it has gone.

    Raises:
        OSError: it cannot be watched.
    """
    for left in reversed(range(_TRIES)):
        try:
            # With the slash a link is followed, which watchdog does not do by itself.
            observer.schedule(handler, f"{root}/", recursive=deep)
        except (FileNotFoundError, NotADirectoryError):  # it, or a folder below it
            if not root.is_dir():
                return False
            if not left:
                raise
        else:
            break
    return True


def _observer() -> BaseObserver:
    """What hears of the system; where that can be told so, not of files that are only read.

    The walk, the build and an editor's search read 30,000 files in a second, and each would be
    told twice.
    """
    from watchdog.observers import Observer

    observer = Observer()
    if sys.platform == "linux":
        from watchdog.observers import inotify, inotify_c

        bits = inotify_c.InotifyConstants

        class Emitter(inotify.InotifyEmitter):
            """As it is, but for these two; its own filter would follow links, too."""

            def get_event_mask_from_filter(self) -> int:
                return inotify_c.WATCHDOG_ALL_EVENTS & ~(bits.IN_OPEN | bits.IN_CLOSE_NOWRITE)

        observer._emitter_class = Emitter  # noqa: SLF001 - there is no other way to say it
    return observer


def _handler(touched: Callable[[_Touch], None]) -> FileSystemEventHandler:
    from watchdog.events import (
        FileClosedNoWriteEvent,
        FileOpenedEvent,
        FileSystemEventHandler,
        FileSystemMovedEvent,
    )

    class Handler(FileSystemEventHandler):
        """Takes what the system tells."""

        def on_any_event(self, event: FileSystemEvent) -> None:
            """One touch. That a file was read is none, nor a folder's for what is in it."""
            if isinstance(event, FileOpenedEvent | FileClosedNoWriteEvent):
                return
            if event.is_directory and event.event_type == "modified":
                return
            touched(_Touch(str(event.src_path), is_folder=event.is_directory))
            if isinstance(event, FileSystemMovedEvent):
                touched(_Touch(str(event.dest_path), is_folder=event.is_directory))

    return Handler()


def _end(observer: BaseObserver) -> None:
    observer.unschedule_all()
    if observer.is_alive():
        observer.stop()
        observer.join()


def _there(roots: Roots) -> Roots:
    """Those that are folders, without what lies in another one that is watched with all in it."""
    there = {root: deep for root, deep in roots.items() if root.is_dir()}
    deep = {root for root, below in there.items() if below}
    return {root: below for root, below in there.items() if not deep.intersection(root.parents)}


def _holder(path: Path, roots: Roots) -> Path | None:
    """The folder among these by which a touch of the path is told."""
    if path in roots:
        return path
    if path.parent in roots:
        return path.parent
    return next((folder for folder in path.parents if roots.get(folder)), None)


def _unwatched(error: OSError) -> Warned:
    why = (error.strerror or str(error)).lower()
    hints = ["looking through them every second instead, which is slower"]
    if sys.platform == "linux" and error.errno in _LIMITS:
        hints.append(f"allow more: `sudo sysctl -w fs.inotify.{_LIMITS[error.errno]}`")
    return Warned(
        text=f"this system does not tell of changes in folders: {why}", hints=tuple(hints)
    )
