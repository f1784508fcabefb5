"""Answers of a Docker daemon that come line by line, for as long as a build or a pull takes."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubekit.errors import CancelledError
from kubekit.image.docker.errors import hung, unreachable
from kubekit.image.docker.heartbeat import Heartbeat
from kubekit.model import Cancel, DockerEndpoint

if TYPE_CHECKING:
    import requests

    from kubekit.image.docker.client import Client

_CONNECT = 5.0


@dataclass(frozen=True, kw_only=True)
class Call:
    """One POST: the path below the API's version, and what is sent."""

    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    data: Iterator[bytes] | None


def messages(
    api: Client, call: Call, *, endpoint: DockerEndpoint, cancel: Cancel, patience: float
) -> Iterator[Mapping[str, Any]]:
    """POST and yield each line of the answer; closing or cancelling ends the connection.

    A refusal is yielded as the daemon reports all other failures, ``{"error": "..."}``.

    Args:
        api: the client to ask with.
        call: what is asked.
        endpoint: the daemon, for what is said of it.
        cancel: ends the call.
        patience: seconds without any sign of life until the daemon counts as hung.

    Raises:
        UnreachableError: the connection was lost, or the daemon hangs.
        CancelledError: the person interrupted.
    """
    import requests

    try:
        response = api.post(
            f"{api.base_url}/v{api.api_version}{call.path}",
            params=call.params,
            headers=call.headers,
            data=call.data,
            stream=True,
            timeout=(_CONNECT, None),
        )
        with contextlib.closing(response):
            ask, end = functools.partial(_answers, api), functools.partial(_stop, response)
            heart = Heartbeat(ask=ask, end=end, patience=patience)
            if response.ok:
                yield from _read(response, heart, cancel)
            else:
                yield {"error": explanation(response)}
            if heart.lost:
                raise hung(endpoint, patience)
    except (requests.RequestException, OSError, ValueError) as error:
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


def explanation(response: requests.Response) -> str:
    """Return why the daemon refuses, in its own words."""
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text.strip()


def _read(
    response: requests.Response, heart: Heartbeat, cancel: Cancel
) -> Iterator[Mapping[str, Any]]:
    """Yield each line, until the daemon hangs, too: then the reading is ended by the heartbeat."""
    import requests

    stop = functools.partial(_stop, response)
    cancel.on_set(stop)
    try:
        with heart:
            for line in _lines(response.iter_content(chunk_size=None)):
                heart.heard()
                yield line
    except (requests.RequestException, OSError, ValueError):
        if not heart.lost:
            raise
    finally:
        cancel.forget(stop)


def _answers(api: Client, seconds: float) -> bool:
    """Whether the daemon answers within this time, beside what else is asked of it."""
    import requests

    try:
        return api.get(f"{api.base_url}/_ping", timeout=(seconds, seconds)).ok
    except (requests.RequestException, OSError):
        return False


def _stop(response: requests.Response) -> None:
    # Closing alone would not wake a thread that is reading; the daemon stops a build when its
    # client is gone.
    with contextlib.suppress(OSError, ValueError):
        response.raw.shutdown()


def _lines(chunks: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (json.loads(line) for line in whole if line.strip())
    if rest.strip():
        yield json.loads(rest)
