"""Containers of one purpose in a Docker daemon: run, asked, stopped, and removed by their label."""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from kubekit.errors import KubekitError
from kubekit.image.docker.engine import Engine
from kubekit.image.docker.errors import unreachable
from kubekit.model import Cancel

if TYPE_CHECKING:
    import docker

_BLOCK = 1 << 20
_SLACK = 60
"""Seconds a daemon may take beyond what it is told to wait."""
_SECOND = 1_000_000_000
_HEAD = 8


class GoneError(Exception):
    """A container that does not run, or cannot: in the daemon's own words."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A container to run.

    Attributes:
        volumes: volume -> folder.
        locked: a root that is read-only, no capabilities, and a `/tmp` in memory.
        check_every: seconds between two runs of the image's HEALTHCHECK; None for no runs.
    """

    image: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    network: str = "none"
    volumes: Mapping[str, str] = field(default_factory=dict)
    locked: bool = False
    check_every: int | None = None


class Containers:
    """The containers and volumes with one label, in one daemon.

    Args:
        engine: the daemon.
        label: and its value, which nobody else uses at the time.
    """

    def __init__(self, engine: Engine, label: tuple[str, str]) -> None:
        self._engine = engine
        self._label = label

    def sweep(self) -> None:
        """Remove all there are, running or not."""
        filters = {"label": "=".join(self._label)}
        for item in self._engine.ask(lambda api: api.containers(all=True, filters=filters)):
            self.remove(item["Id"])
        found = self._engine.ask(lambda api: api.volumes(filters=filters))
        for volume in found.get("Volumes") or ():
            self._quietly("DELETE", f"/volumes/{volume['Name']}")

    def volume(self) -> str:
        """Make a volume; its name."""
        made = self._ask("POST", "/volumes/create", {"Labels": dict([self._label])})
        return str(made["Name"])

    def run(self, wanted: Wanted) -> str:
        """Make and start a container; its ID.

        Raises:
            GoneError: it cannot start.
        """
        made = self._ask("POST", "/containers/create", self._body(wanted))
        try:
            self._ask("POST", f"/containers/{made['Id']}/start")
        except GoneError:
            self.remove(made["Id"])
            raise
        return str(made["Id"])

    def inspect(self, container: str) -> dict[str, Any]:
        """What the daemon says of it."""
        return dict(self._ask("GET", f"/containers/{container}/json"))

    def changed(self, container: str) -> tuple[str, ...]:
        """The paths that it has made or written in its own layer."""
        changes = self._ask("GET", f"/containers/{container}/changes") or ()
        return tuple(str(one["Path"]) for one in changes if one["Kind"] != 2)  # noqa: PLR2004 - deleted

    def memory(self, container: str) -> int | None:
        """Bytes in use, without the files that are only cached; None where that is not known."""
        stats = self._ask("GET", f"/containers/{container}/stats?stream=false&one-shot=true")
        about = stats.get("memory_stats") or {}
        if "usage" not in about:
            return None
        details = about.get("stats") or {}
        cached = details.get("inactive_file", details.get("total_inactive_file", 0))
        return int(about["usage"]) - int(cached)

    def exec(self, container: str, command: list[str]) -> tuple[int, bytes]:
        """Run a program in it: its exit code and what it printed on stdout.

        Raises:
            GoneError: the container does not run.
        """
        body = {"AttachStdout": True, "AttachStderr": True, "Cmd": command}
        made = self._ask("POST", f"/containers/{container}/exec", body)["Id"]
        start = {"Detach": False, "Tty": False}
        raw = self._engine.ask(
            lambda api: _raw(api, "POST", f"/exec/{made}/start", start, timeout=_SLACK)
        )
        done = self._ask("GET", f"/exec/{made}/json")
        return int(done["ExitCode"] or 0), output(raw)[0]

    def logs(self, container: str, lines: int | str = "all") -> tuple[str, ...]:
        """Its last lines, of both streams in the order they came."""
        path = f"/containers/{container}/logs?stdout=1&stderr=1&tail={lines}"
        raw = self._engine.ask(lambda api: _raw(api, "GET", path))
        text = b"".join(data for _, data in frames(raw)).decode("utf-8", "replace")
        return tuple(text.splitlines())

    def stop(self, container: str, grace: int) -> int:
        """Stop it, and kill it after the grace period; its exit code."""
        path = f"/containers/{container}/stop?t={grace}"
        self._engine.ask(lambda api: _raw(api, "POST", path, timeout=grace + _SLACK))
        return int(self.inspect(container)["State"]["ExitCode"])

    def remove(self, container: str) -> None:
        """Kill it, and delete it with the volumes that have no name."""
        self._quietly("DELETE", f"/containers/{container}?force=1&v=1")

    def image(self, reference: str) -> dict[str, Any] | None:
        """What the daemon says of an image, its `History` with it; None if it is not there."""
        try:
            about = dict(self._ask("GET", f"/images/{reference}/json"))
            history = self._ask("GET", f"/images/{about['Id']}/history")
        except GoneError:
            return None
        return {**about, "History": history}

    def export(self, image: str, cancel: Cancel) -> Iterator[bytes]:
        """An image as `docker save` writes it.

        Raises:
            UnreachableError: the daemon is lost on the way.
            CancelledError: the person interrupted.
        """
        import requests

        from kubekit.image.docker.answers import until

        answer = self._engine.ask(lambda api: _asked(api, "GET", f"/images/{image}/get"))
        with contextlib.closing(answer):
            try:
                yield from until(answer.iter_content(_BLOCK), cancel)
            except (requests.RequestException, OSError) as error:
                raise unreachable(self._engine.endpoint, error) from error

    def _body(self, wanted: Wanted) -> dict[str, Any]:
        host: dict[str, Any] = {
            "NetworkMode": wanted.network,
            "Binds": [f"{volume}:{folder}" for volume, folder in wanted.volumes.items()],
        }
        if wanted.locked:
            host |= {
                "ReadonlyRootfs": True,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "Tmpfs": {"/tmp": "rw,mode=1777"},  # noqa: S108 - in the container
            }
        every = wanted.check_every
        check = {"Test": ["NONE"]} if every is None else {"Interval": every * _SECOND}
        return {
            "Image": wanted.image,
            "Env": [f"{name}={value}" for name, value in wanted.env.items()],
            "Labels": dict([self._label]),
            "Healthcheck": check,
            "HostConfig": host,
        }

    def _quietly(self, method: str, path: str) -> None:
        with contextlib.suppress(GoneError, KubekitError):
            self._ask(method, path)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        raw = self._engine.ask(lambda api: _raw(api, method, path, body))
        return json.loads(raw) if raw.strip() else {}


def frames(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """What a container printed: 1 for stdout or 2 for stderr, and the bytes; see the Engine API."""
    at = 0
    while at + _HEAD <= len(raw):
        stream, length = struct.unpack(">BxxxL", raw[at : at + _HEAD])
        yield stream, raw[at + _HEAD : at + _HEAD + length]
        at += _HEAD + length


def output(raw: bytes) -> tuple[bytes, bytes]:
    """What was printed on stdout, and on stderr."""
    parts = list(frames(raw))
    joined = [b"".join(data for stream, data in parts if stream == number) for number in (1, 2)]
    return joined[0], joined[1]


def _raw(
    api: docker.APIClient,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    timeout: float | None = None,
) -> bytes:
    answer = _asked(api, method, path, body, timeout=timeout)
    with contextlib.closing(answer):
        return bytes(answer.content)


def _asked(
    api: Any,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    timeout: float | None = None,
) -> Any:
    seconds = api.timeout if timeout is None else (api.timeout[0], timeout)
    url = f"{api.base_url}/v{api.api_version}{path}"
    answer = api.request(method, url, json=body, stream=True, timeout=seconds)
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        with contextlib.closing(answer):
            text = answer.text
            with contextlib.suppress(ValueError, KeyError, TypeError):
                text = str(json.loads(text)["message"])
            if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR or "OCI" in text:
                raise GoneError(text)
            answer.reason = text
            answer.raise_for_status()
    return answer
