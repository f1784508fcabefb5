from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.config.files import show
from kubekit.config.load import load
from kubekit.config.project import parse, schema
from kubekit.config.validators import label, seconds
from kubekit.errors import FilesError, KubekitError, UsageError
from kubekit.model import BuildSecret, BuildSettings, DevSettings, Settings, SyncRule

FULL = """\
name: tasks
namespace: other
build: {context: backend, dockerfile: docker/Dockerfile, target: runtime, args: {A: "1"}}
manifests: [manifests, extra.yaml]
env_file: secrets.env
values: {port: 8000, replicas: 1}
timeout: 1m30s
dev: {port: 8001, sync: [{src: backend/src, dest: /app/src}], teardown: false}
allow_contexts: [remote]
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifests").mkdir()
    return tmp_path


def write(folder: Path, text: str) -> Path:
    (folder / "kubekit.yaml").write_text(text)
    return folder


def loaded(
    cwd: Path,
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    active: Callable[[], str | None] = lambda: None,
    check: bool = True,
) -> Settings:
    return load(
        flags=flags or {}, environ=environ or {}, cwd=cwd, active_profile=active, check=check
    )


def failing(kind: type[KubekitError], action: Callable[[], object]) -> KubekitError:
    with pytest.raises(kind) as caught:
        action()
    return caught.value


def test_everything_that_can_be_set(project: Path) -> None:
    for path in ("backend/src/x", "docker/Dockerfile", "extra.yaml", "secrets.env"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).touch()
    settings = loaded(write(project, FULL))
    assert settings == Settings(
        file=project / "kubekit.yaml",
        name="tasks",
        namespace="other",
        profile="minikube",
        build=BuildSettings(
            context=project / "backend",
            dockerfile=project / "docker/Dockerfile",
            target="runtime",
            args={"A": "1"},
        ),
        manifests=(project / "manifests", project / "extra.yaml"),
        env_file=project / "secrets.env",
        values={"port": 8000, "replicas": 1},
        timeout=90.0,
        dev=DevSettings(
            port=8001,
            sync=(SyncRule(src=project / "backend/src", dest="/app/src"),),
            teardown=False,
        ),
        allow_contexts=("remote",),
        origins=settings.origins,
    )


def test_the_defaults(project: Path) -> None:
    settings = loaded(write(project, "name: tasks\nbuild:\nvalues:\n  # port: 1\n"))
    assert settings == Settings(
        file=project / "kubekit.yaml",
        name="tasks",
        namespace="tasks",
        profile="minikube",
        manifests=(project / "manifests",),
        timeout=120.0,
        origins=settings.origins,
    )


@pytest.mark.parametrize(
    "key",
    ["profile", "context", "namespace", "file", "timeout", "patience", "tolerate", "registry"],
)
def test_an_empty_flag_is_not_the_default(project: Path, key: str) -> None:
    write(project, "name: tasks\n")
    error = failing(UsageError, lambda: loaded(project, flags={key: ""}))
    assert error.message == f"flag `--{key}` is empty"
    assert loaded(project, environ={f"KUBEKIT_{key.upper()}": ""}).profile == "minikube"


def test_the_defaults_that_are_found(project: Path) -> None:
    (project / ".env").touch()
    (project / "backend").mkdir()
    (project / "backend/Dockerfile").touch()
    settings = loaded(write(project, "name: tasks\nbuild: {context: backend}\n"))
    assert settings.env_file == project / ".env"
    assert ("env_file", ".env", "found beside kubekit.yaml") in show(settings)
    assert settings.build is not None
    assert settings.build.dockerfile == project / "backend/Dockerfile"


def test_paths_start_at_the_file_and_at_the_folder_one_is_in(project: Path) -> None:
    here = project / "a" / "b"
    here.mkdir(parents=True)
    (here / "my.env").touch()
    write(project, "name: tasks\nmanifests: [./x/../manifests]\n")
    settings = loaded(here, flags={"env_file": "my.env"})
    assert settings.manifests == (project / "manifests",)
    assert settings.env_file == here / "my.env"
    assert settings.origins["file"] == "found in a folder above"
    by_flag = loaded(here, flags={"file": "../../kubekit.yaml"})
    by_variable = loaded(here, environ={"KUBEKIT_FILE": str(project / "kubekit.yaml")})
    assert by_flag.file == by_variable.file == project / "kubekit.yaml"
    assert by_flag.origins["file"] == "flag --file"


READ: dict[str, Callable[[str], object]] = {
    "timeout": seconds,
    "patience": float,
    "tolerate": lambda text: tuple(text.replace(" ", "").split(",")),
}
LEVELS = [
    ("name", "name: {}", "one", "two", "six"),
    ("namespace", "namespace: {}", "one", "two", "six"),
    ("timeout", "timeout: {}", "1s", "2s", "6s"),
    ("patience", "patience: {}", "0.5", "2", "6"),
    ("tolerate", "tolerate: [{}]", "one", "two, three", "six,one"),
    ("registry", "registry: {}", "one.io", "two.io:5000/team", "localhost"),
    ("profile", "profile: {}", "one", "two", "six"),
    ("context", "context: {}", "one", "two", "six"),
]


@pytest.mark.parametrize(("key", "line", "low", "middle", "high"), LEVELS)
def test_flag_beats_variable_beats_file(
    project: Path, key: str, line: str, low: str, middle: str, high: str
) -> None:
    others = "" if key == "name" else "name: tasks\n"
    write(project, others + line.format(low) + "\n")
    variable = {f"KUBEKIT_{key.upper()}": middle}
    number = 2 if others else 1
    for settings, value, origin in (
        (loaded(project), low, f"kubekit.yaml:{number}"),
        (loaded(project, environ=variable), middle, f"environment KUBEKIT_{key.upper()}"),
        (loaded(project, environ={f"KUBEKIT_{key.upper()}": ""}), low, f"kubekit.yaml:{number}"),
        (loaded(project, environ=variable, flags={key: high}), high, f"flag --{key}"),
        (loaded(project, environ=variable, flags={key: None}), middle, None),
    ):
        expected = READ.get(key, str)(value)
        assert getattr(settings, key) == expected
        assert origin is None or settings.origins[key] == origin


@pytest.mark.parametrize(
    ("flags", "environ", "line", "expected"),
    [
        ({}, {}, "", ("minikube", None, "default")),
        ({}, {"MINIKUBE_PROFILE": "m"}, "", ("m", None, "environment MINIKUBE_PROFILE")),
        ({}, {"MINIKUBE_PROFILE": "m"}, "profile: p", ("p", None, "kubekit.yaml:2")),
        ({"context": "c"}, {"KUBEKIT_PROFILE": "p"}, "profile: q", (None, "c", "flag --context")),
        ({"profile": "p"}, {"KUBEKIT_CONTEXT": "c"}, "", ("p", None, "flag --profile")),
        ({}, {"KUBEKIT_PROFILE": "p"}, "context: c", ("p", None, "environment KUBEKIT_PROFILE")),
        ({}, {"KUBEKIT_CONTEXT": "c"}, "profile: p", (None, "c", "environment KUBEKIT_CONTEXT")),
        ({}, {"MINIKUBE_PROFILE": "m"}, "context: c", (None, "c", "kubekit.yaml:2")),
    ],
)
def test_profile_or_context(
    project: Path,
    flags: dict[str, str],
    environ: dict[str, str],
    line: str,
    expected: tuple[str | None, str | None, str],
) -> None:
    write(project, f"name: tasks\n{line}\n")
    settings = loaded(project, flags=flags, environ=environ)
    key = "profile" if settings.context is None else "context"
    assert (settings.profile, settings.context, settings.origins[key]) == expected


def test_minikube_is_asked_last(project: Path) -> None:
    asked: list[str] = []

    def active() -> str:
        asked.append("active")
        return "mine"

    write(project, "name: tasks\n")
    assert loaded(project, environ={"MINIKUBE_PROFILE": "m"}, active=active).profile == "m"
    assert asked == []
    settings = loaded(project, active=active)
    assert (settings.profile, settings.origins["profile"]) == ("mine", "Minikube's active profile")


@pytest.mark.parametrize(
    ("flags", "environ", "line", "message"),
    [
        ({"profile": "p", "context": "c"}, {}, "", "flag --profile and flag --context"),
        (
            {},
            {"KUBEKIT_PROFILE": "p", "KUBEKIT_CONTEXT": "c"},
            "",
            "environment KUBEKIT_PROFILE and environment KUBEKIT_CONTEXT",
        ),
        ({}, {}, "profile: p\ncontext: c", "kubekit.yaml:2 and kubekit.yaml:3"),
    ],
)
def test_both_at_one_level(
    project: Path, flags: dict[str, str], environ: dict[str, str], line: str, message: str
) -> None:
    write(project, f"name: tasks\n{line}\n")
    error = failing(UsageError, lambda: loaded(project, flags=flags, environ=environ))
    assert error.message.startswith(f"{message} name a cluster each")


def test_no_file_says_what_was_looked_for_and_what_to_write(project: Path) -> None:
    here = project / "My App"
    here.mkdir()
    error = failing(UsageError, lambda: loaded(here))
    assert error.message == f"no `kubekit.yaml` in `{here}` or any folder above it"
    assert "`name: my-app`" in error.hints[0]
    assert parse("name: my-app\nbuild: {context: .}\n", file=here)[0].name == "my-app"


def test_a_named_file_that_is_not_there(project: Path) -> None:
    error = failing(UsageError, lambda: loaded(project, flags={"file": "no.yaml"}))
    assert error.message == "`no.yaml` does not exist"


def test_all_faults_at_once_in_the_words_of_the_file(project: Path) -> None:
    text = """\
name: Tasks
nmespace: x
replicas: 3
port: 5
values: {my-key: 1, env: 2, ok: null}
build: {context: 1, args: {A: 3.10}, dockerfil: x, manifests: []}
dev: {port: 70000, sync: [{src: a, dest: b, foo: 1}, 5], teardown: "yes"}
timeout: soon
profile: ""
manifests: manifests
allow_contexts: [yes]
patience: "2"
tolerate: crash-loop
"""
    error = failing(UsageError, lambda: loaded(write(project, text)))
    assert str(error.place) == "kubekit.yaml:1:1"
    assert error.message == (
        "`name`: `Tasks` is no DNS label (RFC 1123): at most 63 of a-z, 0-9 and `-`, "
        "beginning and ending with a letter or digit"
    )
    assert [detail.removeprefix("kubekit.yaml:") for detail in error.details] == [
        "2:1: unknown key `nmespace`; did you mean `namespace`?",
        "3:1: unknown key `replicas`; a variable for the templates belongs under `values`",
        "4:1: unknown key `port`; it belongs under `dev`",
        "5:10: `values.my-key`: no template can name `my-key`; use a name such as `my_key`",
        "5:21: `values.env`: `env` is a variable that kubekit sets itself; use another name",
        "6:9: `build.context` must be text, got a number; put it in quotes",
        "6:28: `build.args.A` must be text, got a number; put it in quotes",
        "6:38: unknown key `build.dockerfil`; did you mean `dockerfile`?",
        "6:52: unknown key `build.manifests`; it belongs at the top level",
        "7:7: `dev.port`: expected a port from 1 to 65535, got 70000",
        "7:36: `dev.sync[0].dest`: expected an absolute path in the container, got `b`",
        "7:45: unknown key `dev.sync[0].foo`",
        "7:54: `dev.sync[1]` must be a mapping, got a number",
        "7:58: `dev.teardown` must be `true` or `false`, got text",
        "8:1: `timeout`: expected a time such as `120s`, `2m` or `1m30s`",
        "9:1: `profile` is empty",
        "10:1: `manifests` must be a list, got text",
        "11:18: `allow_contexts[0]` must be text, got true or false; put it in quotes",
        "12:1: `patience` must be a number, got text",
        "13:1: `tolerate` must be a list, got text",
    ]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("namespace: x\n", ":1:1", "`name` is missing"),
        ("", ":1", "`name` is missing"),
        ("name: a\nbuild: {target: x}\n", ":2:1", "`build.context` is missing"),
        ("name: a\nname: b\n", ":2:1", "`name` stands twice, first in line 1"),
        ("name: a\n\tprofile: x\n", ":2:1", "a tab is used for indentation"),
        ("name: a\n---\nname: b\n", ":3:1", "kubekit.yaml is one document"),
        ("- a\n", ":1:1", "expected `key: value` pairs, got a list"),
        (
            "name: a\nbuild: {context: ., secrets: {a: {file: x, env: TOKEN}}}\n",
            ":2:31",
            "`build.secrets.a`: expected `{file: PATH}` or `{env: NAME}`",
        ),
        (
            "name: a\nbuild: {context: ., secrets: {a: {path: x}}}\n",
            ":2:35",
            "unknown key `build.secrets.a.path`",
        ),
    ],
)
def test_one_fault(project: Path, text: str, place: str, message: str) -> None:
    error = failing(UsageError, lambda: loaded(write(project, text)))
    assert (str(error.place), error.message) == (f"kubekit.yaml{place}", message)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("namespace", "My_NS", "flag --namespace: `My_NS` is no DNS label"),
        ("name", "-a", "flag --name: `-a` is no DNS label"),
        ("timeout", "5x", "flag --timeout: expected a time such as"),
        ("timeout", 0, "flag --timeout: expected a time such as"),
        ("patience", "x", "flag --patience: expected a number above 0, such as `2` or `0.5`"),
        ("patience", "-1", "flag --patience: expected a number above 0"),
        ("patience", "inf", "flag --patience: expected a number above 0"),
        ("patience", "nan", "flag --patience: expected a number above 0"),
        ("registry", "team", "flag --registry: `team` is no registry; expected `HOST[:PORT]"),
        ("tolerate", [""], "flag --tolerate: expected ids of causes, such as"),
        ("tolerate", ["a", "b,,c"], "flag --tolerate: expected ids of causes, such as"),
    ],
)
def test_wrong_flags(project: Path, key: str, value: object, message: str) -> None:
    write(project, "name: a\n")
    error = failing(UsageError, lambda: loaded(project, flags={key: value}))
    assert error.message.startswith(message)


MISSING = "name: a\nbuild: {context: backend}\nmanifests: [manifests, k8s]\nenv_file: my.env\n"


def test_missing_files_are_named_at_once(project: Path) -> None:
    (project / "backend").mkdir()
    (project / ".env.example").touch()
    error = failing(FilesError, lambda: loaded(write(project, MISSING)))
    assert error.exit_code == 3
    assert str(error.place) == "kubekit.yaml:2:1"
    assert error.message == "no Dockerfile at `backend/Dockerfile`"
    assert error.details == (
        "kubekit.yaml:3:24: no manifests at `k8s`",
        "kubekit.yaml:4:1: no file at `my.env`, which kubekit.yaml:4 names",
    )
    assert error.hints[0] == "write one, or name yours under `build.dockerfile`"
    assert error.hints[2] == (
        "run `cp .env.example my.env && chmod 600 my.env` and fill in the values"
    )


NAMED = "name: a\nmanifests: []\nenv_file: {}\n"


@pytest.mark.parametrize(
    "example", ["# A=", "#A=\n", "# Copy it.\n\n# LOG_LEVEL=info\n# API_KEY=\n"]
)
def test_no_env_is_missed_where_its_example_leaves_nothing_to_set(
    project: Path, example: str
) -> None:
    write(project, NAMED.format(".env"))
    (project / ".env.example").write_text(example)
    assert loaded(project).env_file is None
    (project / ".env").touch()
    assert loaded(project).env_file == project / ".env"


@pytest.mark.parametrize(
    ("named", "example"),
    [
        (".env", None),
        (".env", "API_KEY=\n"),
        (".env", "LOG_LEVEL=info\n"),
        (".env", "what is this\n"),
        (".env", "# A=\nwhat is this\n"),
        # What names no variable does not say that none is needed.
        (".env", ""),
        (".env", "# ask Bob\n"),
        ("my.env", "# A=\n"),
    ],
)
def test_an_env_is_missed_where_anything_might_be_to_set(
    project: Path, named: str, example: str | None
) -> None:
    if example is not None:
        (project / ".env.example").write_text(example)
    error = failing(FilesError, lambda: loaded(write(project, NAMED.format(named))))
    assert error.message == f"no file at `{named}`, which kubekit.yaml:3 names"


@pytest.mark.parametrize("text", ["name: a\nmanifests: []\n", NAMED.format(".env")])
def test_an_env_that_is_a_link_to_nothing_is_not_passed_over(project: Path, text: str) -> None:
    (project / ".env.example").write_text("# A=\n")
    (project / ".env").symlink_to("gone/secrets.env")
    error = failing(FilesError, lambda: loaded(write(project, text)))
    assert error.message == "`.env` is a link to `gone/secrets.env`, where no file is"
    assert error.hints == ("write `gone/secrets.env`, or remove the link: `rm .env`",)
    (project / "gone").mkdir()
    (project / "gone/secrets.env").touch()
    assert loaded(project).env_file == project / ".env"


SECRETS = """\
name: a
build:
  context: .
  secrets: {pip: {file: no/pip.conf}, token: {env: NO_SUCH}, h: {file: Dockerfile}, i: {env: HOME}}
manifests: []
"""


def test_build_secrets_must_be_there(project: Path) -> None:
    (project / "Dockerfile").touch()
    error = failing(FilesError, lambda: loaded(write(project, SECRETS), environ={"HOME": "/"}))
    assert str(error.place) == "kubekit.yaml:4:19"
    assert error.message == "no file at `no/pip.conf` for the build secret `pip`"
    assert error.details == (
        "kubekit.yaml:4:47: the variable `NO_SUCH` for the build secret `token` is not set",
    )


def test_build_secrets_are_shown_by_where_they_are(project: Path) -> None:
    settings = loaded(write(project, SECRETS), check=False)
    assert settings.build is not None
    assert settings.build.secrets["pip"] == BuildSecret(file=project / "no/pip.conf")
    rows = show(settings)
    assert ("build.secrets.pip.file", "no/pip.conf", "kubekit.yaml:4") in rows
    assert ("build.secrets.token.env", "NO_SUCH", "kubekit.yaml:4") in rows


def test_missing_context_is_told_without_its_dockerfile(project: Path) -> None:
    error = failing(FilesError, lambda: loaded(write(project, "name: a\nbuild: {context: gone}\n")))
    assert (error.message, error.details) == ("no folder at `gone` to build from", ())


def test_the_default_folder_of_manifests_must_be_there(project: Path) -> None:
    (project / "manifests").rmdir()
    error = failing(FilesError, lambda: loaded(write(project, "name: a\n")))
    assert error.message == "no manifests at `manifests`"


def test_commands_that_need_no_files_go_without(project: Path) -> None:
    assert loaded(write(project, MISSING), check=False).name == "a"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("120s", 120), ("2m", 120), ("1m30s", 90), ("1h", 3600), ("90", 90), ("0.5s", 0.5), (7, 7)],
)
def test_times(value: object, expected: float) -> None:
    assert seconds(value) == expected


@pytest.mark.parametrize("value", ["", "s", "-5s", "0s", "1.5m", "30s1m", True, None, [], "nan"])
def test_no_times(value: object) -> None:
    with pytest.raises(ValueError):
        seconds(value)


@given(st.text("aZ0-._ü\n", max_size=70))
def test_labels_are_those_of_rfc_1123(text: str) -> None:
    good = 0 < len(text) <= 63 and set(text) <= set("a0-") and "-" not in (text[0], text[-1])
    try:
        assert label(text) == text
    except ValueError:
        assert not good
    else:
        assert good


def test_show_has_every_origin_and_no_secret(project: Path) -> None:
    text = """\
name: a
build:
  context: .
  args: {PIP_TOKEN: hunter2, DB_PWD: hunter2, AUTH_HEADER: hunter2, X_CRED: hunter2, INDEX: "https://me:hunter2@host/x"}
values: {port: 8000, db: {password: hunter2, host: h}, urls: ["https://hunter2@h"]}
timeout: 2m
"""
    (project / "Dockerfile").touch()
    rows = show(loaded(write(project, text), flags={"namespace": "n"}))
    assert "hunter2" not in repr(rows)
    assert ("namespace", "n", "flag --namespace") in rows
    assert ("profile", "minikube", "default") in rows
    assert ("build.context", ".", "kubekit.yaml:3") in rows
    assert ("build.dockerfile", "Dockerfile", "default") in rows
    assert ("build.args.PIP_TOKEN", "***", "kubekit.yaml:4") in rows
    assert ("build.args.INDEX", "https://***@host/x", "kubekit.yaml:4") in rows
    assert ("values.port", "8000", "kubekit.yaml:5") in rows
    assert ("values.db", '{"password": "***", "host": "h"}', "kubekit.yaml:5") in rows
    assert ("timeout", "120s", "kubekit.yaml:6") in rows
    assert ("dev.teardown", "true", "default") in rows
    assert ("file", "kubekit.yaml", "found in this folder") in rows
    assert [row for row in rows if row[0] == "context"] == []


def test_schema_describes_every_key() -> None:
    document = schema()
    assert "$id" not in document
    sections = [document, *document["$defs"].values()]
    keys = [(name, key) for section in sections for name, key in section["properties"].items()]
    described = [name for name, key in keys if "description" in key or "$ref" in json.dumps(key)]
    assert [name for name, _ in keys] == described
    assert {section["additionalProperties"] for section in sections} == {False}
    assert document["required"] == ["name"]
