"""What neither a prune nor a teardown takes: what is another's by now, and what has data."""

from __future__ import annotations

from typing import Any

import pytest

from kubekit.api import removal
from kubekit.api.kube import ApiError
from kubekit.api.ownership import (
    KINDS_ANNOTATION,
    MANAGED_BY_LABEL,
    MEMBER_LABEL,
    OwnedSet,
)
from kubekit.api.resources import Resource
from kubekit.api.teardown import teardown
from kubekit.events import Event, Warned
from kubekit.model import Cancel, Clock, Object

OWNED = OwnedSet(project="x", namespace="x")
DATABASE = Resource(api_version="postgresql.cnpg.io/v1", kind="Cluster", plural="clusters")


def made(
    name: str,
    *,
    manager: str = "kubekit",
    by: str = "kubekit",
    owner: Object | None = None,
    **fields: Any,
) -> Object:
    """A member called like its uid, with who has set its labels."""
    labels = {MEMBER_LABEL: OWNED.id, MANAGED_BY_LABEL: manager}
    set_labels: Object = {f"f:{label}": {} for label in labels}
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "labels": labels,
            "managedFields": [
                {"manager": "kubekit", "fieldsV1": _fields({f"f:{MEMBER_LABEL}": {}})},
                {"manager": by, "fieldsV1": _fields(set_labels)},
            ],
            **({"ownerReferences": [owner]} if owner else {}),
        },
        **fields,
    }


def _fields(labels: Object) -> Object:
    return {"f:metadata": {"f:labels": labels}}


def owner(kind: str, name: str) -> Object:
    return {"kind": kind, "name": name, "uid": name}


class Cluster:
    """A namespace: the objects by their plural; `closed` may not be listed."""

    def __init__(self, objects: dict[str, list[Object]], *, closed: str = "") -> None:
        self.objects = objects
        self.closed = closed
        self.deleted: list[str] = []

    def get(self, path: str, **_: object) -> Object | None:
        if path.endswith(f"/configmaps/{OWNED.parent}"):
            kinds = "ConfigMap,Cluster.postgresql.cnpg.io"
            return {"metadata": {"uid": "parent", "annotations": {KINDS_ANNOTATION: kinds}}}
        group = f"/apis/{DATABASE.api_version.rpartition('/')[0]}"
        if path == group:
            return {"versions": [{"groupVersion": DATABASE.api_version}]}
        if path == f"/apis/{DATABASE.api_version}":
            served = {"name": "clusters", "kind": "Cluster", "namespaced": True, "verbs": ["list"]}
            return {"resources": [served]}
        return None

    def list(self, path: str, *, selector: str = "", **_: object) -> list[Object]:
        plural = path.rpartition("/")[2]
        if plural == self.closed:
            raise ApiError(status=403, reason="Forbidden", message=f"no {plural}", causes=())
        return [
            item
            for item in self.objects.get(plural, [])
            if item["metadata"]["uid"] not in self.deleted
            and (not selector or MEMBER_LABEL in item["metadata"].get("labels", {}))
        ]

    def delete(self, _path: str, *, uid: str, **_: object) -> bool:
        self.deleted.append(uid)
        return True

    def apply(self, *_: object) -> None:
        """Of the parent only."""


def torn_down(cluster: Cluster, *, data: bool = False) -> tuple[list[str], tuple[str, ...], str]:
    """What was deleted, what was kept, and what was warned of."""
    said: list[Event] = []
    kube: Any = cluster
    done = teardown(kube, OWNED, data=data, emit=said.append, clock=Clock(), cancel=Cancel())
    told = "; ".join(event.text for event in said if isinstance(event, Warned))
    return sorted(set(cluster.deleted) - {"parent"}), done.kept, told


def pruned(cluster: Cluster) -> list[str]:
    kube: Any = cluster
    return [obj["metadata"]["name"] for _, obj in removal.stale(kube, [], owned=OWNED)]


def test_what_prune_spares_as_anothers_a_teardown_spares_too() -> None:
    there = [
        made("ours"),
        made("helms", manager="Helm", by="helm"),
        made("operators", owner=owner("Operator", "elsewhere")),
        made("below", owner=owner("ConfigMap", "ours")),
        made("below-helms", owner=owner("ConfigMap", "helms")),
    ]
    cluster = Cluster({"configmaps": there})
    assert pruned(cluster) == ["ours"]
    deleted, kept, told = torn_down(cluster)
    # What our own object owns goes with it anyway.
    assert deleted == ["below", "ours"]
    assert kept == ()
    assert told == (
        "ConfigMap/helms stays: `Helm` manages it by now, as its label says; "
        "ConfigMap/operators stays: `Operator/elsewhere` owns it by now; "
        "ConfigMap/below-helms stays: `ConfigMap/helms` owns it by now"
    )


def test_a_label_that_kubekit_has_set_itself_makes_it_nobody_elses() -> None:
    cluster = Cluster({"configmaps": [made("charts", manager="Helm", by="kubekit")]})
    assert pruned(cluster) == ["charts"]
    assert torn_down(cluster) == (["charts"], (), "")


def unlabelled(name: str, its: Object) -> Object:
    return {"metadata": {"name": name, "uid": name, "ownerReferences": [its]}}


@pytest.mark.parametrize("between", [False, True], ids=["its own", "of its StatefulSet"])
def test_an_object_of_an_operator_that_owns_claims_stays_with_them(between: bool) -> None:
    its = owner("StatefulSet", "set") if between else owner("Cluster", "db")
    there = {
        "clusters": [made("db"), made("empty")],
        "statefulsets": [unlabelled("set", owner("Cluster", "db"))],
        "persistentvolumeclaims": [unlabelled("db-1", its)],
    }
    assert pruned(Cluster(there)) == ["empty"]
    assert torn_down(Cluster(there)) == (
        ["empty"],
        ("Cluster/db",),
        "Cluster/db stays: PersistentVolumeClaim/db-1 would be deleted with it",
    )
    assert torn_down(Cluster(there), data=True) == (["db", "empty"], (), "")


def test_where_claims_may_not_be_seen_nothing_that_might_have_one_is_deleted() -> None:
    cluster = Cluster(
        {"clusters": [made("db")], "configmaps": [made("a")]}, closed="persistentvolumeclaims"
    )
    assert pruned(cluster) == ["a"]
    with pytest.raises(ApiError, match="no persistentvolumeclaims"):
        torn_down(cluster)
    assert cluster.deleted == []


def stateful(name: str, **fields: Any) -> Object:
    spec = {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}
    return made(name, spec=spec, **fields)


def test_claims_of_a_stateful_set_that_stays_stay_too() -> None:
    """Their label comes from its template, also from that of a copy which a person has made."""
    copied = stateful("copy")
    copied["metadata"] |= {"managedFields": [{"manager": "kubectl-create"}]}
    sets = [stateful("db"), stateful("helms", manager="Helm", by="helm"), copied]
    claims = [
        made(name, by="kube-controller-manager", owner=owner("StatefulSet", name[5:-2]))
        for name in ("data-db-0", "data-helms-0", "data-copy-1", "data-gone-1")
    ]
    there = {"statefulsets": sets, "persistentvolumeclaims": claims}
    deleted, kept, told = torn_down(Cluster(there), data=True)
    assert deleted == ["data-db-0", "data-gone-1", "db"]
    assert kept == ()
    assert told == (
        "PersistentVolumeClaim/data-helms-0 stays: `StatefulSet/helms`, which stays, uses it; "
        "PersistentVolumeClaim/data-copy-1 stays: `StatefulSet/copy`, which stays, uses it; "
        "StatefulSet/helms stays: `Helm` manages it by now, as its label says"
    )
