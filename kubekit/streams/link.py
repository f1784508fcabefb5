"""One client of the local port, and the stream to a pod that serves it."""

from __future__ import annotations

import contextlib
import enum
import selectors
import socket
import time
from collections.abc import Callable
from typing import Protocol

from kubekit.streams.client import Client
from kubekit.streams.portforward import NoWayError, Tunnel

_HIGH = 1 << 18
"""Bytes that wait in either direction before nothing more is read for it."""
_KEPT = 1 << 18
"""Bytes of a client that are kept until it is certain that a pod has them."""
_ROUNDS = 32
_CERTAIN_SECONDS = 0.3
"""No refusal of a port comes later than this on a machine that is not overloaded."""
_STALE_SECONDS, _FRESH_SECONDS = 2.0, 10.0
_UNANSWERED_SECONDS, _ANSWERED_SECONDS = 10.0, 1.0
_LINGER_SECONDS = 2.0
_PROBE_SECONDS, _SILENCE_SECONDS = 2.0, 30.0
"""How long a pod may be silent before it is asked whether it is there, at first and at most."""
_BACKOFF_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8)


class _State(enum.Enum):
    HELD = "no pod is ready"
    OPENING = "a connection to a pod is being made"
    ASKED = "the node was asked for a stream"
    OPEN = "bytes may flow"
    ENDING = "the client gets what is left"
    GONE = "over"


class Hub(Protocol):
    """What a client's connection needs of the listener."""

    def watch(self, sock: socket.socket, events: int, then: Callable[[], None]) -> None:
        """Call back whenever the socket is ready for one of the events; 0: no more."""

    def soon(self, then: Callable[[], None]) -> None:
        """Call back once, after the others had their turn."""

    def place(self, link: Link) -> None:
        """Find it a pod, or have it `wait`."""

    def release(self, tunnel: Tunnel) -> None:
        """Take back a connection that is idle."""

    def forget(self, link: Link) -> None:
        """It is over."""


class Link:
    """A client's connection; everything in the listener's own thread, and nothing blocks.

    The end of what a client sends is passed on at once, but not while a request over HTTP is not
    answered: from then on cri-dockerd (socat) gives the app half a second to go on answering, and
    a server of HTTP knows the end of a request by itself.

    Attributes:
        due: when `lapse` is to be called, by `time.monotonic`; None: never.
        deadline: when to give up finding it a pod.
        reason: why it has none.
        to: the pod it is for, and the port; None: whichever the hub chooses.
    """

    def __init__(
        self,
        hub: Hub,
        client: socket.socket,
        hold_seconds: float,
        to: tuple[str, int] | None = None,
    ) -> None:
        self.to = to
        self.due: float | None = None
        self.deadline = time.monotonic() + hold_seconds
        self.reason = "it takes too long to reach one"
        self._hub = hub
        self._hold_seconds = hold_seconds
        self._client = Client(client)
        self._state = _State.HELD
        self._tunnel: Tunnel | None = None
        self._failures = 0
        self._said = bytearray()
        self._kept = True
        self._client_last = self._answered = self._patient = self._reset = False
        self._opened = self._since = self._heard = time.monotonic()
        self._silence = _PROBE_SECONDS

    @property
    def held(self) -> bool:
        """Whether it waits for a pod that is ready."""
        return self._state is _State.HELD

    @property
    def _gone(self) -> bool:
        return self._state is _State.GONE

    def opening(self) -> None:
        """A connection to a pod is being made for it."""
        self._state, self.due = _State.OPENING, self.deadline

    def serve(self, tunnel: Tunnel, port: int) -> bool:
        """Go on with this connection to a pod; False if the client has gone meanwhile."""
        if self._state not in (_State.HELD, _State.OPENING):
            return False
        self._tunnel = tunnel
        self._state = _State.ASKED
        self.due = time.monotonic() + (_STALE_SECONDS if tunnel.used else _FRESH_SECONDS)
        tunnel.ask(port)
        self.turn()
        return True

    def fail(self, reason: str, *, final: bool = False) -> None:
        """The pod could not be reached, and nothing that the client said has been."""
        if self._state in (_State.ENDING, _State.GONE):
            return
        self.reason = reason
        if final or self._client.ended:
            self.give_up()
            return
        self._state = _State.HELD
        self.due = time.monotonic() + _BACKOFF_SECONDS[min(self._failures, 4)]
        self._failures += 1
        self.turn()

    def wait(self, reason: str) -> None:
        """No pod is ready at this moment."""
        self.reason = reason
        self._state, self.due = _State.HELD, self.deadline
        if self._client.ended:
            self.give_up()

    def give_up(self) -> None:
        """Answer in the app's place if the client speaks HTTP, else close."""
        self._answer("503 Service Unavailable", f"no pod could be asked: {self.reason}")

    def lapse(self) -> None:
        """The time it is `due` has come."""
        self.due = None
        if self._state is _State.ASKED:
            self._lost(NoWayError("the node does not answer"))
        elif self._state is _State.ENDING:
            self._close()
        elif self._state in (_State.HELD, _State.OPENING):
            self.give_up() if time.monotonic() >= self.deadline else self._hub.place(self)
        else:
            self.turn()

    def turn(self) -> None:
        """Move what can be moved, either way, and wait for what cannot."""
        if self._gone:
            return
        try:
            self._read_client()
            self._read_pod()
            self._write_client()
        except NoWayError as error:
            self._lost(error)
        except OSError:
            self.abort()
        if not self._gone:
            self._watch()

    def abort(self) -> None:
        """Break the client's connection off, so that it does not take this for the end."""
        if not self._gone:
            self._client.abort()
            self._close()

    def _read_client(self) -> None:
        while self._wants_client():
            if (said := self._client.read()) is None:
                return
            if said and self._state is not _State.ENDING:
                self._hear(said)
        if self._client.ended and self._state is _State.HELD:
            self.give_up()

    def _wants_client(self) -> bool:
        if self._client.ended:
            return False
        if self._state is _State.ENDING:
            return True
        if self._state is not _State.OPEN:
            return len(self._said) < _KEPT
        assert self._tunnel is not None
        room = not self._kept or len(self._said) < _KEPT or self._certain()
        return room and self._tunnel.backlog < _HIGH

    def _certain(self) -> bool:
        return time.monotonic() > self._opened + _CERTAIN_SECONDS

    def _hear(self, said: bytes) -> None:
        self._client_last = True
        self._since = time.monotonic()
        if self._kept and len(self._said) >= _KEPT:
            self._forget_said()
        if self._kept:
            self._said += said
        if self._state is _State.OPEN:
            assert self._tunnel is not None
            self._tunnel.send(said)

    def _forget_said(self) -> None:
        self._kept = False
        self._said.clear()

    def _read_pod(self) -> None:
        tunnel = self._tunnel
        if tunnel is None:
            return
        for _ in range(_ROUNDS):
            tunnel.flush()
            full = self._client.backlog >= _HIGH
            if full or tunnel.ended or (answer := tunnel.receive()) is None:
                break
            if self._state is _State.ASKED and (tunnel.accepted or answer):
                self._begin(tunnel)  # before all is forgotten: a server may greet at once
            if answer:
                self._answered, self._client_last = True, False
                self._since = self._heard = time.monotonic()
                self._silence = _PROBE_SECONDS
                self._forget_said()
                self._client.write(answer)
                self._write_client()
        else:
            self._hub.soon(self.turn)
        if tunnel.ended:
            self._pod_ended(tunnel)
        elif self._state is _State.OPEN:
            self._pass_end(tunnel)
            tunnel.flush()

    def _begin(self, tunnel: Tunnel) -> None:
        self._state, self.due = _State.OPEN, None
        self._opened = self._since = self._heard = time.monotonic()
        self._silence = _PROBE_SECONDS
        tunnel.send(bytes(self._said))

    def _pass_end(self, tunnel: Tunnel) -> None:
        """Pass on that the client sends nothing more, once that does no harm."""
        self.due = None
        if self._client.ended and not tunnel.finished:
            self._patient = self._patient or (self._client.http and self._client_last)
            quiet = _ANSWERED_SECONDS if self._answered else _UNANSWERED_SECONDS
            if not self._patient or time.monotonic() >= self._since + quiet:
                tunnel.finish()
            elif not self._client.backlog:
                self.due = self._since + quiet
        elif self._kept and len(self._said) >= _KEPT and not self._certain():
            self.due = self._opened + _CERTAIN_SECONDS
        self._doubt(tunnel)

    def _doubt(self, tunnel: Tunnel) -> None:
        """Ask whether the pod is still there, the less often the longer it is silent."""
        now = time.monotonic()
        if now >= self._heard + self._silence:
            self._heard, self._silence = now, min(2 * self._silence, _SILENCE_SECONDS)
            tunnel.probe()
        doubtful = self._heard + self._silence
        self.due = doubtful if self.due is None else min(self.due, doubtful)

    def _pod_ended(self, tunnel: Tunnel) -> None:
        if self._kept and (reason := tunnel.unreached):
            self._drop_tunnel()
            self._again(reason, kept=tunnel.stale)
            return
        self._reset = bool(tunnel.error)
        # Bytes of which the app may know nothing would lie in the way of the next stream.
        clean = not tunnel.error and not self._client_last
        tunnel.finish()
        with contextlib.suppress(NoWayError):
            tunnel.flush()
        if clean and tunnel.idle:
            self._hub.watch(tunnel.sock, 0, self.turn)
            self._tunnel = None
            self._hub.release(tunnel)
        self._end()

    def _lost(self, error: NoWayError) -> None:
        """The connection to the pod broke."""
        tunnel = self._tunnel
        kept = tunnel is not None and tunnel.used > 1
        reached = self._state is _State.OPEN and bool(self._said or self._answered)
        if self._state is _State.OPEN and time.monotonic() > self._opened + self._hold_seconds:
            self.deadline = time.monotonic() + self._hold_seconds
        self._drop_tunnel()
        if not reached:
            self._again(str(error), kept=kept)
        elif self._client.http and self._kept:
            self._answer("502 Bad Gateway", f"it is not known whether the app was asked: {error}")
        else:
            self._reset = True
            self._end()
            self.turn()

    def _again(self, reason: str, *, kept: bool) -> None:
        """Try another pod, at once if it was only a kept connection that is of no use any more."""
        if kept and time.monotonic() < self.deadline:
            self._hub.place(self)
        else:
            self.fail(reason)

    def _answer(self, status: str, text: str) -> None:
        self._client.explain(status, text)
        self._end()
        self.turn()

    def _end(self) -> None:
        """Nothing more comes for the client but what is left."""
        self._drop_tunnel()
        self._state = _State.ENDING
        self.due = None

    def _write_client(self) -> None:
        if self._client.flush():
            self._since = time.monotonic()
        if self._client.backlog or self._state is not _State.ENDING:
            return
        if self._reset:
            self.abort()
        elif self._client.ended:
            self._close()
        elif self._client.finish():
            # To close with bytes unread would break off what the client has not read yet.
            self.due = time.monotonic() + _LINGER_SECONDS

    def _watch(self) -> None:
        reads, writes = selectors.EVENT_READ, selectors.EVENT_WRITE
        wanted = reads * self._wants_client() | writes * bool(self._client.backlog)
        self._hub.watch(self._client.sock, wanted, self.turn)
        if self._tunnel is not None:
            room = self._client.backlog < _HIGH
            wanted = reads * room | writes * bool(self._tunnel.backlog)
            self._hub.watch(self._tunnel.sock, wanted, self.turn)
            if room and self._tunnel.buffered:
                self._hub.soon(self.turn)

    def _drop_tunnel(self) -> None:
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            self._hub.watch(tunnel.sock, 0, self.turn)
            tunnel.close()

    def _close(self) -> None:
        self._drop_tunnel()
        self._state, self.due = _State.GONE, None
        self._hub.watch(self._client.sock, 0, self.turn)
        self._client.close()
        self._hub.forget(self)
