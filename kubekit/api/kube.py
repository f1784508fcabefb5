"""The Kubernetes API as plain data: the only importer of `kubernetes`.

The package gives kubeconfig, credentials, TLS and the connection pool. Requests are raw JSON over
that pool: the typed classes cost 0.3 s to import and reject fields they do not know.
"""

from __future__ import annotations

import copy
import email.utils
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tenacity

from kubekit.errors import CancelledError, KubekitError, RefusedError, UnreachableError
from kubekit.model import Cancel, Object

if TYPE_CHECKING:
    import urllib3

FIELD_MANAGER = "kubekit"
CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
PATIENCE_SECONDS = 30.0
"""How long an idempotent request is retried while the API server cannot be reached."""

HICCUP_SECONDS = 2.0
"""The same for what may fail for good, as one of many kinds does whose own server is down."""

_KEPT_CONNECTIONS = 8
"""As many as are asked side by side. More would stay open after a burst, or half closed once the
server has hung up: the pool hands out the newest first, and looks at none that it does not. What
is followed holds one of its own."""

_TRANSIENT = frozenset({429, 500, 502, 503, 504})
# An object that does not fit the schema is a 500 to server-side apply, but no better next time.
_MISFITS = ("failed to create typed patch object", "failed to convert new object")
_IDS = {
    "Invalid": "api-invalid",
    "BadRequest": "api-invalid",
    "Conflict": "api-conflict",
    "Forbidden": "api-forbidden",
}
_APPLY = "application/apply-patch+yaml"


class ApiError(RefusedError):
    """The API server answered with a Status that is a failure.

    Attributes:
        status: the HTTP code.
        reason: the Status reason, such as ``NotFound``.
        causes: details of the Status: each has ``reason``, ``message``, ``field``.
    """

    def __init__(
        self, *, status: int, reason: str, message: str, causes: tuple[Object, ...]
    ) -> None:
        super().__init__(message, id=_IDS.get(reason, "api-refused"))
        self.status = status
        self.reason = reason
        self.causes = causes


class TransientError(UnreachableError):
    """A request that may well go through if sent again.

    Attributes:
        retry_after: seconds the server asked to wait, if it did.
    """

    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the API server answered.

    Attributes:
        warnings: the texts of its Warning headers.
        date: the server's own time, in seconds since the epoch.
    """

    data: Object
    warnings: tuple[str, ...]
    date: float


class Kube:
    """One cluster, addressed by one kubeconfig context; safe to use from several threads.

    Raises:
        UnreachableError: the kubeconfig cannot be used.
    """

    def __init__(self, *, context: str, cancel: Cancel) -> None:
        self.context = context
        self._client = _Client(context)
        self._cancel = cancel
        self._ahead = float("-inf")
        self._guard: Callable[[Kube, str], None] | None = None

    def renew(self) -> None:
        """Read the kubeconfig again: a Minikube that was stopped comes back on another port.

        All that were made of one another then ask there.

        Raises:
            UnreachableError: it cannot be used.
        """
        self._client.renew()

    def until(self, cancel: Cancel) -> Kube:
        """The same cluster for a part of the run that ends by itself."""
        part = copy.copy(self)
        part._cancel = cancel  # noqa: SLF001 - of this class
        return part

    def guarded(self, guard: Callable[[Kube, str], None] | None) -> Kube:
        """The same cluster; before anything is changed, `guard` is called with the path.

        And with the cluster as it is reached at that moment, for requests of its own.
        """
        part = copy.copy(self)
        part._guard = guard  # noqa: SLF001 - of this class
        return part

    @property
    def host(self) -> str:
        """Where the API server is, as the kubeconfig says."""
        return str(self._client.api.configuration.host)

    def server_now(self) -> float:
        """The API server's time now, seconds since the epoch, as near as its answers tell.

        They carry whole seconds, cut off; the one that came soonest after a full second is nearest.
        """
        return time.monotonic() + self._ahead if self._ahead > float("-inf") else time.time()

    @property
    def configuration(self) -> Any:
        """The package's own settings, TLS and credentials, for what is no plain request."""
        return self._client.api.configuration

    @property
    def proxy(self) -> urllib3.util.Url | None:
        """The proxy on the way to this API server, if there is one."""
        pool: urllib3.PoolManager = self._client.api.rest_client.pool_manager
        return pool.proxy

    @property
    def cancel(self) -> Cancel:
        """What ends its requests, and the waits between them."""
        return self._cancel

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            CancelledError: the run was interrupted.
        """
        if self._cancel.wait(seconds):
            raise CancelledError("interrupted")

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
        patience: float = PATIENCE_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> Answer:
        """Send one request, and wait `read_seconds` for its answer.

        `patience` is for how many seconds it may be sent again (0: never).

        Raises:
            ApiError: the server refused it.
            UnreachableError: the server could not be reached in time.
        """
        if self._guard is not None and method != "GET" and "dryRun" not in (query or {}):
            self._guard(self.guarded(None), path)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            stop=tenacity.stop_after_delay(patience),
            wait=_wait,
            sleep=self.pause,
            reraise=True,
        )
        return retrying(self._once, method, path, query or {}, body, content_type, read_seconds)

    def get(
        self,
        path: str,
        *,
        patience: float = PATIENCE_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> Object | None:
        """The object at `path`, or None where there is none."""
        try:
            return self.request("GET", path, patience=patience, read_seconds=read_seconds).data
        except ApiError as error:
            if error.status == 404:  # noqa: PLR2004
                return None
            raise

    def list(
        self, path: str, *, selector: str = "", patience: float = PATIENCE_SECONDS
    ) -> list[Object]:
        """All objects of a collection, narrowed by a label selector."""
        query = {"labelSelector": selector} if selector else {}
        answer = self.request("GET", path, query=query, patience=patience)
        return list(answer.data.get("items") or [])

    def apply(
        self, path: str, obj: Object, *, dry_run: bool = False, force: bool = False
    ) -> Answer:
        """Server-side apply, strictly validated, as field manager ``kubekit``.

        By `force` fields that others own are taken over.
        """
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        if force:
            query["force"] = "true"
        if dry_run:
            query["dryRun"] = "All"
        return self.request("PATCH", path, query=query, body=obj, content_type=_APPLY)

    def delete(self, path: str, *, uid: str, propagation: str = "Foreground") -> bool:
        """Delete this very object; False if it is gone or another one has its name by now."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": propagation}
        try:
            self.request("DELETE", path, body=body)
        except ApiError as error:
            if error.status in (404, 409):
                return False
            raise
        return True

    def text(self, path: str, *, query: Mapping[str, str]) -> str:
        """A body that is no JSON, such as a log; bytes that are no UTF-8 are marked."""
        response = self.open("GET", path, query=query, read_seconds=READ_SECONDS)
        return self._body(response).decode(errors="replace")

    def open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        read_seconds: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request and hand back the response before its body is read.

        Raises:
            TransientError: the server could not be reached.
            UnreachableError: TLS failed; sending again would not help.
        """
        import urllib3

        sent = {"Accept": "application/json", "User-Agent": "kubekit", **(headers or {})}
        api = self._client.api  # of one reading, whoever renews it meanwhile
        configuration = api.configuration
        token = configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            sent["Authorization"] = token
        pool: urllib3.PoolManager = api.rest_client.pool_manager
        try:
            return pool.request(
                method,
                configuration.host + path,
                fields=dict(query) if body is None else None,
                body=body,
                headers=sent,
                preload_content=False,
                retries=False,
                timeout=urllib3.Timeout(
                    connect=min(CONNECT_SECONDS, read_seconds), read=read_seconds
                ),
            )
        except urllib3.exceptions.HTTPError as error:
            raise _unreachable(self.context, self.host, error) from error

    def stream(
        self, path: str, *, query: Mapping[str, str], read_seconds: float
    ) -> urllib3.BaseHTTPResponse:
        """A body that is read while it comes, as with `chunks`.

        Raises:
            ApiError: the server refused it.
            TransientError: the server could not be reached, or is busy.
        """
        response = self.open("GET", path, query=query, read_seconds=read_seconds)
        if response.status >= 400:  # noqa: PLR2004
            self._body(response)
        return response

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Object | None,
        kind: str,
        read_seconds: float,
    ) -> Answer:
        from urllib.parse import urlencode

        if self._cancel.is_set():
            raise CancelledError("interrupted")
        payload = None if body is None else json.dumps(body).encode()
        if payload is not None and query:
            path = f"{path}?{urlencode(query)}"
        response = self.open(
            method,
            path,
            query=query,
            read_seconds=read_seconds,
            body=payload,
            headers={"Content-Type": kind} if payload is not None else {},
        )
        date = server_time(response.headers)
        self._ahead = max(self._ahead, date - time.monotonic())
        raw = self._body(response)
        return Answer(data=json.loads(raw), warnings=_warnings(response.headers), date=date)

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        import urllib3

        try:
            body = response.read()
        except urllib3.exceptions.HTTPError as error:
            raise _unreachable(self.context, self.host, error) from error
        finally:
            response.release_conn()
        if response.status >= 400:  # noqa: PLR2004
            raise _failure(response.status, body, response.headers)
        return body


class _Client:
    """The package's client, which several share: where the API server is, and connections to it."""

    def __init__(self, context: str) -> None:
        self._context = context
        self._lock = threading.Lock()
        self.api: Any = None
        self.renew()

    def renew(self) -> None:
        """As `Kube.renew`."""
        with self._lock:
            self._renew()

    def _renew(self) -> None:
        from kubernetes.client import Configuration
        from kubernetes.config import new_client_from_config
        from kubernetes.config.config_exception import ConfigException

        from kubekit.cluster.kubeconfig import files

        former = self.api
        configuration = Configuration()
        configuration.connection_pool_maxsize = _KEPT_CONNECTIONS
        try:
            self.api = new_client_from_config(  # type: ignore[no-untyped-call]
                config_file=files(),
                context=self._context,
                persist_config=False,
                client_configuration=configuration,
            )
        except ConfigException as error:
            raise UnreachableError(
                f"the kubeconfig cannot be used for context `{self._context}`: {error}",
                hints=(
                    f"look at it with `kubectl config view --minify --context {self._context}`",
                ),
                id="kubeconfig",
            ) from error
        if former is not None:
            # It lies in a circle of references: what it keeps open would stay so for minutes.
            former.rest_client.pool_manager.clear()


def server_time(headers: Mapping[str, str]) -> float:
    """The server's clock by its Date header, whole seconds; this machine's where it sent none."""
    value = headers.get("Date")
    return email.utils.parsedate_to_datetime(value).timestamp() if value else time.time()


def lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """The lines of a body as they arrive.

    Raises:
        TransientError: the connection broke or fell silent for longer than its read timeout.
    """
    rest = b""
    for chunk in chunks(response):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def chunks(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """A body as it arrives, in pieces of at most 64 KiB.

    Raises:
        TransientError: as `lines` does; its cause is a TimeoutError after a silence.
    """
    import urllib3

    try:
        yield from response.stream(amt=65536)
    except urllib3.exceptions.ReadTimeoutError as error:
        raise TransientError("nothing came for too long") from TimeoutError(str(error))
    except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
        # ValueError and AttributeError: the socket was closed under the reader, by `hang_up`.
        raise TransientError(f"the connection broke: {error}") from error


def hang_up(response: urllib3.BaseHTTPResponse) -> None:
    """End a response that another thread is blocked on; closing alone would not wake it."""
    import contextlib
    import socket

    connection = getattr(response, "connection", None)
    sock = getattr(connection, "sock", None)
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _wait(state: tenacity.RetryCallState) -> float:
    asked = getattr(state.outcome.exception(), "retry_after", None) if state.outcome else None
    backoff = tenacity.wait_random_exponential(multiplier=0.1, max=2.0)(state)
    return float(asked) if asked is not None else backoff


def _warnings(headers: Any) -> tuple[str, ...]:
    # RFC 7234 5.5: `299 - "text"`; the API server escapes quotes inside the text.
    values = headers.getlist("Warning") if hasattr(headers, "getlist") else []
    texts = []
    for value in values:
        _, _, quoted = value.partition('"')
        texts.append(quoted.rstrip('"').replace('\\"', '"'))
    return tuple(texts)


def _failure(status: int, body: bytes, headers: Mapping[str, str]) -> KubekitError:
    try:
        data = json.loads(body)
    except ValueError:
        data = {}
    if not isinstance(data, dict) or data.get("kind") != "Status":
        data = {"message": body[:256].decode(errors="replace").strip()}
    message = str(data.get("message") or f"the API server answered {status}")
    if status in _TRANSIENT and not message.startswith(_MISFITS):
        hint = "try again in a moment; `kubectl get --raw '/readyz?verbose'` says how it is"
        error = TransientError(message, hints=(hint,), id="api-busy")
        asked = headers.get("Retry-After")
        error.retry_after = float(asked) if asked and asked.isdigit() else None
        return error
    details = data.get("details") or {}
    api_error = ApiError(
        status=status,
        reason=str(data.get("reason") or ""),
        message=message,
        causes=tuple(details.get("causes") or ()),
    )
    if status == 401:  # noqa: PLR2004
        return UnreachableError(
            "the API server does not accept the credentials of the kubeconfig",
            hints=("if the certificates have expired, `minikube start` makes new ones",),
            id="unauthorized",
        )
    return api_error


def _unreachable(context: str, host: str, error: Exception) -> UnreachableError:
    text = str(error.__cause__ or error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        return UnreachableError(
            f"the kubeconfig does not trust the API server's certificate for context `{context}`",
            hints=("run `minikube update-context` or `kubekit up`",),
            details=(text,),
            id="api-certificate",
        )
    return TransientError(
        f"the API server of context `{context}` at {host} does not answer",
        hints=("start the cluster with `kubekit up`",),
        details=(text,),
        id="api-unreachable",
    )
