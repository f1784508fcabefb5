"""The port-forward that survives, in front of pods on the real cluster."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import inspect
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

from kubekit.api.kube import Kube
from kubekit.api.resources import PODS
from kubekit.events import Event, Listening
from kubekit.model import Cancel
from kubekit.streams import link
from kubekit.streams.listener import Listener
from tests.cluster import listening
from tests.cluster.conftest import PROFILE
from tests.cluster.faultproxy import in_front_of
from tests.cluster.scratch import Scratch, scratch
from tests.conftest import alive, open_files

pytestmark = pytest.mark.cluster

WEB, COUNTS, GREETS, RESETS, DEAF, CLOSED = 8000, 9000, 9001, 9002, 9003, 9999
BIG, HUGE = 20_000_000, 200_000_000


def start(world: Scratch, name: str) -> None:
    """A pod with the app, not waited for."""
    command = ["python", "-c", inspect.getsource(listening)]
    image = {"name": "app", "image": "python:3.13-slim", "imagePullPolicy": "Never"}
    world.pod(name, {"containers": [{**image, "command": command}]})


def is_up(world: Scratch, name: str) -> bool:
    """Whether the app in the pod listens."""
    pod = world.kube.get(PODS.path(world.name, name)) or {}
    statuses = pod.get("status", {}).get("containerStatuses") or [{"state": {}}]
    if "running" not in statuses[0]["state"] or "deletionTimestamp" in pod["metadata"]:
        return False
    return "up" in world.kube.text(f"{PODS.path(world.name, name)}/log", query={})


@pytest.fixture(scope="module")
def world(cluster: dict[str, str]) -> Iterator[Scratch]:
    with scratch() as made:
        for name in ("app", "other"):
            start(made, name)
        made.until(lambda: is_up(made, "app") and is_up(made, "other"))
        yield made


class Forward:
    """A listener, and the pod it leads to."""

    def __init__(self, kube: Kube, namespace: str, **options: Any) -> None:
        self.to: tuple[str, int] | None = ("app", WEB)
        self.asked = threading.Event()
        self.events: list[Event] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        given = {"port": port, "choose": self.choose, "emit": self.events.append, **options}
        self.listener = Listener(kube, namespace, **given)

    def choose(self) -> tuple[str, int] | None:
        self.asked.set()
        return self.to

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.listener.port), timeout=60)

    def ask(self, method: str = "GET", path: str = "/", body: bytes | None = None) -> str:
        """The status and the text of one answer."""
        client = http.client.HTTPConnection("127.0.0.1", self.listener.port, timeout=60)
        with contextlib.closing(client):
            try:
                client.request(method, path, body)
                answer = client.getresponse()
                return f"{answer.status} {answer.read().decode()}"
            except (http.client.HTTPException, ConnectionResetError):
                return "broken off"

    def later(self, *arguments: Any) -> Callable[[], str]:
        """Ask in another thread, which has been held once this returns; the answer when called."""
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append(self.ask(*arguments)))
        self.asked.clear()
        thread.start()
        assert self.asked.wait(90)

        def answer() -> str:
            thread.join(90)
            return found[0]

        return answer


@pytest.fixture
def forward(world: Scratch) -> Iterator[Forward]:
    made = Forward(world.kube, world.name)
    yield made
    made.listener.close()


def rest_of(client: socket.socket) -> bytes:
    """All that comes until the end."""
    return b"".join(iter(lambda: client.recv(65536), b""))


def test_where_it_listens_is_told_and_answers(forward: Forward) -> None:
    port = forward.listener.port
    (told,) = forward.events
    assert isinstance(told, Listening)
    assert told.url == f"http://localhost:{port}"
    assert forward.ask() == "200 app"
    client = http.client.HTTPConnection("localhost", port)
    for _ in range(3):
        client.request("GET", "/")
        assert client.getresponse().read() == b"app"
    client.close()
    forward.to = ("other", WEB)
    assert forward.ask() == "200 other"


def test_hundreds_of_short_connections_at_once(forward: Forward) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(forward.ask())) for _ in range(300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["200 app"] * 300


def test_what_is_large_passes_whole_either_way_also_to_who_reads_slowly(forward: Forward) -> None:
    data = listening.random_bytes(BIG)
    assert forward.ask("POST", "/", data) == f"200 {hashlib.sha256(data).hexdigest()}"
    with forward.connect() as client:
        client.sendall(f"GET /size/{BIG} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        other = forward.later()  # and who does not read is in nobody's way
        assert other() == "200 app"
        _, _, body = rest_of(client).partition(b"\r\n\r\n")
    assert body == data


def test_neither_side_is_read_faster_than_the_other_takes_it(
    forward: Forward, world: Scratch
) -> None:
    steps: list[str] = []

    def rests() -> bool:
        steps.append(forward.ask(path="/sent"))
        return len(steps) > 5 and len(set(steps[-3:])) == 1

    with forward.connect() as client:
        client.sendall(f"GET /size/{HUGE} HTTP/1.1\r\n\r\n".encode())
        assert client.recv(1) == b"H"
        world.until(rests)
    assert int(steps[-1].split()[1]) < HUGE
    forward.to = ("app", DEAF)
    with forward.connect() as client:
        client.settimeout(1)
        with pytest.raises(TimeoutError):
            client.sendall(bytes(HUGE))


def test_who_reads_long_after_the_end_gets_all_of_it(
    forward: Forward, world: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_LINGER_SECONDS", 0.1)
    size = 1_000_000
    with forward.connect() as client:
        client.sendall(f"GET /size/{size} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        world.until(lambda: forward.asked.is_set() and not forward.listener.clients)
        _, _, body = rest_of(client).partition(b"\r\n\r\n")
    assert body == listening.random_bytes(size)


def test_the_end_of_what_a_client_says_reaches_the_app_and_its_answer_the_client(
    forward: Forward,
) -> None:
    forward.to = ("app", COUNTS)
    with forward.connect() as client:
        client.sendall(b"x" * 700_000)
        client.shutdown(socket.SHUT_WR)
        assert rest_of(client) == b"700000 bytes"


def test_an_answer_that_takes_its_time_reaches_a_client_that_has_said_all(forward: Forward) -> None:
    with forward.connect() as client:
        client.sendall(b"GET /sleep/1.5 HTTP/1.1\r\nConnection: close\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        assert rest_of(client).endswith(b"slept")


def test_a_server_may_speak_first(forward: Forward) -> None:
    forward.to = ("app", GREETS)
    with forward.connect() as client:
        assert client.recv(100) == b"220 hello\r\n"
        client.sendall(b"moin")
        assert rest_of(client) == b"you said moin"


def test_an_answer_that_the_app_breaks_off_ends_for_the_client_too(forward: Forward) -> None:
    forward.to = ("app", RESETS)
    with forward.connect() as client:
        client.sendall(b"go")
        # That it was a reset the node's socat keeps to itself.
        assert rest_of(client) == b"half an ans"


def test_events_arrive_one_by_one_and_the_app_learns_that_the_client_left(forward: Forward) -> None:
    with forward.connect() as client:
        client.sendall(b"GET /events HTTP/1.1\r\n\r\n")
        came = b""
        for number in range(3):
            while not came.endswith(b"data: %d\n\n" % number):
                came += client.recv(1000)
            forward.ask(path="/next")
    assert forward.ask(path="/gone") == "200 True"


def test_a_websocket_passes(forward: Forward) -> None:
    client = websocket.create_connection(f"ws://127.0.0.1:{forward.listener.port}/ws")
    for text in ("hello", "x" * 5000, ""):
        client.send(text)
        assert client.recv() == text
    client.close()


def test_clients_are_held_while_no_pod_is_ready(forward: Forward) -> None:
    forward.to = None
    answers = [forward.later() for _ in range(5)]
    forward.to = ("app", WEB)
    forward.listener.notify()
    assert [answer() for answer in answers] == ["200 app"] * 5


def test_who_is_held_for_too_long_is_told_why(world: Scratch) -> None:
    forward = Forward(world.kube, world.name, hold_seconds=0.3, why=lambda: "the build failed")
    forward.to = None
    assert forward.ask() == "503 kubekit: no pod could be asked: the build failed\n"
    with forward.connect() as client:
        assert rest_of(client) == b""
    forward.to = ("nosuch", WEB)
    world.until(lambda: 'pods "nosuch" not found' in forward.ask("POST", "/", b"data"))
    forward.to = ("app", CLOSED)
    world.until(lambda: forward.ask().endswith(": nothing listens on port 9999 of pod `app`\n"))
    forward.listener.close()


def test_a_port_that_is_refused_at_first_gets_the_whole_request_later(forward: Forward) -> None:
    assert forward.ask() == "200 app"  # from now on a connection is kept, which is asked first
    forward.to = ("app", CLOSED)
    data = listening.random_bytes(200_000)
    answer = forward.later("POST", "/", data)
    forward.asked.clear()
    assert forward.asked.wait(90)  # it was refused, and asks for a pod anew
    forward.to = ("app", WEB)
    assert answer() == f"200 {hashlib.sha256(data).hexdigest()}"


def test_nobody_is_refused_while_a_pod_is_replaced(
    world: Scratch, forward: Forward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_PROBE_SECONDS", 0.2)
    over = threading.Event()
    found: list[str] = []

    def go_on_asking() -> None:
        while not over.is_set():
            found.append(forward.ask())

    start(world, "app2")
    world.until(lambda: is_up(world, "app2"))
    forward.to = ("app2", WEB)
    asking = [threading.Thread(target=go_on_asking) for _ in range(2)]
    for thread in asking:
        thread.start()
    path = PODS.path(world.name, "app2")
    world.until(lambda: len(found) > 10)
    waiting = forward.later("GET", "/sleep/60")
    world.kube.request("DELETE", path)
    world.until(lambda: world.kube.get(path) is None)
    start(world, "app2")
    world.until(lambda: is_up(world, "app2"))
    before = len(found)
    forward.listener.notify()
    world.until(lambda: len(found) > before + 10)
    over.set()
    for thread in asking:
        thread.join()
    assert waiting().startswith(("502", "broken off"))  # though a pod may end without a word
    odd = [answer for answer in found if answer != "200 app2"]
    assert len(odd) < 10, odd
    assert all(answer == "broken off" or answer.startswith("502") for answer in odd)


def test_clients_are_held_while_the_api_server_is_gone(
    world: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Path(os.environ["KUBECONFIG"])
    with in_front_of(world.kube.host) as proxy:
        copy = proxy.kubeconfig(original, tmp_path / "config", PROFILE)
        monkeypatch.setenv("KUBECONFIG", str(copy))
        forward = Forward(Kube(context=PROFILE, cancel=Cancel()), world.name)
        assert forward.ask() == "200 app"
        with forward.connect() as getting, forward.connect() as waiting:
            getting.sendall(f"GET /size/{HUGE} HTTP/1.1\r\n\r\n".encode())
            assert getting.recv(4) == b"HTTP"
            waiting.sendall(b"GET /sleep/60 HTTP/1.1\r\n\r\n")
            assert forward.ask() == "200 app"
            proxy.cut()
            with pytest.raises(ConnectionResetError):
                rest_of(getting)
            assert rest_of(waiting).startswith(b"HTTP/1.1 502 ")
        answer = forward.later()
        forward.asked.clear()
        assert forward.asked.wait(90)
        proxy.restore()
        assert answer() == "200 app"
        proxy.drop()
        assert forward.ask() == "200 app"
        forward.listener.close()


def test_connections_that_break_while_they_are_kept_and_in_the_moment_they_are_taken(
    world: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Path(os.environ["KUBECONFIG"])
    go_on, held = threading.Event(), threading.Event()
    go_on.set()

    def choose() -> tuple[str, int]:
        held.set()
        assert go_on.wait(90)
        return "app", WEB

    with in_front_of(world.kube.host) as proxy:
        copy = proxy.kubeconfig(original, tmp_path / "config", PROFILE)
        monkeypatch.setenv("KUBECONFIG", str(copy))
        kube = Kube(context=PROFILE, cancel=Cancel())
        forward = Forward(kube, world.name, choose=choose)
        with contextlib.ExitStack() as open_at_once:
            for _ in range(4):
                other = http.client.HTTPConnection("127.0.0.1", forward.listener.port, timeout=60)
                open_at_once.callback(other.close)
                other.request("GET", "/")
                assert other.getresponse().read() == b"app"
        world.until(lambda: not forward.listener.clients)
        # Its thread sees the next client and the ends of what it keeps all at once, in this order.
        go_on.clear()
        held.clear()
        forward.listener.notify()
        assert held.wait(90)
        with forward.connect() as client:
            client.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
            proxy.drop()
            time.sleep(0.5)
            go_on.set()
            assert rest_of(client).startswith(b"HTTP/1.1 200 ")
        assert forward.ask() == "200 app"
        forward.listener.close()


def test_who_may_not_forward_ports_is_told_at_once(
    world: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = Forward(world.as_account(tmp_path, monkeypatch), world.name)
    assert 'cannot create resource "pods/portforward"' in forward.ask()
    forward.listener.close()


def test_a_busy_port_is_told_with_its_owner(world: Scratch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        forward = Forward(world.kube, world.name, port=port)
        (told,) = forward.events
        assert isinstance(told, Listening)
        assert forward.listener.port > port
        assert told.text.endswith(f"(process {os.getpid()})")
        assert forward.ask() == "200 app"
        forward.listener.close()


def test_nothing_is_left_when_it_is_closed_in_the_middle(
    world: Scratch, threads: list[threading.Thread]
) -> None:
    files = {*open_files()}
    kube = Kube(context=PROFILE, cancel=Cancel())
    forward = Forward(kube, world.name)
    assert forward.ask() == "200 app"
    clients = [forward.connect() for _ in range(10)]
    clients[0].sendall(b"GET /sleep/60 HTTP/1.1\r\n\r\n")
    clients[1].sendall(f"GET /size/{BIG} HTTP/1.1\r\n\r\n".encode())
    clients[1].recv(1000)
    forward.to = None
    held = forward.connect()
    forward.listener.close()
    for client in (*clients, held):
        with contextlib.suppress(ConnectionResetError):
            rest_of(client)
        client.close()
    assert threads
    world.until(lambda: not alive(threads))
    world.until(lambda: {*open_files()} <= files)
    with pytest.raises(ConnectionRefusedError):
        forward.connect()
