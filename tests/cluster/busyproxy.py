"""An HTTP proxy in front of the API server that can fail each request in its own way.

It speaks plain HTTP on a port of its own, and uses the kubeconfig's credentials on the other side.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import urllib3
from kubernetes.config import new_client_from_config

_KEPT = ("Accept", "Content-Type", "User-Agent")
_AWAY_SECONDS = 3.0
"""About as long as an API server takes that is killed and comes back."""

_DRIP = 32, 0.02
"""Bytes at a time, and the seconds between."""


class BusyProxy:
    """Hands every request on; while `busy` is set, refuses all of them and ends the watches.

    Attributes:
        asked: method and path of every request.
        answered: method, path and status of every request that the API server has answered.
        fault: what happens to a request:

            * ``busy``: it is refused with 429 and a Retry-After;
            * ``broken``: it is refused with 500;
            * ``cut``: the connection ends, and nothing is done;
            * ``lost``: it is done, and the connection ends without an answer;
            * ``halved``: it is done, and the connection ends in the middle of the answer;
            * ``drip``: it is done, and the answer comes a few bytes at a time;
            * ``away``: from now on all connections end, for some seconds;
            * ``down``: the same, until `back` is called;
            * nothing: it is handed on.
    """

    def __init__(self, kubeconfig: str, context: str) -> None:
        api: Any = new_client_from_config(kubeconfig, context)
        self.host: str = api.configuration.host
        self.pool: urllib3.PoolManager = api.rest_client.pool_manager
        self.busy = threading.Event()
        self.refused = 0
        self.asked: list[tuple[str, str]] = []
        self.answered: list[tuple[str, str, int]] = []
        self.fault: Callable[[str, str], str] = lambda _method, _path: ""
        self._away_until = 0.0
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

    def back(self) -> None:
        """Answer again."""
        self._away_until = 0.0

    def fault_of(self, method: str, path: str) -> str:
        """What happens to this request."""
        if self.busy.is_set():
            return "busy"
        if time.monotonic() < self._away_until:
            return "cut"
        fault = self.fault(method, path)
        if fault in {"away", "down"}:
            seconds = _AWAY_SECONDS if fault == "away" else float("inf")
            self._away_until = time.monotonic() + seconds
            return "cut"
        return fault


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: BusyProxy

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.owner.asked.append(self._asked)
        with contextlib.suppress(OSError, urllib3.exceptions.HTTPError):
            fault = self.owner.fault_of(*self._asked)
            if fault == "busy":
                self._refuse(429, "TooManyRequests", "too many requests, please try again later")
            elif fault == "broken":
                self._refuse(500, "InternalError", "etcdserver: request timed out")
            elif fault != "cut":
                self._hand_on(body, fault)
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
        self.send_header("Connection", "close")
        if code == 429:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hand_on(self, body: bytes, fault: str) -> None:
        answer = self.owner.pool.request(
            self.command,
            self.owner.host + self.path,
            body=body or None,
            headers={name: self.headers[name] for name in _KEPT if name in self.headers},
            preload_content=False,
            retries=False,
            timeout=urllib3.Timeout(connect=5, read=120),
        )
        self.owner.answered.append((*self._asked, answer.status))
        if fault == "lost":
            answer.drain_conn()
            return
        self.send_response_only(answer.status)
        self.send_header("Connection", "close")
        for name in ("Content-Type", "Date", "Warning"):
            for value in answer.headers.getlist(name):
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in answer.stream(65536):
            self._send(part, fault)
            if fault == "halved" or self.owner.busy.is_set():
                answer.drain_conn()
                return
        self.wfile.write(b"0\r\n\r\n")
        answer.release_conn()

    def _send(self, part: bytes, fault: str) -> None:
        if fault == "halved":
            part = part[: len(part) // 2]
        size, pause = _DRIP if fault == "drip" else (len(part), 0.0)
        for start in range(0, len(part), size or 1):
            piece = part[start : start + size]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
            time.sleep(pause)
