"""The port that leads to debugpy, with a debugpy here that does what a test says."""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubekit.pod import debugging
from kubekit.pod.debugging import Door, framed, free_port, messages
from kubekit.pod.loop import Loop

PATIENCE = 90.0
BYE = {"seq": 7, "type": "request", "command": "disconnect", "arguments": {"restart": True}}


class Way:
    """A client, the port it came by, and the adapter that it was led to."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.server = socket.create_server(("127.0.0.1", 0))
        self._port = free_port()
        self.door = Door(loop, self._port)
        self.door.lead(int(self.server.getsockname()[1]))
        self.client = self.connected()
        self.turn(lambda: readable(self.server))
        self.adapter, _ = self.server.accept()
        self.turn(lambda: bool(self.door._links))
        self._heard: list[Any] = []

    def connected(self) -> socket.socket:
        """A further debugger."""
        return socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)

    def turn(self, until: Callable[[], bool]) -> None:
        """Let the supervisor work until something is so."""
        end = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < end
            self._loop.later(0.01, lambda: None)
            self._loop.turn(idle=True)

    def heard(self, count: int) -> list[Any]:
        """What the client was told, once it is so much; None: it was hung up."""

        def enough() -> bool:
            while readable(self.client) and None not in self._heard:
                data = self.client.recv(1 << 16)
                found = [json.loads(one.partition(b"\r\n\r\n")[2]) for one in messages(data)[0]]
                self._heard += found or [None]
            return len(self._heard) >= count

        self.turn(enough)
        return self._heard


def readable(sock: socket.socket) -> bool:
    """Whether something has come, or its end."""
    return bool(select.select([sock], [], [], 0)[0])


@pytest.fixture
def way() -> Iterator[Way]:
    loop = Loop((), lambda _number: None)
    made = Way(loop)
    yield made
    for one in (made.client, made.adapter, made.server):
        one.close()
    loop.close()


@pytest.mark.parametrize("goes", [True, False])
def test_a_good_bye_is_answered_once_whether_or_not_the_old_program_has_gone(
    way: Way, goes: bool
) -> None:
    (link,) = way.door._links
    way.door.part()
    (told,) = way.heard(1)
    assert (told["event"], told["body"]) == ("terminated", {"restart": True})
    if goes:
        way.adapter.close()
        way.turn(lambda: link._is_deaf)
    way.client.sendall(framed(BYE))
    answer = {"seq": 0, "type": "response", "request_seq": 7, "success": True}
    if goes:
        assert way.heard(3)[1:] == [{**answer, "command": "disconnect"}, None]
        return
    way.turn(lambda: readable(way.adapter))
    assert way.adapter.recv(1 << 16) == framed(BYE)
    way.adapter.sendall(framed({**answer, "command": "disconnect", "seq": 3}))
    way.adapter.close()
    assert way.heard(3)[1:] == [{**answer, "command": "disconnect"}, None]


def test_debugpy_is_not_hung_up_on_while_it_greets(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    (link,) = way.door._links
    monkeypatch.setattr(debugging, "_GREET_SECONDS", PATIENCE * 100)
    way.client.close()
    way.turn(lambda: link.is_closed)
    assert not readable(way.adapter)


def test_debugpy_that_has_greeted_is_hung_up_on(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debugging, "_GREET_SECONDS", 0.0)
    way.client.close()
    way.turn(lambda: readable(way.adapter))
    assert way.adapter.recv(1) == b""


@pytest.mark.parametrize("polite", [True, False])
def test_debugpy_has_forgotten_one_debugger_before_the_next_one_comes(
    way: Way, monkeypatch: pytest.MonkeyPatch, polite: bool
) -> None:
    monkeypatch.setattr(debugging, "_SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(debugging, "_GREET_SECONDS", PATIENCE * 100)
    (link,) = way.door._links
    if polite:
        way.client.sendall(framed(BYE))
    else:
        way.client.close()
    way.turn(lambda: link.is_ending)
    with way.connected():
        tries = iter(range(20))
        way.turn(lambda: readable(way.server) or next(tries, None) is None)
        assert not readable(way.server)
        way.adapter.close()
        way.turn(lambda: readable(way.server))


@pytest.mark.skipif(sys.platform != "linux", reason="UNTESTED: /proc is needed")
def test_the_port_of_a_debugger_is_none_that_connections_or_somebody_else_have() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found = {free_port() for _ in range(20)}
    assert len(found) > 1
    assert max(found) < first


def test_a_port_that_is_taken_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        monkeypatch.setattr(debugging, "_PORTS", [server.getsockname()[1]])
        with pytest.raises(OSError, match="in use"):
            free_port()


@pytest.mark.parametrize(
    "asked",
    [
        {"command": "evaluate", "arguments": {"expression": "disconnect"}},
        {"command": "setFunctionBreakpoints", "arguments": {"breakpoints": ["disconnect"]}},
    ],
)
def test_who_only_says_the_word_does_not_leave(way: Way, asked: dict[str, Any]) -> None:
    way.client.sendall(framed({"seq": 3, "type": "request", **asked}))
    way.turn(lambda: readable(way.adapter))
    assert not way.door._links[0].is_ending
    way.client.sendall(framed(BYE))
    way.turn(lambda: way.door._links[0].is_ending)
