"""An HTTP proxy in front of the API server that can answer "too many requests" in its place.

It speaks plain HTTP on a port of its own, and uses the kubeconfig's credentials on the other side.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable
from typing import Any

import urllib3
from kubernetes.config import new_client_from_config

_KEPT = ("Accept", "Content-Type", "User-Agent")


class BusyProxy:
    """Hands every request on; while `busy` is set, refuses all of them and ends the watches.

    Attributes:
        asked: method and path of every request.
        fault: what happens to a request instead: `busy` (429), `broken` (500), `lost` (it is
            done, and nobody answers) or nothing.
    """

    def __init__(self, kubeconfig: str, context: str) -> None:
        api: Any = new_client_from_config(kubeconfig, context)
        self.host: str = api.configuration.host
        self.pool: urllib3.PoolManager = api.rest_client.pool_manager
        self.busy = threading.Event()
        self.refused = 0
        self.asked: list[tuple[str, str]] = []
        self.fault: Callable[[str, str], str] = lambda _method, _path: ""
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
        self.owner.asked.append(self._asked)
        with contextlib.suppress(OSError, urllib3.exceptions.HTTPError):
            fault = "busy" if self.owner.busy.is_set() else self.owner.fault(*self._asked)
            if fault == "busy":
                self._refuse(429, "TooManyRequests", "too many requests, please try again later")
            elif fault == "broken":
                self._refuse(500, "InternalError", "etcdserver: request timed out")
            else:
                self._hand_on(body, lost=fault == "lost")
        self.close_connection = True

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the library calls them so

    def log_message(self, *_: object) -> None:
        pass

    @property
    def _asked(self) -> tuple[str, str]:
        return self.command, self.path

    def _refuse(self, code: int, reason: str, message: str) -> None:
        self.owner.refused += 1
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }
        body = json.dumps(status).encode()
        self.send_response(code)
        if code == 429:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hand_on(self, body: bytes, *, lost: bool) -> None:
        answer = self.owner.pool.request(
            self.command,
            self.owner.host + self.path,
            body=body or None,
            headers={name: self.headers[name] for name in _KEPT if name in self.headers},
            preload_content=False,
            retries=False,
            timeout=urllib3.Timeout(connect=5, read=120),
        )
        if lost:
            answer.drain_conn()
            return
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
