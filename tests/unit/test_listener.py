"""What a defect costs: one client's connection, and never the port."""

from __future__ import annotations

import itertools
import queue
import socket
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kubekit.events import Event, Warned
from kubekit.streams import listener as module
from kubekit.streams.listener import Listener
from kubekit.streams.portforward import NoWayError, Tunnel


def listening(
    choose: Callable[[], tuple[str, int] | None], events: list[Event], **given: Any
) -> Listener:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kube: Any = None
    return Listener(kube, "here", port=port, choose=choose, emit=events.append, **given)


def connected(listener: Listener) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.port), timeout=90)


def test_a_defect_ends_one_connection_and_is_told_once() -> None:
    events: list[Event] = []
    turn = itertools.count()
    asked = threading.Semaphore(0)

    def choose() -> None:
        asked.release()
        if next(turn) < 2:
            raise LookupError("a defect")

    listener = listening(choose, events)
    try:
        for _ in range(2):
            with pytest.raises(ConnectionResetError), connected(listener) as client:
                client.recv(1)
        with connected(listener):
            for _ in range(3):
                assert asked.acquire(timeout=90)
            assert listener._thread.is_alive()
        (warned,) = [event for event in events if isinstance(event, Warned)]
        assert "LookupError: a defect" in warned.text
        assert any("choose" in line for line in warned.details)
    finally:
        listener.close()


def test_whatever_opening_a_connection_raises_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = threading.Semaphore(0)

    def broken(*_: object) -> None:
        tried.release()
        raise LookupError("a defect")

    monkeypatch.setattr(module, "open_tunnel", broken)
    listener = listening(lambda: ("app", 8000), [])
    try:
        with connected(listener):
            for _ in range(3):
                assert tried.acquire(timeout=90)
    finally:
        listener.close()


def test_a_connection_to_the_pod_that_comes_is_opened_before_any_client_is_led_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: queue.SimpleQueue[str] = queue.SimpleQueue()

    def opening(_kube: object, _namespace: str, pod: str) -> None:
        opened.put(pod)
        raise NoWayError("not yet")

    monkeypatch.setattr(module, "open_tunnel", opening)
    listener = listening(lambda: None, [], ahead=lambda: "new")
    try:
        for _ in range(2):  # what has failed is tried again once anything changes
            while opened.empty():
                listener.notify()
                time.sleep(0.01)
            assert opened.get() == "new"
    finally:
        listener.close()


def test_a_connection_to_a_pod_that_is_gone_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    far, near = socket.socketpair()
    far.settimeout(90)
    there = {"app"}
    opened = threading.Event()

    def opening(_kube: object, _namespace: str, pod: str) -> Tunnel:
        if opened.is_set():
            raise NoWayError("no other")
        opened.set()
        response: Any = SimpleNamespace(close=lambda: None)
        return Tunnel(pod, response, near)

    monkeypatch.setattr(module, "open_tunnel", opening)
    listener = listening(lambda: None, [], ahead=lambda: "app", there=there.__contains__)
    try:
        while not listener._idle:
            listener.notify()
            time.sleep(0.01)
        far.setblocking(False)
        with pytest.raises(BlockingIOError):
            far.recv(1)
        far.settimeout(90)
        there.clear()
        listener.notify()
        assert far.recv(1) == b""
    finally:
        listener.close()
        far.close()


def test_who_is_led_to_a_pod_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(module, "open_tunnel", lambda *given: opened.append(given[2]))
    listener = listening(lambda: ("other", 1), [], there=lambda _pod: False)
    try:
        with listener.connect("app", 8000) as way:
            way.settimeout(90)
            way.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert way.recv(12) in (b"HTTP/1.1 503", b"")
        assert not opened
    finally:
        listener.close()


def test_who_asks_for_a_way_when_it_is_closed_gets_the_end_at_once() -> None:
    events: list[Event] = []
    listener = listening(lambda: None, events)
    listener.close()
    with listener.connect("app", 8000) as way:
        way.settimeout(90)
        assert way.recv(1) == b""
    assert not any(isinstance(event, Warned) for event in events)


def test_a_client_that_has_gone_at_once_costs_nobody_the_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket.socket, "setsockopt", _gone)
    asked = threading.Semaphore(0)
    events: list[Event] = []
    listener = listening(asked.release, events)
    try:
        for _ in range(2):
            with connected(listener):
                assert asked.acquire(timeout=90)
        assert not any(isinstance(event, Warned) for event in events)
    finally:
        listener.close()


def _gone(sock: socket.socket, level: int, name: int, value: Any) -> None:
    if (level, name) == (socket.IPPROTO_TCP, socket.TCP_NODELAY):
        raise OSError(22, "Invalid argument")
    super(socket.socket, sock).setsockopt(level, name, value)
