"""A port of this machine that leads to the app for as long as a run lasts, whichever pod it is.

Clients are held, not refused, while no pod is ready. One thread serves all of them; connections to
pods are opened in threads of their own, since that blocks, and kept for the next client.
"""

from __future__ import annotations

import contextlib
import functools
import queue
import selectors
import socket
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable

from kubekit.api.kube import Kube
from kubekit.errors import KubekitError
from kubekit.events import Emit, Listening, Warned
from kubekit.streams.link import Link
from kubekit.streams.portforward import NoWayError, Tunnel, open_tunnel
from kubekit.streams.ports import owner, take

HOLD_SECONDS = 60.0
"""How long a client waits for a pod before it is told why there is none."""

_OPENERS = 8
_IDLE_TUNNELS = 8
_IDLE_SECONDS = 600.0
_EXHAUSTED_SECONDS = 0.1

Choose = Callable[[], tuple[str, int] | None]
"""The pod that the next client is to reach, and its port; None: none is ready now. Neither
blocks nor raises."""


class Listener:
    """Listens from the start until `close`; safe to use from several threads.

    Args:
        port: the local one; the next free one is taken if it is busy.
        choose: asked for each client, in the listener's own thread.
        emit: told where it listens; and once, in its own thread, of a defect that a client met.
        why: why no pod is ready, in words; asked in the listener's own thread, for whom it held.
        ahead: the pod that will be chosen soon, None where none is known; asked likewise.
        there: whether a pod is there and to stay; asked likewise, for whom a connection is kept.
        hold_seconds: for how long a client is held.

    Raises:
        UsageError: the port cannot be had.
    """

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        *,
        port: int,
        choose: Choose,
        emit: Emit,
        why: Callable[[], str] = lambda: "no pod is ready",
        ahead: Callable[[], str | None] = lambda: None,
        there: Callable[[str], bool] = lambda _pod: True,
        hold_seconds: float = HOLD_SECONDS,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._choose = choose
        self._emit = emit
        self._told = False
        self._why = why
        self._ahead = ahead
        self._there = there
        self._hold_seconds = hold_seconds
        self._doors, self.port = take(port)
        self._selector = selectors.DefaultSelector()
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._bell, self._hears = socket.socketpair()
        self._soon: dict[Callable[[], None], None] = {}
        self._links: set[Link] = set()
        self._asking: deque[tuple[Link, str, int]] = deque()
        self._opening: Counter[str] = Counter()
        self._idle: dict[Tunnel, float] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="port-forward", daemon=True)
        self._thread.start()
        busy = f", since port {port} is taken by {owner(port)}" if port != self.port else ""
        emit(Listening(url=self.url, text=f"{self.url} leads to the app{busy}"))

    @property
    def url(self) -> str:
        """Where a browser finds the app."""
        return f"http://localhost:{self.port}"

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._links)

    def notify(self) -> None:
        """Which pods are ready has changed: clients that are held ask anew.

        A connection to the pod that the next client is to reach is opened ahead, and one to the
        pod that is to be it soon: to open one takes longer than what is asked for by it. Those to
        pods that are gone are closed: the API server does not.
        """
        self._do(self._retry)

    def connect(self, pod: str, port: int) -> socket.socket:
        """A connection to this pod, be it ready or not; while the port is refused, it is held."""
        ours, theirs = socket.socketpair()
        self._do(lambda: self._welcome(Link(self, theirs, self._hold_seconds, (pod, port))))
        if self._closed.is_set():
            self._thread.join()
            theirs.close()  # of which it may have heard too late
        return ours

    def close(self) -> None:
        """Take no more clients and break off those there are; returns once that is done."""
        self._closed.set()
        self._do(lambda: None)
        self._thread.join()

    # What follows is called in the listener's own thread, but for `_do` and `_open`.

    def watch(self, sock: socket.socket, events: int, then: Callable[[], None]) -> None:
        """Call back whenever the socket is ready for one of the events; 0: no more."""
        known = self._selector.get_map().get(sock) if sock.fileno() >= 0 else None
        if known is None:
            if events:
                self._selector.register(sock, events, then)
        elif not events:
            self._selector.unregister(sock)
        elif (known.events, known.data) != (events, then):
            self._selector.modify(sock, events, then)

    def soon(self, then: Callable[[], None]) -> None:
        """Call back once, after the others had their turn."""
        self._soon[then] = None

    def place(self, link: Link) -> None:
        """Find it a pod, or have it `wait`."""
        if link.to and not self._there(link.to[0]):
            link.give_up()
            return
        chosen = link.to or self._choose()
        if chosen is None:
            link.wait(self._why())
            return
        pod, port = chosen
        link.opening()
        self._asking.append((link, pod, port))
        kept = next((one for one in reversed(self._idle) if one.pod == pod), None)
        if kept is not None:
            del self._idle[kept]
            self.watch(kept.sock, 0, self._ring)
            self.release(kept)
        self._fill(pod)

    def release(self, tunnel: Tunnel) -> None:
        """Give a connection to the next client that waits for this pod, or keep it."""
        for number, (link, pod, port) in enumerate(self._asking):
            if pod == tunnel.pod:
                del self._asking[number]
                if self._serve(link, tunnel, port):
                    return
                self.release(tunnel)
                return
        if not self._there(tunnel.pod):
            tunnel.close()
            return
        self._idle[tunnel] = time.monotonic()
        self.watch(tunnel.sock, selectors.EVENT_READ, lambda: self._look_at(tunnel))
        if len(self._idle) > _IDLE_TUNNELS:
            self._discard(next(iter(self._idle)))

    def forget(self, link: Link) -> None:
        """It is over."""
        self._links.discard(link)

    def _serve(self, link: Link, tunnel: Tunnel, port: int) -> bool:
        try:
            return link.serve(tunnel, port)
        except Exception as error:  # noqa: BLE001 - see `_guarded`
            self._break_off(link, error)
            return True

    def _guarded(self, then: Callable[[], None], link: Link | None = None) -> None:
        """Call back. Whatever it raises ends one client's connection, and not everybody's port."""
        try:
            then()
        except Exception as error:  # noqa: BLE001 - it is told, and others go on
            bound = getattr(then, "__self__", None)
            self._break_off(bound if isinstance(bound, Link) else link, error)

    def _break_off(self, link: Link | None, error: Exception) -> None:
        if link is not None:
            self._links.discard(link)
            with contextlib.suppress(Exception):  # it may be what is broken
                link.abort()
        if self._told:
            return
        self._told = True
        what = f"a connection to {self.url} was broken off by a defect of kubekit"
        with contextlib.suppress(Exception):  # whoever shows events meets that, too
            self._emit(
                Warned(
                    text=f"{what}: {type(error).__name__}: {error}",
                    hints=("others go on; please report it",),
                    details=tuple("".join(traceback.format_exception(error)).splitlines()),
                )
            )

    def _do(self, action: Callable[[], None]) -> None:
        self._inbox.put(action)
        with contextlib.suppress(OSError):  # it has ended, or is being woken anyway
            self._bell.send(b".")

    def _run(self) -> None:
        try:
            self._bell.setblocking(False)
            self._hears.setblocking(False)
            self.watch(self._hears, selectors.EVENT_READ, self._ring)
            for door in self._doors:
                door.setblocking(False)
                self._let_in(door)
            while not self._closed.is_set():
                for key, _ in self._selector.select(self._pause()):
                    self._guarded(key.data)
                soon, self._soon = self._soon, {}
                for then in soon:
                    self._guarded(then)
                self._lapse()
        finally:
            self._tear_down()

    def _let_in(self, door: socket.socket) -> None:
        self.watch(door, selectors.EVENT_READ, lambda: self._accept(door))

    def _accept(self, door: socket.socket) -> None:
        while True:
            try:
                client, _ = door.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:  # it went before its turn
                continue
            except OSError:  # no file descriptor is left: those who wait are taken later
                self._closed.wait(_EXHAUSTED_SECONDS)
                return
            self._welcome(Link(self, client, self._hold_seconds))

    def _welcome(self, link: Link) -> None:
        if self._closed.is_set():
            link.abort()
            return
        self._links.add(link)
        self._guarded(functools.partial(self.place, link), link)
        self._guarded(link.turn)

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._hears.recv(4096)
        while not self._inbox.empty():
            self._guarded(self._inbox.get())

    def _retry(self) -> None:
        if self._closed.is_set():
            return
        for tunnel in [one for one in self._idle if not self._there(one.pod)]:
            self._discard(tunnel)
        for link in [one for one in self._links if one.held and not one.to]:
            self._guarded(functools.partial(self.place, link), link)
        if (chosen := self._choose()) is not None:
            self._fill(chosen[0])
        if (coming := self._ahead()) is not None:
            self._fill(coming)

    def _pause(self) -> float | None:
        """For how long nothing is due, in seconds; None: until something happens."""
        if self._soon:
            return 0
        ends = [since + _IDLE_SECONDS for since in self._idle.values()]
        ends += [link.due for link in self._links if link.due is not None]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _lapse(self) -> None:
        now = time.monotonic()
        for link in [one for one in self._links if one.due is not None and one.due <= now]:
            self._guarded(link.lapse)
        for tunnel in [one for one, since in self._idle.items() if since + _IDLE_SECONDS <= now]:
            self._discard(tunnel)

    def _fill(self, pod: str) -> None:
        """Open what those who wait for this pod need, and one ahead where none is left."""
        waiting = sum(one[1] == pod for one in self._asking)
        wanted = waiting or not any(tunnel.pod == pod for tunnel in self._idle)
        while self._opening[pod] < wanted and self._opening.total() < _OPENERS:
            self._opening[pod] += 1
            threading.Thread(target=self._open, args=(pod,), daemon=True).start()

    def _open(self, pod: str) -> None:
        try:
            tunnel = open_tunnel(self._kube, self._namespace, pod)
        except Exception as error:  # noqa: BLE001 - else those who wait would wait for ever
            self._do(functools.partial(self._failed, pod, error))
        else:
            self._do(lambda: self._opened(tunnel))
            if self._closed.is_set():
                self._thread.join()
                tunnel.close()

    def _opened(self, tunnel: Tunnel) -> None:
        self._opening[tunnel.pod] -= 1
        if self._closed.is_set():
            tunnel.close()
            return
        self.release(tunnel)
        self._go_on()

    def _failed(self, pod: str, error: Exception) -> None:
        """All who wait for this pod look for another one: waiting in a line would take too long."""
        final = isinstance(error, NoWayError) and error.final
        if not isinstance(error, NoWayError | KubekitError):
            self._break_off(None, error)
        self._opening[pod] -= 1
        failing = [link for link, wanted, _ in self._asking if wanted == pod]
        self._asking = deque(one for one in self._asking if one[1] != pod)
        for link in failing:
            self._guarded(functools.partial(link.fail, str(error), final=final), link)
        self._go_on()

    def _go_on(self) -> None:
        for pod in {pod for _, pod, _ in self._asking}:
            self._fill(pod)

    def _look_at(self, tunnel: Tunnel) -> None:
        """Something came on a connection that is kept: a ping, or its end."""
        if tunnel not in self._idle:
            return  # it was taken or closed since the selector told of this
        try:
            while tunnel.receive() is not None:
                pass
            tunnel.flush()
        except NoWayError:
            self._discard(tunnel)
        except Exception:
            self._discard(tunnel)
            raise

    def _discard(self, tunnel: Tunnel) -> None:
        del self._idle[tunnel]
        self.watch(tunnel.sock, 0, self._ring)
        tunnel.close()

    def _tear_down(self) -> None:
        self._closed.set()
        for door in self._doors:
            door.close()
        self._asking.clear()
        for link in list(self._links):
            link.abort()
        for tunnel in list(self._idle):
            self._discard(tunnel)
        self._ring()
        self._selector.close()
        self._bell.close()
        self._hears.close()
