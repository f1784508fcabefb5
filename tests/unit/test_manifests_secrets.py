from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.errors import FilesError, Place
from kubekit.manifests.hashed import encoded, hashed_name
from kubekit.manifests.render import masked, render
from kubekit.model import Manifest, Manifests, Settings
from kubekit.text.envfile import parse
from kubekit.text.strictyaml import dump_all

SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifests").mkdir()
    return tmp_path


def write(**files: str) -> None:
    for name, text in files.items():
        Path("manifests", name.replace("__", ".")).write_text(text)


def rendered(env: str | None = None, values: dict[str, Any] | None = None) -> Manifests:
    root = Path.cwd()
    settings = Settings(
        file=root / "kubekit.yaml",
        name="tasks",
        namespace="space",
        profile="minikube",
        manifests=(root / "manifests",),
        values=values or {},
    )
    return render(settings, image=None, env=None if env is None else parse(env, file=root / ".env"))


ENVIRONMENT = """\
apiVersion: v1
kind: Secret
metadata: {name: "{{ secret }}"}
data:
{%- for key, value in env | dictsort %}
  "{{ key }}": "{{ value | b64 }}"
{%- else %} {}
{%- endfor %}
"""


def thing(kind: str = "ConfigMap", name: str = "a", **fields: Any) -> str:
    metadata = {"name": name} | fields.pop("metadata", {})
    return dump_all([{"apiVersion": "v1", "kind": kind, "metadata": metadata} | fields])


def secrets(manifests: Manifests) -> list[Manifest]:
    return [item for item in manifests.items if item.kind == "Secret"]


def failing(action: Callable[[], object]) -> FilesError:
    with pytest.raises(FilesError) as caught:
        action()
    return caught.value


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


OWN = """\
apiVersion: v1
kind: Secret
metadata:
  name: {name}
data:
{{% for key, value in env.items() %}}
  "{{{{ key }}}}": "{{{{ value | b64 }}}}"
{{% endfor %}}
"""


def test_kubekit_makes_the_secret_if_no_manifest_uses_env() -> None:
    write(a__j2=thing(data={"secret": "{{ secret }}"}))
    result = rendered(f"A={SECRET}\nB=\n")
    (secret,) = secrets(result)
    assert re.fullmatch(r"tasks-env-[0-9a-f]{10}", secret.name)
    assert secret.data["data"] == {"A": b64(SECRET), "B": ""}
    assert secret.data["immutable"] is True
    assert secret.data["type"] == "Opaque"
    assert "stringData" not in secret.data
    assert str(secret.place(("data", "B"))) == ".env:2"
    config = next(item for item in result.items if item.kind == "ConfigMap")
    assert config.data["data"]["secret"] == secret.name
    assert secret.data["metadata"]["labels"]["app.kubernetes.io/part-of"] == "tasks"


def test_without_env_there_is_no_secret() -> None:
    write(a__yaml=thing())
    assert secrets(rendered()) == []


@pytest.mark.parametrize("name", ["mine", "{{ secret }}", "{{ name }}-env"])
def test_a_secret_manifest_that_uses_env_is_it(name: str) -> None:
    write(a__j2=thing(data={"secret": "{{ secret }}"}), b__j2=OWN.format(name=name))
    result = rendered(f"A={SECRET}\nB=\n")
    (secret,) = secrets(result)
    plain = "mine" if name == "mine" else "tasks-env"
    assert re.fullmatch(rf"{plain}-[0-9a-f]{{10}}", secret.name)
    assert secret.data["data"] == {"A": b64(SECRET), "B": ""}
    config = next(item for item in result.items if item.kind == "ConfigMap")
    assert config.data["data"]["secret"] == secret.name


def test_a_secret_that_includes_what_uses_env_is_it() -> None:
    write(_part__j2=OWN.format(name="mine"), a__j2="{% include '_part.j2' %}")
    (secret,) = secrets(rendered("A=b"))
    assert secret.name.startswith("mine-")


def test_its_name_does_not_depend_on_how_it_is_made() -> None:
    write(a__yaml=thing())
    (made,) = secrets(rendered("A=b\nC=d\n"))
    write(b__j2=OWN.format(name="tasks-env"))
    (own,) = secrets(rendered("C=d\nA=b\n"))
    assert own.name == made.name
    (other,) = secrets(rendered("C=d\nA=c\n"))
    assert other.name != made.name


def test_only_one_can_be_it() -> None:
    write(a__j2=OWN.format(name="a"), b__j2=OWN.format(name="b"))
    error = failing(lambda: rendered("A=b"))
    assert error.message.startswith(
        "`Secret/b` and `Secret/a` are both in templates that use `env`"
    )
    assert str(error.place) == "manifests/b.j2:1"


def test_other_secrets_keep_their_names_but_not_string_data() -> None:
    text = thing(
        "Secret",
        data={"a": b64("one"), "b": "b25l\ndHdv"},
        stringData={"a": "two", "c": "ü"},
    )
    write(a__yaml=text)
    (secret,) = secrets(rendered())
    assert secret.name == "a"
    assert "immutable" not in secret.data
    assert "stringData" not in secret.data
    assert secret.data["data"] == {"a": b64("two"), "b": b64("onetwo"), "c": b64("ü")}
    line = next(n for n, line in enumerate(text.split("\n"), 1) if "c: ü" in line)
    assert secret.place(("data", "c")).line == line


def test_bad_values_of_secrets_are_named_all_at_once_and_not_shown() -> None:
    write(
        a__yaml=thing(
            "Secret", data={"a": SECRET, "b": 5, "c": "YQ="}, stringData={"d": 5, "e": True}
        ),
        b__yaml=thing("Secret", "b", data=[SECRET]),
    )
    error = failing(rendered)
    assert (str(error.place), error.message) == ("manifests/a.yaml:7:3", "`data.a` is not base64")
    assert error.details == (
        "manifests/a.yaml:8:3: `data.b` must be base64 text, got a number",
        "manifests/a.yaml:9:3: `data.c` is not base64",
        "manifests/a.yaml:11:3: `stringData.d` must be text, got a number; put it in quotes",
        "manifests/a.yaml:12:3: `stringData.e` must be text, got true or false; put it in quotes",
        "manifests/b.yaml:6:1: `data` must be a mapping, got a list",
    )


HASHED = {"annotations": {"kubekit.dev/hash": "true"}}


def pod(secret: str, config: str) -> dict[str, Any]:
    """A pod spec that refers to both in every way there is, and has their plain names elsewhere."""
    return {
        "imagePullSecrets": [{"name": secret}, {"name": "other"}],
        "initContainers": [{"name": "s", "envFrom": [{"configMapRef": {"name": config}}]}],
        "containers": [
            {
                "name": "c",
                "envFrom": [{"secretRef": {"name": secret}}, {"secretRef": {"name": "other"}}],
                "env": [
                    {"name": "c", "valueFrom": {"secretKeyRef": {"name": secret, "key": "c"}}},
                    {"name": "s", "valueFrom": {"configMapKeyRef": {"name": config, "key": "s"}}},
                    {"name": "x", "value": "s"},
                    {"name": "y", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "s"}}},
                    {"name": "z", "valueFrom": {"secretKeyRef": {"name": "c", "key": "s"}}},
                ],
            }
        ],
        "volumes": [
            {"name": "s", "secret": {"secretName": secret}},
            {"name": "c", "configMap": {"name": config}},
            {
                "name": "p",
                "projected": {
                    "sources": [{"secret": {"name": secret}}, {"configMap": {"name": config}}]
                },
            },
            {"name": "d", "csi": {"nodePublishSecretRef": {"name": secret}}},
        ],
        "nodeSelector": {"secret": "s", "configMap": "c"},
    }


def template(secret: str, config: str) -> dict[str, Any]:
    return {
        "selector": {"matchLabels": {"secretName": "s"}},
        "template": {"metadata": {"labels": {"secretName": "s"}}, "spec": pod(secret, config)},
    }


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Pod", pod),
        ("CronJob", lambda s, c: {"jobTemplate": {"spec": template(s, c)}}),
        ("Deployment", template),
        ("StatefulSet", template),
        ("DaemonSet", template),
        ("ReplicaSet", template),
        ("Job", template),
        ("Ingress", lambda s, _: {"tls": [{"hosts": ["s"], "secretName": s}]}),
    ],
)
def test_every_reference_follows_and_nothing_else(
    kind: str, spec: Callable[[str, str], dict[str, Any]]
) -> None:
    write(
        a__yaml=thing(kind, "s", spec=spec("s", "c")),
        b__yaml=thing("Secret", "s", metadata=HASHED, stringData={"s": "x"}),
        c__yaml=thing("ConfigMap", "c", metadata=HASHED, data={"c": "x"}),
    )
    items = {item.kind: item for item in rendered().items}
    secret, config = items["Secret"].name, items["ConfigMap"].name
    assert secret.startswith("s-")
    assert config.startswith("c-")
    assert items["Secret"].data["immutable"] is items["ConfigMap"].data["immutable"] is True
    assert items[kind].name == "s"
    assert items[kind].data["spec"] == spec(secret, config)


def test_a_service_account_follows() -> None:
    write(
        a__yaml=thing(
            "ServiceAccount", "s", secrets=[{"name": "s"}], imagePullSecrets=[{"name": "s"}]
        ),
        b__yaml=thing("Secret", "s", metadata=HASHED, stringData={"s": "x"}),
    )
    account, secret = rendered().items
    assert account.name == "s"
    assert account.data["secrets"] == account.data["imagePullSecrets"] == [{"name": secret.name}]


def test_a_reference_to_the_plain_name_follows_the_environment() -> None:
    pod = {"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "tasks-env"}}]}]}
    write(a__yaml=thing("Pod", spec=pod))
    secret, pod_item = rendered("A=b").items
    assert pod_item.data["spec"]["containers"][0]["envFrom"] == [
        {"secretRef": {"name": secret.name}}
    ]


@pytest.mark.parametrize("value", ["false", None, "True"])
def test_only_true_asks_for_a_hash(value: str | None) -> None:
    write(a__yaml=thing(metadata={"annotations": {"kubekit.dev/hash": value}}, data={"a": "b"}))
    (item,) = rendered().items
    assert item.name == "a"
    assert "immutable" not in item.data


def hashed(kind: str, **fields: Any) -> str:
    data = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}} | fields
    manifest = Manifest(data=data, origin=Place(file=Path("a")))
    return hashed_name(encoded([manifest])[0])


@given(st.dictionaries(st.text("abc", min_size=1), st.text(max_size=3), min_size=1), st.randoms())
def test_the_hash_knows_the_content_and_not_its_order(data: dict[str, str], random: Any) -> None:
    keys = list(data)
    random.shuffle(keys)
    shuffled = {key: data[key] for key in keys}
    for kind, field in (("Secret", "stringData"), ("ConfigMap", "data")):
        name = hashed(kind, **{field: data})
        assert re.fullmatch(r"a-[0-9a-f]{10}", name)
        assert hashed(kind, **{field: shuffled}) == name
        assert hashed(kind, **{field: data | {keys[0]: data[keys[0]] + "x"}}) != name
    assert hashed("ConfigMap", data={"a": "b"}) != hashed("ConfigMap", binaryData={"a": "b"})


# --- what is hidden


def test_no_secret_value_is_in_what_people_see() -> None:
    pod = {"containers": [{"name": "c", "args": ["--token", "x{{ env.TOKEN }}y"]}]}
    write(
        a__j2=thing("Pod", spec=pod, metadata={"annotations": {"note": "{{ env.TOKEN | b64 }}"}}),
        b__yaml=thing("Secret", "b", stringData={"x": "opensesame"}),
        c__yaml=thing("ConfigMap", "c", data={"x": "say opensesame"}),
    )
    result = rendered(f"TOKEN={SECRET}\nSHORT=abc\n")
    text = dump_all(masked(result))
    for value in (SECRET, b64(SECRET), "opensesame", b64("opensesame"), b64("abc")):
        assert value not in text
    assert "x***y" in text
    assert "say ***" in text
    assert SECRET in json.dumps([item.data for item in result.items])


def test_secret_values_for_the_console() -> None:
    write(a__yaml=thing("Secret", "b", stringData={"x": "opensesame"}, data={"bin": "/w=="}))
    result = rendered(
        "URL=postgres://me:open%20door@db/x\nPORT=8000\nLEVEL=INFO\nNAME=tasks\nPIN=123456\nS=abc\n"
    )
    url = "postgres://me:open%20door@db/x"
    expected = {"opensesame", url, "123456"}
    passwords = {"open%20door", "open door"}
    assert result.secret_values == expected | {b64(value) for value in expected} | passwords


def test_a_secret_value_in_the_open_is_a_warning_that_does_not_show_it() -> None:
    write(
        a__j2="# x\n" + thing(data={"level": "{{ env.LEVEL }}", "x": "{{ env.TOKEN }}"}),
        b__yaml=thing("Secret", "b", stringData={"x": SECRET}),
    )
    (warning,) = rendered(f"TOKEN={SECRET}\nLEVEL=development\n").warnings
    assert warning.text == (
        "manifests/a.j2:9: `ConfigMap/a` has the value of `TOKEN` in the open at `data.x`"
    )
    assert SECRET not in repr(warning)


def test_a_login_for_a_registry_is_not_the_environments_secret() -> None:
    login = '{"auths": {"r.io": {"password": {{ env.TOKEN | tojson }}}}}'
    pull = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "pull", "annotations": {"kubekit.dev/hash": "true"}},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": login},
    }
    spec = {
        "imagePullSecrets": [{"name": "pull"}],
        "containers": [
            {"name": "a", "image": "a", "envFrom": [{"secretRef": {"name": "{{ secret }}"}}]}
        ],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}
    # In one file, so that it is told apart by what it is.
    write(all__yaml__j2=dump_all([pull, pod]))
    made = rendered(f"TOKEN={SECRET}")
    by_type = {str(item.data["type"]): item for item in secrets(made)}
    environment, registry = by_type["Opaque"], by_type["kubernetes.io/dockerconfigjson"]
    assert environment.name.startswith("tasks-env-")
    assert registry.name.startswith("pull-")
    text = base64.b64decode(registry.data["data"][".dockerconfigjson"])
    assert json.loads(text) == {"auths": {"r.io": {"password": SECRET}}}
    (there,) = (item for item in made.items if item.kind == "Pod")
    assert there.data["spec"]["imagePullSecrets"] == [{"name": registry.name}]
    assert f"{environment.name}" in str(there.data["spec"]["containers"])
    assert SECRET not in dump_all(masked(made))


def test_where_nothing_has_to_be_set_the_secret_is_empty_without_a_file() -> None:
    write(secret__yaml__j2=ENVIRONMENT, a__yaml=thing())
    error = failing(rendered)
    assert "there is no `.env`" in error.message
    Path(".env.example").write_text("# LOG_LEVEL=info\n")
    (secret,) = secrets(rendered())
    assert secret.data["data"] == {}
    assert secret.name == secrets(rendered(env=""))[0].name
    for asks in ("API_KEY=\n", "", "# ask Bob\n"):
        Path(".env.example").write_text(asks)
        assert failing(rendered).message == error.message


def test_no_secret_is_made_of_nothing_for_manifests_that_use_none() -> None:
    write(a__yaml=thing())
    Path(".env.example").write_text("# LOG_LEVEL=info\n")
    assert secrets(rendered()) == []
