"""Who has set which fields, from managedFields as the API server writes them."""

from __future__ import annotations

from typing import Any

from kubekit.api.fields import applied_by, settings
from kubekit.api.handover import LAST_APPLIED
from kubekit.api.withheld import Withheld
from kubekit.status import drift

TIME = "2026-11-22T00:00:00Z"


def entry(manager: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    found = {"manager": manager, "operation": "Apply", "time": TIME, "fieldsV1": fields}
    return {**found, **more}


def deployment() -> dict[str, Any]:
    port = 'k:{"containerPort":8000,"protocol":"TCP"}'
    container = {
        ".": {},
        "f:name": {},
        "f:image": {},
        "f:ports": {port: {".": {}, "f:containerPort": {}, "f:protocol": {}}},
    }
    spec = {"f:template": {"f:spec": {"f:containers": {'k:{"name":"app"}': container}}}}
    by_hand = {"f:spec": {"f:replicas": {}}}
    restarted = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {"f:at": {}}}}}}
    return {
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "finalizers": ["a", "b"],
            "managedFields": [
                entry("kubekit", {"f:spec": spec, "f:metadata": {"f:finalizers": {'v:"b"': {}}}}),
                entry("kubectl", by_hand, operation="Update", subresource="scale"),
                entry("kubectl-rollout", restarted, operation="Update"),
                entry("kube-controller-manager", {"f:status": {"f:replicas": {}}}),
            ],
        },
        "spec": {
            "replicas": 3,
            "template": {
                "metadata": {"annotations": {"at": "now", "other": "x"}},
                "spec": {
                    "containers": [
                        {"name": "side", "image": "b"},
                        {
                            "name": "app",
                            "image": "a",
                            "imagePullPolicy": "IfNotPresent",
                            "ports": [
                                {"containerPort": 8000, "protocol": "TCP", "name": "http"},
                                {"containerPort": 9000, "protocol": "TCP"},
                            ],
                        },
                    ]
                },
            },
        },
        "status": {"replicas": 3},
    }


def test_what_was_applied_is_taken_out_and_nothing_else() -> None:
    port = {"containerPort": 8000, "protocol": "TCP"}
    container = {"name": "app", "image": "a", "ports": [port]}
    assert applied_by(deployment(), "kubekit") == {
        "metadata": {"finalizers": ["b"]},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    assert applied_by(deployment(), "kubectl") == {}, "an Update is no apply"


def test_every_field_has_a_name_a_person_can_find() -> None:
    named = {one.field: one.value for one in settings(deployment())}
    assert named["spec.template.spec.containers[name=app].image"] == "a"
    assert named["metadata.finalizers[b]"] == "b"
    assert named["spec.replicas"] == 3


def test_drift_is_what_others_have_set() -> None:
    assert drift(deployment(), Withheld()) == [
        {"field": "spec.replicas", "value": 3, "by": "kubectl", "at": TIME},
        {
            "field": "spec.template.metadata.annotations.at",
            "value": "now",
            "by": "kubectl-rollout",
            "at": TIME,
        },
    ]


def test_what_kubekit_has_set_too_is_no_drift_and_secrets_stay_hidden() -> None:
    fields = {"f:data": {"f:key": {}}}
    secret: dict[str, Any] = {"kind": "Secret", "metadata": {}, "data": {"key": "c2VjcmV0"}}
    secret["metadata"]["managedFields"] = [entry("other", fields), entry("kubekit", fields)]
    assert drift(secret, Withheld()) == []
    secret["metadata"]["managedFields"] = [entry("other", fields)]
    assert drift(secret, Withheld()) == [{"field": "data.key", "by": "other", "at": TIME}]


def test_what_somebody_else_has_set_to_a_secret_value_is_only_named() -> None:
    """Who `kubectl set env`s a password has put it where everybody looks."""
    found = drift(deployment(), Withheld(lambda: ["7"]))
    assert found == drift(deployment(), Withheld()), "too short to be one"
    obj = {
        "kind": "ConfigMap",
        "metadata": {
            "managedFields": [
                entry(
                    "other",
                    {"f:data": {f"f:{key}": {} for key in ("a", "b", "TOKEN", "AUTH_HEADER")}},
                )
            ]
        },
        "data": {
            "a": "is s3cret-value",
            "b": "plain",
            "TOKEN": "unknown",
            "AUTH_HEADER": "Basic x",
        },
    }
    shown = {
        one["field"]: one.get("value") for one in drift(obj, Withheld(lambda: ["s3cret-value"]))
    }
    assert shown == {
        "data.a": None,
        "data.b": "plain",
        "data.TOKEN": None,
        "data.AUTH_HEADER": None,
    }


def test_what_kubectl_notes_of_an_apply_is_no_drift() -> None:
    """All that was sent stands in it, and no name of a field tells which of it is secret."""
    fields = {"f:metadata": {"f:annotations": {".": {}, f"f:{LAST_APPLIED}": {}, "f:note": {}}}}
    whole = {"f:metadata": {"f:annotations": {".": {}}}}
    noted = {LAST_APPLIED: '{"data": {"TOKEN": "s3cret-value"}}'}
    metadata = {"managedFields": [entry("kubectl-client-side-apply", fields), entry("b", whole)]}
    obj = {"kind": "ConfigMap", "metadata": {**metadata, "annotations": noted}}
    assert drift(obj, Withheld()) == []
    noted["note"] = "plain"
    shown = [(one["field"], one["value"]) for one in drift(obj, Withheld())]
    assert shown == [
        ("metadata.annotations.note", "plain"),
        ("metadata.annotations", {"note": "plain"}),
    ]
