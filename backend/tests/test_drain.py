"""SIGTERM and what may not be lost by it, on real processes."""

import contextlib
import json
import signal
import socket
import threading
import time
from collections.abc import Callable
from http.client import HTTPException

import pytest
import uvicorn
from app.__main__ import main
from support import LOOPBACK, Service, until

BODY = json.dumps({"title": "in flight"}).encode()
HEAD = (
    b"POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
)


def test_while_draining_it_serves_but_is_not_ready(serve: Callable[..., Service]) -> None:
    service = serve(DRAIN_SECONDS="1.5")
    service.terminate()
    until(lambda: service.ask("GET", "/health/ready")[0] == 503)
    assert service.ask("GET", "/health/ready")[1]["reason"] == "Draining"
    assert service.ask("GET", "/health/live")[0] == 200
    with contextlib.closing(service.connect()) as connection:
        connection.request("GET", "/api/tasks")
        response = connection.getresponse()
        assert (response.status, response.headers["connection"]) == (200, "close")
    assert service.process.wait(20) == 0
    assert [entry for entry in service.log() if entry["level"] == "error"] == []


def test_no_drain_no_delay(serve: Callable[..., Service]) -> None:
    service = serve(DRAIN_SECONDS="0")
    started = time.monotonic()
    service.terminate()
    assert service.process.wait(20) == 0
    assert time.monotonic() - started < 5


def test_a_second_signal_ends_the_waiting(serve: Callable[..., Service]) -> None:
    service = serve(DRAIN_SECONDS="100")
    service.terminate()
    until(lambda: service.ask("GET", "/health/ready")[0] == 503)
    service.terminate()
    assert service.process.wait(20) == 0


def test_a_signal_before_the_server_is_up(serve: Callable[..., Service]) -> None:
    service = serve(wait=False)
    time.sleep(0.3)
    service.terminate()
    # Before Python has read our handler, the signal's default ends it.
    assert service.process.wait(20) in {0, -15}


def test_a_signal_that_comes_out_of_an_import_as_another_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except SystemExit as error:
            raise RuntimeError("Error calling __set_name__") from error

    monkeypatch.setattr(uvicorn, "run", run)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main() == 0
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_request_in_flight_is_answered(serve: Callable[..., Service], workers: str) -> None:
    service = serve(DRAIN_SECONDS="0.2", GRACEFUL_SECONDS="10", WORKERS=workers)
    with socket.create_connection((LOOPBACK, service.port), timeout=15) as connection:
        connection.sendall(HEAD + BODY[:5])
        time.sleep(0.3)
        service.terminate()
        until(lambda: "Waiting for connections to close" in service.log_file.read_text())
        connection.sendall(BODY[5:])
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert service.process.wait(20) == 0


class Users:
    """Four clients that create tasks without a pause, on kept-alive connections."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.created = 0
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._count = threading.Lock()
        self._threads = [threading.Thread(target=self._work) for _ in range(4)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        service = self.service
        connection = service.connect()
        while not self._stop.is_set():
            if service is not self.service:
                connection.close()
                service = self.service
                connection = service.connect()
            try:
                connection.request("POST", "/api/tasks", BODY, {"content-type": "application/json"})
                response = connection.getresponse()
                response.read()
                outcome = "" if response.status == 201 else str(response.status)
            except (OSError, HTTPException) as error:
                outcome = repr(error)
                connection.close()
            with self._count:
                self.created += not outcome
                self.failures += [outcome] if outcome else []
        connection.close()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_rolling_update_under_load_loses_nothing(
    serve: Callable[..., Service], workers: str
) -> None:
    old = serve(DRAIN_SECONDS="2", WORKERS=workers)
    new = serve(DRAIN_SECONDS="2", WORKERS=workers)
    users = Users(old)
    until(lambda: users.created > 20)
    old.terminate()
    time.sleep(1.2)  # the Service has not heard yet: traffic still goes to the old pod
    users.service = new
    assert old.process.wait(20) == 0
    after = users.created
    until(lambda: users.created > after + 20)
    users.stop()
    assert users.failures == []
    assert new.ask("GET", "/api/tasks")[1]["total"] == users.created
