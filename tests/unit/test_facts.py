"""What is read when the judge asks: how often, and what happens where a right is missing."""

from __future__ import annotations

from typing import Any

import pytest

from kubekit.api.kube import ApiError
from kubekit.model import Cancel, Clock
from kubekit.rollout import facts
from kubekit.rollout.facts import Facts
from kubekit.rollout.verdict import FAILED, WAITING, Verdict
from kubekit.rollout.wants import AnswerOf, LogOf, OpenPorts, ReplyOf

LOOK = OpenPorts(pod="web", ports=(80,))


class World:
    """A pod whose ports are looked at, and the time of the looks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.open: frozenset[int] = frozenset()
        self.looks: list[float] = []
        kube: Any = None  # nothing else is asked for
        clock = Clock(now=lambda: self.now)
        self.facts = Facts(
            kube, "here", clock, lambda _image: False, lambda: self.now, cancel=Cancel()
        )
        monkeypatch.setattr(facts, "listening", self.listening)

    def listening(self, *_args: object) -> frozenset[int]:
        self.looks.append(self.now)
        return self.open

    def waited_for(self, seconds: int) -> None:
        """As the wait does: every half second what may have changed is asked for again."""
        for _ in range(2 * seconds):
            self.facts.forget(frozenset())
            if LOOK not in self.facts.known:
                self.facts.fetch(frozenset({LOOK}))
            self.now += 0.5


def test_ports_are_looked_at_rarely_after_the_first_two_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    world.waited_for(20)
    pauses = [b - a for a, b in zip(world.looks, world.looks[1:], strict=False)]
    assert pauses[0] == 2.5
    assert set(pauses[1:]) == {5.5}


def test_nothing_fails_by_an_old_look(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)

    def verdict() -> Verdict:
        if LOOK not in world.facts.known:
            return Verdict(state=WAITING, text="", wants=frozenset({LOOK}))
        return Verdict(state=WAITING if world.facts.known[LOOK] else FAILED, text="")

    assert world.facts.informed(verdict).state == FAILED
    assert len(world.looks) == 1, "that one was young enough"
    world.now, world.open = 4.0, frozenset({80})
    assert world.facts.informed(verdict).state == WAITING
    assert world.looks == [0.0, 4.0]


@pytest.mark.parametrize(
    ("name", "want", "told"),
    [
        ("listening", LOOK, "port-forward"),
        ("pod_answers", ReplyOf(pod="web", port=80), "answers of pods"),
        ("service_answers", AnswerOf(service="web", port=80), "answers of Services"),
    ],
)
def test_a_way_that_is_forbidden_is_told_and_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, name: str, want: Any, told: str
) -> None:
    world, tries = World(monkeypatch), []

    def forbidden(*_args: object, **_more: object) -> None:
        tries.append(name)
        raise ApiError(status=403, reason="Forbidden", message="no", causes=())

    monkeypatch.setattr(facts, name, forbidden)
    for world.now in (0.0, 10.0, 20.0):
        world.facts.forget(frozenset())
        world.facts.fetch(frozenset({want}))
        assert world.facts.known[want] is None
    assert tries == [name]
    assert told in " ".join(world.facts.unseen)


ENDED = "2026-11-21T20:00:10Z"
OWN = "2026-11-21T20:00:09.5Z starting\n2026-11-21T20:00:10.9Z KeyError: 'URL'\n"
NEXT = "2026-11-21T20:00:11.2Z starting\n"
WANT = LogOf(pod="web", container="app", attempt=0)


class Hasty(Cancel):
    """Nothing is slept through."""

    def wait(self, seconds: float) -> bool:
        assert seconds > 0
        return False


class Logs:
    """A pod that crashed once, and what the API has for its log, look by look."""

    def __init__(self, *texts: str, started_again: int = 99) -> None:
        self.looks = 0
        self.asked: list[bool] = []
        self._texts = texts
        self._again = started_again

    def get(self, _path: str, **_more: Any) -> Any:
        end = {"terminated": {"finishedAt": ENDED}}
        if self.looks >= self._again:
            running = {"running": {"startedAt": "2026-11-21T20:00:11Z"}}
            status = {"name": "app", "restartCount": 1, "state": running, "lastState": end}
        else:
            status = {"name": "app", "restartCount": 0, "state": end}
        return {
            "metadata": {"name": "web", "uid": "1"},
            "spec": {"containers": [{"name": "app"}]},
            "status": {"containerStatuses": [status]},
        }

    def text(self, _path: str, *, query: dict[str, str]) -> str:
        self.asked.append("previous" in query)
        self.looks += 1
        return self._texts[min(self.looks, len(self._texts)) - 1]

    def read(self) -> Any:
        kube: Any = self
        found = Facts(kube, "here", Clock(), lambda _image: False, cancel=Hasty())
        found.fetch(frozenset({WANT}))
        return found.known[WANT]


def test_a_log_is_told_as_it_was_written() -> None:
    logs = Logs(OWN)
    assert logs.read() == "starting\nKeyError: 'URL'\n"
    assert logs.looks == 1


@pytest.mark.parametrize("ahead", ["", NEXT])
def test_the_log_of_the_next_attempt_is_not_taken_for_this_ones(ahead: str) -> None:
    """The kubelet has started it again, and the API server has not heard of it yet."""
    logs = Logs(ahead, OWN, started_again=1)
    assert logs.read() == "starting\nKeyError: 'URL'\n"
    assert logs.asked == [False, True]


def test_an_empty_log_is_believed_when_it_stays_empty() -> None:
    logs = Logs("")
    assert logs.read() == ""
    assert logs.looks == 2


def test_a_log_that_is_written_late_is_believed_too() -> None:
    assert Logs(NEXT).read() == "starting\n"
