"""One connection to a pod through the API server, which serves one stream after the other.

As measured with Kubernetes 1.34 and cri-dockerd 0.3: to open the connection takes 20 ms, a stream
on it 6 ms (the node starts nsenter and socat for it). A connection without a stream is nothing to
the pod: no process there, nothing the app could see; so one may well be kept for the next client.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
from typing import TYPE_CHECKING

from kubekit.api.kube import Kube
from kubekit.api.resources import PODS
from kubekit.errors import KubekitError
from kubekit.streams import spdy

if TYPE_CHECKING:
    import urllib3

_UPGRADE = {
    "Accept": "*/*",
    "Connection": "Upgrade",
    "Upgrade": "SPDY/3.1",
    "X-Stream-Protocol-Version": "portforward.k8s.io",
}
_SWITCHED = 101
_FORBIDDEN = (401, 403)
_OPEN_SECONDS = 10.0
_CHUNK = 1 << 16
_ERROR_BYTES = 4096
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 25_000}


_REFUSED = re.compile(r"connection refused", re.IGNORECASE)
# What the node says when it could not connect, in the words of cri-dockerd, containerd and CRI-O.
_UNREACHED = re.compile(
    r"connection refused|not running|not found|no such|inside namespace|nsenter: cannot",
    re.IGNORECASE,
)
_WITNESS = 1
"""A port nobody listens on: that it is refused shows that the pod is there."""


class NoWayError(Exception):
    """A connection to a pod could not be made, or broke; the message says why.

    Attributes:
        final: whether to try again is of no use: this user may not.
    """

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class Tunnel:
    """A connection to a pod; it never blocks, and is used by one thread.

    A stream is two of SPDY's: one for the data and one for what went wrong.

    Attributes:
        pod: the pod's name.
        used: how many streams it was asked for.
        accepted: the stream was taken on, so that what is sent may reach the app.
        ended: the app, or the node in its place, sends nothing more.
        finished: we send nothing more.
    """

    def __init__(self, pod: str, response: urllib3.BaseHTTPResponse, sock: socket.socket) -> None:
        self.pod = pod
        self.sock = sock
        self.used = 0
        self.accepted = self.ended = self.finished = False
        self._response = response
        self._reader = spdy.Reader()
        self._writer = spdy.Writer()
        self._backlog = bytearray()
        self._error = bytearray()
        self._replied: set[int] = set()
        self._told = True
        self._port = self._errors = self._data = self._probe = 0
        self._witness = bytearray()
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE.items():
                if (option := getattr(socket, name, None)) is not None:
                    sock.setsockopt(socket.IPPROTO_TCP, option, value)

    @property
    def backlog(self) -> int:
        """How many bytes wait to be sent."""
        return len(self._backlog)

    @property
    def error(self) -> str:
        """What the node says went wrong; empty as long as nothing did."""
        return self._error.decode(errors="replace")

    @property
    def unreached(self) -> str | None:
        """Why the app was not reached, in words; None if it may have been."""
        if _REFUSED.search(self.error):
            return f"nothing listens on port {self._port} of pod `{self.pod}`"
        return self.error if _UNREACHED.search(self.error) else None

    @property
    def stale(self) -> bool:
        """Whether it leads to a pod that is no more: one of that name may have replaced it."""
        return self.used > 1 and not _REFUSED.search(self.error)

    @property
    def idle(self) -> bool:
        """Whether the last stream is over on both sides, so that another may be asked for."""
        return self.ended and self.finished and self._told and not self._backlog

    @property
    def buffered(self) -> bool:
        """Whether there is more to receive of which the socket itself knows nothing."""
        return isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0

    def ask(self, port: int) -> None:
        """Ask for a stream to a port of the pod's loopback."""
        self.accepted = self.ended = self.finished = self._told = False
        self._error.clear()
        self._replied.clear()
        self._port = port
        self._errors, self._data = self._syn(port)

    def probe(self) -> None:
        """Ask whether the pod is still there; if not, `receive` raises once that is known.

        A pod that is taken away loses its network, and with it the end of its connections: a
        client that waits for an answer would wait for ever. The app takes no notice of this.
        """
        self._witness.clear()
        self._probe, data = self._syn(_WITNESS)
        self._backlog += spdy.data(data, b"", fin=True)

    def send(self, payload: bytes) -> None:
        """Take something to be sent to the app; `flush` sends it."""
        if payload:
            self._backlog += spdy.data(self._data, payload)

    def finish(self) -> None:
        """Tell the app that nothing more comes; it may still answer."""
        if not self.finished:
            self.finished = True
            self._backlog += spdy.data(self._data, b"", fin=True)

    def flush(self) -> None:
        """Send as much as the connection takes now.

        Raises:
            NoWayError: it broke.
        """
        try:
            while self._backlog:
                sent = self.sock.send(bytes(self._backlog[:_CHUNK]))
                del self._backlog[:sent]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            raise NoWayError(f"the connection to the API server broke: {error}") from error

    def receive(self) -> bytes | None:
        """What the app sent, or None when there is nothing more to receive now.

        Raises:
            NoWayError: the connection broke, or the node gave the stream up.
        """
        try:
            received = self.sock.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except OSError as error:
            raise NoWayError(f"the connection to the API server broke: {error}") from error
        if not received:
            raise NoWayError("the API server closed the connection")
        try:
            return b"".join(self._take(frame) for frame in self._reader.feed(received))
        except spdy.ProtocolError as error:
            raise NoWayError(str(error)) from error

    def close(self) -> None:
        """End the connection, and with it its stream."""
        with contextlib.suppress(OSError):
            self.sock.close()
        self._response.close()

    def _syn(self, port: int) -> tuple[int, int]:
        """Ask for two streams; their numbers: what goes wrong, and the data."""
        self.used += 1
        errors, data = 4 * self.used - 3, 4 * self.used - 1
        common = {"port": str(port), "requestid": str(self.used)}
        self._backlog += self._writer.syn_stream(errors, {"streamtype": "error", **common})
        self._backlog += spdy.data(errors, b"", fin=True)
        self._backlog += self._writer.syn_stream(data, {"streamtype": "data", **common})
        return errors, data

    def _take(self, frame: spdy.Frame) -> bytes:
        if frame.kind == spdy.PING:
            self._backlog += spdy.pong(frame.stream)
        elif frame.kind == spdy.GOAWAY:
            raise NoWayError("the node ends the connection")
        elif frame.stream == self._probe:
            self._probed(frame)
        elif frame.stream not in (self._errors, self._data):
            return b""
        elif frame.kind == spdy.RST_STREAM:
            raise NoWayError("the node gave the stream up")
        elif frame.kind == spdy.SYN_REPLY:
            self._replied.add(frame.stream)
            self.accepted = {self._errors, self._data} <= self._replied
        elif frame.kind == spdy.DATA:
            return self._carried(frame)
        return b""

    def _probed(self, frame: spdy.Frame) -> None:
        if frame.kind == spdy.DATA:
            self._witness += frame.data[: _ERROR_BYTES - len(self._witness)]
            said = self._witness.decode(errors="replace")
            if frame.fin and said and not _REFUSED.search(said):
                raise NoWayError(f"pod `{self.pod}` is gone: {said}")

    def _carried(self, frame: spdy.Frame) -> bytes:
        if frame.stream == self._data:
            self.ended = self.ended or frame.fin
            return frame.data
        self._told = self._told or frame.fin
        self._error += frame.data[: _ERROR_BYTES - len(self._error)]
        return b""


def open_tunnel(kube: Kube, namespace: str, pod: str) -> Tunnel:
    """Connect to a pod; blocks for as long as that takes, at most some 15 seconds.

    Raises:
        NoWayError: the API server cannot be reached, there is no such pod, or this user may not.
    """
    path = f"{PODS.path(namespace, pod)}/portforward"
    try:
        response = kube.open("POST", path, query={}, read_seconds=_OPEN_SECONDS, headers=_UPGRADE)
    except KubekitError as error:
        raise NoWayError(error.message) from error
    sock = getattr(getattr(response, "connection", None), "sock", None)
    if response.status == _SWITCHED and sock is not None:
        return Tunnel(pod, response, sock)
    said = _said(response)
    response.close()
    raise NoWayError(said, final=response.status in _FORBIDDEN)


def _said(response: urllib3.BaseHTTPResponse) -> str:
    import urllib3

    try:
        body = response.read(_ERROR_BYTES)
    except urllib3.exceptions.HTTPError:
        body = b""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        text = body.decode(errors="replace").strip()
        return f"the API server answered {response.status} to a port-forward: {text}"
