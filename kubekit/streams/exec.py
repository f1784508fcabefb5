"""A program run in a container, its input and output over one websocket."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, Self
from urllib.parse import urlencode

from kubekit.api.kube import ApiError, Kube, TransientError
from kubekit.api.resources import PODS
from kubekit.api.websockets import connect
from kubekit.errors import CancelledError, UnreachableError, WorkloadError
from kubekit.model import Cancel, Object

if TYPE_CHECKING:
    import websocket

_PROTOCOL = "v4.channel.k8s.io"
"""Every API server and kubelet speaks it; v5 adds the end of the input, and a translation."""

_STDIN, _STDOUT, _STDERR, _STATUS = range(4)
_CHUNK = 1 << 17
_STEP_SECONDS = 0.05
_KEPT = 16 << 10
_FORBIDDEN = 403
_GONE = (400, 404)
_ABSENT = re.compile(
    r"container not found|not running|completed pod|no such container", re.IGNORECASE
)
"""What the kubelet says, with status 500, where the pod is there and its container is not."""

_NO_SUCH_PROGRAM = (126, 127)


class GoneError(UnreachableError):
    """The container in which to run something is not there, or does not run."""

    default_id = "container-gone"


class BrokenError(TransientError):
    """The connection to a program that ran was lost; the program may have ended with it."""

    default_id = "exec-broken"


class EndedError(WorkloadError):
    """The program has ended, or could not be started.

    Attributes:
        code: how it ended; None where it could not be started.
        text: what it said on its error output, or why it could not be started.
    """

    default_id = "exec-ended"

    def __init__(self, message: str, *, code: int | None, text: str) -> None:
        super().__init__(message, details=tuple(text.splitlines()[-20:]))
        self.code = code
        self.text = text


class Exec:
    """A program that runs in a container, from its start to `close`; used by one thread at a time.

    Closing ends its input; it is the program's part to end then.

    Raises:
        GoneError: there is no such container, or it does not run.
        ApiError: this user may not run programs in it.
        TransientError: the API server cannot be reached.
    """

    def __init__(
        self, kube: Kube, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> None:
        self._kube = kube
        self._program = command[0]
        self._where = f"container `{container}` of Pod `{pod}`"
        self._said = b""
        self._began = b""
        flags = {"stdin": "true", "stdout": "true", "stderr": "true", "container": container}
        query = urlencode([*flags.items(), *(("command", word) for word in command)])
        self._stream = self._connected(f"{PODS.path(namespace, pod)}/exec?{query}")

    def _connected(self, path: str) -> websocket.WebSocket:
        import websocket

        try:
            stream = connect(self._kube, path, protocol=_PROTOCOL)
        except websocket.WebSocketBadStatusException as error:
            raise self._refused(error) from error
        except (websocket.WebSocketException, OSError) as error:
            raise TransientError(
                f"the API server at {self._kube.host} does not answer",
                details=(str(error),),
                id="api-unreachable",
            ) from error
        stream.settimeout(_STEP_SECONDS)
        return stream

    def _refused(
        self, error: websocket.WebSocketBadStatusException
    ) -> ApiError | GoneError | TransientError:
        body = error.resp_body or b""
        try:
            message = str(json.loads(body)["message"])
        except (ValueError, KeyError, TypeError):
            message = body.decode(errors="replace").strip() or str(error)
        if error.status_code == _FORBIDDEN:
            return ApiError(status=_FORBIDDEN, reason="Forbidden", message=message, causes=())
        if error.status_code in _GONE or _ABSENT.search(message):
            return GoneError(f"{self._where} does not run", details=(message,))
        said = f"the API server cannot run a program in {self._where}: {message}"
        return TransientError(said, id="exec-refused")

    def send(self, data: bytes | memoryview, cancel: Cancel | None = None) -> None:
        """Write to its input; returns when it is on its way.

        Raises:
            BrokenError: the connection broke.
            CancelledError: as `receive`.
        """
        import websocket

        rest = memoryview(data)
        # A write that times out may have sent a part: it gets more time than a read.
        self._stream.settimeout(30)
        try:
            while rest:
                self._check(cancel)
                self._stream.send_binary(bytes([_STDIN]) + rest[:_CHUNK])
                rest = rest[_CHUNK:]
        except (websocket.WebSocketException, OSError) as error:
            raise self._broken(error) from error
        finally:
            self._stream.settimeout(_STEP_SECONDS)

    def receive(self, cancel: Cancel | None = None) -> bytes:
        """What it wrote to its output next; empty if nothing for a moment.

        Raises:
            EndedError: it has ended.
            BrokenError: the connection broke.
            CancelledError: the run was interrupted, or `cancel` was set.
        """
        import websocket

        self._check(cancel)
        try:
            opcode, data = self._stream.recv_data()
        except websocket.WebSocketTimeoutException:
            return b""
        except (websocket.WebSocketException, OSError) as error:
            raise self._broken(error) from error
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise self._broken(None)
        if data[:1] == bytes([_STDERR]):
            self._said = (self._said + data[1:])[-_KEPT:]
        elif data[:1] == bytes([_STATUS]):
            self._ended(json.loads(data[1:]))
        elif data[:1] == bytes([_STDOUT]):
            if len(self._began) < _KEPT:
                self._began += data[1:]
            return bytes(data[1:])
        return b""

    def close(self) -> None:
        """End its input and hang up."""
        self._stream.shutdown()  # type: ignore[no-untyped-call]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self, cancel: Cancel | None) -> None:
        self._kube.pause(0)
        if cancel is not None and cancel.is_set():
            raise CancelledError("superseded by a newer change")

    def _broken(self, error: Exception | None) -> BrokenError:
        return BrokenError(
            f"the connection to {self._where} broke",
            details=(str(error),) if error else (),
        )

    def _ended(self, status: Object) -> NoReturn:
        """Its Status: how it ended, or why it was not started."""
        causes = (status.get("details") or {}).get("causes") or []
        codes = [cause.get("message") for cause in causes if cause.get("reason") == "ExitCode"]
        code = 0 if status.get("status") == "Success" else int(codes[0]) if codes else None
        # Docker tells on the output why a program could not be started.
        told = self._said if self._said.strip() or code not in _NO_SUCH_PROGRAM else self._began
        text = told.decode(errors="replace").strip() or str(status.get("message") or "")
        ending = "could not be started" if code is None else f"ended with code {code}"
        raise EndedError(f"`{self._program}` {ending} in {self._where}", code=code, text=text)
