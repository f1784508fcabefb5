"""`python -m app` as a container runs it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"


class Service:
    def __init__(self, log: Path, drain_seconds: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        env = {"PYTHONPATH": str(SOURCE), "HOST": "127.0.0.1", "PORT": str(self.port)}
        env |= {"PATH": os.environ["PATH"], "DRAIN_SECONDS": drain_seconds}
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen([sys.executable, "-m", "app"], env=env, stdout=out)

    def status(self, path: str) -> int | None:
        """What it answers; None while nobody listens."""
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            try:
                connection.request("GET", path)
                return connection.getresponse().status
            except OSError:
                return None

    def until(self, path: str, status: int) -> None:
        end = time.monotonic() + 60
        while self.status(path) != status:
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path / "log", drain_seconds="2")
    yield service
    service.process.kill()
    service.process.wait()


def test_sigterm_drains_and_ends_with_0(service: Service) -> None:
    service.until("/health/ready", 200)
    service.process.send_signal(signal.SIGTERM)
    service.until("/health/ready", 503)
    assert service.status("/api/greetings/Ada") == 200, "it still serves"
    assert service.process.wait(60) == 0


def test_every_line_of_the_log_is_json(service: Service) -> None:
    service.until("/health/live", 200)
    lines = service.log.read_text().splitlines()
    assert lines
    assert all(json.loads(line)["level"] == "info" for line in lines)
