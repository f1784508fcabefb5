"""How long an object that is being deleted is waited for, and what is said at the end of that."""

from __future__ import annotations

from typing import Any

import pytest

from kubekit.api.jobs import WAITED_SECONDS, at_rest
from kubekit.api.settling import DELETION_SECONDS, settled
from kubekit.errors import KubekitError
from kubekit.model import Clock, Object


class Cluster:
    """What is there goes after so many seconds; each answer takes some."""

    def __init__(self, live: Object, gone_after: float, *, answer: float = 0.0) -> None:
        self.live = live
        self.now = 0.0
        self.gone_after = gone_after
        self.answer = answer
        self.clock = Clock(now=lambda: self.now)

    def get(self, _path: str) -> Object | None:
        self.now += self.answer
        return self.live if self.now < self.gone_after else None

    def list(self, _path: str, **_: object) -> list[Object]:
        self.now += self.answer
        return [{"status": {"containerStatuses": [{"state": {"running": {}}}]}}]

    @property
    def cancel(self) -> Cluster:
        return self

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False


def deployment(*finalizers: str, grace: int) -> Object:
    metadata = {"deletionTimestamp": "T", "finalizers": list(finalizers)}
    pod = {"terminationGracePeriodSeconds": grace}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"template": {"spec": pod}},
    }


def test_its_pods_may_take_their_time_to_end() -> None:
    kube: Any = Cluster(deployment("foregroundDeletion", grace=90), gone_after=120)
    assert settled(kube, "x", "`Deployment/web`", emit=lambda _: None, clock=kube.clock) is None


@pytest.mark.parametrize(
    ("finalizers", "id_", "hint"),
    [
        (["foregroundDeletion"], "still-deleting", "wait for it"),
        (["foregroundDeletion", "example.com/hold"], "deletion-blocked", "must take it away"),
        ([], "still-deleting", "wait for it"),
    ],
)
def test_only_a_finalizer_of_somebody_elses_is_to_be_taken_away(
    finalizers: list[str], id_: str, hint: str
) -> None:
    kube: Any = Cluster(deployment(*finalizers, grace=0), gone_after=1000)
    with pytest.raises(KubekitError) as error:
        settled(kube, "x", "`Deployment/web`", emit=lambda _: None, clock=kube.clock)
    assert error.value.id == id_
    assert hint in error.value.hints[0]


def test_a_minute_is_one_also_where_each_answer_takes_seconds() -> None:
    kube: Any = Cluster(deployment(grace=0), gone_after=1000, answer=2.0)
    with pytest.raises(KubekitError, match=f"still being deleted after {DELETION_SECONDS:.0f} s"):
        settled(kube, "x", "`Deployment/web`", emit=lambda _: None, clock=kube.clock)
    assert kube.now < DELETION_SECONDS + 10

    job: Object = {"kind": "Job", "metadata": {"name": "x", "namespace": "x", "uid": "1"}}
    kube = Cluster(job, gone_after=1000, answer=2.0)
    assert not at_rest(kube, "x", job, emit=lambda _: None, clock=kube.clock)
    assert kube.now < WAITED_SECONDS + 10
