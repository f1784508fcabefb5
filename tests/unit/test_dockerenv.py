"""`minikube docker-env`: its output in any order, and every way it can end."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from kubekit.cluster.dockerenv import (
    DOCKER_ENV_ENDINGS,
    EndpointCache,
    classify,
    parse_docker_env,
)
from kubekit.cluster.target import read_profile
from kubekit.errors import UnreachableError
from kubekit.model import DockerEndpoint
from kubekit.proc import Finished


def test_lines_in_any_order_with_empty_ones(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    text = (
        f"SSH_AGENT_PID=\nDOCKER_CERT_PATH={tmp_path}\nMINIKUBE_ACTIVE_DOCKERD=x\n"
        "DOCKER_HOST=tcp://192.0.2.1:2376\nSSH_AUTH_SOCK=\nDOCKER_TLS_VERIFY=1\n"
    )
    endpoint = parse_docker_env("x", text)
    assert endpoint.host == "tcp://192.0.2.1:2376"
    assert endpoint.cert_path == tmp_path


def test_a_path_with_an_equals_sign(tmp_path: Path) -> None:
    certs = tmp_path / "a=b"
    certs.mkdir()
    (certs / "ca.pem").touch()
    text = f"DOCKER_HOST=tcp://192.0.2.1:2376\nDOCKER_CERT_PATH={certs}"
    assert parse_docker_env("x", text).cert_path == certs


def test_ssh_is_no_docker_of_ours() -> None:
    with pytest.raises(UnreachableError) as caught:
        parse_docker_env("x", "DOCKER_HOST=ssh://docker@127.0.0.1:1\n")
    assert caught.value.id == "runtime-not-docker"


def test_certificates_that_are_not_there(tmp_path: Path) -> None:
    text = f"DOCKER_HOST=tcp://192.0.2.1:2376\nDOCKER_CERT_PATH={tmp_path}"
    with pytest.raises(UnreachableError, match=r"ca\.pem"):
        parse_docker_env("x", text)


@pytest.mark.parametrize("code", [*DOCKER_ENV_ENDINGS, 99])
def test_each_exit_code_names_cause_and_fix(code: int) -> None:
    error = classify("dev", Finished(code=code, out="", err="X Exiting due to SOME_ID: words\n"))
    assert "dev" in error.message
    assert not any("dev-" in hint for hint in error.hints), "kubekit works with any profile"
    assert error.hints
    assert "{" not in error.message + "".join(error.hints)
    assert error.details[0] == f"`minikube docker-env` ended with {code} SOME_ID"


def test_exit_codes_have_messages_of_their_own() -> None:
    causes = [ending.cause for ending in DOCKER_ENV_ENDINGS.values()]
    assert len(set(causes)) == len(causes)


def test_a_nerdctl_daemon_that_fails_means_containerd() -> None:
    text = "X Exiting due to MK_START_NERDCTLD: Failed setting permission for nerdctl"
    assert classify("dev", Finished(code=10, out="", err=text)).id == "runtime-not-docker"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EndpointCache:
    monkeypatch.setenv("MINIKUBE_HOME", str(tmp_path / ".minikube"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / ".minikube" / "profiles" / "dev" / "config.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"Driver": "docker", "KubernetesConfig": {}}')
    profile = read_profile("dev")
    assert profile is not None
    return EndpointCache(profile)


@pytest.mark.parametrize("certs", [None, Path("/certs")])
def test_the_endpoint_comes_back_and_is_private(
    cache: EndpointCache, tmp_path: Path, certs: Path | None
) -> None:
    endpoint = DockerEndpoint(host="tcp://192.0.2.1:2376", cert_path=certs, profile="dev")
    cache.write(endpoint)
    assert cache.read() == endpoint
    (file,) = (tmp_path / "cache" / "kubekit" / "endpoints").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_endpoint_of_before_the_config_changed_is_forgotten(
    cache: EndpointCache, tmp_path: Path
) -> None:
    cache.write(DockerEndpoint(host="tcp://192.0.2.1:2376", profile="dev"))
    profile = read_profile("dev")
    assert profile is not None
    profile.file.write_text('{"Driver": "docker", "KubernetesConfig": {}, "Memory": 1}')
    changed = EndpointCache(profile)
    assert changed.read() is None
    changed.write(DockerEndpoint(host="tcp://192.0.2.2:2376", profile="dev"))
    assert changed.read() == DockerEndpoint(host="tcp://192.0.2.2:2376", profile="dev")
    assert len(list((tmp_path / "cache/kubekit/endpoints").iterdir())) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"host": 1}', "\0"])
def test_a_damaged_cache_is_as_none(cache: EndpointCache, tmp_path: Path, text: str) -> None:
    cache.write(DockerEndpoint(host="tcp://192.0.2.1:2376", profile="dev"))
    (file,) = (tmp_path / "cache/kubekit/endpoints").iterdir()
    file.write_text(text)
    assert cache.read() is None


@pytest.mark.parametrize("name", ["DOCKER_HOST", "DOCKER_CONTEXT"])
def test_a_node_that_is_missing_where_the_environment_leads_is_not_to_be_made_anew(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for each in ("DOCKER_HOST", "DOCKER_CONTEXT", "MINIKUBE_ACTIVE_DOCKERD"):
        monkeypatch.delenv(each, raising=False)
    done = Finished(code=80, out="", err="X Exiting due to GUEST_STATUS: no\nError: No such")
    assert classify("dev", done).id == "node-missing"
    monkeypatch.setenv(name, "elsewhere")
    misled = classify("dev", done)
    assert (misled.id, misled.hints[0].split(":")[0]) == ("node-elsewhere", f"`unset {name}`")
    assert "delete" not in " ".join(misled.hints)
    monkeypatch.setenv("MINIKUBE_ACTIVE_DOCKERD", "dev")
    assert classify("dev", done).id == "node-missing"


def test_a_cache_that_cannot_be_written_is_no_error(cache: EndpointCache, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "kubekit").write_text("a file where a folder should be")
    cache.write(DockerEndpoint(host="tcp://192.0.2.1:2376", profile="dev"))
    assert cache.read() is None
