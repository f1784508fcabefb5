"""What is followed for several waits in a row."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kubekit.api import feed as feeds
from kubekit.api.feed import Feed
from kubekit.api.follow import Changed, Found, Listed, Lost, Update
from kubekit.api.resources import NAMESPACE, PODS
from kubekit.errors import UnreachableError
from kubekit.model import Cancel, Clock, Object
from kubekit.rollout.watcher import Watcher

KUBE: Any = None
KUBE_WITH_CLOCK: Any = SimpleNamespace(server_now=lambda: 0.0)
ERROR = UnreachableError("gone")


class Follower:
    """One that follows nothing; the test says what it finds."""

    made: list[Follower]

    def __init__(self, _kube: object, *, kind: str, path: str, deliver: Any, only: str) -> None:
        self.kind, self.path, self.deliver, self.only = kind, path, deliver, only
        self.stopped = False
        Follower.made.append(self)

    def start(self) -> None:
        pass

    def signal(self) -> None:
        self.stopped = True

    def join(self, _seconds: float) -> None:
        pass


@pytest.fixture(autouse=True)
def followers(monkeypatch: pytest.MonkeyPatch) -> list[Follower]:
    Follower.made = []
    monkeypatch.setattr(feeds, "Follower", Follower)
    return Follower.made


def pod(uid: str, **fields: Any) -> Object:
    return {"metadata": {"uid": uid}, **fields}


def listed(*items: Object) -> Listed:
    return Listed(kind="Pod", items=items)


def changed(item: Object, *, gone: bool = False) -> Changed:
    return Changed(kind="Pod", item=item, gone=gone)


def test_who_comes_later_is_told_what_there_is_and_then_what_changes(
    followers: list[Follower],
) -> None:
    feed = Feed(KUBE, "web")
    first: list[Update] = []
    second: list[Update] = []
    with feed.following({"Pod": PODS}, first.append):
        (follower,) = followers
        assert follower.path == "/api/v1/namespaces/web/pods"
        updates = [
            listed(pod("a"), pod("b")),
            changed(pod("a", new=True)),
            changed(pod("b"), gone=True),
            changed(pod("c")),
        ]
        for update in updates:
            follower.deliver(update)
        with feed.following({"Pod": PODS}, second.append):
            follower.deliver(changed(pod("d")))
        follower.deliver(changed(pod("e")))
    assert first == [*updates, changed(pod("d")), changed(pod("e"))]
    assert second == [listed(pod("a", new=True), pod("c")), changed(pod("d"))]
    assert followers == [follower]
    assert not follower.stopped


def test_before_the_first_list_nothing_is_told(followers: list[Follower]) -> None:
    feed = Feed(KUBE, "web")
    told: list[Update] = []
    with feed.following({"Pod": PODS}, told.append):
        assert told == []
        followers[0].deliver(listed())
    assert told == [listed()]


def test_that_it_is_lost_is_told_to_who_comes_meanwhile_and_not_later(
    followers: list[Follower],
) -> None:
    feed = Feed(KUBE, "web")
    lost = Lost(kind="Pod", error=ERROR, fatal=False)
    heard: list[list[Update]] = [[], [], []]
    with feed.following({"Pod": PODS}, heard[0].append):
        followers[0].deliver(listed(pod("a")))
        followers[0].deliver(lost)
        with feed.following({"Pod": PODS}, heard[1].append):
            followers[0].deliver(Found(kind="Pod"))
        with feed.following({"Pod": PODS}, heard[2].append):
            pass
    assert heard[1] == [listed(pod("a")), lost, Found(kind="Pod")]
    assert heard[2] == [listed(pod("a"))]


def test_what_could_not_be_followed_is_tried_anew_by_the_next(followers: list[Follower]) -> None:
    feed = Feed(KUBE, "web")
    fatal = Lost(kind="Pod", error=ERROR, fatal=True)
    told: list[Update] = []
    with feed.following({"Pod": PODS}, told.append):
        followers[0].deliver(fatal)
    with feed.following({"Pod": PODS}, told.append):
        followers[1].deliver(listed())
    assert told == [fatal, listed()]


def test_a_wait_lists_its_workloads_anew_and_takes_the_rest_from_the_feed(
    followers: list[Follower],
) -> None:
    """What was just written may not have come to a feed that is kept."""
    feed = Feed(KUBE, "web")
    for _ in range(2):
        watcher = Watcher(
            KUBE_WITH_CLOCK,
            "web",
            feed=feed,
            emit=lambda _: None,
            clock=Clock(now=lambda: 0.0),
            cancel=Cancel(),
            on_host=lambda _: False,
        )
        with watcher.following(frozenset({"Deployment"})):
            pass
    kinds = [one.kind for one in followers]
    assert (kinds.count("Deployment"), kinds.count("Pod"), kinds.count("Event")) == (2, 1, 1)
    assert {one.kind for one in followers if one.stopped} == {"Deployment", "Namespace"}


def test_at_its_end_nothing_is_followed_and_of_namespaces_only_its_own_is(
    followers: list[Follower],
) -> None:
    feed = Feed(KUBE, "web")
    with feed.following({"Pod": PODS, "Namespace": NAMESPACE}, lambda _: None):
        assert [one.only for one in followers] == ["", "web"]
    feed.close()
    assert all(one.stopped for one in followers)
