"""What gives way in a trial; what the API server says of it is in tests/cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubekit.api.attempt import Attempt
from kubekit.api.kube import Answer, ApiError
from kubekit.api.ownership import OwnedSet
from kubekit.api.resources import KNOWN
from kubekit.errors import Place
from kubekit.model import Consent, Manifest, Object

OWNED = OwnedSet(project="x", namespace="x")
JOB: Object = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "migrate", "namespace": "x", "uid": "j"},
    "spec": {},
}


class Cluster:
    """A Job one field of which cannot be changed, and that runs until it was waited for."""

    def __init__(self) -> None:
        self.waited = 0

    def apply(self, path: str, obj: Object, **_: object) -> Answer:
        if path.endswith("/migrate"):
            cause = {"message": "Invalid value: field is immutable", "field": "spec.template"}
            raise ApiError(status=422, reason="Invalid", message="immutable", causes=(cause,))
        return Answer(data=obj, warnings=(), date=0.0)

    def get(self, _path: str) -> Object:
        return JOB

    def list(self, _path: str, **_: object) -> list[Object]:
        state: Object = {} if self.waited else {"running": {}}
        return [{"status": {"containerStatuses": [{"state": state}]}}]

    @property
    def cancel(self) -> Cluster:
        return self

    def wait(self, _seconds: float) -> bool:
        self.waited += 1
        return False


@pytest.mark.parametrize(("rehearses", "waited"), [(True, 0), (False, 1)])
def test_a_rehearsal_only_says_that_a_job_would_be_waited_for(rehearses: bool, waited: int) -> None:
    kube: Any = Cluster()
    attempt = Attempt(
        kube=kube,
        owned=OWNED,
        manifest=Manifest(data=JOB, origin=Place(file=Path("/p/a.yaml"))),
        resource=KNOWN["batch/v1", "Job"],
        sent=JOB,
        live=JOB,
        consent=Consent(),
        emit=lambda _: None,
        rehearses=rehearses,
    )
    attempt.ask()
    assert "`spec.template` cannot be changed" in attempt.anew
    assert ("would be waited for" in attempt.anew) is rehearses
    assert kube.waited == waited
