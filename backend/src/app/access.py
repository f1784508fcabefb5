"""The middleware around every request: its id and its line in the log."""

import logging
import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.drain import Drain
from app.logs import request_id

log = logging.getLogger("app.access")

# A caller's id is taken over only if it cannot forge anything in a log or a header.
ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestContext:
    """Plain ASGI rather than BaseHTTPMiddleware: no task of its own, so context variables hold."""

    def __init__(self, app: ASGIApp, drain: Drain) -> None:
        self.app = app
        self.drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what is not HTTP (lifespan) passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        current = _request_id(Headers(scope=scope).get("x-request-id", ""))
        # Never reset: uvicorn logs an unhandled exception after this frame is gone.
        request_id.set(current)
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(message, current)
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            _log_access(scope, status, time.perf_counter() - started)

    def _add_headers(self, message: Message, current: str) -> None:
        headers = MutableHeaders(scope=message)
        headers["x-request-id"] = current
        if self.drain.draining:
            # Kept-alive clients must find another pod before this one closes their connection.
            headers["connection"] = "close"


def _request_id(offered: str) -> str:
    return offered if ACCEPTED_ID.fullmatch(offered) else uuid4().hex


def _log_access(scope: Scope, status: int, seconds: float) -> None:
    """Log method, path, status and time; query strings and headers may hold secrets."""
    path: str = scope["path"]
    if path == "/health" or path.startswith("/health/"):
        return  # probes ask every second
    fields = {
        "method": scope["method"],
        "path": path,
        "status": status,
        "duration_ms": round(seconds * 1000, 1),
    }
    log.info("request", extra={"fields": fields})
