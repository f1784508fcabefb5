"""Who asks new pods whether they answer lives on, whatever comes of it."""

from __future__ import annotations

import queue
import socket
from collections.abc import Callable

import pytest

from kubekit.dev import answering
from kubekit.dev.answering import Answering, Answers
from kubekit.dev.probe import Probe

TOLD = Answers(uid="1", version=1)


def answer(far: socket.socket, status: str) -> None:
    with far:
        far.recv(4096)
        far.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "_PAUSE_SECONDS", 0.01)


def test_what_goes_wrong_on_the_way_is_no_answer_and_is_tried_again() -> None:
    told: queue.SimpleQueue[Answers] = queue.SimpleQueue()
    ways: list[Callable[[], socket.socket]] = []

    def out_of_files() -> socket.socket:
        raise OSError(24, "Too many open files")

    def broken() -> socket.socket:
        ours, theirs = socket.socketpair()
        theirs.close()
        return ours

    refuses, refused = socket.socketpair()
    answers, answered = socket.socketpair()
    answer_later = [(refused, "503 Service Unavailable"), (answered, "204 No Content")]
    ways += [out_of_files, broken, lambda: refuses, lambda: answers]
    asker = Answering(lambda _pod, _port: ways.pop(0)(), told.put)
    asker.ask("web-1", Probe(port=8000, path="/ready"), TOLD, wanted=lambda: True)
    for far, status in answer_later:
        answer(far, status)
    assert told.get(timeout=90) == TOLD
    assert not ways


@pytest.mark.parametrize(
    "probe",
    [
        Probe(port=8000, path="/bereit-für-dich"),
        Probe(port=8000, path="/", headers=(("X-Name", "Łódź"),)),
        Probe(port=8000, path="/a b"),
    ],
    ids=["path", "header", "space"],
)
def test_a_probe_that_http_cannot_say_is_left_to_the_kubelet(probe: Probe) -> None:
    told: queue.SimpleQueue[Answers] = queue.SimpleQueue()
    turns = iter([True, False])
    over: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def wanted() -> bool:
        turn = next(turns)
        over.put(turn)
        return turn

    def reach(_pod: str, _port: int) -> socket.socket:
        ours, theirs = socket.socketpair()
        kept.append(theirs)
        return ours

    kept: list[socket.socket] = []
    asker = Answering(reach, told.put)
    asker.ask("web-1", probe, TOLD, wanted=wanted)
    assert [over.get(timeout=90), over.get(timeout=90)] == [True, False]
    assert told.empty()
    for far in kept:
        far.close()


def test_a_pod_is_asked_by_one_at_a_time() -> None:
    told: queue.SimpleQueue[Answers] = queue.SimpleQueue()
    reached: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()

    def reach(_pod: str, _port: int) -> socket.socket:
        ours, theirs = socket.socketpair()
        reached.put(theirs)
        return ours

    asker = Answering(reach, told.put)
    for _ in range(3):
        asker.ask("web-1", Probe(port=8000, path="/ready"), TOLD, wanted=lambda: True)
    answer(reached.get(timeout=90), "200 OK")
    assert told.get(timeout=90) == TOLD
    assert reached.empty()
