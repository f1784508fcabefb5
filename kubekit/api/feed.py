"""What is followed in one namespace, for whoever listens, also over several waits in a row.

To begin a list and a watch of each kind costs the API server what a node needs to start a pod, when
that is waited for.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping

from kubekit.api.follow import Changed, Follower, Found, Listed, Lost, Update, stop
from kubekit.api.kube import Kube
from kubekit.api.resources import NAMESPACE, Resource
from kubekit.model import Object

Deliver = Callable[[Update], None]


class Feed:
    """Followers of a namespace's collections, each begun when it is first asked for.

    Args:
        kube: the cluster; requests go on until the feed is closed.
        namespace: what is followed.
    """

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._lock = threading.Lock()
        self._followed: dict[str, _Followed] = {}

    @contextlib.contextmanager
    def following(self, resources: Mapping[str, Resource], deliver: Deliver) -> Iterator[None]:
        """Deliver what there is of these kinds, and then what changes.

        Of `NAMESPACE` it is the feed's own alone.

        Args:
            resources: kind -> where it is.
            deliver: is called from the followers' threads, and must not wait.
        """
        with self._lock:
            followed = [self._of(kind, resource) for kind, resource in resources.items()]
        for one in followed:
            one.add(deliver)
        try:
            yield
        finally:
            for one in followed:
                one.remove(deliver)

    def close(self) -> None:
        """Follow nothing any more."""
        with self._lock:
            stop([one.follower for one in self._followed.values()])
            self._followed.clear()

    def _of(self, kind: str, resource: Resource) -> _Followed:
        known = self._followed.get(kind)
        if known is None or known.over:
            only = self._namespace if resource == NAMESPACE else ""
            path = resource.path(self._namespace)
            known = self._followed[kind] = _Followed(self._kube, kind=kind, path=path, only=only)
        return known


class _Followed:
    """One collection: as it is, and who listens."""

    def __init__(self, kube: Kube, *, kind: str, path: str, only: str) -> None:
        self._kind = kind
        self._lock = threading.Lock()
        self._listeners: list[Deliver] = []
        self._known: dict[str, Object] | None = None
        self._lost: Lost | None = None
        self.follower = Follower(kube, kind=kind, path=path, deliver=self._take, only=only)
        self.follower.start()

    @property
    def over(self) -> bool:
        """It cannot be followed, and its follower has ended."""
        return self._lost is not None and self._lost.fatal

    def add(self, deliver: Deliver) -> None:
        """Deliver what is known, and then all that comes."""
        with self._lock:
            self._listeners.append(deliver)
            if self._known is not None:
                deliver(Listed(kind=self._kind, items=tuple(self._known.values())))
            if self._lost is not None:
                deliver(self._lost)

    def remove(self, deliver: Deliver) -> None:
        """Deliver nothing more."""
        with self._lock:
            self._listeners.remove(deliver)

    def _take(self, update: Update) -> None:
        with self._lock:
            self._note(update)
            for deliver in self._listeners:
                deliver(update)

    def _note(self, update: Update) -> None:
        self._lost = None
        match update:
            case Listed(items=items):
                self._known = {item["metadata"]["uid"]: item for item in items}
            case Changed(item=item, gone=True) if self._known is not None:
                self._known.pop(item["metadata"]["uid"], None)
            case Changed(item=item) if self._known is not None:
                self._known[item["metadata"]["uid"]] = item
            case Lost():
                self._lost = update
            case Changed() | Found():
                pass
