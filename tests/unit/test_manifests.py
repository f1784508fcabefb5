from __future__ import annotations

import base64
import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kubekit.errors import FilesError
from kubekit.manifests.render import render
from kubekit.model import Manifests, Settings
from kubekit.text.envfile import parse
from kubekit.text.strictyaml import dump_all

IMAGE = "tasks:kk-0123456789ab"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifests").mkdir()
    return tmp_path


def write(**files: str) -> None:
    for name, text in files.items():
        Path("manifests", name.replace("__", ".")).write_text(text)


def rendered(
    *, env: str | None = None, image: str | None = None, values: dict[str, Any] | None = None
) -> Manifests:
    root = Path.cwd()
    settings = Settings(
        file=root / "kubekit.yaml",
        name="tasks",
        namespace="space",
        profile="minikube",
        manifests=(root / "manifests",),
        values=values or {},
    )
    return render(
        settings,
        image=image,
        env=None if env is None else parse(env, file=root / ".env"),
    )


def objects(manifests: Manifests) -> dict[str, Any]:
    return {item.ref: item.data for item in manifests.items}


def failing(action: Callable[[], object]) -> FilesError:
    with pytest.raises(FilesError) as caught:
        action()
    return caught.value


def thing(kind: str = "ConfigMap", name: str = "a", **fields: Any) -> str:
    metadata = {"name": name} | fields.pop("metadata", {})
    data = {"apiVersion": "v1", "kind": kind, "metadata": metadata} | fields
    return dump_all([data])


def deployment(spec: dict[str, Any], kind: str = "Deployment") -> str:
    return thing(kind, "api", spec={"template": {"spec": spec}})


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# --- files


def test_files_of_a_folder_are_read_by_name_and_others_are_not() -> None:
    write(
        b__yaml=thing(name="b"),
        a__yml=thing(name="a"),
        c__json=json.dumps(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}, indent="\t"
        ),
    )
    write(d__yaml__j2=thing(name="{{ name }}-d"), _part__j2="a: [", notes__txt="a: [")
    Path("manifests/.x.yaml").write_text("a: [")
    Path("manifests/sub.yaml").mkdir()
    Path("manifests/sub.yaml/x.yaml").write_text("a: [")
    Path("manifests/sub.yaml").rename("manifests/sub")
    assert [item.name for item in rendered().items] == ["a", "b", "c", "tasks-d"]


def test_json_may_write_any_character_as_escapes() -> None:
    data = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": {"x": "😀/é"},
    }
    write(a__json=json.dumps(data).replace("/", "\\/"))
    assert objects(rendered())["ConfigMap/a"]["data"] == {"x": "😀/é"}


def test_a_folder_without_manifests_is_said() -> None:
    assert failing(rendered).message == "no manifests in `manifests`"


def test_a_file_is_read_once_though_named_twice(folder: Path) -> None:
    write(a__yaml=thing())
    settings = Settings(
        file=folder / "kubekit.yaml",
        name="tasks",
        namespace="space",
        profile=None,
        manifests=(folder / "manifests/a.yaml", folder / "manifests"),
    )
    assert len(render(settings, image=None, env=None).items) == 1


def test_a_file_that_is_gone(folder: Path) -> None:
    settings = Settings(
        file=folder / "kubekit.yaml",
        name="tasks",
        namespace="space",
        profile=None,
        manifests=(folder / "gone.yaml",),
    )
    assert failing(lambda: render(settings, image=None, env=None)).message == (
        "`gone.yaml` does not exist"
    )


# --- templates


def test_variables_filters_and_includes() -> None:
    write(
        a__j2="{% import '_m.j2' as m %}"
        + thing(
            data={
                "all": "{{ name }} {{ namespace }} {{ image }} {{ port }} {{ secret }}",
                "b64": '{{ "ü" | b64 }}',
                "macro": '{{ m.twice("x") }}',
            }
        )
        + "  json: {{ deep | tojson }}\n",
        _m__j2="{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}",
    )
    deep = {"no": ["<'\"&\n", "\u2028\x7f"], "n": None}
    result = rendered(env="A=b", image=IMAGE, values={"port": 1, "deep": deep})
    data = objects(result)["ConfigMap/a"]["data"]
    secret = next(item.name for item in result.items if item.kind == "Secret")
    assert data == {
        "all": f"tasks space {IMAGE} 1 {secret}",
        "b64": b64("ü"),
        "macro": "xx",
        "json": {"no": deep["no"]},
    }


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: {{ prot }}\n", 2, "`prot` is not defined; did you mean `port`?"),
        ("\n\n{% if nope %}x{% endif %}", 3, "`nope` is not defined"),
        ("a: {{ env.SECRT }}", 1, "`env` has no `SECRT`; did you mean `SECRET`?"),
        ("a: {{ deep.x }}", 1, "`deep` has no `x`"),
        ("a: {{ name.x }}", 1, "template: 'str object' has no attribute 'x'"),
        ("a: 1\n{% if port %}\nb: 1\n", 2, "template: Unexpected end of template"),
        ("a: {{ port | nope }}", 1, "template: No filter named 'nope'"),
        ("\n{% include 'gone' %}", 2, "no template `gone` beside this one"),
        ("\n{% include '../kubekit.yaml' %}", 2, "no template `../kubekit.yaml` beside this one"),
        ("a: 1\n{% include '_part.j2' %}", 2, "`there` is not defined"),
        ("{{ name.__class__.__mro__ }}", 1, "template: not allowed in a template"),
        ("{{ env.clear() }}", 1, "template: not allowed in a template"),
        ("\n{{ 1 / 0 }}", 2, "template: ZeroDivisionError: division by zero"),
        ("\n{{ env.SECRET + 1 }}", 2, "template: TypeError: "),
    ],
)
def test_template_errors_have_a_line(text: str, line: int, message: str) -> None:
    write(a__j2=text, _part__j2="\nx: {{ there }}")
    error = failing(lambda: rendered(env="SECRET=hunter2hunter2", values={"port": 1, "deep": {}}))
    assert error.message.startswith(message)
    file = "_part.j2" if "_part" in text else "a.j2"
    assert str(error.place) == f"manifests/{file}:{line}"


def test_an_undefined_variable_says_what_there_is() -> None:
    write(a__j2="{{ prot }}")
    error = failing(lambda: rendered(values={"port": 1}))
    assert error.hints[0] == "there is `name`, `namespace`, `port`"
    assert "`values`" in error.hints[1]


def test_a_template_cannot_show_a_secret_by_failing() -> None:
    write(a__j2="{{ {}[env.SECRET] }}", b__j2=thing())
    error = failing(lambda: rendered(env="SECRET=hunter2hunter2"))
    assert "hunter2" not in repr((error.message, error.hints, error.details))


def test_values_are_there_but_never_instead_of_kubekits_own() -> None:
    write(a__j2=thing(data={"x": "{{ name }}"}))
    assert objects(rendered(values={"name": "other"}))["ConfigMap/a"]["data"] == {"x": "tasks"}


TEMPLATE = """\
{#- a comment
    of two lines -#}
{%- set on = true -%}
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
{%- if on %}
  labels:
    {% for i in range(3) -%}
    l{{ i }}: x
    {% endfor %}
{%- endif %}
data:
  text: |
    {{ "one\\ntwo" | indent(4) }}
  last: x
"""


def test_the_last_line_of_a_template_keeps_its_end() -> None:
    write(a__j2=thing() + "data:\n  x: |\n    a\n")
    assert objects(rendered())["ConfigMap/a"]["data"] == {"x": "a\n"}


def test_places_are_lines_of_the_template_not_of_what_it_became() -> None:
    write(a__j2=TEMPLATE)
    (item,) = rendered().items
    lines = TEMPLATE.split("\n")
    for path, text in (
        (("kind",), "kind: ConfigMap"),
        (("metadata", "name"), "  name: a"),
        (("metadata", "labels"), "  labels:"),
        (("metadata", "labels", "l0"), "    l{{ i }}: x"),
        (("metadata", "labels", "l2"), "    l{{ i }}: x"),
        (("data",), "data:"),
        (("data", "last"), "  last: x"),
    ):
        place = item.place(path)
        assert place.line is not None
        assert lines[place.line - 1] == text
        assert str(place.file) == str(Path("manifests/a.j2").absolute())
    assert item.origin.line == 4


def test_no_line_is_named_where_it_is_not_certain() -> None:
    # The marks that carry the lines change what such a filter makes, so they are not trusted.
    write(a__j2="{% set x %}\nk{% endset %}\n" + thing(data={"n": "{{ x | length }}"}))
    (item,) = rendered().items
    assert item.data["data"] == {"n": "2"}
    assert str(item.place(("kind",))) == "manifests/a.j2"
    assert str(item.origin) == "manifests/a.j2"


def test_yaml_errors_of_a_template_show_the_rendered_line_without_secrets() -> None:
    write(a__j2="{# x\n#}apiVersion: v1\nkind: {{ env.SECRET }}: {{ name }}\n")
    error = failing(lambda: rendered(env="SECRET=hunter2hunter2"))
    assert str(error.place) == "manifests/a.j2:3"
    assert error.message == "a `:` that does not belong here"
    assert error.details == ("rendered line 2: kind: ***: tasks",)


def test_yaml_errors_of_plain_files_have_line_and_column() -> None:
    write(a__yaml="a: 1\n\tb: 1\n")
    error = failing(rendered)
    assert (str(error.place), error.message) == (
        "manifests/a.yaml:2:1",
        "a tab is used for indentation",
    )


@pytest.mark.parametrize("variable", ["env", "secret", "image"])
def test_what_is_used_but_not_there(variable: str) -> None:
    write(_part__j2=f"\n{{{{ {variable} }}}}", a__j2="{% include '_part.j2' %}")
    error = failing(rendered)
    assert error.message.startswith(f"`{variable}` is used, but ")
    assert str(error.place) == "manifests/_part.j2:2"
    assert ("`build`" if variable == "image" else "`.env`") in error.hints[0]


def test_the_example_is_offered_for_a_missing_env() -> None:
    write(a__j2="{{ env }}")
    Path(".env.example").write_text("API_KEY=\n")
    assert failing(rendered).hints == (
        "run `cp .env.example .env && chmod 600 .env` and fill in the values",
    )


# --- objects


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("kind: A\nmetadata: {name: a}", "1:1", "`apiVersion` is missing"),
        ("apiVersion: v1\nmetadata: {name: a}", "1:1", "`kind` is missing"),
        ("apiVersion: v1\nkind: A", "1:1", "`metadata` is missing"),
        ("apiVersion: v1\nkind: A\nmetadata:\n  labels: {}", "3:1", "`metadata.name` is missing"),
        (
            "apiVersion: v1\nkind: A\nmetadata: {generateName: a}",
            "3:1",
            "`generateName` makes a new object each time; give it a `name`",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: 5}",
            "3:12",
            "`metadata.name` must be text, got a number; put it in quotes",
        ),
        ("apiVersion: v1\nkind: [A]", "2:1", "`kind` must be text, got a list"),
        ("apiVersion: v1\nkind: A\nmetadata: a", "3:1", "`metadata` must be a mapping, got text"),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: a, labels: [x]}",
            "3:21",
            "`metadata.labels` must be a mapping, got a list",
        ),
        ("kind: List\nitems:\n- 5", "3:3", "expected an object, got a number"),
    ],
)
def test_objects_without_the_shape_of_one(text: str, place: str, message: str) -> None:
    write(a__yaml=text)
    error = failing(rendered)
    assert (str(error.place), error.message) == (f"manifests/a.yaml:{place}", message)


def test_all_shapeless_objects_of_a_file_are_named() -> None:
    write(a__yaml="a: 1\n---\nb: 1\n")
    assert failing(rendered).details == ("manifests/a.yaml:3:1: `apiVersion` is missing",)


def test_lists_are_flat_and_keep_their_places() -> None:
    inner = (
        "{apiVersion: v1, kind: ConfigMapList, items: [\n"
        + json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}})
        + "]}"
    )
    write(
        a__yaml="kind: List\nitems:\n- "
        + textwrap.indent(thing()[4:], "  ").strip()
        + f"\n- {inner}"
    )
    a, b = rendered().items
    assert (a.name, b.name) == ("a", "b")
    assert str(a.place(("metadata", "name"))) == "manifests/a.yaml:6:5"
    assert b.place(("metadata", "name")).line == 8
    assert b.origin.line == 8


def test_the_items_of_a_list_do_not_share_places() -> None:
    items = "".join(
        f"- apiVersion: v1\n  kind: ConfigMap\n  metadata: {{name: {name}}}\n" for name in "ab"
    )
    write(a__yaml=f"kind: List\nitems:\n{items}")
    assert [item.place(("kind",)).line for item in rendered().items] == [4, 7]


def test_refused_objects_are_named_all_at_once() -> None:
    write(
        a__yaml=thing() + thing(metadata={"namespace": "other"}),
        b__yaml=thing("ClusterRole") + thing("Namespace", "other"),
    )
    error = failing(rendered)
    assert error.message == "`ConfigMap/a` is there twice, first at manifests/a.yaml:2:1"
    assert error.details == (
        (
            "manifests/a.yaml:11:3: `ConfigMap/a` names the namespace `other`, but the project's "
            "is `space`; leave `metadata.namespace` out"
        ),
        (
            "manifests/b.yaml:3:1: `ClusterRole/a` belongs to the whole cluster; kubekit only "
            "applies what lives in the namespace `space`, so apply this one with `kubectl`"
        ),
        "manifests/b.yaml:10:3: `Namespace/other` is not the project's namespace `space`",
    )


def test_the_projects_own_namespace_may_be_a_manifest() -> None:
    write(a__yaml=thing("Namespace", "space"))
    assert "namespace" not in objects(rendered())["Namespace/space"]["metadata"]


def test_labels_and_namespace_are_put_on_every_object() -> None:
    write(a__yaml=thing(metadata={"labels": {"x": "y", "app.kubernetes.io/managed-by": "Helm"}}))
    result = rendered()
    assert objects(result)["ConfigMap/a"]["metadata"] == {
        "name": "a",
        "namespace": "space",
        "labels": {
            "x": "y",
            "app.kubernetes.io/managed-by": "kubekit",
            "app.kubernetes.io/part-of": "tasks",
        },
    }
    (warning,) = result.warnings
    assert warning.text.startswith("manifests/a.yaml:8:5: the label `app.kubernetes.io/managed-by`")


def test_what_only_the_server_sets_is_left_out_and_so_is_what_is_empty() -> None:
    write(
        a__yaml=thing(
            "Deployment",
            metadata={
                "uid": "u",
                "resourceVersion": "1",
                "creationTimestamp": None,
                "labels": None,
            },
            spec={
                "replicas": None,
                "template": {
                    "metadata": {"creationTimestamp": None},
                    "spec": {"x": [None, {"y": None}]},
                },
            },
            status={"replicas": 1},
        )
    )
    data = objects(rendered())["Deployment/a"]
    assert sorted(data) == ["apiVersion", "kind", "metadata", "spec"]
    assert sorted(data["metadata"]) == ["labels", "name", "namespace"]
    assert data["spec"] == {"template": {"metadata": {}, "spec": {"x": [None, {}]}}}


def test_ports_get_their_protocol() -> None:
    write(
        a__yaml=thing("Service", spec={"ports": [{"port": 1}, {"port": 2, "protocol": "UDP"}]}),
        b__yaml=deployment({"containers": [{"name": "a", "ports": [{"containerPort": 1}]}]}),
    )
    data = objects(rendered())
    ports = data["Service/a"]["spec"]["ports"]
    assert [port["protocol"] for port in ports] == ["TCP", "UDP"]
    container = data["Deployment/api"]["spec"]["template"]["spec"]["containers"][0]
    assert container["ports"] == [{"containerPort": 1, "protocol": "TCP"}]


@pytest.mark.parametrize("spec", [None, "x", [], {"containers": "x"}, {"containers": [None, "x"]}])
def test_pods_of_any_shape_pass_for_the_api_server_to_judge(spec: Any) -> None:
    write(a__yaml=deployment(spec), b__yaml=thing("Service", spec=spec))
    assert len(rendered(image=IMAGE, env="A=b").items) == 3


def test_objects_come_after_those_they_need_and_else_as_they_were() -> None:
    kinds = ["Unknown", "Ingress", "Deployment", "Service", "Secret", "Role"]
    write(a__yaml="".join(thing(kind, name) for name in ("b", "a") for kind in kinds))
    assert [item.ref for item in rendered().items] == [
        f"{kind}/{name}" for kind in reversed(kinds) for name in ("b", "a")
    ]


# --- image


@pytest.mark.parametrize(
    ("image", "ours"),
    [
        ("tasks", True),
        ("tasks:latest", True),
        ("tasks@sha256:00", True),
        (IMAGE, True),
        ("tasks-worker", False),
        ("registry/tasks", False),
        ("registry:5000/tasks:1", False),
        ("nginx", False),
        (None, False),
    ],
)
def test_our_containers_run_what_was_built(image: str | None, ours: bool) -> None:
    pod = {"initContainers": [{"name": "i", "image": image}], "containers": [{"name": "c"}]}
    write(a__yaml=deployment(pod))
    result = rendered(image=IMAGE)
    spec = objects(result)["Deployment/api"]["spec"]["template"]["spec"]
    if ours:
        assert spec["initContainers"] == [
            {"name": "i", "image": IMAGE, "imagePullPolicy": "IfNotPresent"}
        ]
        assert result.warnings == ()
    else:
        assert spec["initContainers"][0].get("image") == image
        assert "imagePullPolicy" not in spec["initContainers"][0]
        assert [warning.text for warning in result.warnings] == [f"no container runs `{IMAGE}`"]


def test_an_image_of_a_registry_is_ours_by_the_variable() -> None:
    write(a__j2=deployment({"containers": [{"name": "c", "image": "{{ image }}"}]}))
    result = rendered(image="registry:5000/tasks:1")
    assert result.warnings == ()


@pytest.mark.parametrize("policy", ["Always", "Never", "IfNotPresent"])
def test_no_registry_is_asked_for_our_image(policy: str) -> None:
    pod = {"containers": [{"name": "c", "image": "tasks", "imagePullPolicy": policy}]}
    write(a__yaml=thing("CronJob", spec={"jobTemplate": {"spec": {"template": {"spec": pod}}}}))
    result = rendered(image=IMAGE)
    data = objects(result)["CronJob/a"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    expected = "IfNotPresent" if policy == "Always" else policy
    assert data["containers"][0]["imagePullPolicy"] == expected
    assert len(result.warnings) == (policy == "Always")


def test_without_an_image_nothing_changes() -> None:
    write(a__yaml=deployment({"containers": [{"name": "c", "image": "tasks"}]}))
    spec = objects(rendered())["Deployment/api"]["spec"]["template"]["spec"]
    assert spec["containers"] == [{"name": "c", "image": "tasks"}]
