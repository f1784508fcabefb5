"""Answering the daemon's calls: an HTTP/2 server on one connection, in one thread.

Data goes out only as fast as the daemon takes it (flow control), small messages many at once.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from string import punctuation
from urllib.parse import quote

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from kubekit.errors import KubekitError
from kubekit.image.buildkit.calls import Call, Code, Method, RefusedError, Unframing

_READ = 1 << 16
_TURN = 1 << 18
"""Bytes one call may send before the others have theirs and what came in is read."""

_PLAIN = punctuation.replace("%", " ")
"""What a message may hold as it is, beside letters and digits."""


@dataclass(kw_only=True)
class _Stream:
    call: Call
    incoming: Unframing = field(default_factory=Unframing)
    rest: memoryview = field(default_factory=lambda: memoryview(b""))

    def fill(self, size: int) -> bool:
        """Have something to send, small messages joined up to `size`; False if there is none."""
        if not self.rest:
            parts, length = [], 0
            while length < size and (part := self.call.give()) is not None:
                parts.append(part)
                length += len(part)
            self.rest = memoryview(b"".join(parts))
        return bool(self.rest)


class Server:
    """Serves one connection until either side closes it.

    Args:
        connection: after the upgrade; closed by whoever opened it.
        methods: what may be called, by its path.

    Attributes:
        error: what ended a call here, such as a file that changed; the first one counts.
    """

    def __init__(self, connection: socket.socket, methods: Mapping[str, Method]) -> None:
        self._socket = connection
        self._methods = methods
        self._streams: dict[int, _Stream] = {}
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self._http = h2.connection.H2Connection(config)
        self.error: KubekitError | None = None

    def run(self) -> None:
        """Serve; returns when the daemon closes the connection.

        Raises:
            OSError: the connection broke.
        """
        try:
            self._http.initiate_connection()
            self._flush()
            more = False
            while self._read(wait=not more):
                more = sum([self._write(number) for number in list(self._streams)]) > 0
                self._flush()
        except (h2.exceptions.H2Error, UnicodeDecodeError) as error:
            raise OSError(f"the daemon speaks no HTTP/2: {error}") from error

    def _read(self, *, wait: bool) -> bool:
        """Take what has come in; False once the connection is closed."""
        if not (wait or self._readable()):
            return True
        data = self._socket.recv(_READ)
        events = self._http.receive_data(data) if data else []
        if any(isinstance(event, h2.events.ConnectionTerminated) for event in events):
            return False
        resets = (event for event in events if isinstance(event, h2.events.StreamReset))
        # To a call that it has given up meanwhile nothing can be sent any more.
        given_up = {event.stream_id or 0 for event in resets}
        for number in given_up:
            self._streams.pop(number, None)
        for event in events:
            if isinstance(event, h2.events.DataReceived):
                self._take(event)
            elif isinstance(event, h2.events.RequestReceived) and event.stream_id not in given_up:
                self._begin(event)
        return bool(data)

    def _readable(self) -> bool:
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        return bool(select.select([self._socket], [], [], 0)[0])

    def _flush(self) -> None:
        if data := self._http.data_to_send():
            self._socket.sendall(data)

    def _begin(self, event: h2.events.RequestReceived) -> None:
        number = event.stream_id or 0
        metadata: dict[str, list[str]] = {}
        for key, value in event.headers or ():
            metadata.setdefault(str(key), []).append(str(value))
        headers = [(":status", "200"), ("content-type", "application/grpc")]
        self._http.send_headers(number, headers)
        with self._ending(number):
            path = metadata[":path"][0]
            if path not in self._methods:
                raise RefusedError(Code.UNIMPLEMENTED, f"`{path}` is not offered")
            self._streams[number] = _Stream(call=self._methods[path](metadata))

    def _take(self, event: h2.events.DataReceived) -> None:
        number = event.stream_id or 0
        self._http.acknowledge_received_data(event.flow_controlled_length or 0, number)
        stream = self._streams.get(number)
        if stream is not None:
            with self._ending(number):
                for message in stream.incoming.add(event.data or b""):
                    stream.call.take(message)

    def _write(self, number: int) -> bool:
        """Send what one call has; True if it has more, and the daemon would take it now."""
        more = False
        with self._ending(number):
            more = self._send(number, self._streams[number])
        return more  # noqa: RET504 - the block may end early, which mypy does not see

    def _send(self, number: int, stream: _Stream) -> bool:
        frame, left = self._http.max_outbound_frame_size, _TURN
        while left > 0:
            if not stream.fill(frame):
                if stream.call.ended():
                    self._end(number, Code.OK)
                return False
            window = self._http.local_flow_control_window(number)
            size = min(window, frame, len(stream.rest))
            if size <= 0:
                return False
            self._http.send_data(number, bytes(stream.rest[:size]))
            stream.rest = stream.rest[size:]
            left -= size
        return True

    @contextlib.contextmanager
    def _ending(self, number: int) -> Iterator[None]:
        """End a call with what goes wrong in it."""
        try:
            yield
        except RefusedError as error:
            self._end(number, error.code, error.message)
        except ValueError as error:
            self._end(number, Code.UNKNOWN, str(error))
        except KubekitError as error:
            self.error = self.error or error
            self._end(number, Code.UNKNOWN, error.message)

    def _end(self, number: int, code: Code, message: str = "") -> None:
        self._streams.pop(number, None)
        trailers = [("grpc-status", str(int(code)))]
        if message:
            quoted = quote(message, safe=_PLAIN, errors="surrogateescape")
            trailers.append(("grpc-message", quoted))
        self._http.send_headers(number, trailers, end_stream=True)
