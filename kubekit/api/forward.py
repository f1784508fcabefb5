"""What answers inside a pod and behind a Service, found out by way of the API server.

To see which ports are open sends nothing to them; a GET is one, and an app may log that request.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kubekit.api.kube import ApiError, Kube
from kubekit.api.resources import PODS, SERVICES
from kubekit.api.websockets import connect
from kubekit.errors import UnreachableError
from kubekit.model import Object

if TYPE_CHECKING:
    import urllib3
    import websocket

_PROTOCOL = "v4.channel.k8s.io"
_STEP_SECONDS = 0.05
_QUIET_SECONDS = 0.3
_WITNESS = 1
"""A port nobody listens on: its refusal shows that the way works, and how long a refusal takes."""

_REFUSED = re.compile(r"connection refused", re.IGNORECASE)
_REACHED = re.compile(r"connection reset|broken pipe", re.IGNORECASE)

_FORBIDDEN = 403
_BODY_BYTES = 65536
_UNREACHED = re.compile(r"dial (?!.*reset by)|no endpoints available|no service port")
_NO_HTTP = re.compile(
    r"malformed HTTP|transport connection broken|tls: |TLS |EOF|: read: |reset by"
)


def listening(
    kube: Kube, namespace: str, pod: str, ports: Sequence[int], seconds: float = 2.0
) -> frozenset[int] | None:
    """Those of the ports that take connections on the pod's loopback; None if it cannot be known.

    It cannot be known where the pod is gone or on no node, the node lacks what it forwards with,
    or the answer is not certain within so many seconds.

    As seen with Kubernetes 1.34 and cri-dockerd 0.3 (nsenter and socat on the node): one websocket
    serves all ports; each has a channel for data and one for its error, both begin with the port's
    number. A refusal is text on the error channel, 20 to 40 ms after the request, 100 ms on a node
    with four busy processes to a core, the last one at most 13 ms after the one before. An open
    port says nothing, unless its server speaks first. The server ends the websocket once no
    connection is left, so also 0.5 s after an app hung up at once. A pod whose containers do not
    run refuses every port; one that has ended, or is on no node, is refused as a whole.

    So what is silent is taken as open when nothing was refused any more for `_QUIET_SECONDS`, or
    twice as long as the last refusal took.

    Raises:
        ApiError: this user may not forward ports.
        CancelledError: the run was interrupted.
    """
    import websocket

    began = time.monotonic()
    asked = tuple(dict.fromkeys((_WITNESS, *ports)))
    query = ",".join(str(port) for port in asked)
    path = f"{PODS.path(namespace, pod)}/portforward?ports={query}"
    try:
        stream = connect(kube, path, protocol=_PROTOCOL, seconds=seconds)
        stream.settimeout(_STEP_SECONDS)
        try:
            return _scan(kube, stream, _Scan(asked, began), until=began + seconds)
        finally:
            stream.shutdown()  # type: ignore[no-untyped-call]
    except websocket.WebSocketBadStatusException as error:
        if error.status_code == _FORBIDDEN:
            raise _forbidden("ports may not be forwarded") from error
        return None
    except (websocket.WebSocketException, OSError):
        return None


class _Scan:
    """What came in so far about the ports."""

    def __init__(self, asked: tuple[int, ...], began: float) -> None:
        self._asked = asked
        self._began = began
        self._last = began
        self._greeted: set[int] = set()
        self._spoke: set[int] = set()
        self._texts: dict[int, str] = {}

    def take(self, data: bytes) -> None:
        """One message: the number of its channel, then what it says."""
        channel = data[0]
        port = self._asked[channel // 2]
        if channel not in self._greeted:
            self._greeted.add(channel)
            return
        self._last = time.monotonic()
        if channel % 2:
            self._texts[port] = self._texts.get(port, "") + data[1:].decode(errors="replace")
        else:
            self._spoke.add(port)

    def settled(self) -> bool:
        """Whether nothing more is to be expected."""
        refused = self._refused()
        if refused | self._spoke == set(self._asked):
            return True
        quiet = max(_QUIET_SECONDS, 2 * (self._last - self._began))
        return _WITNESS in refused and time.monotonic() - self._last > quiet

    def open_ports(self) -> frozenset[int] | None:
        """The ports that were not refused; None where an error says something else."""
        refused = self._refused()
        unclear = self._texts.keys() - refused - self._matching(_REACHED)
        if _WITNESS not in refused or unclear:
            return None
        return frozenset(self._asked) - refused

    def _refused(self) -> set[int]:
        return self._matching(_REFUSED)

    def _matching(self, pattern: re.Pattern[str]) -> set[int]:
        return {port for port, text in self._texts.items() if pattern.search(text)}


def _scan(
    kube: Kube, stream: websocket.WebSocket, scan: _Scan, until: float
) -> frozenset[int] | None:
    import websocket

    while not scan.settled():
        kube.pause(0)
        if time.monotonic() > until:
            return None
        try:
            opcode, data = stream.recv_data()
        except websocket.WebSocketTimeoutException:
            continue
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            normal = data[:2] == websocket.STATUS_NORMAL.to_bytes(2, "big")
            return scan.open_ports() if normal else None
        if data:
            scan.take(data)
    return scan.open_ports()


def service_answers(
    kube: Kube,
    namespace: str,
    service: str,
    port: int,
    seconds: float = 5.0,
) -> int | str | None:
    """What a GET through a Service meets: an HTTP status, words, or None if it cannot be known.

    The status is the app's own, 0 if a pod was reached that does not speak HTTP; the words are why
    no pod was reached. It cannot be known where there is no such Service, one without selector
    included.

    As seen with Kubernetes 1.34: the API server passes on what the app answers, and where it
    cannot, it answers 503 with a Status of its own, ``error trying to reach service: dial tcp
    ADDRESS: connect: connection refused``, ``no endpoints available for service`` or ``no service
    port``. Its headers do not tell the two apart. It knows no time limit for an app that took the
    request and is silent.

    Raises:
        ApiError: this user may not ask this way.
    """
    return _answers(kube, f"{SERVICES.path(namespace)}/http:{service}:{port}/proxy/", seconds)


def pod_answers(
    kube: Kube,
    namespace: str,
    pod: str,
    port: int,
    path: str = "/",
    scheme: str = "http",
    seconds: float = 5.0,
) -> int | str | None:
    """What a GET to a pod's own address meets, as `service_answers` tells it.

    The API server does not check the certificate of a pod that speaks TLS.
    """
    target = f"{PODS.path(namespace)}/{scheme.lower()}:{pod}:{port}/proxy/"
    return _answers(kube, target + path.removeprefix("/"), seconds)


def _answers(kube: Kube, path: str, seconds: float) -> int | str | None:
    try:
        response = kube.open("GET", path, query={}, read_seconds=seconds)
    except UnreachableError as error:
        return f"no answer within {seconds:g} s" if _is_silence(error.__cause__) else None
    try:
        said = _status(response)
    finally:
        response.close()
    if said is None:
        return response.status
    message = str(said.get("message")).removeprefix("error trying to reach service: ")
    if response.status == _FORBIDDEN:
        raise _forbidden(message)
    if response.status not in (502, 503, 504):
        return None
    if _UNREACHED.match(message):
        return message
    return 0 if _NO_HTTP.search(message) else None


def _forbidden(message: str) -> ApiError:
    return ApiError(status=_FORBIDDEN, reason="Forbidden", message=message, causes=())


def _is_silence(error: BaseException | None) -> bool:
    import urllib3

    return isinstance(error, urllib3.exceptions.ReadTimeoutError)


def _status(response: urllib3.BaseHTTPResponse) -> Object | None:
    """The API server's own Status, if that is what the body is."""
    import urllib3

    if response.status < 400:  # noqa: PLR2004
        return None  # a body that is not read may as well be endless
    try:
        data = json.loads(response.read(_BODY_BYTES))
    except (urllib3.exceptions.HTTPError, ValueError):
        return None
    known = isinstance(data, dict) and data.get("kind") == "Status"
    return data if known and data.get("code") == response.status else None
