"""Versions in a real registry, and a deployment from there to a cluster that is no Minikube."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from kubekit.image.docker.engine import Engine
from kubekit.model import DockerEndpoint
from tests.cluster import registry as registries
from tests.cluster.conftest import PROFILE, Project
from tests.cluster.registry import PASSWORD, USER, FailingServer, Registry, login

pytestmark = pytest.mark.cluster

CERTIFICATES = "/etc/docker/certs.d"
PULL_SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: registry
  annotations: {kubekit.dev/hash: "true"}
type: kubernetes.io/dockerconfigjson
stringData:
  .dockerconfigjson: |
    {"auths": {"%s": {"username": {{ env.REGISTRY_USER | tojson }},
                      "password": {{ env.REGISTRY_PASSWORD | tojson }}}}}
"""


def in_node(cluster: dict[str, str], script: str, *, profile: str = PROFILE) -> str:
    """What a shell in the node prints."""
    command = ["minikube", "-p", profile, "ssh", "--", script]
    done = subprocess.run(command, env=cluster, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextlib.contextmanager
def trusted(cluster: dict[str, str], address: str, ca: Path) -> Iterator[None]:
    """Let the node's Docker trust the certificate of a registry."""
    folder = f"{CERTIFICATES}/{address}"
    text = base64.b64encode(ca.read_bytes()).decode()
    write = f"echo {text} | base64 -d | sudo tee {folder}/ca.crt >/dev/null"
    in_node(cluster, f"sudo mkdir -p {folder} && {write}")
    yield
    in_node(cluster, f"sudo rm -r {folder}")


@pytest.fixture(scope="module")
def registry(
    cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    """The registry, at this machine's address as the node sees it."""
    host = in_node(cluster, "getent hosts host.minikube.internal").split()[0]
    with (
        registries.serve(tmp_path_factory.mktemp("registry"), host) as running,
        trusted(cluster, running.address, running.ca),
    ):
        yield running


@pytest.fixture(scope="module")
def failing(cluster: dict[str, str], registry: Registry) -> Iterator[FailingServer]:
    with (
        registries.failing(registry) as server,
        trusted(cluster, server.address, registry.ca),
    ):
        yield server


@pytest.fixture
def pushing(
    new_project: Callable[[], Project], registry: Registry, engine: Engine, tmp_path: Path
) -> Iterator[Project]:
    """A project whose images go to the registry, with a login of the user's."""
    project = new_project()
    project.env |= {
        "KUBEKIT_REGISTRY": f"{registry.address}/team",
        **login(tmp_path / "login", registry.address),
    }
    yield project
    forget(engine, project)


def forget(engine: Engine, project: Project) -> None:
    """Delete the project's images from the node's Docker, as if they had never been there."""
    for image in engine.images(project.name):
        for name in image.names:
            engine.remove(name)


@pytest.fixture
def elsewhere(pushing: Project, endpoint: DockerEndpoint, tmp_path: Path) -> Project:
    """The same cluster, as if it were no Minikube, and its Docker this machine's own."""
    unproved(pushing, PROFILE, endpoint, tmp_path)
    return pushing


def unproved(project: Project, context: str, docker: DockerEndpoint, folder: Path) -> None:
    """Lead a project to a context that only `allow_contexts` names, and to the lab's Docker."""
    config = yaml.safe_load(Path(project.env["KUBECONFIG"]).read_text())
    for entry in config["clusters"]:
        entry["cluster"].pop("extensions")
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    project.env |= {
        "KUBECONFIG": str(folder / "kubeconfig"),
        "DOCKER_HOST": docker.host,
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(docker.cert_path),
    }
    project.env.pop("KUBEKIT_PROFILE")
    meant = f"context: {context}\nallow_contexts: [{context}]\n"
    project.edit("kubekit.yaml", "timeout:", f"{meant}timeout:")


def may_pull(project: Project, registry: Registry) -> None:
    """What the README says of a registry with a login."""
    project.write(".env", f"GREETING=hello\nREGISTRY_USER={USER}\nREGISTRY_PASSWORD={PASSWORD}\n")
    project.write("manifests/registry.yaml.j2", PULL_SECRET % registry.address)
    pull = "enableServiceLinks: false\n      imagePullSecrets: [{name: registry}]"
    project.edit("manifests/app.yaml.j2", "enableServiceLinks: false", pull)


def test_a_version_is_one_image(pushing: Project, registry: Registry, engine: Engine) -> None:
    name = f"team/{pushing.name}"

    first = pushing.run("push", "1.0")
    assert first.code == 0, first.err
    digest = registry.digest(name, "1.0")
    assert first.out == f"{registry.address}/{name}:1.0@{digest}\n"
    # What is not needed here is not left here.
    left = [one for image in engine.images(pushing.name) for one in image.names]
    assert not [one for one in left if one.endswith(":1.0")]
    assert f"{registry.address}/{name}@{digest}" in left

    again = pushing.run("push", "1.0", "-o", "json")
    assert (again.code, [event["changed"] for event in again.of("stage-done")]) == (0, [False] * 2)
    assert again.of("output")[0]["data"]["digest"] == digest

    # Another machine has none or another image of the same files, or one that a person has given
    # the name: it takes the one that was deployed, builds none, and leaves all as it was.
    content = again.of("stage-done")[0]["text"].split("`")[1]
    theirs = engine.image_id("python:3.13-slim")
    for version, is_here in (("1.1", True), ("1.2", False)):
        if not is_here:
            forget(engine, pushing)
        engine.tag("python:3.13-slim", content)
        other = pushing.run("push", version, "-o", "json")
        assert [event["changed"] for event in other.of("stage-done")] == [False, True], other.out
        assert registry.digest(name, version) == digest
        assert engine.image_id(content) == theirs
    assert engine.images(pushing.name) == []
    engine.remove(content)

    pushing.edit("app/server.py", 'VERSION = "1"', 'VERSION = "2"')
    refused = pushing.run("push", "1.0", "-o", "json")
    assert refused.code == 4
    assert refused.of("failed")[0]["id"] == "version-exists"
    assert str(digest) in refused.of("failed")[0]["message"]
    assert registry.digest(name, "1.0") == digest

    moved = pushing.run("push", "1.0", "--force", "-o", "json")
    assert moved.of("output")[0]["data"]["before"] == digest
    assert registry.digest(name, "1.0") not in {None, digest}
    assert registry.digest(name, "1.1") == digest


@pytest.mark.parametrize(
    ("status", "id_", "lookups"),
    [(403, "registry-denied", 1), (429, "registry-limit", 1), (500, "registry-busy", 3)],
)
def test_a_registry_that_refuses(
    pushing: Project, failing: FailingServer, tmp_path: Path, status: int, id_: str, lookups: int
) -> None:
    pushing.env |= login(tmp_path / "there", failing.address)
    pushing.env["KUBEKIT_REGISTRY"] = f"{failing.address}/{status}"
    result = pushing.run("push", "1", "-o", "json")
    assert result.code == 4
    assert result.of("failed")[0]["id"] == id_
    path = f"/v2/{status}/{pushing.name}/manifests/kk-"
    assert sum(request.startswith(f"HEAD {path}") for request in failing.asked) == lookups


def test_logins_certificates_and_no_registry(
    pushing: Project, registry: Registry, tmp_path: Path
) -> None:
    def failed(*arguments: str) -> str:
        result = pushing.run("push", "1", "-o", "json", *arguments)
        assert result.code == 4, result.err
        return str(result.of("failed")[0]["id"])

    with registries.failing(registry) as untrusted:
        assert failed("--registry", untrusted.address) == "registry-certificate"
    host = registry.address.partition(":")[0]
    assert failed("--registry", f"{host}:1") == "registry-unreachable"
    pushing.env |= login(tmp_path / "wrong", registry.address, "wrong")
    assert failed() == "registry-denied"
    pushing.env |= {"DOCKER_CONFIG": str(tmp_path / "none")}
    assert failed() == "registry-login"
    # The next run simply works.
    pushing.env |= login(tmp_path / "right", registry.address)
    assert pushing.run("push", "1").code == 0


def test_from_the_registry_to_any_cluster(
    elsewhere: Project, registry: Registry, engine: Engine
) -> None:
    name = f"team/{elsewhere.name}"
    assert elsewhere.run("push", "1").code == 0
    forget(engine, elsewhere)  # so that the node must pull

    may_pull(elsewhere, registry)
    secret = (elsewhere.folder / "manifests/registry.yaml.j2").read_text()
    elsewhere.write("manifests/registry.yaml.j2", "")
    denied = elsewhere.fail()
    assert denied["id"] == "image-denied"
    assert "Secret `registry`, which `imagePullSecrets` names, is not there" in denied["message"]

    # Now it is, under that very name: the pod that waits takes it at its next try.
    annotation = '  annotations: {kubekit.dev/hash: "true"}\n'
    assert annotation in secret
    elsewhere.write("manifests/registry.yaml.j2", secret.replace(annotation, ""))
    done = elsewhere.apply()
    image = next(event for event in done.of("stage-done") if event["stage"] == "image")
    assert not image["changed"]
    (pod,) = (
        pod for pod in elsewhere.objects("pods") if "deletionTimestamp" not in pod["metadata"]
    )
    (status,) = pod["status"]["containerStatuses"]
    assert status["image"].startswith(f"{registry.address}/{name}:kk-")
    assert status["imageID"].endswith(f"{registry.address}/{name}@{registry.digest(name, '1')}")
    assert elsewhere.answer() == "hello 1"
    assert PASSWORD not in done.out

    again = elsewhere.apply()
    assert not any(event["changed"] for event in again.of("stage-done"))

    elsewhere.edit("app/server.py", 'VERSION = "1"', 'VERSION = "2"')
    rehearsed = elsewhere.apply("--dry-run")
    assert any(event["action"] == "would be pushed" for event in rehearsed.of("object"))
    edited = elsewhere.apply()
    told = [event["text"] for event in edited.events if event["type"] == "progress"]
    assert f"by way of this machine's Docker at `{elsewhere.env['DOCKER_HOST']}`" in told
    assert elsewhere.answer() == "hello 2"
    (tag,) = {event["text"].split("`")[1] for event in edited.of("stage-done")[:1]}

    gone = elsewhere.run("teardown", "--images", "-o", "json")
    assert gone.code == 0, gone.out
    assert engine.image_id(tag) is None
    assert registry.digest(name, tag.rpartition(":")[2]) is not None
    assert "stays" in next(e["text"] for e in gone.of("stage-done") if e["stage"] == "images")


def test_a_minikube_builds_in_its_own_docker(pushing: Project, registry: Registry) -> None:
    """So its pods need not pull, and no login: the image is there by the name it has."""
    done = pushing.apply()
    image = done.of("stage-done")[0]["text"]
    tag = image.split("`")[1]
    assert image == f"`{tag}` pushed: first build"
    (pod,) = pushing.objects("pods")
    digest = registry.digest(f"team/{pushing.name}", tag.rpartition(":")[2])
    assert pod["status"]["containerStatuses"][0]["imageID"].endswith(f"@{digest}")


def test_a_cluster_that_is_no_minikube_needs_a_registry(elsewhere: Project) -> None:
    elsewhere.env.pop("KUBEKIT_REGISTRY")
    failed = elsewhere.fail()
    assert (failed["id"], failed["exit_code"]) == ("no-docker", 8)
    assert "--registry" in failed["hints"][0]


@pytest.mark.parametrize("further", ["containerd"], indirect=True)
def test_the_same_manifests_on_another_runtime(
    further: dict[str, str], pushing: Project, registry: Registry, engine: Engine, tmp_path: Path
) -> None:
    context = further["KUBEKIT_PROFILE"]
    ca = base64.b64encode(registry.ca.read_bytes()).decode()
    folder = f"/etc/containerd/certs.d/{registry.address}"
    hosts = base64.b64encode(f'ca = "{folder}/ca.crt"\n'.encode()).decode()
    script = [f"sudo mkdir -p {folder}"]
    for name, text in (("ca.crt", ca), ("hosts.toml", hosts)):
        script.append(f"echo {text} | base64 -d | sudo tee {folder}/{name} >/dev/null")
    in_node(further, " && ".join(script), profile=context)
    unproved(pushing, context, engine.endpoint, tmp_path)
    may_pull(pushing, registry)
    try:
        pushing.apply()
        listed = pushing.kubectl("--context", context, "get", "pods", "-o", "json")
        (pod,) = json.loads(listed)["items"]
        (status,) = pod["status"]["containerStatuses"]
        tag = status["image"].rpartition(":")[2]
        digest = registry.digest(f"team/{pushing.name}", tag)
        assert status["imageID"] == f"{registry.address}/team/{pushing.name}@{digest}"
        again = pushing.apply()
        assert not any(event["changed"] for event in again.of("stage-done"))
    finally:
        assert pushing.run("teardown").code == 0
        in_node(further, f"sudo rm -r {folder}", profile=context)
