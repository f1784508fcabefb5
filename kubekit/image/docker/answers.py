"""Answers of a Docker daemon that come line by line, for as long as a build or a pull takes."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from kubekit.errors import CancelledError
from kubekit.image.docker.errors import hung, unreachable
from kubekit.image.docker.heartbeat import Heartbeat
from kubekit.model import Cancel, DockerEndpoint

if TYPE_CHECKING:
    from kubekit.image.docker.client import Client

_READ = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request: the path below the API's version, and what is sent."""

    path: str
    method: str = "POST"
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Iterator[bytes] | None = None


def messages(
    api: Client, call: Call, *, cancel: Cancel, patience: float
) -> Iterator[Mapping[str, Any]]:
    """Ask and yield each line of the answer; closing or cancelling ends the connection.

    A refusal is yielded as the daemon reports all other failures, ``{"error": "..."}``, with its
    HTTP status as the ``code`` of its ``errorDetail``.

    Args:
        api: leads to the daemon, and its API version is spoken.
        call: what is asked.
        cancel: ends the call.
        patience: seconds without any sign of life until the daemon counts as hung.

    Raises:
        UnreachableError: the connection was lost, or the daemon hangs.
        CancelledError: the person interrupted.
    """
    endpoint, ask = api.wire.endpoint, functools.partial(_answers, api)
    try:
        with (
            contextlib.closing(api.wire.connect()) as connection,
            _watched(connection, ask, endpoint, cancel, patience) as heart,
        ):
            connection.settimeout(None)
            for line in _asked(connection, f"/v{api.api_version}{call.path}", call):
                heart.heard()
                yield line
    except (http.client.HTTPException, OSError, ValueError) as error:
        if not cancel.is_set():
            raise unreachable(endpoint, error) from error
    if cancel.is_set():
        raise CancelledError("interrupted")


def until(upload: Iterable[bytes], cancel: Cancel) -> Iterator[bytes]:
    """Hand on what is uploaded; raises CancelledError once the person has interrupted."""
    for block in upload:
        if cancel.is_set():
            raise CancelledError("interrupted")
        yield block


@contextlib.contextmanager
def _watched(
    wire: socket.socket,
    ask: Callable[[float], bool],
    endpoint: DockerEndpoint,
    cancel: Cancel,
    patience: float,
) -> Iterator[Heartbeat]:
    """End the connection, whoever waits for it, with the cancel or once the daemon hangs."""
    end = functools.partial(_end, wire)
    heart = Heartbeat(ask=ask, end=end, patience=patience)
    cancel.on_set(end)
    try:
        with heart:
            yield heart
    except (http.client.HTTPException, OSError, ValueError) as error:
        if heart.lost:
            raise hung(endpoint, patience) from error
        raise
    finally:
        cancel.forget(end)


def _asked(wire: socket.socket, path: str, call: Call) -> Iterator[Mapping[str, Any]]:
    connection = http.client.HTTPConnection("docker")
    connection.sock = wire
    url = f"{path}?{urlencode(call.params)}" if call.params else path
    headers = {**call.headers, "Connection": "close"}
    # A daemon may refuse, and hang up, before it has all that is sent to it.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.request(call.method, url, body=call.data, headers=headers)
    with connection.getresponse() as response:
        if response.status < HTTPStatus.BAD_REQUEST:
            # Not by lines: those of a connection that is cut would just end.
            yield from _lines(iter(functools.partial(response.read1, _READ), b""))
        else:
            text = _explanation(response.read())
            yield {"error": text, "errorDetail": {"code": response.status, "message": text}}


def _explanation(body: bytes) -> str:
    """Why the daemon refuses, in its own words."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace").strip()


def _answers(api: Client, seconds: float) -> bool:
    """Whether the daemon answers within this time, beside what else is asked of it."""
    import requests

    try:
        return api.get(f"{api.base_url}/_ping", timeout=(seconds, seconds)).ok
    except (requests.RequestException, OSError):
        return False


def _end(wire: socket.socket) -> None:
    # Closing alone would not wake a thread that is reading; the daemon stops a build when its
    # client is gone. Of the plain socket: that of TLS would take its state from under the reader.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(wire, socket.SHUT_RDWR)


def _lines(chunks: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (json.loads(line) for line in whole if line.strip())
    if rest.strip():
        yield json.loads(rest)
