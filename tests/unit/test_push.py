"""What a push is told to be, from where it is done, and why it fails."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubekit.config.validators import REGISTRY, registry
from kubekit.errors import UnreachableError, UsageError
from kubekit.events import Progress
from kubekit.image.docker.client import own_endpoint
from kubekit.image.registries.errors import push_failed, registry_of
from kubekit.image.registries.transfer import Layers
from kubekit.model import BuildSettings, Settings
from kubekit.publish import forced, publish
from kubekit.session import Run

IMAGE = "r.io:5/team/tasks:1.0"


@pytest.mark.parametrize(
    ("said", "id_"),
    [
        ('Head "https://r.io:5/v2/team/tasks/manifests/1.0": no basic auth credentials', "login"),
        ("unauthorized: authentication required", "denied"),
        ("denied: requested access to the resource is denied", "denied"),
        ("error parsing HTTP 403 response body: invalid character '<'", "denied"),
        ("name unknown: The repository with name 'tasks' does not exist", "no-repository"),
        ("toomanyrequests: slow down", "limit"),
        ("received unexpected HTTP status: 500 Internal Server Error", "busy"),
        ('Get "https://r.io:5/v2/": EOF', "busy"),
        ('Get "https://r.io:5/v2/": x509: certificate signed by unknown authority', "certificate"),
        ("http: server gave HTTP response to HTTPS client", "without-tls"),
        ('Get "https://r.io:5/v2/": dial tcp: lookup r.io: no such host', "unreachable"),
        (
            'Get "https://r.io:5/v2/": dial tcp 1.2.3.4:5: connect: connection refused',
            "unreachable",
        ),
    ],
)
def test_pushes_that_fail(said: str, id_: str) -> None:
    error = push_failed(IMAGE, said, login=True)
    assert error.id == f"registry-{id_}"
    assert error.exit_code == 4
    assert "`r.io:5`" in error.message
    assert error.details == (said,)
    assert error.hints


def test_without_a_login_that_is_the_cause() -> None:
    error = push_failed("docker.io/me/tasks:1", "denied: requested access", login=False)
    assert error.id == "registry-login"
    assert error.hints == ("log in: `docker login docker.io`",)


@settings(max_examples=50, deadline=None)
@given(st.from_regex(REGISTRY, fullmatch=True))
def test_a_registry_is_read_as_one(text: str) -> None:
    assert registry(text) == text
    assert registry_of(f"{text}/tasks:1") == text.partition("/")[0]


@pytest.mark.parametrize(
    "text",
    ["team", "team/x", "https://r.io", "r.io/Team", "r.io/", "r.io:5/a:1", "r.io a", "r.io:", ""],
)
def test_no_registry(text: str) -> None:
    with pytest.raises(ValueError, match="is no registry"):
        registry(text)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person without any Docker settings."""
    for name in ("HOST", "CONTEXT", "CONFIG", "TLS_VERIFY", "CERT_PATH"):
        monkeypatch.delenv(f"DOCKER_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / ".docker"))
    return tmp_path


def test_the_docker_of_this_machine_is_the_commands(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = own_endpoint()
    assert (plain.host, plain.cert_path, plain.own) == ("unix:///var/run/docker.sock", None, True)

    digest = sha256(b"far").hexdigest()  # docker's own rule
    meta, tls = (home / ".docker/contexts" / kind / digest for kind in ("meta", "tls"))
    meta.mkdir(parents=True)
    endpoints = {"docker": {"Host": "tcp://far:2376", "SkipTLSVerify": False}}
    (meta / "meta.json").write_text(
        json.dumps({"Name": "far", "Metadata": {}, "Endpoints": endpoints})
    )
    (tls / "docker").mkdir(parents=True)
    for name in ("ca", "cert", "key"):
        (tls / "docker" / f"{name}.pem").touch()
    (home / ".docker/config.json").write_text('{"currentContext": "far"}')
    chosen = own_endpoint()
    assert (chosen.host, chosen.cert_path) == ("tcp://far:2376", tls / "docker")

    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert own_endpoint() == plain
    monkeypatch.setenv("DOCKER_HOST", "tcp://near:2376")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CONFIG", str(home / "elsewhere"))
    named = own_endpoint()
    assert (named.host, named.cert_path) == ("tcp://near:2376", home / "elsewhere")
    monkeypatch.setenv("MINIKUBE_ACTIVE_DOCKERD", "tasks")
    assert own_endpoint() == named
    assert own_endpoint(led=False) == plain
    for name in ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "MINIKUBE_ACTIVE_DOCKERD"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_CONFIG", str(home / ".docker"))
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    with pytest.raises(UnreachableError, match="no Docker context `gone`"):
        own_endpoint()

    monkeypatch.setenv("DOCKER_HOST", "tcp://near:2376")
    assert own_endpoint().cert_path is None
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    assert own_endpoint().cert_path == home / ".docker"
    monkeypatch.setenv("DOCKER_CERT_PATH", str(home))
    assert own_endpoint().cert_path == home
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@there")
    with pytest.raises(UnreachableError, match="by ssh"):
        own_endpoint()


def test_contexts_that_cannot_be_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "far")
    folder = home / ".docker/contexts/meta" / sha256(b"far").hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text("{")
    with pytest.raises(UnreachableError) as caught:
        own_endpoint()
    assert caught.value.id == "docker-context"


@pytest.mark.parametrize(
    ("build", "registry", "version", "id_", "message"),
    [
        (False, "r.io", "1.0", "build-missing", "builds no image, so there is nothing to push"),
        (True, None, "1.0", "registry-missing", "there is no registry to push to"),
        (True, "r.io", "1:0", "version-invalid", "`1:0` can be no tag of an image"),
        (True, "r.io", "-1", "version-invalid", "`-1` can be no tag of an image"),
        (True, "r.io", "1" * 129, "version-invalid", "can be no tag"),
        (True, "r.io", "kk-92a1d8449822", "version-invalid", "names kubekit gives to contents"),
    ],
)
def test_what_cannot_be_pushed(
    tmp_path: Path, *, build: bool, registry: str | None, version: str, id_: str, message: str
) -> None:
    project = Settings(
        file=tmp_path / "kubekit.yaml",
        name="tasks",
        namespace="tasks",
        profile=None,
        build=BuildSettings(context=tmp_path, dockerfile=tmp_path / "Dockerfile")
        if build
        else None,
        registry=registry,
    )
    with pytest.raises(UsageError) as caught:
        publish(project, Run(emit=lambda _: None), version=version, force=False)
    assert message in caught.value.message
    assert caught.value.id == id_
    assert caught.value.hints


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        ("flag --registry", "kubekit push 1.0 --registry r.io/me --force"),
        ("environment KUBEKIT_REGISTRY", "kubekit push 1.0 --force"),
    ],
)
def test_a_version_is_moved_in_the_registry_that_was_named(
    tmp_path: Path, origin: str, command: str
) -> None:
    project = Settings(
        file=tmp_path / "kubekit.yaml",
        name="tasks",
        namespace="tasks",
        profile=None,
        registry="r.io/me",
        origins={"registry": origin},
    )
    assert forced(project, "1.0") == command


def test_what_is_sent_is_summed_up_and_never_more_than_there_is() -> None:
    said: list[str] = []
    layers = Layers(
        "pushing",
        "a:1",
        lambda event: said.append(event.text) if isinstance(event, Progress) else None,
    )
    for id_, current in (("a", 400_000), ("a", 1_600_000), ("b", 2_400_000), ("b", 9_000_000)):
        detail = {"current": current, "total": 3_000_000}
        layers.update({"status": "Pushing", "id": id_, "progressDetail": detail})
    layers.update({"status": "Pushing", "id": "c", "progressDetail": {"current": 5_000_000}})
    layers.update({"status": "Preparing", "id": "c", "progressDetail": {}})
    assert said == [
        "pushing `a:1`: 2 of 3 MB",
        "pushing `a:1`: 4 of 6 MB",
    ]
