"""Which bytes of a client reach the pod, whatever the order in which a node speaks."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kubekit.streams import listener as module
from kubekit.streams import spdy
from kubekit.streams.listener import Listener
from kubekit.streams.portforward import Tunnel

PATIENCE = 90.0
ERRORS, STREAM = 1, 3


def accepted(stream: int) -> bytes:
    """A node's answer to a stream that it was asked for."""
    return struct.pack(">HHII", 0x8003, spdy.SYN_REPLY, 4, stream)


def until(reader: spdy.Reader, sock: socket.socket, kind: int, stream: int) -> spdy.Frame:
    """The next such frame with something in it."""
    while True:
        for frame in reader.feed(sock.recv(1 << 16)):
            if (frame.kind, frame.stream) == (kind, stream) and frame.data:
                return frame


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[socket.socket, Listener]]:
    """The far end of the only connection to a pod, and the port that leads there."""
    far, near = socket.socketpair()
    far.settimeout(PATIENCE)
    kept = [near]

    class Response:
        """What the API server has answered."""

        def close(self) -> None:
            """It is over."""

    def opening(_kube: object, _namespace: str, pod: str) -> Tunnel:
        response: Any = Response()
        return Tunnel(pod, response, kept.pop() if kept else socket.socket())

    monkeypatch.setattr(module, "open_tunnel", opening)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    kube: Any = None
    listener = Listener(
        kube, "here", port=port, choose=lambda: ("app", 5678), emit=lambda _event: None
    )
    yield far, listener
    listener.close()
    far.close()


@pytest.mark.parametrize("greets", ["with the stream", "ahead of the stream"])
def test_what_a_client_says_first_reaches_a_server_that_greets(
    node: tuple[socket.socket, Listener], greets: str
) -> None:
    # debugpy greets; and so much at once is what one read finds on a loaded machine.
    far, listener = node
    reader = spdy.Reader()
    with socket.create_connection(("127.0.0.1", listener.port), timeout=PATIENCE) as client:
        client.sendall(b"initialize")
        until(reader, far, spdy.SYN_STREAM, STREAM)
        while not any(link._said for link in list(listener._links)):
            time.sleep(0.01)
        answers = [accepted(ERRORS), accepted(STREAM), spdy.data(STREAM, b"welcome")]
        far.sendall(b"".join(answers if greets == "with the stream" else reversed(answers)))
        assert client.recv(100) == b"welcome"
        assert until(reader, far, spdy.DATA, STREAM).data == b"initialize"
        client.sendall(b"attach")
        assert until(reader, far, spdy.DATA, STREAM).data == b"attach"
