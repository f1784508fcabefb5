"""Which objects are members: found again in whatever group they are, and by kubekit's own word."""

from __future__ import annotations

from typing import Any

import pytest

from kubekit.api.ownership import MEMBER_LABEL, OwnedSet, is_real, members
from kubekit.api.resources import KNOWN, Resource, find, find_group_kind, ref
from kubekit.model import Object

OWNED = OwnedSet(project="x", namespace="x")


def entry(manager: str, *labels: str) -> Object:
    """Who has set these labels, as the API server tells it."""
    fields: Object = {".": {}, **{f"f:{label}": {} for label in labels}}
    return {"manager": manager, "fieldsV1": {"f:metadata": {"f:labels": fields}}}


def member(name: str, *entries: Object) -> Object:
    labels = {MEMBER_LABEL: OWNED.id}
    return {"metadata": {"name": name, "labels": labels, "managedFields": list(entries)}}


class Served:
    """An API with one unusual kind, and these objects of it."""

    def __init__(self, api_version: str, kind: str, plural: str, items: list[Object]) -> None:
        self._api = api_version
        self._kind: Object = {"name": plural, "kind": kind, "namespaced": True, "verbs": ["list"]}
        self._items = items

    def get(self, path: str, **_options: object) -> Object | None:
        group, _, version = self._api.rpartition("/")
        if path == (f"/apis/{self._api}" if group else f"/api/{version}"):
            return {"resources": [self._kind, {**self._kind, "name": f"{path}/status"}]}
        if group and path == f"/apis/{group}":
            return {"versions": [{"groupVersion": self._api}]}
        return None

    def list(self, path: str, *, selector: str) -> list[Object]:
        assert selector == OWNED.selector
        return self._items if path.endswith(f"/{self._kind['name']}") else []


@pytest.mark.parametrize(
    ("api_version", "kind", "plural"),
    [
        ("v1", "ReplicationController", "replicationcontrollers"),
        ("example.com/v1", "Thing", "things"),
    ],
)
def test_an_unusual_kind_is_found_again_by_the_name_it_is_written_down_with(
    api_version: str, kind: str, plural: str
) -> None:
    kube: Any = Served(api_version, kind, plural, [member("a", entry("kubekit", MEMBER_LABEL))])
    applied = find(kube, api_version, kind)
    assert find_group_kind(kube, applied.group_kind) == applied
    found = members(kube, OWNED, [applied.group_kind, "Gone.example.org"])
    assert [(resource, ref(obj)) for resource, obj in found] == [(applied, f"{kind}/a")]


CLAIM = KNOWN["v1", "PersistentVolumeClaim"]
CONFIG = KNOWN["v1", "ConfigMap"]
APPLIED = {**entry("kubekit", "app"), "operation": "Apply"}
CONTROLLER = entry("kube-controller-manager", MEMBER_LABEL)


@pytest.mark.parametrize(
    ("resource", "entries", "real"),
    [
        (CONFIG, [entry("kubekit", "app", MEMBER_LABEL)], True),
        (CLAIM, [entry("kubekit", "app", MEMBER_LABEL)], True),
        (CLAIM, [CONTROLLER], True),
        (CLAIM, [entry("k3s", MEMBER_LABEL)], True),
        (CONFIG, [CONTROLLER], False),
        (CLAIM, [entry("kubectl-create", MEMBER_LABEL), entry("kube-controller-manager")], False),
        # kubekit has only made a StatefulSet let go of it.
        (CLAIM, [entry("kubectl-create", MEMBER_LABEL), {"manager": "kubekit"}], False),
        (CONFIG, [entry("copy", MEMBER_LABEL), {"manager": "kubekit"}], False),
        # It was taken off by hand, and put back as kubekit says how to.
        (CONFIG, [entry("kubectl-label", MEMBER_LABEL), APPLIED], True),
        (CLAIM, [], False),
    ],
)
def test_a_label_counts_by_who_has_set_it(
    resource: Resource, entries: list[Object], real: bool
) -> None:
    assert is_real(resource, member("a", *entries)) is real
