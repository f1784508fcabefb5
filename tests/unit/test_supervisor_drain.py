"""A container that ends goes on for a moment, for those who do not know of its end yet."""

from __future__ import annotations

import contextlib
import http.client
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.supervised import (
    NEWEST_TESTED,
    PATIENCE,
    PATIENT_WORKERS,
    Container,
    container,
    environment,
    until,
)

APP = """
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
async def root():
    return 1
"""
LONG = 600.0


@pytest.fixture
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    with container(environment(NEWEST_TESTED, request.config), tmp_path) as made:
        made.write("main.py", APP)
        yield made


def serve(box: Container, *options: str, drain: float) -> None:
    """Start it, and bring it to its second generation."""
    patient = ("--timeout-keep-alive", "300")  # uvicorn's own are five seconds
    box.start("uvicorn", "main:app", "--port", str(box.port), *options, *patient, drain=drain)
    until(box.answers)
    box.warmed()
    assert box.reload()["state"] == "ready"


@contextlib.contextmanager
def connected(box: Container) -> Iterator[http.client.HTTPConnection]:
    """A connection on which something was answered."""
    made = http.client.HTTPConnection("127.0.0.1", box.port, timeout=PATIENCE)
    with contextlib.closing(made):
        last_answer(made)
        yield made


def last_answer(made: http.client.HTTPConnection) -> str | None:
    """What is said of the connection with the next answer on it."""
    made.request("GET", "/")
    answer = made.getresponse()
    assert answer.read() == b"1"
    return answer.getheader("Connection")


def said_to_a_new_one(box: Container) -> str | None:
    """The same with the first answer on another connection."""
    made = http.client.HTTPConnection("127.0.0.1", box.port, timeout=PATIENCE)
    with contextlib.closing(made):
        return last_answer(made)


@pytest.mark.parametrize(
    "options",
    [("--http", "h11"), ("--http", "httptools"), ("--workers", "2", *PATIENT_WORKERS)],
    ids=lambda options: options[1],
)
def test_all_who_ask_meanwhile_are_answered_and_sent_elsewhere(
    box: Container, options: tuple[str, ...]
) -> None:
    serve(box, *options, drain=LONG)
    with connected(box) as kept:
        assert last_answer(kept) is None
        box.signal(signal.SIGTERM)
        until(lambda: "stopping" in str(box.reload()))
        until(lambda: said_to_a_new_one(box) == "close")
        assert last_answer(kept) == "close"
        assert kept.sock is None
    # Whoever does not want to wait asks again.
    assert box.stop() in (0, 128 + signal.SIGTERM)  # several workers end well by themselves


def test_then_it_ends_as_it_would_have(box: Container) -> None:
    serve(box, drain=1)
    box.signal(signal.SIGTERM)
    assert box.end() == 128 + signal.SIGTERM
    assert "Application shutdown complete" in box.output()


def test_a_program_that_is_no_server_of_uvicorn_gets_its_signal_later(box: Container) -> None:
    box.write("main.py", "import signal\nprint('up', flush=True)\nsignal.sigwait([2, 15])\n")
    box.start("python", "src/main.py", drain=1)
    until(lambda: "up" in box.output())
    box.signal(signal.SIGTERM)
    assert box.end() == 128 + signal.SIGTERM
