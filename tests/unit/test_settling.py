"""How long an object that is being deleted is waited for, and what is said at the end of that."""

from __future__ import annotations

from typing import Any

import pytest

from kubekit.api.settling import settled
from kubekit.errors import KubekitError
from kubekit.model import Object


class Cluster:
    """It goes after so many seconds."""

    def __init__(self, live: Object, gone_after: float) -> None:
        self.live = live
        self.waited = 0.0
        self.gone_after = gone_after

    def get(self, _path: str) -> Object | None:
        return self.live if self.waited < self.gone_after else None

    def pause(self, seconds: float) -> None:
        self.waited += seconds


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
    assert settled(kube, "x", "`Deployment/web`", emit=lambda _: None) is None


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
        settled(kube, "x", "`Deployment/web`", emit=lambda _: None)
    assert error.value.id == id_
    assert hint in error.value.hints[0]
