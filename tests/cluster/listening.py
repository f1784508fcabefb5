"""The app behind the port-forward in its tests: everything a client may meet, in one pod.

It runs in the pod as it stands here: Python's standard library only.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

GATE = threading.Semaphore(0)
GONE = threading.Event()
sent = 0


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the first part of the path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        what, _, value = self.path.strip("/").partition("/")
        getattr(self, f"on_{what}", self.on_)(value)

    def do_POST(self) -> None:
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left:
            part = self.rfile.read(min(left, 65536))
            digest.update(part)
            left -= len(part)
        self.answer(digest.hexdigest().encode())

    def on_(self, _: str) -> None:
        self.answer(os.environ["HOSTNAME"].encode())

    def on_size(self, value: str) -> None:
        global sent  # noqa: PLW0603
        body, sent = random_bytes(int(value)), 0
        self.head(len(body))
        for at in range(0, len(body), 65536):
            sent += self.wfile.write(body[at : at + 65536])

    def on_sent(self, _: str) -> None:
        self.answer(b"%d" % sent)

    def on_sleep(self, value: str) -> None:
        time.sleep(float(value))
        self.answer(b"slept")

    def on_next(self, _: str) -> None:
        GATE.release()
        self.answer(b"")

    def on_gone(self, _: str) -> None:
        self.answer(str(GONE.wait(20)).encode())

    def on_events(self, _: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(3):
            self.wfile.write(b"data: %d\n\n" % number)
            GATE.acquire()
        if not self.rfile.read(1):
            GONE.set()

    def on_ws(self, _: str) -> None:
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        while (head := self.rfile.read(2)) and head[0] & 15 in (1, 2):
            length = head[1] & 127
            if length == 126:
                (length,) = struct.unpack(">H", self.rfile.read(2))
            mask, body = self.rfile.read(4), self.rfile.read(length)
            plain = bytes(byte ^ mask[at % 4] for at, byte in enumerate(body))
            size = bytes([length]) if length < 126 else b"\x7e" + struct.pack(">H", length)
            self.wfile.write(head[:1] + size + plain)
        self.close_connection = True

    def answer(self, body: bytes) -> None:
        self.head(len(body))
        self.wfile.write(body)

    def head(self, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def random_bytes(size: int) -> bytes:
    """Bytes that look like noise, the same each time."""
    block = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(1024))
    return (block * (size // len(block) + 1))[:size]


def counts(connection: socket.socket) -> None:
    """Says how many bytes came, once they have ended."""
    count = 0
    while part := connection.recv(65536):
        count += len(part)
    connection.sendall(b"%d bytes" % count)
    connection.close()


def greets(connection: socket.socket) -> None:
    """Speaks first."""
    connection.sendall(b"220 hello\r\n")
    connection.sendall(b"you said " + connection.recv(100))
    connection.close()


def resets(connection: socket.socket) -> None:
    """Answers, and breaks off in the middle."""
    connection.recv(100)
    connection.sendall(b"half an ans")
    time.sleep(0.2)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def deaf(connection: socket.socket) -> None:
    """Does not read, and does not hang up either."""
    time.sleep(600)
    connection.close()


def listen(port: int, serve: Callable[[socket.socket], None]) -> None:
    """Serve each connection in a thread of its own."""
    server = socket.create_server(("127.0.0.1", port))

    def loop() -> None:
        while True:
            threading.Thread(target=serve, args=(server.accept()[0],)).start()

    threading.Thread(target=loop).start()


class Server(http.server.ThreadingHTTPServer):
    """Takes hundreds of connections at once."""

    request_queue_size = 512


if __name__ == "__main__":
    listen(9000, counts)
    listen(9001, greets)
    listen(9002, resets)
    listen(9003, deaf)
    print("up", flush=True)
    Server(("127.0.0.1", 8000), Handler).serve_forever()
    sys.exit(1)
