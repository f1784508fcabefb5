"""What answers inside a pod and behind a Service, on the real cluster."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubekit.api import forward
from kubekit.api.forward import listening, pod_answers, service_answers
from kubekit.api.kube import ApiError, Kube
from kubekit.errors import CancelledError
from kubekit.model import Cancel
from tests.cluster.conftest import PROFILE
from tests.cluster.scratch import Scratch, scratch
from tests.conftest import alive, until

pytestmark = pytest.mark.cluster

USUAL = (80, 3000, 5000, 8000, 8080, 8888, 9000)
SERVERS = """
import http.server, socket, struct, sys, threading

def http_on(host, port, status):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"kind": "Status", "says": "the app"}')
        def log_message(self, *_):
            print("asked", flush=True)
    server = http.server.ThreadingHTTPServer((host, port), Handler)
    threading.Thread(target=server.serve_forever).start()

def raw(port, serve):
    server = socket.create_server(("0.0.0.0", port))
    def loop():
        while True:
            connection, _ = server.accept()
            threading.Thread(target=serve, args=(connection,)).start()
    threading.Thread(target=loop).start()

def silent(connection):
    connection.recv(100)
    connection.sendall(b"no HTTP")
    connection.close()

def speaks(connection):
    connection.sendall(b"220 hello\\r\\n")
    connection.recv(100)
    connection.close()

def resets(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()

http_on("127.0.0.1", 8000, 200)
http_on("0.0.0.0", 3000, 200)
for status in (301, 404, 502, 503):
    http_on("0.0.0.0", 7000 + status, status)
raw(5432, silent)
raw(9000, speaks)
raw(9001, socket.socket.close)
raw(9002, resets)
deaf = socket.create_server(("0.0.0.0", 9003))
print("up", flush=True)
"""
PORTS = (3000, 7301, 7404, 7502, 7503, 8000, 5432, 9000, 9001, 9002, 9003, 6666)


def container(*command: str) -> dict[str, Any]:
    image = {"name": "app", "image": "python:3.13-slim", "imagePullPolicy": "Never"}
    return {**image, "command": list(command)}


@pytest.fixture(scope="module")
def world(cluster: dict[str, str]) -> Iterator[Scratch]:
    with scratch() as made:
        made.pod("app", {"containers": [container("python", "-c", SERVERS)]}, {"app": "app"})
        made.pod("nowhere", {"nodeSelector": {"no": "node"}, "containers": [container("true")]})
        done = {"restartPolicy": "Never", "containers": [container("true")]}
        made.pod("done", done)
        ports = [{"name": f"p{port}", "port": port} for port in PORTS]
        lost = {"name": "lost", "port": 80, "targetPort": "nosuch"}
        spec = {"selector": {"app": "app"}, "ports": [*ports, lost]}
        made.make("v1", "Service", "app", spec=spec)
        made.make("v1", "Service", "nobody", spec={"selector": {"no": "pod"}, "ports": ports})
        made.make("v1", "Service", "bare", spec={"ports": ports})
        log = f"/api/v1/namespaces/{made.name}/pods/app/log"
        made.until(lambda: made.get_pod("app")["status"]["phase"] == "Running")
        made.until(lambda: "up" in made.kube.text(log, query={}))
        made.until(lambda: made.get_pod("done")["status"]["phase"] == "Succeeded")
        made.until(lambda: service_answers(made.kube, made.name, "app", 3000) == 200)
        yield made


def test_ports_open_on_loopback_are_told_from_those_that_are_not(world: Scratch) -> None:
    assert listening(world.kube, world.name, "app", USUAL) == {3000, 8000, 9000}


def test_a_closed_port_is_known_before_the_quiet_has_passed(
    world: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "_QUIET_SECONDS", 1000.0)
    # None, had it waited for the quiet.
    assert listening(world.kube, world.name, "app", (6666,), seconds=90) == frozenset()


@pytest.mark.parametrize("port", [5432, 9000, 9001, 9002, 9003])
def test_a_server_that_speaks_no_http_listens_all_the_same(world: Scratch, port: int) -> None:
    assert listening(world.kube, world.name, "app", (port,)) == {port}


def test_nothing_reaches_the_app(world: Scratch) -> None:
    log = f"/api/v1/namespaces/{world.name}/pods/app/log"
    before = world.kube.text(log, query={})
    assert listening(world.kube, world.name, "app", (3000,)) == {3000}
    assert world.kube.text(log, query={}) == before


@pytest.mark.parametrize("pod", ["nowhere", "done", "nosuch"])
def test_of_a_pod_that_does_not_run_nothing_is_known(world: Scratch, pod: str) -> None:
    assert listening(world.kube, world.name, pod, USUAL) is None


def test_no_thread_is_left_and_others_may_ask_meanwhile(
    world: Scratch, threads: list[threading.Thread]
) -> None:
    found: list[object] = []

    def scan() -> None:
        found.append(listening(world.kube, world.name, "app", USUAL, seconds=90))

    asking = [threading.Thread(target=scan) for _ in range(4)]
    for thread in asking:
        thread.start()
    pods = [len(world.kube.list(f"/api/v1/namespaces/{world.name}/pods")) for _ in range(50)]
    for thread in asking:
        thread.join()
    assert found == [{3000, 8000, 9000}] * 4
    assert set(pods) == {3}
    assert set(threads) >= set(asking)
    until(lambda: not alive(threads))


def test_an_interrupted_run_does_not_go_on_listening(world: Scratch) -> None:
    cancel = Cancel()
    kube = Kube(context=PROFILE, cancel=cancel)
    cancel.set()
    with pytest.raises(CancelledError):
        listening(kube, world.name, "app", (3000,))


@pytest.mark.parametrize(
    ("port", "answer"),
    [(3000, 200), (7301, 301), (7404, 404), (7502, 502), (7503, 503)],
)
def test_what_the_app_answers_is_its_own(world: Scratch, port: int, answer: int) -> None:
    assert service_answers(world.kube, world.name, "app", port) == answer


@pytest.mark.parametrize("port", [5432, 9000, 9001, 9002])
@pytest.mark.parametrize("scheme", ["http", "HTTPS"])
def test_a_server_that_speaks_something_else_is_reached(
    world: Scratch, port: int, scheme: str
) -> None:
    assert service_answers(world.kube, world.name, "app", port) == 0
    assert pod_answers(world.kube, world.name, "app", port, "/x?y=1", scheme) == 0


def test_a_pods_own_address_refuses_what_only_its_loopback_takes(world: Scratch) -> None:
    said = pod_answers(world.kube, world.name, "app", 8000)
    assert isinstance(said, str)
    assert "connection refused" in said
    assert pod_answers(world.kube, world.name, "app", 3000) == 200
    assert pod_answers(world.kube, world.name, "app", 3000, scheme="https") == 0
    assert pod_answers(world.kube, world.name, "app", 7404, "/x") == 404
    assert pod_answers(world.kube, world.name, "nosuch", 3000) is None


@pytest.mark.parametrize(
    ("service", "port", "words"),
    [
        ("app", 8000, "connection refused"),
        ("app", 6666, "connection refused"),
        ("app", 80, "no endpoints available"),
        ("app", 4444, "no service port"),
        ("nobody", 3000, "no endpoints available"),
    ],
)
def test_why_no_pod_was_reached(world: Scratch, service: str, port: int, words: str) -> None:
    answer = service_answers(world.kube, world.name, service, port)
    assert isinstance(answer, str)
    assert words in answer
    assert "error trying" not in answer


def test_an_app_that_is_silent_is_given_up(world: Scratch) -> None:
    answer = service_answers(world.kube, world.name, "app", 9003, seconds=1)
    assert answer == "no answer within 1 s"


@pytest.mark.parametrize("service", ["bare", "nosuch"])
def test_of_a_service_without_pods_of_its_own_nothing_is_known(
    world: Scratch, service: str
) -> None:
    assert service_answers(world.kube, world.name, service, 3000) is None


def test_a_token_with_the_right_opens_the_way_and_without_it_says_so(
    world: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kube = world.as_account(tmp_path, monkeypatch)
    for ask in (listening, pod_answers, service_answers):
        with pytest.raises(ApiError, match=r"may not|cannot"):
            ask(kube, world.name, "app", (3000,) if ask is listening else 3000)
    world.allow("pods/portforward", "get", "create")

    def allowed() -> frozenset[int] | None:
        with contextlib.suppress(ApiError):
            return listening(kube, world.name, "app", (3000, 80))
        return None

    assert world.until(allowed) == {3000}
