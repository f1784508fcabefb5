"""What of an object does not fit its schema, in words; the schema is cut from a real server's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.api.schema import differences

REF = "#/components/schemas/"


def ref(name: str) -> dict[str, Any]:
    return {"default": {}, "allOf": [{"$ref": REF + name}]}


def fields(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


TEXT = {"type": "string"}
WHOLE = {"type": "integer", "format": "int32"}
SCHEMAS: dict[str, Any] = {
    "apps.v1.Deployment": {
        **fields(
            apiVersion=TEXT, kind=TEXT, metadata=ref("Meta"), spec=ref("Spec"), status=ref("Spec")
        ),
        "x-kubernetes-group-version-kind": [
            {"group": "apps", "version": "v1", "kind": "Deployment"}
        ],
    },
    "v1.Secret": {
        **fields(apiVersion=TEXT, kind=TEXT, metadata=ref("Meta"), immutable={"type": "boolean"}),
        "x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "Secret"}],
    },
    "Meta": fields(name=TEXT, labels={"type": "object", "additionalProperties": TEXT}),
    "Spec": fields(
        replicas=WHOLE,
        paused={"type": "boolean"},
        template=ref("Template"),
        any={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    ),
    "Template": fields(spec=ref("Pod")),
    "Pod": fields(containers={"type": "array", "items": ref("Container")}),
    "Container": fields(
        name=TEXT,
        command={"type": "array", "items": TEXT},
        port={"$ref": REF + "util.intstr.IntOrString"},
        limits={"type": "object", "additionalProperties": {"$ref": REF + "api.resource.Quantity"}},
    ),
    "util.intstr.IntOrString": {
        "format": "int-or-string",
        "oneOf": [{"type": "integer"}, {"type": "string"}],
    },
    "api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
}
DOCUMENT = {"components": {"schemas": SCHEMAS}}


def deployment(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec}


def of_container(**more: Any) -> dict[str, Any]:
    return deployment(template={"spec": {"containers": [more]}})


IN = "spec.template.spec.containers[0]"
CASES: list[tuple[dict[str, Any], str, str]] = [
    (deployment(replicas="one"), "`spec.replicas` must be a whole number, not text (`one`)", ""),
    (
        deployment(replicas="2"),
        "`spec.replicas` must be a whole number, not text (`2`)",
        "leave the quotes out",
    ),
    (deployment(replicas=1.5), "`spec.replicas` must be a whole number, not `1.5`", ""),
    (deployment(replicas=True), "`spec.replicas` must be a whole number, not `true`", ""),
    (deployment(replicas=[1]), "`spec.replicas` must be a whole number, not a list", ""),
    (deployment(paused="x" * 99), "`spec.paused` must be `true` or `false`, not text", ""),
    (deployment(replcias=1), "there is no field `spec.replcias`; did you mean `replicas`?", ""),
    (deployment(xyz=1), "there is no field `spec.xyz`", ""),
    (
        deployment(template={"containers": []}),
        "there is no field `spec.template.containers`",
        "`containers` belongs under `spec.template.spec`: look at how far it is indented",
    ),
    (
        deployment(template={"spec": {}, "paused": True}),
        "there is no field `spec.template.paused`",
        "`paused` belongs under `spec`: look at how far it is indented",
    ),
    (of_container(name=1), f"`{IN}.name` must be text, not a number (`1`)", "put it in quotes"),
    (
        of_container(command="sh"),
        f"`{IN}.command` must be a list, not text (`sh`)",
        "each item of a list begins with `- `",
    ),
    (
        of_container(command=["a", 1]),
        f"`{IN}.command[1]` must be text, not a number (`1`)",
        "put it in quotes",
    ),
    (
        of_container(port=1.5),
        f"`{IN}.port` must be a whole number or text, not a number (`1.5`)",
        "",
    ),
    (
        of_container(limits={"cpu": "lots"}),
        f"`{IN}.limits.cpu` must be a quantity such as `100m` or `128Mi`, not `lots`",
        "",
    ),
    (
        of_container(limits={"cpu": True}),
        f"`{IN}.limits.cpu` must be a quantity such as `100m` or `128Mi`, not `true`",
        "",
    ),
]


@pytest.mark.parametrize(("obj", "text", "hint"), CASES, ids=[text for _, text, _ in CASES])
def test_what_does_not_fit(obj: dict[str, Any], text: str, hint: str) -> None:
    (found,) = differences(DOCUMENT, obj)
    assert (found.text, found.hint) == (text, hint)


def test_all_at_once_with_their_paths() -> None:
    obj = deployment(replicas="one", template={"spec": {"containers": [{"name": 1, "nmae": 2}]}})
    assert [one.path for one in differences(DOCUMENT, obj)] == [
        ("spec", "replicas"),
        ("spec", "template", "spec", "containers", 0, "name"),
        ("spec", "template", "spec", "containers", 0, "nmae"),
    ]


def test_what_fits() -> None:
    obj = of_container(
        name="a", command=["b"], port="http", limits={"a": "1.5Gi", "b": 1, "c": 0.5, "d": "1e3"}
    )
    obj["spec"] |= {"replicas": 1, "paused": False, "any": {"x": {"y": 1}}}
    obj["metadata"]["labels"] = {"whatever": "x"}
    assert differences(DOCUMENT, obj) == []


def test_the_values_of_secrets_are_not_shown() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": 5}, "immutable": "hidden"}
    found = differences(DOCUMENT, secret)
    assert [one.text for one in found] == [
        "`metadata.name` must be text, not a number",
        "`immutable` must be `true` or `false`, not text",
    ]


def test_nothing_is_said_of_kinds_nobody_knows() -> None:
    assert differences(DOCUMENT, deployment() | {"kind": "Rollout", "spec": 5}) == []
    assert differences({}, deployment(replicas="one")) == []


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["spec", "replicas", "template", "containers", "x"]), inner
        )
    ),
    max_leaves=8,
)


@given(ANYTHING)
def test_no_shape_makes_it_fail(spec: Any) -> None:
    found = differences(DOCUMENT, deployment() | {"spec": spec})
    assert all(one.text and one.path[0] == "spec" for one in found)
