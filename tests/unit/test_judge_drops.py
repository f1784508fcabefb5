"""A watch that breaks at any point and starts over with a list: the same verdict in the end."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kubekit.api.feed import Feed
from kubekit.api.follow import Changed, Found, Listed, Update
from kubekit.model import Cancel, Clock, Object
from kubekit.rollout.judge import judge
from kubekit.rollout.snapshot import Target
from kubekit.rollout.verdict import FAILED, WAITING, Verdict
from kubekit.rollout.watcher import Watcher
from tests.unit.rollouts import (
    NOW,
    crashed,
    deployment,
    event,
    pod,
    replica_set,
    running,
    waiting,
)

KINDS = ("Deployment", "ReplicaSet", "Pod", "Event")
LATER = 1000.0
"""Seconds after which every window is over."""

STATES = st.sampled_from(
    [
        waiting("ContainerCreating"),
        waiting("InvalidImageName"),
        waiting("ErrImagePull", "dial tcp: i/o timeout"),
        waiting("ImagePullBackOff", "Back-off pulling image"),
        waiting("CreateContainerConfigError", "something else"),
        crashed(1, restarts=1),
        crashed(137, restarts=3, reason="OOMKilled"),
        running(),
        running(ready=True),
    ]
)
NAMES = st.sampled_from(["web-2-a", "web-2-b", "web-1-a"])
ITEMS = st.one_of(
    st.builds(
        lambda state, name: ("Pod", pod(state=state, name=name, owner=name[:5])), STATES, NAMES
    ),
    st.builds(
        lambda count, name: (
            "Event",
            event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404",
                  count=count, uid=name),
        ),
        st.integers(1, 5),
        NAMES,
    ),
    st.builds(
        lambda updated: ("Deployment", deployment(status={"updatedReplicas": updated})),
        st.integers(0, 2),
    ),
)  # fmt: skip
CHANGES = st.lists(st.tuples(ITEMS, st.booleans()), min_size=1, max_size=12)


def watcher() -> Watcher:
    """One that asks nobody: its updates are handed to it."""
    kube: Any = SimpleNamespace(server_now=lambda: NOW)
    return Watcher(
        kube,
        "web",
        feed=Feed(kube, "web"),
        emit=lambda _event: None,
        clock=Clock(now=lambda: 0.0),
        cancel=Cancel(),
        on_host=lambda _image: False,
    )


def verdict_of(one: Watcher, seconds: float = LATER) -> Verdict:
    target = Target(
        name="web",
        namespace="web",
        uid="dep",
        generation=2,
        template=deployment()["spec"]["template"],
        since=NOW,
    )
    return judge(one.snapshot(target), NOW + seconds)


def started() -> Watcher:
    one = watcher()
    sets = (replica_set("web-1", revision="1"), replica_set())
    first: dict[str, tuple[Object, ...]] = {
        "Deployment": (deployment(),),
        "ReplicaSet": sets,
        "Pod": (),
        "Event": (),
    }
    for kind in KINDS:
        one.take(Listed(kind=kind, items=first[kind]))
    return one


def changed(kind: str, item: Object, *, gone: bool) -> Update:
    return Changed(kind=kind, item=item, gone=gone and kind != "Deployment")


@given(changes=CHANGES, data=st.data())
def test_what_was_missed_while_a_watch_was_broken_changes_nothing_in_the_end(
    changes: list[tuple[tuple[str, Object], bool]], data: st.DataObject
) -> None:
    """One sees every change; for the other some are lost, and a list stands for them."""
    begin = data.draw(st.integers(0, len(changes)))
    end = data.draw(st.integers(begin, len(changes)))
    steady, broken = started(), started()
    for number, ((kind, item), gone) in enumerate(changes):
        steady.take(changed(kind, item, gone=gone))
        if not begin <= number < end:
            broken.take(changed(kind, copy.deepcopy(item), gone=gone))
        if number == end - 1:
            for each in KINDS:
                broken.take(Listed(kind=each, items=copy.deepcopy(steady.objects(each))))
    assert essence(verdict_of(broken)) == essence(verdict_of(steady))


@given(changes=CHANGES, seconds=st.floats(0, 100))
def test_found_again_without_a_change_is_the_same_moment(
    changes: list[tuple[tuple[str, Object], bool]], seconds: float
) -> None:
    one = started()
    for (kind, item), gone in changes:
        one.take(changed(kind, item, gone=gone))
    before = verdict_of(one, seconds)
    for each in KINDS:
        one.take(Found(kind=each))
        one.take(Listed(kind=each, items=copy.deepcopy(one.objects(each))))
    assert verdict_of(one, seconds) == before


def test_these_changes_lead_to_failures_and_to_none() -> None:
    """The laws above would hold for a judge that never decides, too."""
    one = started()
    one.take(changed("Pod", pod(state=running()), gone=False))
    assert verdict_of(one).state == WAITING
    one.take(changed("Pod", pod(state=waiting("InvalidImageName")), gone=False))
    assert verdict_of(one).state == FAILED


def essence(verdict: Verdict) -> tuple[object, ...]:
    """The verdict but for which of several like pods stands for them."""
    finding = verdict.finding
    return verdict.state, finding and (finding.id, finding.exit_code)
