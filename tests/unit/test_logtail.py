"""Logs that cannot be had, and more of them than connections are kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kubekit.api.kube import Kube, TransientError
from kubekit.errors import KubekitError
from kubekit.events import LogLine
from kubekit.model import Cancel, Object
from kubekit.streams import logtail
from kubekit.streams.logs import Logs
from kubekit.streams.logtail import Runs, Source, Tail
from tests.conftest import until

SOURCE = Source(namespace="here", pod="web", uid="1", container="app")


class Broken:
    """Fails in a way that nobody expects."""

    source = SOURCE

    def read(self, **_: bool) -> None:
        raise LookupError("a defect")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_in_reading_a_log_is_told() -> None:
    told: list[tuple[Source, KubekitError]] = []
    reader: Any = Broken()
    tail = Tail(
        reader, deliver=lambda _: True, trouble=lambda source, error: told.append((source, error))
    )
    tail.start(Runs(present="first"))
    tail.join(30)
    ((source, error),) = told
    assert (source, error.message) == (SOURCE, "LookupError: a defect")


class Back:
    """Cannot be reached at first, and then says one word."""

    source = SOURCE
    silent = False

    def __init__(self) -> None:
        self.asked = threading.Event()

    def read(self, **_: bool) -> Iterator[LogLine]:
        if not self.asked.is_set():
            self.asked.set()
            raise TransientError("down")
        yield LogLine(pod="web", container="app", at="", line="bye")


def test_a_run_that_ends_is_read_at_once_and_not_after_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logtail.random, "uniform", lambda *_: 1e6)
    heard: list[str] = []
    reader: Any = Back()

    def deliver(line: LogLine) -> bool:
        heard.append(line.line)
        return False

    tail = Tail(reader, deliver=deliver, trouble=lambda *_: None)
    tail.start(Runs(present="first"))
    assert reader.asked.wait(30)
    tail.see(Runs(present="first", over=True))
    until(lambda: heard == ["bye"])
    tail.gone()
    tail.join(30)


MANY = 80
"""More than the connections that `Kube` keeps."""


@pytest.fixture
def endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kube]:
    """An API server that answers with one line, and then with nothing for as long as it is read."""
    over = threading.Event()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            line = b"2026-11-21T20:00:00.000000000Z hello\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            over.wait(60)

        def log_message(self, *_: object) -> None:
            """Not among the tests' output."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 2 * MANY
        daemon_threads = True

    with Server(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = {
            "clusters": [
                {"name": "a", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
            ],
            "users": [{"name": "a", "user": {}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        }
        (tmp_path / "config").write_text(json.dumps(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        yield Kube(context="a", cancel=Cancel())
        over.set()
        server.shutdown()


def test_no_log_waits_for_another_to_end(endless: Kube) -> None:
    told: set[str] = set()
    all_told = threading.Event()

    def deliver(line: LogLine) -> None:
        told.add(line.pod)
        if len(told) == MANY:
            all_told.set()

    logs = Logs(endless, "here", deliver=deliver)
    logs.listed(pod(str(number)) for number in range(MANY))
    assert all_told.wait(60)
    logs.close()


def pod(name: str) -> Object:
    started = {"name": "app", "containerID": name, "state": {"running": {}}}
    return {
        "metadata": {"name": name, "uid": name},
        "spec": {"containers": [{"name": "app"}]},
        "status": {"containerStatuses": [started]},
    }
