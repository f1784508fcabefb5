"""What is read when the judge asks: how often, and what happens where a right is missing."""

from __future__ import annotations

from typing import Any

import pytest

from kubekit.api.kube import ApiError
from kubekit.model import Clock
from kubekit.rollout import facts
from kubekit.rollout.facts import Facts
from kubekit.rollout.verdict import FAILED, WAITING, Verdict
from kubekit.rollout.wants import AnswerOf, OpenPorts, ReplyOf

LOOK = OpenPorts(pod="web", ports=(80,))


class World:
    """A pod whose ports are looked at, and the time of the looks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.open: frozenset[int] = frozenset()
        self.looks: list[float] = []
        kube: Any = None  # nothing else is asked for
        clock = Clock(now=lambda: self.now)
        self.facts = Facts(kube, "here", clock, lambda _image: False, lambda: self.now)
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
