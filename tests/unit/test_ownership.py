"""Whose fields are, what may be made anew, and how a difference is told: the pure parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.api import deleting, removal
from kubekit.api.autoscaled import left_alone
from kubekit.api.autoscaled import scaled as scaled_by
from kubekit.api.conflicts import conflicts, told
from kubekit.api.difference import changes
from kubekit.api.handover import LAST_APPLIED, dropped, moved, pending
from kubekit.api.immutable import fixed, is_all_immutable
from kubekit.api.kube import ApiError
from kubekit.api.ownership import MANAGED_BY_LABEL, OwnedSet
from kubekit.api.resources import KNOWN, ref
from kubekit.api.withheld import Withheld
from kubekit.errors import Place
from kubekit.model import Manifest, Object


def error(*causes: Object, message: str = "") -> ApiError:
    return ApiError(status=409, reason="Conflict", message=message, causes=causes)


def conflict(field: str, text: str) -> Object:
    return {"reason": "FieldManagerConflict", "field": field, "message": f"conflict with {text}"}


def test_a_conflict_is_told_by_field_and_owner() -> None:
    found = conflicts(
        error(
            conflict(".spec.template", '"kubectl-set" using apps/v1'),
            conflict(".spec.replicas", '"kubectl" with subresource "scale" using apps/v1'),
            conflict(".data.a", '"kubekit-rollback" using v1'),
            {"reason": "FieldValueInvalid", "field": "spec", "message": "no"},
        )
    )
    assert [(one.field, one.manager, one.own) for one in found] == [
        ("spec.template", "kubectl-set", False),
        ("spec.replicas", "kubectl", False),
        ("data.a", "kubekit-rollback", True),
    ]
    own_scaler = conflict(".spec.replicas", '"kube-controller-manager" with subresource "scale"')
    assert [one.autoscaled for one in (*found, *conflicts(error(own_scaler)))] == [False] * 3 + [
        True
    ]
    assert told(found[:2]) == (
        "`spec.replicas` is managed by `kubectl`, `spec.template` is managed by `kubectl-set`"
    )
    assert conflicts(error()) == ()


def obj(kind: str = "ConfigMap", **fields: Any) -> Object:
    return {"kind": kind, "metadata": {"name": "a"}, **fields}


def test_a_difference_names_items_of_lists_by_what_tells_them_apart() -> None:
    old = obj(spec={"c": [{"name": "a", "v": 1}, {"name": "b", "v": 1}], "args": ["x"], "n": 1})
    new = obj(spec={"c": [{"name": "b", "v": 2}, {"name": "a", "v": 1}], "args": ["y"]})
    assert changes(old, new) == (
        "spec.c[b].v: 1 -> 2",
        'spec.args[0]: "x" -> "y"',
        "spec.n: removed 1",
    )
    assert changes(old, old) == ()


def test_items_that_nothing_plain_tells_apart_are_told_by_their_place() -> None:
    old = obj("Gateway", spec={"servers": [{"port": {"number": 80}}]})
    new = obj("Gateway", spec={"servers": [{"port": {"number": 81}}]})
    assert changes(old, new) == ("spec.servers[0].port.number: 80 -> 81",)


def test_what_the_server_counts_is_no_difference() -> None:
    old = obj(status={"a": 1})
    new = obj(status={"a": 2})
    new["metadata"] = {"name": "a", "resourceVersion": "2", "generation": 3, "managedFields": []}
    assert changes(old, new) == ()


@given(
    st.dictionaries(st.sampled_from("abc"), st.text("xyz", min_size=4)),
    st.dictionaries(st.sampled_from("abc"), st.text("xyz", min_size=4)),
)
def test_of_a_secret_no_value_is_told(old: dict[str, str], new: dict[str, str]) -> None:
    before, after = obj("Secret", data=old), obj("Secret", data=new)
    before["metadata"]["annotations"] = {LAST_APPLIED: str(old), "note": "xyzxyz"}
    said = changes(before, after)
    assert not any(value in line for line in said for value in (*old.values(), *new.values()))
    assert not any("xyzxyz" in line for line in said)
    assert any(line.startswith("data") for line in said) == (old != new)


@pytest.mark.parametrize("others", [{}, {"note": "x"}], ids=["alone", "beside another"])
def test_what_kubectl_notes_of_an_apply_is_no_difference(others: dict[str, str]) -> None:
    """All that was sent stands in it, secrets too; gone is it after a kill in a handing over."""
    live, would = obj(), obj()
    live["metadata"] = {"name": "a", "annotations": {LAST_APPLIED: "s3cret", **others}}
    would["metadata"] = {"name": "a", **({"annotations": others} if others else {})}
    assert changes(live, would) == ()
    assert changes(would, live) == ()


OLD, NEW = "0ld-s3cret", "n3w-s3cret"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"data": {"url": f"db://u:{OLD}@h"}}, {"data": {"url": f"db://u:{NEW}@h"}}),
        ({"data": {"a": "x" * 200 + OLD}}, {"data": {"a": "x" * 200 + NEW}}),
        ({"data": {"a": OLD}}, {"data": {"a": "is in the Secret now"}}),
        ({"data": {"a": OLD}}, {"data": {}}),
        ({"data": {"API_KEY": "of before"}}, {"data": {"API_KEY": "for tests"}}),
        ({"spec": {"args": [f"--as={OLD}"]}}, {"spec": {"args": [f"--as={NEW}"]}}),
        (
            {"spec": {"env": [{"name": "PASSWORD", "value": "of before"}]}},
            {"spec": {"env": [{"name": "PASSWORD", "value": "for tests"}]}},
        ),
        ({"spec": {}}, {"spec": {"c": {"env": [{"name": "PASSWORD", "value": "for tests"}]}}}),
        ({"data": {"a": "db://u:of before@h".replace(" ", "-")}}, {"data": {"a": "for tests"}}),
    ],
    ids=["url", "long", "to plain", "gone", "key", "argument", "env", "whole env", "old url"],
)
def test_a_value_of_the_env_file_is_only_told_to_be_another_one(old: Object, new: Object) -> None:
    """Also the one before it, which nothing but a Secret that is still there knows."""
    withheld = Withheld(lambda: [OLD, NEW])
    (line,) = changes(obj(**old), obj(**new), withheld)
    assert line.rpartition(": ")[2] in {"changed", "removed", "added"}


def test_what_is_no_secret_is_told_beside_one() -> None:
    withheld = Withheld(lambda: [OLD, NEW])
    ref: Object = {"valueFrom": {"secretKeyRef": {"name": "env-1", "key": "TOKEN"}}}
    then: Object = {"valueFrom": {"secretKeyRef": {"name": "env-2", "key": "TOKEN"}}}
    old = obj(spec={"n": 1, "env": [{"name": "TOKEN", **ref}]})
    new = obj(spec={"n": 2, "env": [{"name": "TOKEN", **then}]})
    assert changes(old, new, withheld) == (
        "spec.n: 1 -> 2",
        'spec.env[TOKEN].valueFrom.secretKeyRef.name: "env-1" -> "env-2"',
    )


def entry(manager: str, operation: str, fields: Object, subresource: str = "") -> Object:
    return {
        "manager": manager,
        "operation": operation,
        "fieldsV1": fields,
        **({"subresource": subresource} if subresource else {}),
    }


def test_fields_of_a_client_side_apply_become_kubekits_and_no_others() -> None:
    live = obj()
    live["metadata"]["managedFields"] = [
        entry("kubekit", "Apply", {"f:data": {"f:a": {}}}),
        entry("kubectl-client-side-apply", "Update", {"f:data": {"f:b": {}}, "f:spec": {}}),
        entry("kubectl-client-side-apply", "Update", {"f:status": {}}, "status"),
        entry("kubectl-label", "Update", {"f:metadata": {}}),
    ]
    assert pending(live)
    first, *others = moved(live)
    assert (first["manager"], first["operation"]) == ("kubekit", "Apply")
    assert first["fieldsV1"] == {"f:data": {"f:a": {}, "f:b": {}}, "f:spec": {}}
    assert [one["manager"] for one in others] == ["kubectl-client-side-apply", "kubectl-label"]
    live["metadata"]["managedFields"] = [first, *others]
    assert not pending(live)
    assert not pending(None)


def test_a_namespace_is_never_given_to_kubekit() -> None:
    fields: Object = {"f:metadata": {"f:labels": {"f:theirs": {}}}}
    for kind, given_ in (("ConfigMap", True), ("Namespace", False)):
        live = obj(kind)
        live["metadata"]["managedFields"] = [entry("kubectl-client-side-apply", "Update", fields)]
        assert pending(live) is given_


def test_what_goes_once_it_is_taken_over() -> None:
    live = obj()
    note = {"f:annotations": {".": {}, f"f:{LAST_APPLIED}": {}, "f:note": {}}}
    fields = {"f:data": {".": {}, "f:a": {}, "f:b": {}}, "f:metadata": note, "f:spec": {"k:x": {}}}
    live["metadata"]["managedFields"] = [
        entry("kubectl-client-side-apply", "Update", fields),
        entry("kubectl-label", "Update", {"f:data": {"f:c": {}}}),
    ]
    sent = obj(data={"a": "1"}, spec={"x": []})
    assert dropped(live, sent) == ["data.b", "metadata.annotations.note"]


def scaled(manager: str) -> Object:
    fields: Object = {"f:spec": {"f:replicas": {}}}
    live = obj("Deployment", spec={"replicas": 3})
    live["metadata"]["managedFields"] = [entry(manager, "Apply", fields)]
    return live


@pytest.mark.parametrize(
    ("live", "sent"),
    [
        (None, {"replicas": 1, "paused": False}),
        (scaled("kube-controller-manager"), {"paused": False}),
        (scaled("kubekit"), {"paused": False, "replicas": 3}),
    ],
)
def test_an_autoscalers_number_stays(live: Object | None, sent: Object) -> None:
    given_ = obj("Deployment", spec={"replicas": 1, "paused": False})
    assert left_alone(given_, live)["spec"] == sent
    assert given_["spec"]["replicas"] == 1
    without = obj("Deployment", spec={})
    assert left_alone(without, live) is without


SHUT = {"field": "spec.selector", "message": "Invalid value: {}: field is immutable"}
WRONG = {"field": "spec.replicas", "message": "Invalid value: -1: must be greater than 0"}
WHOLE = {
    "field": "spec",
    "message": "Forbidden: updates to statefulset spec for fields other than 'replicas', "
    "'template' are forbidden",
}


def test_only_what_is_wrong_for_no_other_reason_may_be_made_anew() -> None:
    assert is_all_immutable(error(SHUT))
    assert not is_all_immutable(error(SHUT, WRONG))
    assert not is_all_immutable(error())


def test_of_a_whole_spec_the_fields_that_differ_are_told() -> None:
    sent = obj(spec={"replicas": 2, "serviceName": "b", "ports": [{"port": 1}], "same": {"a": 1}})
    live = obj(spec={"serviceName": "a", "ports": [], "same": {"a": 1, "default": 2}})
    assert list(fixed(error(WHOLE), sent, live)) == ["spec.serviceName", "spec.ports"]
    assert list(fixed(error(WHOLE), sent, None)) == ["spec"]
    assert fixed(error(SHUT, WRONG), sent, live) == {
        "spec.selector": "`spec.selector` cannot be changed"
    }


@pytest.mark.parametrize(
    ("change", "spared"),
    [
        ({}, False),
        ({"labels": {MANAGED_BY_LABEL: "kubekit"}}, False),
        ({"labels": {MANAGED_BY_LABEL: "Helm"}}, True),
        ({"ownerReferences": [{"kind": "A", "name": "b"}]}, True),
        ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, True),
    ],
)
def test_what_is_anothers_is_not_pruned(change: Object, spared: bool) -> None:
    member = obj()
    member["metadata"] |= change
    assert removal._is_spared(member) is spared


@pytest.mark.parametrize("spec", [[1], "text", {"volumeClaimTemplates": "text"}])
def test_a_shape_of_its_own_is_left_to_the_api_server(spec: Any) -> None:
    owned = OwnedSet(project="x", namespace="x")
    assert owned.own(obj("StatefulSet", spec=spec))["spec"] == spec
    assert owned.kinds_of(obj("StatefulSet", spec=spec), KNOWN["apps/v1", "StatefulSet"]) == {
        "StatefulSet.apps"
    }
    place = Place(file=Path("/p/a.yaml"))
    scaler = Manifest(data=obj("HorizontalPodAutoscaler", spec=spec), origin=place)
    assert scaled_by([scaler]) == {""}
    thing = {**obj("Thing", spec={"template": spec}), "apiVersion": "example.com/v1"}
    assert not removal._is_spared({**thing, "spec": spec})
    assert deleting.grace(thing) == 0


class Lists:
    """An API of which only lists are asked; those of `closed` may not be."""

    def __init__(self, found: dict[str, list[Object]], *, closed: str = "") -> None:
        self._found = found
        self._closed = closed

    def list(self, path: str, **_: object) -> list[Object]:
        kind = path.rpartition("/")[2]
        if kind == self._closed:
            raise error(message="may not be listed")
        return self._found.get(kind, [])


@pytest.mark.parametrize(
    ("closed", "pruned"),
    [("", ["Secret/old", "Service/old"]), ("cronjobs", ["Service/old"])],
)
def test_secrets_stay_where_not_all_that_could_name_them_may_be_seen(
    closed: str, pruned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [
        (KNOWN["v1", kind], {"kind": kind, "metadata": {"name": name}})
        for kind, name in (("Secret", "old"), ("Secret", "named"), ("Service", "old"))
    ]
    monkeypatch.setattr(removal, "read_kinds", lambda *_: ())
    monkeypatch.setattr(removal, "members", lambda *_: members)
    kube: Any = Lists({"pods": [{"spec": {"a": {"secretRef": {"name": "named"}}}}]}, closed=closed)
    found = removal.stale(kube, [], owned=OwnedSet(project="x", namespace="x"))
    assert [ref(one) for _, one in found] == pruned


def test_only_a_lease_of_kubekit_goes_with_the_namespace() -> None:
    own = {"name": "kubekit-x", "labels": {MANAGED_BY_LABEL: "kubekit"}}
    assert removal._is_native("Lease", own)
    assert not removal._is_native("Lease", {"name": "leader"})
    assert not removal._is_native("ConfigMap", own)
    assert removal._is_native("ConfigMap", {"name": "kube-root-ca.crt"})


def test_what_would_take_its_data_with_it_is_not_pruned() -> None:
    for policy, spared in (("Delete", True), ("Retain", False)):
        spec = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy}}
        assert removal._is_spared(obj("StatefulSet", spec=spec)) is spared
