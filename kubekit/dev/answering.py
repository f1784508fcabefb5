"""Whether the app of a new pod answers by now: what its readiness probe asks, asked by us.

The kubelet looks once a second at what has started, and where its first probe came too soon the
next one comes a period later: a pod may be said to be ready a second after its app is.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from kubekit.dev.probe import Probe

_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.5
_WELL = range(200, 400)
"""As for the kubelet, by Kubernetes' docs (Configure Liveness, Readiness and Startup Probes)."""

Reach = Callable[[str, int], socket.socket]
"""A connection to a port of a pod, which waits for as long as the port is refused."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """A container of this pod has been started."""

    pod: str


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The app in this pod answers its readiness probe."""

    pod: str


class Answering:
    """Asks new pods until they answer, each in a thread of its own.

    Args:
        reach: how.
        deliver: gets Answers, from such a thread.
    """

    def __init__(self, reach: Reach, deliver: Callable[[Answers], None]) -> None:
        self._reach = reach
        self._deliver = deliver
        self._closed = threading.Event()

    def close(self) -> None:
        """Ask nobody any more."""
        self._closed.set()

    def ask(self, pod: str, probe: Probe, *, wanted: Callable[[], object]) -> None:
        """Ask this one, for as long as that is wanted."""
        given = (pod, probe, wanted)
        threading.Thread(target=self._ask, args=given, name=f"ask-{pod}", daemon=True).start()

    def _ask(self, pod: str, probe: Probe, wanted: Callable[[], object]) -> None:
        while wanted():
            if _answers(self._reach(pod, probe.port), probe):
                self._deliver(Answers(pod=pod))
                return
            if self._closed.wait(_PAUSE_SECONDS):
                return


def _answers(way: socket.socket, probe: Probe) -> bool:
    way.settimeout(_PATIENCE_SECONDS)
    connection = http.client.HTTPConnection("localhost", probe.port)
    connection.sock = way
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        headers = {"User-Agent": "kube-probe/kubekit", **dict(probe.headers), "Connection": "close"}
        connection.request("GET", probe.path or "/", headers=headers)
        return connection.getresponse().status in _WELL
    return False
