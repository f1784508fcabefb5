"""What a refusal of an object is called and told with; the texts are those of Kubernetes 1.34."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kubekit.api.deleting import holders, why_namespace
from kubekit.api.immutable import RECREATED
from kubekit.api.kube import ApiError
from kubekit.api.refusals import explained
from kubekit.errors import KubekitError, Place
from kubekit.model import Manifest, Object
from kubekit.rollout.catalogue import CAUSES
from kubekit.rollout.preflight import named

NO_RIGHT = (
    'deployments.apps "web" is forbidden: User "x" cannot patch resource "deployments" in the '
    'namespace "web"'
)
STATEFUL = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'template' and "
    "'minReadySeconds' are forbidden"
)
CLAIM = "Forbidden: spec is immutable after creation except resources.requests\n@@ -1,6 +1,6 @@\n{"


def told(
    message: str, *causes: Object, reason: str = "Invalid", kind: str = "Deployment"
) -> KubekitError:
    error = ApiError(status=422, reason=reason, message=message, causes=causes)
    place = Place(file=Path("/web.yaml"), line=1)
    data = {"kind": kind, "metadata": {"name": "web"}, "spec": {}}
    manifest = Manifest(data=data, origin=place, places={(): place})
    kube: Any = SimpleNamespace(context="lab")  # nothing is asked for these
    return explained(kube, error, manifest, namespace="here")


@pytest.mark.parametrize(
    ("kind", "field", "said", "text"),
    [
        (
            "Deployment",
            "spec.selector",
            "Invalid value: {}: field is immutable",
            "`spec.selector` c",
        ),
        ("Service", "spec.clusterIPs[0]", "Invalid value: may not change once set", "clusterIPs"),
        ("StatefulSet", "spec", STATEFUL, "cannot be changed: updates to statefulset spec for"),
        ("ConfigMap", "data", "Forbidden: field is immutable when `immutable` is set", "`data` ca"),
        ("PersistentVolumeClaim", "spec", CLAIM, "after creation except resources.requests"),
        (
            "Pod",
            "spec",
            "Forbidden: pod updates may not change fields other than x",
            "other than",
        ),
    ],
)
def test_a_field_that_cannot_be_changed(kind: str, field: str, said: str, text: str) -> None:
    message = f'{kind} "web" is invalid: {field}: {said}'
    error = told(message, {"field": field, "message": said}, kind=kind)
    assert (error.id, error.exit_code) == ("api-immutable", 5)
    assert text in error.message
    assert "\n" not in error.message
    way_out = "--recreate" if kind in RECREATED else f"-n here delete {kind.lower()}/web"
    assert way_out in error.hints[0]
    assert ("its data goes with it" in error.hints[0]) == (kind == "PersistentVolumeClaim")


@pytest.mark.parametrize(
    ("message", "reason", "cause", "hint"),
    [
        (NO_RIGHT, "Forbidden", "api-forbidden", "ask for the missing right"),
        ("exceeded quota: small", "Forbidden", "quota", "ask for less"),
        ('admission webhook "a.b" denied the request: no', "Forbidden", "webhook-denied", "change"),
        ("`selector` does not match template `labels`", "Invalid", "api-invalid", "labels that"),
        ("teapot", "Teapot", "api-refused", ""),
    ],
)
def test_each_has_its_name(message: str, reason: str, cause: str, hint: str) -> None:
    error = told(message, reason=reason)
    assert error.id == cause
    assert error.id in CAUSES
    assert hint in " ".join(error.hints)


def test_another_refusal_is_no_missing_right() -> None:
    (hint,) = told("pods is forbidden: too wide", reason="Forbidden").hints
    assert "right" not in hint


def test_a_namespace_on_its_way_out() -> None:
    message = "unable to create new content in namespace web because it is being terminated"
    found = told(message, {"reason": "NamespaceTerminating"}, reason="Forbidden")
    assert found.id == "namespace-terminating"
    assert "its namespace is being deleted" in found.message
    assert told(message, reason="Forbidden").id == "api-forbidden"


def test_a_finalizer_is_told_with_what_it_waits_for_or_who_set_it() -> None:
    fields: Object = {"f:metadata": {"f:finalizers": {'v:"example.com/x"': {}}}}
    metadata = {
        "finalizers": ["kubernetes.io/pvc-protection", "example.com/x", "example.com/y"],
        "managedFields": [{"manager": "keeper", "fieldsV1": fields}, {"manager": "bare"}],
    }
    assert holders({"metadata": metadata}) == (
        "`kubernetes.io/pvc-protection` (a pod still uses it), "
        "`example.com/x` (set by `keeper`), `example.com/y`"
    )
    assert holders({"metadata": {}}) == ""


def test_of_a_namespace_the_finalizers_are_told_before_what_is_left() -> None:
    left = {"type": "NamespaceContentRemaining", "status": "True", "message": "configmaps"}
    held = {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "x in 1"}
    noise = {"type": "NamespaceDeletionContentFailure", "status": "True", "message": "noise"}
    over = {"type": "NamespaceFinalizersRemaining", "status": "False", "message": "over"}
    assert why_namespace({"status": {"conditions": [noise, left, held]}}) == "x in 1"
    assert why_namespace({"status": {"conditions": [noise, left, over]}}) == "configmaps"
    assert why_namespace({"status": {"conditions": [noise]}}) == ""
    assert why_namespace({}) == ""


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ('pods "web-x" is forbidden: exceeded quota: small, requested: cpu=1', "quota"),
        ('pods "web-x" is forbidden: violates PodSecurity "restricted:latest": a', "pod-security"),
        ("nobody has ever said this", "pod-refused"),
    ],
)
def test_a_refusal_asked_for_beforehand_has_the_same_cause(message: str, cause: str) -> None:
    found, hit = named(message)
    assert found.id == cause
    assert found.cause.format_map(hit.words)
    assert hit.field[:3] == ("spec", "template", "spec")
