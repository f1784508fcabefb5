"""An HTTP proxy in front of the API server that can answer "too many requests" in its place.

It speaks plain HTTP on a port of its own, and uses the kubeconfig's credentials on the other side.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from typing import Any

import urllib3
from kubernetes.config import new_client_from_config

_KEPT = ("Accept", "Content-Type", "User-Agent")


class BusyProxy:
    """Hands every request on; while `busy` is set, refuses all of them and ends the watches.

    Attributes:
        asked: method and path of every request.
    """

    def __init__(self, kubeconfig: str, context: str) -> None:
        api: Any = new_client_from_config(kubeconfig, context)
        self.host: str = api.configuration.host
        self.pool: urllib3.PoolManager = api.rest_client.pool_manager
        self.busy = threading.Event()
        self.refused = 0
        self.asked: list[tuple[str, str]] = []
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Take no more requests."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: BusyProxy

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.owner.asked.append((self.command, self.path))
        with contextlib.suppress(OSError, urllib3.exceptions.HTTPError):
            if self.owner.busy.is_set():
                self._refuse()
            else:
                self._hand_on(body)
        self.close_connection = True

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the library calls them so

    def log_message(self, *_: object) -> None:
        pass

    def _refuse(self) -> None:
        self.owner.refused += 1
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": "too many requests, please try again later",
            "reason": "TooManyRequests",
            "code": 429,
        }
        body = json.dumps(status).encode()
        self.send_response(429)
        self.send_header("Retry-After", "1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hand_on(self, body: bytes) -> None:
        answer = self.owner.pool.request(
            self.command,
            self.owner.host + self.path,
            body=body or None,
            headers={name: self.headers[name] for name in _KEPT if name in self.headers},
            preload_content=False,
            retries=False,
            timeout=urllib3.Timeout(connect=5, read=120),
        )
        self.send_response_only(answer.status)
        for name in ("Content-Type", "Date", "Warning"):
            for value in answer.headers.getlist(name):
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in answer.stream(65536):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            if self.owner.busy.is_set():
                return
        self.wfile.write(b"0\r\n\r\n")
        answer.release_conn()
