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
_PAUSE_SECONDS, _LONGEST_SECONDS = 0.5, 5.0
_WELL = range(200, 400)
"""As for the kubelet, by Kubernetes' docs (Configure Liveness, Readiness and Startup Probes)."""

Reach = Callable[[str, int], socket.socket]
"""A connection to a port of a pod, which waits for as long as the port is refused."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """A container of the pod of this uid has been started."""

    uid: str


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The app in the pod of this uid answers its readiness probe.

    Attributes:
        version: of the files, when it was first asked.
    """

    uid: str
    version: int


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
        self._asked: set[str] = set()

    def close(self) -> None:
        """Ask nobody any more."""
        self._closed.set()

    def ask(self, pod: str, probe: Probe, told: Answers, *, wanted: Callable[[], object]) -> None:
        """Ask this one, for as long as that is wanted; then tell this."""
        if told.uid not in self._asked:
            self._asked.add(told.uid)
            given = (pod, probe, told, wanted)
            threading.Thread(target=self._ask, args=given, name=f"ask-{pod}", daemon=True).start()

    def _ask(self, pod: str, probe: Probe, told: Answers, wanted: Callable[[], object]) -> None:
        pause = _PAUSE_SECONDS
        while wanted():
            if self._answers(pod, probe):
                self._deliver(told)
                break
            if self._closed.wait(pause):
                break
            pause = min(_LONGEST_SECONDS, pause * 1.5)
        self._asked.discard(told.uid)

    def _answers(self, pod: str, probe: Probe) -> bool:
        headers = {"User-Agent": "kube-probe/kubekit", **dict(probe.headers), "Connection": "close"}
        connection = http.client.HTTPConnection("localhost", probe.port)
        # ValueError: a path or header that HTTP has no way to say is the kubelet's to judge.
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, ValueError, http.client.HTTPException),
        ):
            connection.sock = self._reach(pod, probe.port)
            connection.sock.settimeout(_PATIENCE_SECONDS)
            connection.request("GET", probe.path or "/", headers=headers)
            return connection.getresponse().status in _WELL
        return False
