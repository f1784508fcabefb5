"""In a program: uvicorn serves on sockets that outlive it, and leaves without losing a request.

Mounted into pods beside `supervisor.py`: standard library only, Python 3.10 and later.
Where uvicorn calls this, `changes.py` says.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubekit.pod import early
else:
    early = sys.modules["_kubekit_early"]

Message = dict[str, Any]
Key = early.Key

_LARGEST = 1 << 20
_PIECE = 500
_FDS = 64
_LATER = 0.2
_FULL_SECONDS = 5.0
_TURNS = 4
_HTTP = ("uvicorn.protocols.http.h11_impl", "uvicorn.protocols.http.httptools_impl")
"""Where the connections are from whose state can be told."""

_CLOSE = (b"connection", b"close")


class Channel:
    """One end of the connection between a program and its supervisor."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end

    def tell(self, message: Message, fds: Sequence[int] = ()) -> bool:
        """Send a message; False if the other end is gone."""
        data = [json.dumps(message).encode()]
        with contextlib.suppress(OSError):
            while True:
                try:
                    socket.send_fds(self.end, data, list(fds))
                except BlockingIOError:
                    # The other end is slow to read: what is said must not be lost.
                    if not select.select([], [self.end], [], _FULL_SECONDS)[1]:
                        return False
                else:
                    return True
        return False

    def hear(self) -> tuple[Message, list[int]] | None:
        """The next message, None at the end; raises `BlockingIOError` if there is none yet."""
        try:
            data, fds, _, _ = socket.recv_fds(self.end, _LARGEST, _FDS)
        except ConnectionError:
            return None
        return (json.loads(data), fds) if data else None


def pair() -> tuple[Channel, Channel]:
    """Both ends of a new connection."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(ours), Channel(theirs)


class Serving:
    """What a program serves, and how it is told to leave.

    Args:
        channel: to the supervisor.
        held: listening sockets of programs before this one, which it takes over.
        news: what `warm.Modules.news` tells.
        ahead: where the program listens before it serves.
    """

    def __init__(
        self,
        channel: Channel,
        held: dict[Key, list[int]],
        news: Callable[[], Message],
        ahead: early.Early,
    ) -> None:
        self._channel = channel
        self._held = held
        self._news = news
        self._early = ahead
        self._servers: dict[Key, _Served] = {}
        self.leaving = False
        self.errors: list[str] = []

    # ---- what uvicorn calls

    def listen(self, config: Any, sockets: list[socket.socket] | None = None) -> None:
        """Listen already: who asks now is answered as soon as the program serves.

        Not for a server with sockets of its own: one of them may have the port.
        """
        key = key_of(config)
        if sockets is not None or config.fd is not None or config.uds:
            self._early.drop_guess()
        elif key not in self._held:
            self._early.listen(key, config.backlog)

    def is_early(self, config: Any) -> bool:
        """Whether what this server is to listen on does so by now."""
        return key_of(config) in self._early

    def serve(self, config: Any) -> None:
        """A server begins to serve: what it listened on before is not refused any more."""
        self._early.serve(key_of(config))

    def sockets(self, config: Any) -> list[socket.socket] | None:
        """The sockets to serve on, None if uvicorn is to bind its own."""
        key = key_of(config)
        if key in self._held:
            return [socket.socket(fileno=os.dup(fd)) for fd in self._held[key]]
        if key in self._early:
            return self._early.sockets(key)
        if config.uds:
            # Bound here, because a server that made it removes it from the disk at its end.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(config.uds)
            return [config.bind_socket()]
        return None

    def bound(self, config: Any, bind: Callable[[Any], socket.socket]) -> socket.socket:
        """One socket for several workers: taken over, or bound and kept for those to come."""
        key = key_of(config)
        if key in self._held:
            return socket.socket(fileno=os.dup(self._held[key][0]))
        sock = self._early.serve(key)
        if sock is None:
            self._early.drop_guess()
            sock = bind(config)
        self._hold(key, [sock])
        return sock

    def _hold(self, key: Key, sockets: Sequence[Any]) -> None:
        fds = [one.fileno() for one in sockets]
        self._channel.tell({"say": "hold", "key": key}, fds)
        self._held[key] = [os.dup(fd) for fd in fds]

    def started(self, server: Any) -> None:
        """A server accepts connections."""
        import asyncio

        loop = asyncio.get_running_loop()
        key = key_of(server.config)
        if key not in self._held:
            self._hold(key, [one for each in server.servers for one in each.sockets])
        if not self._servers:
            self._channel.end.setblocking(False)
            loop.add_reader(self._channel.end.fileno(), self._read, loop)
            loop.call_later(_LATER, self._tell_news)
        self._servers[key] = _Served(server, key, loop, self._channel)
        self._channel.tell({"say": "serving", "key": key})

    def worker(self) -> Channel:
        """A channel of its own for a worker that is forked next."""
        ours, theirs = pair()
        self._channel.tell({"say": "worker"}, [ours.end.fileno()])
        return theirs

    def become(self, channel: Channel) -> None:
        """In a worker that has just been forked: speak on its own channel."""
        self._channel = channel
        self._servers = {}

    def tell(self, message: Message) -> None:
        """Tell the supervisor something else."""
        self._channel.tell(message)

    def told_to_leave(self) -> bool:
        """Whether the supervisor wants this program to end, for one that serves nothing itself."""
        with contextlib.suppress(BlockingIOError):
            self._channel.end.setblocking(False)
            heard = self._channel.hear()
            self.leaving = self.leaving or heard is None or heard[0].get("do") == "leave"
        return self.leaving

    # ---- what the supervisor wants

    def _read(self, loop: Any) -> None:
        while True:
            try:
                heard = self._channel.hear()
            except BlockingIOError:
                return
            if heard is None:
                # The supervisor is gone: nothing is left that would end this program.
                loop.remove_reader(self._channel.end.fileno())
                signal.raise_signal(signal.SIGTERM)
                return
            message, fds = heard
            if message["do"] == "leave":
                self.leaving = True
                for served in self._servers.values():
                    served.loop.call_soon_threadsafe(served.leave, float(message["grace"]))
                self._tell_news()
            elif message["do"] == "drain":
                for served in self._servers.values():
                    served.loop.call_soon_threadsafe(served.drain)
            elif message["do"] == "take":
                served = self._servers[_key(message["key"])]
                served.loop.call_soon_threadsafe(served.take, fds[0])

    def _tell_news(self) -> None:
        news = self._news()
        for at in range(0, max(len(news["names"]), len(news["files"]), 1), _PIECE):
            part = {key: news[key][at : at + _PIECE] for key in ("names", "files")}
            self._channel.tell({"say": "news", **news, **part})


class _Served:
    """A server that is serving, on one loop."""

    def __init__(self, server: Any, key: Key, loop: Any, channel: Channel) -> None:
        self.server, self.key, self.loop = server, key, loop
        self._channel = channel
        self.until = 0.0
        server.kubekit_served = self

    def drain(self) -> None:
        """Let each connection end with its next answer: its client then comes to another pod."""
        # uvicorn makes the second of the first, once a second.
        self.server.config.encoded_headers.append(_CLOSE)
        self.server.server_state.default_headers.append(_CLOSE)

    def leave(self, grace: float) -> None:
        """Accept nothing more, give idle connections away, and end when the others are done."""
        self.until = self.loop.time() + grace
        self.server.config.uds = None
        for listener in self.server.servers:
            for sock in listener.sockets:
                # asyncio drops what it has accepted for a server that is closed in that moment.
                with contextlib.suppress(RuntimeError, ValueError):
                    self.loop.remove_reader(sock.fileno())
        self._settle(_TURNS, self._close)

    def _settle(self, turns: int, then: Callable[[], None]) -> None:
        """Go on when the loop has made connections of all that it has accepted."""
        if turns:
            self.loop.call_soon(self._settle, turns - 1, then)
        else:
            then()

    def _close(self) -> None:
        for listener in self.server.servers:
            listener.close()
        self._settle(_TURNS, self._give_all)

    def _give_all(self) -> None:
        for connection in list(self.server.server_state.connections):
            if not any(one.__module__ in _HTTP for one in type(connection).__mro__):
                connection.shutdown()  # a WebSocket, which is told 1012; or one that is not known
            elif _idle(connection):
                self._give(connection)
            else:
                self._give_later(connection)
        self._channel.tell({"say": "left", "key": self.key})
        self.server.should_exit = True

    def _give_later(self, connection: Any) -> None:
        """Let a connection be given away as soon as it is idle."""
        done = connection.on_response_complete

        def then() -> None:
            done()
            if not connection.transport.is_closing() and _idle(connection):
                self._give(connection)

        connection.on_response_complete = then
        if connection.cycle is not None and not connection.cycle.response_complete:
            connection.cycle.on_response = then

    def _give(self, connection: Any) -> None:
        """Let the next program read what comes on a connection from now on."""
        transport = connection.transport
        sock = transport.get_extra_info("socket")
        if transport.get_extra_info("sslcontext") or sock is None:
            connection.shutdown()
            return
        with contextlib.suppress(RuntimeError):
            transport.pause_reading()
        if transport.get_write_buffer_size():
            self.loop.call_later(0.01, self._give, connection)
            return
        if not transport.is_closing():
            self._channel.tell({"say": "connection", "key": self.key}, [sock.fileno()])
            transport.abort()

    def take(self, fd: int) -> None:
        """Serve a connection that another program has accepted."""
        server = self.server
        sock = socket.socket(fileno=fd)
        sock.setblocking(False)
        state = getattr(server.lifespan, "state", None)  # uvicorn of old has none

        def protocol() -> Any:
            return server.config.http_protocol_class(
                config=server.config,
                server_state=server.server_state,
                _loop=self.loop,
                **({} if state is None else {"app_state": state}),
            )

        task = self.loop.create_task(self.loop.connect_accepted_socket(protocol, sock))
        server.server_state.tasks.add(task)
        task.add_done_callback(server.server_state.tasks.discard)

    async def finish(self) -> None:
        """Wait for what was under way when this server was told to leave."""
        import asyncio

        state = self.server.server_state
        # Nobody is told of a connection that has gone: uvicorn itself looks now and then, too.
        while state.connections and not self.server.force_exit:
            if self.loop.time() > self.until:
                break
            await asyncio.sleep(0.02)
        left = max(0.1, self.until - self.loop.time())
        given = self.server.config.timeout_graceful_shutdown
        self.server.config.timeout_graceful_shutdown = left if given is None else min(given, left)


def _idle(connection: Any) -> bool:
    """Whether nothing of a request has been read on a connection that was not answered."""
    machine = getattr(connection, "conn", None)
    if machine is not None:  # h11
        return bool(
            machine.their_state.__name__ == "IDLE"
            and machine.our_state.__name__ == "IDLE"
            and not machine.trailing_data[0]
        )
    cycle = connection.cycle
    if cycle is None:
        return connection.scope is None
    return bool(
        cycle.response_complete
        and cycle.scope is connection.scope
        and not cycle.more_body
        and not connection.pipeline
    )


def key_of(config: Any) -> Key:
    """What a server with this configuration listens on."""
    return (config.host or "", int(config.port or 0), str(config.uds or ""))


def _key(value: Sequence[Any]) -> Key:
    return (value[0], value[1], value[2])
