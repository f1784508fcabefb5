"""Which files were touched, told by the system; what is ignored costs nothing.

watchdog's observer sleeps until the system tells it something. watchfiles, quicker in a burst, asks
every few milliseconds: 0.5 % of a core at the 10 ms it needs to be as quick as this.
"""

from __future__ import annotations

import contextlib
import errno
import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kubekit.events import Emit, Warned

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers.api import BaseObserver

_QUIET_SECONDS = 0.01
"""After so long without another touch, what came is delivered: an editor's save is several."""
_BURST_SECONDS = 0.5
"""What goes on for longer, such as a `git checkout`, is delivered in parts."""
_POLL_SECONDS = 1.0
_FULL = (errno.ENOSPC, errno.EMFILE)

Roots = Mapping[Path, bool]
"""Folder -> whether all below it is watched too."""


class Watch:
    """Watches folders until it is closed, and delivers the paths touched in them.

    More than was asked for may be delivered, and what was touched need not have changed.
    """

    def __init__(self, deliver: Callable[[frozenset[Path]], None], *, emit: Emit) -> None:
        from watchdog.observers import Observer

        self._deliver = deliver
        self._emit = emit
        self._touched: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._roots: Roots = {}
        self._observer: BaseObserver = Observer()
        self._thread = threading.Thread(target=self._collect, name="watch", daemon=True)
        self._thread.start()

    def on(self, roots: Roots) -> None:
        """Watch these folders from now on, and no others; those that are not there are left out."""
        wanted = {root: deep for root, deep in _outermost(roots).items() if root.is_dir()}
        if wanted == self._roots:
            return
        try:
            self._observer = self._renewed(wanted)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._emit(_too_many(error))
            self._observer = self._renewed(wanted, polling=True)
        self._roots = wanted

    def close(self) -> None:
        """Watch no more."""
        self._touched.put(None)
        _end(self._observer)
        self._thread.join()

    def _renewed(self, roots: Roots, *, polling: bool = False) -> BaseObserver:
        """Another observer; the one of before ends once it is there, so that nothing is missed."""
        from watchdog.observers import Observer
        from watchdog.observers.polling import PollingObserver

        observer = PollingObserver(timeout=_POLL_SECONDS) if polling else Observer()
        handler = _handler(self._touched.put)
        try:
            for root, deep in roots.items():
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    observer.schedule(handler, str(root), recursive=deep)
            observer.start()
        except BaseException:
            _end(observer)
            raise
        _end(self._observer)
        return observer

    def _collect(self) -> None:
        while (first := self._touched.get()) is not None:
            touched, end = {first}, time.monotonic() + _BURST_SECONDS
            with contextlib.suppress(queue.Empty):
                while time.monotonic() < end:
                    path = self._touched.get(timeout=_QUIET_SECONDS)
                    if path is None:
                        return
                    touched.add(path)
            self._deliver(frozenset(map(Path, touched)))


def _handler(touched: Callable[[str], None]) -> FileSystemEventHandler:
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
            touched(str(event.src_path))
            if isinstance(event, FileSystemMovedEvent):
                touched(str(event.dest_path))

    return Handler()


def _end(observer: BaseObserver) -> None:
    observer.unschedule_all()
    if observer.is_alive():
        observer.stop()
        observer.join()


def _outermost(roots: Roots) -> Roots:
    """Without what lies below another one that is watched with all below it."""
    deep = {root for root, below in roots.items() if below}
    return {root: below for root, below in roots.items() if not deep.intersection(root.parents)}


def _too_many(error: OSError) -> Warned:
    return Warned(
        text=f"this system watches no more folders for this user: {error.strerror or error}",
        hints=(
            "until then they are looked through every second, which is slower",
            "allow more: `sudo sysctl -w fs.inotify.max_user_watches=524288`",
        ),
    )
