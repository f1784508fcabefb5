"""An independent witness of the cluster: what could be seen in the API, and when.

It shares no code with kubekit, so that "a second after the evidence" is not kubekit's own word.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import urllib3
from kubernetes.config import new_client_from_config

PATHS = {
    "Pod": "/api/v1/pods",
    "Event": "/api/v1/events",
    "Namespace": "/api/v1/namespaces",
    "Service": "/api/v1/services",
    "ReplicaSet": "/apis/apps/v1/replicasets",
    "Deployment": "/apis/apps/v1/deployments",
    "StatefulSet": "/apis/apps/v1/statefulsets",
    "DaemonSet": "/apis/apps/v1/daemonsets",
    "Job": "/apis/batch/v1/jobs",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/endpointslices",
}


@dataclass(frozen=True, kw_only=True)
class Record:
    """One change of an object, and when it arrived, by the clock of `time.monotonic`."""

    arrived: float
    kind: str
    gone: bool
    obj: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"])


Evidence = Callable[[Record], bool]


class Recorder:
    """Keeps every change of the watched kinds, by namespace, for as long as the session lasts."""

    def __init__(self, kubeconfig: str, context: str) -> None:
        self._api: Any = new_client_from_config(kubeconfig, context)
        self._over = threading.Event()
        self._news = threading.Condition()
        self._records: defaultdict[str, list[Record]] = defaultdict(list)
        self._seen: set[tuple[str, str]] = set()
        self._open: dict[str, Any] = {}
        self._threads = [
            threading.Thread(target=self._follow, args=item, daemon=True) for item in PATHS.items()
        ]

    @contextlib.contextmanager
    def recording(self) -> Iterator[Recorder]:
        """Watch; it is left only when every watch has been ended."""
        for thread in self._threads:
            thread.start()
        with self._news:
            assert self._news.wait_for(lambda: len(self._open) == len(PATHS), 30)
        try:
            yield self
        finally:
            self._over.set()
            for response in list(self._open.values()):
                with contextlib.suppress(OSError, AttributeError):
                    response.shutdown()
            for thread in self._threads:
                thread.join(10)

    def of(self, namespace: str, since: float = 0.0) -> list[Record]:
        """What arrived of this namespace since then, the Namespace itself included."""
        with self._news:
            return [item for item in self._records[namespace] if item.arrived >= since]

    def first(
        self, namespace: str, evidence: Evidence, *, since: float, seconds: float = 0.0
    ) -> Record | None:
        """The first change that is evidence; it may still come in within so many seconds."""

        def found() -> Record | None:
            mine = (item for item in self._records[namespace] if item.arrived >= since)
            return next((item for item in mine if evidence(item)), None)

        with self._news:
            return self._news.wait_for(found, seconds)

    def _follow(self, kind: str, path: str) -> None:
        """Watch one kind; a new watch tells all that is there once more, so nothing is missed."""
        while not self._over.is_set():
            try:
                self._watch(kind, path)
            except (urllib3.exceptions.HTTPError, OSError, ValueError):
                self._over.wait(0.2)

    def _watch(self, kind: str, path: str) -> None:
        response = self._api.rest_client.pool_manager.request(
            "GET",
            f"{self._api.configuration.host}{path}?watch=true&timeoutSeconds=1500",
            preload_content=False,
            retries=False,
            timeout=urllib3.Timeout(connect=5, read=1600),
        )
        with self._news:
            self._open[kind] = response
            self._news.notify_all()
        rest = b""
        for chunk in response.stream():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._keep(kind, json.loads(line))

    def _keep(self, kind: str, change: dict[str, Any]) -> None:
        if change["type"] not in ("ADDED", "MODIFIED", "DELETED"):
            return
        obj = change["object"]
        meta = obj["metadata"]
        meta.pop("managedFields", None)
        key = (meta["uid"], meta["resourceVersion"])
        with self._news:
            if key in self._seen:
                return
            self._seen.add(key)
            self._records[meta.get("namespace") or meta["name"]].append(
                Record(
                    arrived=time.monotonic(),
                    kind=kind,
                    gone=change["type"] == "DELETED",
                    obj=obj,
                )
            )
            self._news.notify_all()
