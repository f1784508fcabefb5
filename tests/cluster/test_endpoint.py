"""The right Docker is found, whatever was remembered of it and whatever the environment says."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lab.engine
from kubekit.cluster.dockerenv import EndpointCache
from kubekit.cluster.target import read_profile
from kubekit.errors import UnreachableError
from kubekit.image.docker.engine import Engine
from kubekit.model import ClusterTarget, DockerEndpoint
from kubekit.session import Run, open_engine
from tests.cluster.conftest import PROFILE, Project, small_project
from tests.cluster.front import Front, authority, in_front_of, signed

pytestmark = pytest.mark.cluster

TARGET = ClusterTarget(context=PROFILE, profile=PROFILE)
NOTHING = "tcp://127.0.0.1:1"
CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {image: "{{ image }}"}
"""


@pytest.fixture
def cache(
    cluster: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> EndpointCache:
    """What is remembered of the profile, in a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    profile = read_profile(PROFILE)
    assert profile is not None
    return EndpointCache(profile)


@pytest.fixture
def other(endpoint: DockerEndpoint, tmp_path: Path) -> Iterator[Front]:
    """Another daemon whose certificate Minikube's authority has signed, as all its profiles' are.

    It is this machine's own Docker, behind TLS.
    """
    assert endpoint.cert_path is not None
    folder = tmp_path / "other"
    signed(endpoint.cert_path, "server.pem", "server-key.pem", folder=folder)
    with in_front_of(f"unix://{lab.engine.SOCKET}", folder) as front:
        yield front


def found() -> DockerEndpoint:
    """Where kubekit finds the profile's Docker, once it is proved."""
    with open_engine(TARGET, Run(emit=lambda _: None)) as engine:
        assert engine.info()["Name"] == PROFILE
        return engine.endpoint


def other_certificates(tmp_path: Path) -> Path:
    authority(tmp_path / "stranger")
    return tmp_path / "stranger"


def test_what_is_remembered_is_used_without_minikube(
    cache: EndpointCache, endpoint: DockerEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found() == endpoint
    assert cache.read() == endpoint
    monkeypatch.setenv("PATH", "/nowhere")
    assert found() == endpoint


@pytest.mark.parametrize("case", ["port", "no-docker", "certificate", "no-certificate"])
def test_a_stale_endpoint_is_resolved_once_more(
    cache: EndpointCache, endpoint: DockerEndpoint, tmp_path: Path, case: str
) -> None:
    with in_front_of(NOTHING, server_certificate(endpoint, tmp_path)) as silent:
        stale = {
            "port": DockerEndpoint(host=NOTHING, cert_path=endpoint.cert_path, profile=PROFILE),
            "no-docker": DockerEndpoint(
                host=silent.host, cert_path=endpoint.cert_path, profile=PROFILE
            ),
            "certificate": DockerEndpoint(
                host=endpoint.host, cert_path=other_certificates(tmp_path), profile=PROFILE
            ),
            "no-certificate": DockerEndpoint(
                host=endpoint.host, cert_path=tmp_path / "gone", profile=PROFILE
            ),
        }[case]
        cache.write(stale)
        assert found() == endpoint
    assert cache.read() == endpoint


def server_certificate(endpoint: DockerEndpoint, tmp_path: Path) -> Path:
    assert endpoint.cert_path is not None
    folder = tmp_path / "server"
    signed(endpoint.cert_path, "server.pem", "server-key.pem", folder=folder)
    return folder


@pytest.mark.parametrize("proved", [False, True])
def test_another_profiles_docker_is_never_built_in(
    cache: EndpointCache, endpoint: DockerEndpoint, other: Front, *, proved: bool
) -> None:
    certificate = None
    if proved:  # as where another one has got the port of the profile's since then
        found()
        certificate = remembered(cache)
    there = replace(endpoint, host=other.host, certificate=certificate)
    cache.write(there)
    engine = Engine(there)
    assert engine.info()["Name"] != PROFILE
    engine.close()
    assert found() == endpoint
    assert cache.read() == endpoint


def remembered(cache: EndpointCache) -> str:
    """The certificate that the profile's Docker has shown."""
    known = cache.read()
    assert known is not None
    assert known.certificate
    return known.certificate


def test_what_was_proved_once_is_known_by_its_certificate(
    cache: EndpointCache, endpoint: DockerEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    info = Engine.info

    def noted(engine: Engine) -> Mapping[str, Any]:
        asked.append(engine.endpoint.host)
        return info(engine)

    monkeypatch.setattr(Engine, "info", noted)
    certs = server_certificate(endpoint, tmp_path)
    with in_front_of(endpoint.host, certs, endpoint.cert_path) as front:
        cache.write(replace(endpoint, host=front.host, certificate=None))
        for _ in range(2):
            with open_engine(TARGET, Run(emit=lambda _: None)) as engine:
                assert engine.endpoint.host == front.host
        first = remembered(cache)
        # Made anew, as by a restart of the profile: its name is asked once more.
        server_certificate(endpoint, tmp_path)
        front.serve(certs)
        for _ in range(2):
            with open_engine(TARGET, Run(emit=lambda _: None)) as engine:
                assert engine.endpoint.host == front.host
        assert remembered(cache) != first
        assert asked == [front.host, front.host]


def test_another_profiles_docker_is_refused_where_minikube_itself_leads_there(
    cache: EndpointCache,
    endpoint: DockerEndpoint,
    other: Front,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program(
        tmp_path / "bin",
        f"echo DOCKER_HOST={other.host}; echo DOCKER_CERT_PATH={endpoint.cert_path}",
    )
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with pytest.raises(UnreachableError) as caught:
        found()
    assert caught.value.id == "wrong-docker"
    assert caught.value.message.endswith(f"instead of profile `{PROFILE}`")
    assert cache.read() is None


def program(folder: Path, script: str) -> None:
    """A `minikube` that says something else."""
    folder.mkdir()
    file = folder / "minikube"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_a_certificate_that_is_renewed_while_connected(
    endpoint: DockerEndpoint, tmp_path: Path
) -> None:
    """As `minikube start` does it while `kubekit dev` runs: same place, new authority."""
    certs = tmp_path / "certs"
    authority(certs)
    signed(certs, "server.pem", "server-key.pem")
    with in_front_of(endpoint.host, certs, endpoint.cert_path) as front:
        engine = Engine(DockerEndpoint(host=front.host, cert_path=certs, profile=PROFILE))
        assert engine.info()["Name"] == PROFILE
        old = (certs / "ca.pem").read_bytes()
        authority(certs)
        signed(certs, "server.pem", "server-key.pem")
        assert (certs / "ca.pem").read_bytes() != old
        front.serve(certs)
        assert engine.info()["Name"] == PROFILE

        # And one that only the daemon knows of is told as what it is.
        shutil.copytree(certs, tmp_path / "kept")
        authority(certs)
        signed(certs, "server.pem", "server-key.pem")
        front.serve(certs)
        stale = Engine(
            DockerEndpoint(host=front.host, cert_path=tmp_path / "kept", profile=PROFILE)
        )
        with pytest.raises(UnreachableError) as caught:
            stale.info()
        assert caught.value.id == "docker-tls"
        engine.close()


@pytest.fixture(scope="module")
def shared(cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that is an image and a ConfigMap."""
    project = small_project(tmp_path_factory.mktemp("endpoint"), cluster)
    project.write("manifests/app.yaml.j2", CONFIG_MAP)
    project.write("app/Dockerfile", "FROM scratch\nCOPY server.py /\n")
    yield project
    done = project.run("teardown", "--images")
    assert done.code == 0, done.err


@pytest.fixture
def image(shared: Project, endpoint: DockerEndpoint, tmp_path: Path) -> Project:
    """It, with an environment and a cache of the test's own."""
    return replace(shared, env={**shared.env, "XDG_CACHE_HOME": str(tmp_path / "cache")})


def edited(project: Project) -> None:
    text = (project.folder / "app/server.py").read_text()
    project.write("app/server.py", f"{text}\n# edited\n")


def built(project: Project, endpoint: DockerEndpoint) -> str:
    """The image of a run that must build it, proved to be in the profile's Docker alone."""
    edited(project)
    result = project.apply()
    (done,) = (one for one in result.of("stage-done") if one["stage"] == "image")
    assert done["changed"] is True
    reference = str(done["text"].split("`")[1])
    host = DockerEndpoint(host=f"unix://{lab.engine.SOCKET}")
    for daemon, there in ((endpoint, True), (host, False)):
        with contextlib.closing(Engine(daemon)) as engine:
            assert (engine.image_id(reference) is not None) is there, daemon
    return reference


def docker_variables(endpoint: str, certs: Path | None, active: str) -> dict[str, str]:
    return {
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_HOST": endpoint,
        "DOCKER_CERT_PATH": str(certs),
        "MINIKUBE_ACTIVE_DOCKERD": active,
    }


def test_a_shell_that_was_led_to_a_minikube(
    image: Project, endpoint: DockerEndpoint, other: Front
) -> None:
    """After `eval $(minikube docker-env)`, of this profile and of another one."""
    image.env |= docker_variables(endpoint.host, endpoint.cert_path, PROFILE)
    built(image, endpoint)
    shutil.rmtree(image.env["XDG_CACHE_HOME"])
    image.env |= docker_variables(other.host, endpoint.cert_path, "elsewhere")
    built(image, endpoint)
    built(image, endpoint)


def test_an_environment_full_of_other_dockers(
    image: Project, endpoint: DockerEndpoint, tmp_path: Path
) -> None:
    built(image, endpoint)  # so that Minikube need not be asked, which some of it would mislead
    broken = tmp_path / "docker"
    broken.mkdir()
    (broken / "config.json").write_text('{"auths": {')
    image.env |= {
        "DOCKER_HOST": NOTHING,
        "DOCKER_CONTEXT": "nowhere",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/nowhere",
        "DOCKER_API_VERSION": "1.40",
        "DOCKER_DEFAULT_PLATFORM": "linux/s390x",
        "DOCKER_BUILDKIT": "0",
        "BUILDX_BUILDER": "elsewhere",
        "BUILDKIT_HOST": NOTHING,
        "DOCKER_CONFIG": str(broken),
    }
    built(image, endpoint)


@pytest.mark.parametrize(
    "config",
    [
        {"auths": {"https://index.docker.io/v1/": {"auth": ""}}},
        {"auths": {"x": "y"}},
        {"auths": [], "credsStore": 5, "proxies": []},
        [],
    ],
)
def test_a_docker_config_that_docker_itself_would_mind(
    endpoint: DockerEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: object
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    engine = Engine(endpoint)
    assert engine.info()["Name"] == PROFILE
    engine.close()


def test_proxies_are_for_others(image: Project, endpoint: DockerEndpoint) -> None:
    node = endpoint.host.removeprefix("tcp://").partition(":")[0]
    dead = "http://127.0.0.1:1"
    image.env |= {"HTTP_PROXY": dead, "HTTPS_PROXY": dead, "ALL_PROXY": dead, "NO_PROXY": node}
    reference = built(image, endpoint)
    del image.env["NO_PROXY"]
    # The API server is reached by way of a proxy; the Docker in a node never is.
    shown = image.run("docker", "image", "inspect", "--format", "{{.RepoTags}}", reference)
    assert shown.out == f"[{reference}]\n", shown.err


def test_minikube_that_looks_for_its_node_elsewhere(
    image: Project, endpoint: DockerEndpoint
) -> None:
    """DOCKER_HOST by hand, without what would tell Minikube that it is its own doing."""
    image.env["DOCKER_HOST"] = NOTHING
    edited(image)
    failed = image.fail()
    assert (failed["exit_code"], failed["id"]) == (8, "node-elsewhere")
    assert failed["hints"] == ["`unset DOCKER_HOST`: it is where Minikube looks for its nodes"]
    del image.env["DOCKER_HOST"]
    built(image, endpoint)
