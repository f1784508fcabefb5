"""What a pod comes from, by what it says itself."""

from __future__ import annotations

from kubekit.api.lineage import is_of, lineage
from kubekit.model import Object


def pod(kind: str, name: str, *, hashed: str = "", controls: bool = True) -> Object:
    labels = {"pod-template-hash": hashed} if hashed else {}
    owner = {"kind": kind, "name": name, "controller": controls}
    return {"metadata": {"name": "p", "labels": labels, "ownerReferences": [owner]}}


def test_a_deployment_and_a_cron_job_are_known_by_the_names_they_give() -> None:
    assert lineage(pod("ReplicaSet", "web-api-7d4", hashed="7d4")) == (
        ("Pod", "p"),
        ("ReplicaSet", "web-api-7d4"),
        ("Deployment", "web-api"),
    )
    assert is_of(pod("Job", "nightly-29384710"), {"CronJob/nightly"})
    assert is_of(pod("StatefulSet", "db"), {"StatefulSet/db"})


def test_a_name_that_only_looks_so_is_nobodys() -> None:
    assert not is_of(pod("ReplicaSet", "web-7d4"), {"Deployment/web"})
    assert not is_of(pod("Job", "migrate-2"), {"CronJob/migrate"})
    assert not is_of(pod("StatefulSet", "db", controls=False), {"StatefulSet/db"})
    assert not is_of({"metadata": {"name": "p"}}, {"Pod/p"})
