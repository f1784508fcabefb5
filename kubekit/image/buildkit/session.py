"""A session: the connection on which BuildKit asks the client of a build, while the build runs."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self
from uuid import uuid4

from kubekit.image.buildkit import protobuf
from kubekit.image.buildkit.calls import Method, unary
from kubekit.model import BuildPlan

_LOST = re.compile(r"code = (Unavailable|Canceled)|no active session|transport is closing")
_NOTICE = 2.0


class Hijack(Protocol):
    """Opens the connection, as `Engine.hijack` does."""

    def __call__(self, path: str, headers: Sequence[tuple[str, str]], /) -> socket.socket:
        """Ask the daemon for a connection of its own."""


class Session:
    """One session, as a context manager; it ends with the block, whatever happens in it.

    Attributes:
        id: what the build names it by.
    """

    def __init__(self, hijack: Hijack, plan: BuildPlan, methods: Mapping[str, Method]) -> None:
        self.id = uuid4().hex
        self._hijack = hijack
        self._plan = plan
        self._methods = {"/grpc.health.v1.Health/Check": unary(_healthy), **methods}

    def __enter__(self) -> Self:
        # Imported here: without a build nobody needs HTTP/2.
        from kubekit.image.buildkit.server import Server

        headers = [
            ("Upgrade", "h2c"),
            ("X-Docker-Expose-Session-Uuid", self.id),
            ("X-Docker-Expose-Session-Name", "kubekit"),
            ("X-Docker-Expose-Session-Sharedkey", shared_key(self._plan)),
        ]
        headers += [("X-Docker-Expose-Session-Grpc-Method", path) for path in self._methods]
        self._connection = self._hijack("/session", headers)
        self._server = Server(self._connection, self._methods)
        self._crash: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="build-session", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self._thread.join()
        self._connection.close()

    def stop(self) -> None:
        """End it at once, from any thread, and more than once."""
        try:
            # Of the plain socket: that of TLS would take its state from under the serving thread.
            socket.socket.shutdown(self._connection, socket.SHUT_RDWR)
        except OSError:
            return

    def check(self) -> None:
        """Say what went wrong on this side, however the build puts it.

        Raises:
            KubekitError: what ended a call, such as a file that changed.
        """
        if self._crash is not None:
            raise self._crash
        if self._server.error is not None:
            raise self._server.error

    def lost(self, said: str) -> bool:
        """Whether the connection ended before the session did, and a build failed for that.

        Args:
            said: how the daemon puts it.
        """
        if _LOST.search(said):
            self._thread.join(_NOTICE)  # this side may not have noticed yet
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._server.run()
        except OSError:
            return  # of a connection that is lost the build tells, too
        except Exception as crash:  # noqa: BLE001 - raised where the build is waited for
            self._crash = crash
        finally:
            self.stop()  # or the daemon would wait until its health check fails


def shared_key(plan: BuildPlan) -> str:
    """What the daemon keeps a folder of this machine under, to ask only for what changed."""
    where = (socket.gethostname(), plan.settings.context, plan.name)
    return hashlib.sha256(os.fsencode("\0".join(map(str, where)))).hexdigest()


def _healthy(_: bytes) -> bytes:
    return protobuf.encode(1, 1)  # SERVING
