"""The user's login at a registry: from Docker's config, and from real helper programs."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from kubekit.errors import BuildError, CancelledError
from kubekit.image.registries import credentials
from kubekit.model import Cancel

HERE = "registry.example:5000/team/app"
LOGIN = base64.b64encode(b"me:s:e").decode()
MINE = {"username": "me", "password": "s:e"}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of Docker's config; helpers are looked for in the folder beside it."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "docker").mkdir()
    (tmp_path / "bin").mkdir()
    return tmp_path / "docker/config.json"


def helper(config: Path, name: str, script: str) -> None:
    program = config.parent.parent / f"bin/docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def login(repository: str = HERE, cancel: Cancel | None = None) -> Any:
    found = credentials.header(repository, cancel=cancel or Cancel())
    return None if found is None else json.loads(base64.urlsafe_b64decode(found))


@pytest.mark.parametrize(
    ("repository", "server"),
    [
        ("python", "https://index.docker.io/v1/"),
        ("team/app", "https://index.docker.io/v1/"),
        ("localhost/app", "localhost"),
        ("127.0.0.1:5000/a/b", "127.0.0.1:5000"),
        ("ghcr.io/a/b", "ghcr.io"),
    ],
)
def test_the_registry_of_a_name(config: Path, repository: str, server: str) -> None:
    asked = config.parent / "asked"
    helper(config, "one", f'cat > {asked}; echo \'{{"Username": "it", "Secret": "x"}}\'')
    config.write_text('{"credsStore": "one"}')
    assert login(repository)["serveraddress"] == server
    assert asked.read_text() == server


@pytest.mark.parametrize(
    "key",
    ["registry.example:5000", "https://registry.example:5000", "http://registry.example:5000/v2/"],
)
def test_a_login_in_the_config(config: Path, key: str) -> None:
    config.write_text(json.dumps({"auths": {"other": {}, key: {"auth": LOGIN}}}))
    assert login() == {**MINE, "serveraddress": "registry.example:5000"}
    assert login("elsewhere.example/app") is None


def test_docker_hub_goes_by_its_old_name(config: Path) -> None:
    hub = "https://index.docker.io/v1/"
    config.write_text(json.dumps({"auths": {hub: {"auth": LOGIN}}}))
    assert login("python") == {**MINE, "serveraddress": hub}


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"identitytoken": "t", "auth": LOGIN}, {"identitytoken": "t"}),
        ({"username": "me", "password": "s:e"}, MINE),
        ({"auth": base64.b64encode(b"me:s:e\0\0").decode()}, MINE),
        ({"auth": ""}, None),
        ({}, None),
        ("no mapping", None),
    ],
)
def test_ways_to_write_a_login(config: Path, entry: object, found: object) -> None:
    config.write_text(json.dumps({"auths": {"registry.example:5000": entry}}))
    known = {"serveraddress": "registry.example:5000"}
    assert login() == (None if found is None else {**found, **known})  # type: ignore[dict-item]


@pytest.mark.parametrize("text", ["[]", "null", '"x"', '{"auths": [], "credHelpers": 3}', "{}"])
def test_a_config_of_another_shape_has_no_login(config: Path, text: str) -> None:
    config.write_text(text)
    assert login() is None


def test_no_config_is_no_login(config: Path) -> None:
    assert not config.exists()
    assert login() is None


def test_what_cannot_be_read_is_told(config: Path) -> None:
    config.write_text('{"auths": {')
    with pytest.raises(BuildError, match="is no JSON"):
        login()
    config.write_text(json.dumps({"auths": {"registry.example:5000": {"auth": "%"}}}))
    with pytest.raises(BuildError, match="is damaged"):
        login()
    config.unlink()
    config.mkdir()
    with pytest.raises(BuildError, match="cannot be read: Is a directory"):
        login()


def test_a_helper_is_asked_before_the_config(config: Path) -> None:
    server = "registry.example:5000"
    asked = config.parent / "asked"
    text = f'cat > {asked}; echo \'{{"Username": "it", "Secret": "x"}}\''
    helper(config, "one", text)
    config.write_text(
        json.dumps({"credHelpers": {server: "one"}, "auths": {server: {"auth": LOGIN}}})
    )
    assert login() == {"username": "it", "password": "x", "serveraddress": server}
    assert asked.read_text() == server
    asked.unlink()
    assert login("elsewhere.example/app") is None
    assert not asked.exists()

    config.write_text(json.dumps({"credsStore": "one"}))
    assert login("python")["username"] == "it"
    assert asked.read_text() == "https://index.docker.io/v1/"


def test_no_helper_for_one_registry_is_the_config(config: Path) -> None:
    auths = {"registry.example:5000": {"auth": LOGIN}}
    helper(config, "all", 'echo \'{"Username": "it", "Secret": "x"}\'')
    settings = {"auths": auths, "credsStore": "all", "credHelpers": {"registry.example:5000": ""}}
    config.write_text(json.dumps(settings))
    assert login() == {**MINE, "serveraddress": "registry.example:5000"}
    assert login("elsewhere.example/app")["username"] == "it"


def test_a_token_of_a_helper(config: Path) -> None:
    helper(config, "one", 'echo \'{"Username": "<token>", "Secret": "x"}\'')
    config.write_text('{"credsStore": "one"}')
    assert login() == {"identitytoken": "x", "serveraddress": "registry.example:5000"}


@pytest.mark.parametrize(
    "script",
    [
        "echo credentials not found in native keychain; exit 1",
        'echo \'{"Username": "", "Secret": ""}\'',
    ],
)
def test_a_helper_that_has_none_leaves_it_to_the_config(config: Path, script: str) -> None:
    helper(config, "one", script)
    config.write_text(
        json.dumps({"credsStore": "one", "auths": {"registry.example:5000": {"auth": LOGIN}}})
    )
    assert login()["username"] == "me"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo the vault is locked; exit 1", "`docker-credential-one` failed: the vault is locked"),
        ("exit 3", "`docker-credential-one` failed: exit code 3"),
        ("echo hello", "`docker-credential-one` answered no JSON"),
    ],
)
def test_a_helper_that_fails(config: Path, script: str, said: str) -> None:
    helper(config, "one", script)
    config.write_text('{"credsStore": "one"}')
    with pytest.raises(BuildError) as caught:
        login()
    assert caught.value.message == said


def test_a_helper_that_is_not_there(config: Path) -> None:
    config.write_text('{"credsStore": "nowhere"}')
    with pytest.raises(BuildError, match="`docker-credential-nowhere` is not on PATH"):
        login()


def test_a_helper_that_hangs_is_ended(
    config: Path, monkeypatch: pytest.MonkeyPatch, children: list[subprocess.Popen[bytes]]
) -> None:
    helper(config, "one", "exec sleep 300")
    config.write_text('{"credsStore": "one"}')
    monkeypatch.setattr(credentials, "HELPER_SECONDS", 0.5)
    with pytest.raises(BuildError, match="did not answer within"):
        login()
    (child,) = children
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_ctrl_c_ends_a_helper(config: Path) -> None:
    helper(config, "one", "exec sleep 60")
    config.write_text('{"credsStore": "one"}')
    cancel = Cancel()
    threading.Timer(0.2, cancel.set).start()
    with pytest.raises(CancelledError):
        login(cancel=cancel)
