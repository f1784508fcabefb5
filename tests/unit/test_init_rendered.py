"""What `init` writes, for backends of every shape and both dialects."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubekit.config.project import parse as parse_project
from kubekit.detect.backend import Backend, Health, Variable
from kubekit.image.files import dockerfile, dockerignore
from kubekit.init.plan import rendered
from kubekit.init.serving import healthcheck
from kubekit.init.values import Dialect
from kubekit.manifests.render import render
from kubekit.model import Settings
from kubekit.pod.program import shell_words
from kubekit.text.envfile import parse as parse_env
from tests.unit.backends import SHAPES, variable

DIALECTS: tuple[Dialect, ...] = ("plain", "buildkit")
every_shape = pytest.mark.parametrize("backend", SHAPES.values(), ids=SHAPES)
SERVER = "DATABASE_URL=postgresql://x@y/z\n"
every_dialect = pytest.mark.parametrize("dialect", DIALECTS)


def of(backend: Backend, name: str, dialect: Dialect = "plain") -> str:
    within = "" if backend.folder == "." else f"{backend.folder}/"
    files = rendered(backend, dialect=dialect)
    return files[name if name.startswith(("manifests", "kubekit", ".env")) else within + name]


def parsed(backend: Backend, dialect: Dialect = "plain") -> dockerfile.Dockerfile:
    return dockerfile.parse(of(backend, "Dockerfile", dialect))


def applied(
    backend: Backend, folder: Path, *, env: str | None = None, replicas: int = 1
) -> dict[str, Any]:
    """The objects as kubekit would apply them, by kind."""
    files = rendered(backend)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    file = folder / "kubekit.yaml"
    project, _ = parse_project(file.read_text(), file=file)
    settings = Settings(
        file=file,
        name=project.name,
        namespace=project.name,
        profile="m",
        manifests=(folder / "manifests",),
        values=project.values | ({"replicas": replicas} if "replicas" in project.values else {}),
    )
    text = files.get(".env.example", "") if env is None else env
    read = parse_env(text, file=folder / ".env") if project.env_file else None
    found = render(settings, image=f"{project.name}:kk-0123456789ab", env=read)
    assert len({item.kind for item in found.items}) == len(found.items)
    return {item.kind: item.data for item in found.items}


def container(objects: dict[str, Any]) -> dict[str, Any]:
    (one,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    return dict(one)


# --- the Dockerfile


@every_shape
@every_dialect
def test_two_stages_and_a_numeric_user(backend: Backend, dialect: Dialect) -> None:
    file = parsed(backend, dialect)
    assert [stage.name for stage in file.stages] == ["builder", "runtime"]
    image = f"python:{backend.python}-{backend.base}"
    assert [base.reference for base in file.images(None, {})] == [image]
    runtime = {step.keyword: step.text for step in file.stages[1].body}
    assert runtime["USER"] == "10001:10001"
    assert runtime["EXPOSE"] == str(backend.port)
    assert "uv" not in shlex.split(" ".join(s.text for s in file.stages[1].body if s.mounts))
    assert "AS builder" in of(backend, "Dockerfile", dialect)


@every_dialect
def test_the_build_argument_names_a_python_that_the_project_allows(dialect: Dialect) -> None:
    other = replace(SHAPES["pip"], other_python="3.14")
    assert "PYTHON_IMAGE=python:3.14-slim\n" in of(other, "Dockerfile", dialect)
    none = replace(SHAPES["pip"], other_python="")
    (line,) = [one for one in of(none, "Dockerfile", dialect).splitlines() if "--build-arg" in one]
    assert line.endswith("A mirror: --build-arg PYTHON_IMAGE=registry.example.com/python:3.13-slim")


@every_shape
@every_dialect
def test_only_buildkit_has_mounts_and_neither_a_frontend(
    backend: Backend, dialect: Dialect
) -> None:
    file = parsed(backend, dialect)
    mounts = [mount for step in file.instructions for mount in step.mounts]
    assert (mounts != []) == (dialect == "buildkit")
    assert file.directives == {}


@every_shape
@every_dialect
def test_dependencies_come_before_the_source(backend: Backend, dialect: Dialect) -> None:
    builder, runtime = parsed(backend, dialect).stages
    texts = [step.text for step in builder.body]
    install = next(i for i, text in enumerate(texts) if "install -r" in text or "--compile -r" in text or "uv sync" in text or "/opt/venv -r" in text)  # fmt: skip  # noqa: E501
    early = " ".join(text for text in texts[:install])
    for name in (*backend.packages, "README.md"):
        assert name not in shlex.split(early)
    copied = [step.text for step in runtime.body if step.keyword == "COPY"]
    assert copied[0] == "/opt/venv /opt/venv"


def test_no_group_is_installed_whichever_the_project_takes_by_default() -> None:
    """`--no-dev` leaves out `dev` alone, though `default-groups` of uv may name further ones."""
    (sync,) = [line for line in of(SHAPES["uv"], "Dockerfile").splitlines() if "uv sync" in line]
    assert sync.endswith(" --no-default-groups")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_URL", "sqlite://"),
        ("POSTGRES_URL", "sqlite://"),
        ("CACHE_URL", "redis://localhost"),
        ("CELERY_BROKER_URL", "redis://localhost"),
        ("SITE_URL", "http://localhost"),
        ("SENTRY_DSN", ""),
        ("SECRET_KEY", "0"),
    ],
)
def test_what_settings_take_to_pieces_has_a_value_that_can_be(name: str, value: str) -> None:
    made = replace(SHAPES["django"], env=(variable(name, secret=True),))
    (step,) = [one for one in parsed(made).stages[1].body if "collectstatic" in one.text]
    assert f"{name}={value}" in shlex.split(step.text)


def test_static_files_are_collected_with_values_for_what_the_settings_read() -> None:
    env = (
        *(variable("DATABASE_URL", secret=True), variable("SECRET_KEY", secret=True)),
        *(variable("HOSTS", "localhost"), variable("PORT")),
    )
    made = replace(SHAPES["django"], env=env)
    runtime = parsed(made).stages[1].body
    (at,) = [i for i, step in enumerate(runtime) if "collectstatic" in step.text]
    assert shlex.split(runtime[at].text) == [
        *("DJANGO_SETTINGS_MODULE=site.settings", "DATABASE_URL=sqlite://", "SECRET_KEY=0"),
        *("python", "-m", "django", "collectstatic", "--noinput"),
    ]
    keywords = [step.keyword for step in runtime]
    assert at > max(i for i, keyword in enumerate(keywords) if keyword == "COPY")
    assert at < keywords.index("USER")
    assert "collectstatic" not in of(replace(made, collected=None), "Dockerfile")


@every_dialect
def test_a_blank_in_a_name_makes_no_two_of_it(dialect: Dialect) -> None:
    files = ("reqs/all of it.txt", "reqs/base.txt")
    made = replace(SHAPES["pip"], requirements=files, source="my app", packages=("svc",))
    file = parsed(made, dialect)
    copied = [step.text for step in file.instructions if step.keyword == "COPY"]
    assert [json.loads(text) for text in copied if " of it" in text or "my" in text] == [
        [*files, "reqs/"],
        ["my app", "/app/my app"],
    ]
    (install,) = [step.text for step in file.instructions if " -r " in step.text]
    assert shlex.split(install)[-1] == files[0]
    assert 'PYTHONPATH="/app/my app" \\\n' in of(made, "Dockerfile", dialect)
    assert parsed(SHAPES["pip"]).stages[0].body[-2].text == "requirements.txt ./"


@every_shape
@every_dialect
def test_what_is_copied_is_let_in(backend: Backend, dialect: Dialect) -> None:
    """A COPY of something that .dockerignore keeps out would fail."""
    ignore = dockerignore.parse(of(backend, ".dockerignore"), file=Path("x"))
    for step in parsed(backend, dialect).instructions:
        if step.keyword == "COPY" and not step.values("from"):
            for origin in step.text.split()[:-1]:
                name = origin if PurePosixPath(origin).suffix or origin[0] == "." else f"{origin}/x"
                assert not _excluded(ignore, name), name


@pytest.mark.parametrize(
    "path",
    [
        *(".env", "app/.env", "app/.env.local", "app/__pycache__/x.pyc", "app/tests/test_x.py"),
        *(
            "app/README.md",
            "app/tasks.db",
            "app/x.sqlite3-wal",
            ".git/config",
            "Dockerfile",
            "kubekit.yaml",
        ),
    ],
)
def test_what_must_never_be_in_an_image_is_kept_out(path: str) -> None:
    ignore = dockerignore.parse(of(SHAPES["pip"], ".dockerignore"), file=Path("x"))
    assert _excluded(ignore, path)
    assert not _excluded(ignore, "app/main.py")


def _excluded(ignore: dockerignore.Ignore, path: str) -> bool:
    above = None
    parts = PurePosixPath(path).parts
    for length in range(1, len(parts) + 1):
        above = ignore.matched("/".join(parts[:length]), above)
    assert above is not None
    return above.excluded


def test_markdown_is_let_in_only_where_the_app_has_some() -> None:
    made = replace(SHAPES["pip"], documents=("app/prompts",))
    ignore = dockerignore.parse(of(made, ".dockerignore"), file=Path("x"))
    assert not _excluded(ignore, "app/prompts/system.md")
    assert _excluded(ignore, "app/README.md")
    assert _excluded(ignore, "app/prompts/.env")


def test_a_readme_is_let_in_only_where_the_project_is_installed() -> None:
    assert "!README.md" in of(SHAPES["uv"], ".dockerignore").splitlines()[-1]
    assert "README" not in of(SHAPES["uv, not installed"], ".dockerignore")


@every_shape
def test_the_command_needs_no_quoting_by_a_person(backend: Backend) -> None:
    (cmd,) = [s for s in parsed(backend).instructions if s.keyword == "CMD"]
    words = json.loads(cmd.text)
    if backend.server == "module":
        assert words == ["python", "-m", "svc"]
        return
    assert words[:2] == ["sh", "-c"]
    line = shlex.split(words[2])
    assert line[:2] == ["exec", backend.server]
    assert all(f"${{{name}:-" in words[2] for name in ("HOST", "PORT", "WORKERS"))


def test_dev_understands_the_command() -> None:
    (cmd,) = [s for s in parsed(SHAPES["uv pip"]).instructions if s.keyword == "CMD"]
    words = shell_words(json.loads(cmd.text)[2], {"PORT": "9000"})
    assert words[:3] == ["exec", "uvicorn", "app.main:app"]
    assert words[words.index("--port") + 1] == "9000"
    assert words[words.index("--host") + 1] == "0.0.0.0"


def test_an_application_that_a_function_makes() -> None:
    assert "main:create_app " in of(SHAPES["uv, not installed"], "Dockerfile")
    assert " --factory" in of(SHAPES["uv, not installed"], "Dockerfile")
    assert "'web:create_app()'" in of(SHAPES["flask"], "Dockerfile")


@every_shape
def test_healthcheck_is_python_that_compiles_and_ends_in_time(backend: Backend) -> None:
    (check,) = [s for s in parsed(backend).instructions if s.keyword == "HEALTHCHECK"]
    python, flag, code = json.loads(check.text.partition("CMD ")[2])
    assert (python, flag) == ("python", "-c")
    compile(code, "x", "exec")
    path = backend.health.live or backend.health.plain
    assert (f"'{path}'" in code) if path else ("create_connection" in code)
    assert f"or '{backend.port}'" in code


def test_a_path_may_have_quotes_and_the_healthcheck_still_compiles() -> None:
    made = replace(SHAPES["pip"], health=Health(plain="/it's/up"))
    _, _, code = healthcheck(made)
    compile(code, "healthcheck", "exec")
    assert '"/it\'s/up"' in code


def test_sqlite_beside_the_code_goes_where_it_can_be_written() -> None:
    assert "ENV DATABASE_URL=sqlite:////app/data/board.db" in of(
        SHAPES["sqlite or more"], "Dockerfile"
    )
    assert "--owner=10001" in of(SHAPES["sqlite or more"], "Dockerfile")
    assert "--owner" not in of(SHAPES["pip"], "Dockerfile")


# --- kubekit.yaml and .env.example


@every_shape
def test_kubekit_yaml_is_read(backend: Backend) -> None:
    project, _ = parse_project(of(backend, "kubekit.yaml"), file=Path("kubekit.yaml"))
    assert project.build is not None
    assert (project.name, project.build.context) == (backend.name, backend.folder)
    assert project.dev.sync
    assert all(rule.dest.startswith("/app") for rule in project.dev.sync)


def test_no_secret_is_in_the_example() -> None:
    text = of(SHAPES["django"], ".env.example")
    assert "insecure" not in text
    assert "\n# SECRET_KEY=\n" in text


def test_what_the_manifests_set_is_nobodys_to_set() -> None:
    assert ".env.example" not in rendered(SHAPES["gunicorn and asgi"])
    assert "env_file" not in of(SHAPES["gunicorn and asgi"], "kubekit.yaml")


# --- the manifests


@every_shape
@pytest.mark.parametrize("replicas", [1, 3])
def test_pods_are_restricted(backend: Backend, tmp_path: Path, replicas: int) -> None:
    objects = applied(backend, tmp_path, replicas=replicas)
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsUser"] == 10001
    rights = container(objects)["securityContext"]
    assert rights["readOnlyRootFilesystem"] is True
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert objects["NetworkPolicy"]["spec"]["podSelector"] == {
        "matchLabels": {"app.kubernetes.io/instance": backend.name}
    }
    several = replicas > 1 and backend.database != "sqlite"
    assert ("PodDisruptionBudget" in objects) == several
    assert ("affinity" in pod) == several
    assert objects["Deployment"]["spec"]["replicas"] == (replicas if several else 1)


@every_shape
def test_there_is_time_to_leave(backend: Backend, tmp_path: Path) -> None:
    objects = applied(backend, tmp_path)
    one = container(objects)
    grace = objects["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    drains = any(variable.name == "DRAIN_SECONDS" for variable in backend.env)
    rolls = objects["Deployment"]["spec"]["strategy"]["type"] == "RollingUpdate"
    assert ("lifecycle" in one) == (rolls and not drains)
    assert grace == (3 if rolls else 0) + 5 + 5


def test_sqlite_is_one_pod_with_a_volume_unless_a_server_is_named(tmp_path: Path) -> None:
    backend = SHAPES["sqlite or more"]
    file = applied(backend, tmp_path, env="", replicas=3)
    assert file["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    assert file["Deployment"]["spec"]["replicas"] == 1
    assert "PersistentVolumeClaim" in file
    server = applied(backend, tmp_path, env="DATABASE_URL=postgresql://x@y/z\n", replicas=3)
    assert server["Deployment"]["spec"]["replicas"] == 3
    assert "PersistentVolumeClaim" not in server
    assert container(server)["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]


def test_migrations_end_before_a_pod_has_the_new_code(tmp_path: Path) -> None:
    for shape, env in (("django, migrated", ""), ("django, sqlite or more", SERVER)):
        objects = applied(SHAPES[shape], tmp_path / shape, env=env)
        assert "initContainers" not in objects["Deployment"]["spec"]["template"]["spec"]
        job, service = objects["Job"], objects["Service"]
        assert job["metadata"]["annotations"] == {"kubekit.dev/phase": "before"}
        pod = job["spec"]["template"]
        (one,) = pod["spec"]["containers"]
        assert one["command"] == ["python", "manage.py", "migrate", "--noinput"]
        assert one["envFrom"] == container(objects)["envFrom"]
        assert not service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()


def test_the_file_of_sqlite_is_migrated_by_its_own_pod_alone(tmp_path: Path) -> None:
    for shape in ("django, sqlite", "django, sqlite or more"):
        objects = applied(SHAPES[shape], tmp_path / shape, env="")
        assert "Job" not in objects
        (one,) = objects["Deployment"]["spec"]["template"]["spec"]["initContainers"]
        serves = container(objects)
        assert one["command"] == ["python", "manage.py", "migrate", "--noinput"]
        for key in ("image", "envFrom", "volumeMounts", "securityContext"):
            assert one[key] == serves[key]
    assert "initContainers" not in of(SHAPES["django"], "manifests/deployment.yaml.j2")


def test_the_variable_of_the_path_of_sqlite_leads_into_the_volume() -> None:
    backend = SHAPES["django, sqlite"]
    line = "SQLITE_PATH=/app/data/shop.sqlite3"
    assert f"\nENV {line}\n" in of(backend, "Dockerfile")
    assert f"\n# {line}\n" in of(backend, ".env.example")
    assert backend.stored is not None
    folder = replace(backend, stored=replace(backend.stored, below="/shop.sqlite3"))
    assert "\nENV SQLITE_PATH=/app/data\n" in of(folder, "Dockerfile")
    unnamed = replace(backend, env=(variable("SQLITE_PATH"),))
    assert "\nENV SQLITE_PATH=/app/data/db.sqlite3\n" in of(unnamed, "Dockerfile")
    other = replace(backend, database="postgresql")
    assert "ENV SQLITE_PATH" not in of(other, "Dockerfile")


@pytest.mark.parametrize(
    ("variable", "below"), [("DATA", "/db/x"), ("DATA", "//x"), ("HOME", "/x")]
)
def test_no_variable_is_set_that_would_lead_elsewhere(variable: str, below: str) -> None:
    backend = SHAPES["django, sqlite"]
    assert backend.stored is not None
    led = replace(backend.stored, variable=variable, below=below)
    assert f"ENV {variable}=" not in of(replace(backend, stored=led), "Dockerfile")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("my db.sqlite3", '"/app/data/my db.sqlite3"'),
        ("a#b$c", '"/app/data/a#b\\$c"'),
        ('"', '"/app/data/\\""'),
        ("x.db", "/app/data/x.db"),
    ],
)
def test_the_name_of_the_file_of_sqlite_is_one_word_of_the_image(name: str, written: str) -> None:
    backend = replace(SHAPES["django, sqlite"], env=(variable("SQLITE_PATH", name),))
    assert f"\nENV SQLITE_PATH={written}\n" in of(backend, "Dockerfile")


def test_migrations_take_the_settings_of_the_app(tmp_path: Path) -> None:
    said = "DJANGO_SETTINGS_MODULE=shop.other\n"
    for shape in ("django, migrated", "django, sqlite", "django, sqlite or more"):
        backend = replace(SHAPES[shape], settings="shop.prod")
        for env in ("", said):
            given = env + SERVER if shape == "django, migrated" else env
            objects = applied(backend, tmp_path / shape, env=given)
            kind = "Job" if "Job" in objects else "Deployment"
            pod = objects[kind]["spec"]["template"]["spec"]
            (one,) = pod["initContainers" if kind == "Deployment" else "containers"]
            # What `.env` says, the app takes, too.
            wanted = [] if env else [{"name": "DJANGO_SETTINGS_MODULE", "value": "shop.prod"}]
            assert one.get("env", []) == wanted
    alone = replace(SHAPES["django, migrated"], settings="shop.prod", env=())
    text = of(alone, "manifests/migrate.yaml.j2")
    assert "value: shop.prod\n" in text
    assert "envFrom" not in text
    assert "DJANGO_SETTINGS" not in of(SHAPES["django, migrated"], "manifests/migrate.yaml.j2")


@every_shape
def test_there_is_room_for_an_upload(backend: Backend, tmp_path: Path) -> None:
    """Starlette keeps one in /tmp, and a pod with more there than the volume's limit is evicted."""
    volumes = applied(backend, tmp_path)["Deployment"]["spec"]["template"]["spec"]["volumes"]
    (tmp,) = [one["emptyDir"] for one in volumes if one["name"] == "tmp"]
    assert tmp == {"sizeLimit": "256Mi"}


@every_shape
def test_probes_ask_what_the_app_answers(backend: Backend, tmp_path: Path) -> None:
    one, health = container(applied(backend, tmp_path)), backend.health
    ready, live = health.ready or health.plain, health.live or health.plain
    for probe, path in ((one["readinessProbe"], ready), (one["livenessProbe"], live)):
        assert probe.get("httpGet", {}).get("path") == path
        assert ("tcpSocket" in probe) == (path is None)
    if backend.framework == "django":
        assert one["livenessProbe"]["httpGet"]["httpHeaders"]


# --- whatever the backend


LABEL = st.from_regex(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
PATH = st.from_regex(r"/[a-z0-9/_-]{0,12}", fullmatch=True)
VALUE = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))


@given(
    name=LABEL,
    folder=st.just(".") | LABEL,
    packages=st.lists(NAME, min_size=1, max_size=3, unique=True),
    port=st.integers(1, 65535),
    live=st.none() | PATH,
    database=st.sampled_from([None, "sqlite", "postgresql"]),
    env=st.dictionaries(NAME.map(str.upper), VALUE, max_size=3),
    packaging=st.sampled_from(["uv-sync", "uv-pip", "pip-venv"]),
    installed=st.booleans(),
)
def test_every_file_is_what_its_reader_takes(
    name: str, folder: str, packages: list[str], port: int, live: str | None, **more: Any
) -> None:
    env = tuple(Variable(name=key, secret=False, default=value) for key, value in more.pop("env").items())  # fmt: skip  # noqa: E501
    backend = Backend(
        name=name,
        folder=folder,
        packages=tuple(packages),
        port=port,
        health=Health(live=live),
        framework="fastapi",
        app=f"{packages[0]}:app",
        requirements=("requirements.txt",),
        manifests=("pyproject.toml", "uv.lock", "README.md"),
        env=env,
        **more,
    )
    files = rendered(backend)
    project, _ = parse_project(files["kubekit.yaml"], file=Path("kubekit.yaml"))
    assert (project.name, project.values["port"]) == (name, port)
    assert len(parsed(backend).stages) == 2
    if ".env.example" in files:
        uncommented = files[".env.example"].replace("\n# ", "\n")
        body = "\n".join(line for line in uncommented.split("\n") if "=" in line)
        read = parse_env(body, file=Path(".env")).values
        assert all(read[one.name] == (one.default or "") for one in env if one.name in read)
    for path, text in files.items():
        assert "kubekit init" in text.splitlines()[0], path
        assert "[[" not in text, path
        assert "[%" not in text, path


def test_yaml_of_the_templates_is_yaml_without_jinja() -> None:
    """What a person sees in the templates of a small backend is nearly what is applied."""
    text = of(SHAPES["pip"], "manifests/networkpolicy.yaml.j2").partition("\n")[2]
    assert yaml.safe_load(text.replace("{{ name }}", "x"))["kind"] == "NetworkPolicy"
