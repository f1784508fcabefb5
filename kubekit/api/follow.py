"""A collection of the API followed over drops, expired versions and restarts of the API server.

One list, then a watch from its version; a broken watch goes on from the last version seen, and an
expired one (410) starts over with a list. The package's own `watch` does neither reliably: it
retries a 410 at the same version and has no read timeout, so a half-open connection hangs it.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kubekit.api.kube import ApiError, Kube, TransientError, hang_up, lines
from kubekit.errors import KubekitError
from kubekit.model import Object

WATCH_SECONDS = 50
READ_SECONDS = 60.0
_GOODBYE_SECONDS = 2.0
_GONE = 410
_UNAUTHORIZED = 401
_RENEWALS = 3


@dataclass(frozen=True, kw_only=True)
class Listed:
    """The whole collection as of now; what is not in it is gone."""

    kind: str
    items: tuple[Object, ...]


@dataclass(frozen=True, kw_only=True)
class Changed:
    """One object was added or modified, or, if `gone`, deleted."""

    kind: str
    item: Object
    gone: bool


@dataclass(frozen=True, kw_only=True)
class Lost:
    """The collection cannot be followed at the moment; `fatal` if it never will be."""

    kind: str
    error: KubekitError
    fatal: bool


@dataclass(frozen=True, kw_only=True)
class Found:
    """The collection is followed again; nothing need have changed meanwhile."""

    kind: str


Update = Listed | Changed | Lost | Found


class _ExpiredError(Exception):
    """The version asked for is too old to watch from."""


class Follower:
    """Follows one collection on a thread of its own and hands each update to `deliver`.

    With `only`, just the object of this name in it.
    """

    def __init__(
        self,
        kube: Kube,
        *,
        kind: str,
        path: str,
        deliver: Callable[[Update], None],
        only: str = "",
    ) -> None:
        self._kube = kube
        self._kind = kind
        self._path = path
        self._query = {"fieldSelector": f"metadata.name={only}"} if only else {}
        self._deliver = deliver
        self._stopped = threading.Event()
        self._response: object = None
        self._version: str | None = None
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=f"follow-{kind}", daemon=True)

    def start(self) -> None:
        """Begin with the list."""
        self._thread.start()

    def signal(self) -> None:
        """End the watch at once, without waiting for its thread."""
        self._stopped.set()
        if self._response is not None:
            hang_up(self._response)  # type: ignore[arg-type]

    def join(self, seconds: float) -> None:
        """Wait so long for its thread to end: it may hang in a dead connection."""
        self._thread.join(timeout=max(0.0, seconds))

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                if self._version is None:
                    self._version = self._list()
                self._watch(self._version)
            except _ExpiredError:
                self._version = None
            except TransientError as error:
                if self._stopped.is_set():
                    return
                self._deliver(Lost(kind=self._kind, error=error, fatal=False))
                pause = min(2.0, 0.1 * 2**self._failures)
                self._stopped.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311
                self._failures += 1
            except KubekitError as error:
                self._deliver(Lost(kind=self._kind, error=error, fatal=True))
                return

    def _list(self) -> str:
        data = self._kube.request("GET", self._path, query=self._query, patience=0).data
        self._deliver(Listed(kind=self._kind, items=tuple(data.get("items") or ())))
        return str(data["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> None:
        """One watch until it ends; every event moves the version the next one goes on from."""
        query = {
            **self._query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
            "resourceVersion": version,
        }
        response = self._kube.open("GET", self._path, query=query, read_seconds=READ_SECONDS)
        self._response = response
        try:
            self._check(response.status)
            if self._failures:
                self._failures = 0
                self._deliver(Found(kind=self._kind))
            if self._stopped.is_set():  # by a `stop` that found no response to hang up
                return
            for line in lines(response):
                if self._stopped.is_set():
                    break
                self._version = self._event(_parsed(line))
        finally:
            self._response = None
            response.close()

    def _check(self, status: int) -> None:
        if status == _GONE:
            raise _ExpiredError
        if status == _UNAUTHORIZED and self._failures < _RENEWALS:
            # A token that has run out: the next request asks its source for a new one.
            raise TransientError("the API server wants new credentials")
        if status >= 500 or status == 429:  # noqa: PLR2004
            raise TransientError(f"the API server answered {status} to a watch")
        if status >= 400:  # noqa: PLR2004
            raise ApiError(
                status=status, reason="", message=f"a watch was refused: {status}", causes=()
            )

    def _event(self, event: Object) -> str:
        item: Object = event["object"]
        if event["type"] == "ERROR":
            if item.get("code") == _GONE:
                raise _ExpiredError
            raise TransientError(str(item.get("message") or "the watch ended with an error"))
        if event["type"] != "BOOKMARK":
            gone = event["type"] == "DELETED"
            self._deliver(Changed(kind=self._kind, item=item, gone=gone))
        return str(item["metadata"]["resourceVersion"])


def stop(followers: Sequence[Follower]) -> None:
    """End them all, waiting a moment for all their threads together."""
    for follower in followers:
        follower.signal()
    end = time.monotonic() + _GOODBYE_SECONDS
    for follower in followers:
        follower.join(end - time.monotonic())


def _parsed(line: bytes) -> Object:
    try:
        return dict(json.loads(line))
    except ValueError as error:  # a connection that ended in the middle of a line
        raise TransientError("the watch ended in the middle of an event") from error
