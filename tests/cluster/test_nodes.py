"""Images built in profiles whose Docker nobody can be led to: containerd, and several nodes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubekit.cluster.target import read_profile
from kubekit.image.nodes.store import NodeStore
from kubekit.model import Cancel
from tests.cluster.conftest import Project, small_project
from tests.conftest import KUBEKIT

pytestmark = pytest.mark.cluster

containerd = pytest.mark.parametrize("further", ["containerd"], indirect=True)
two_nodes = pytest.mark.parametrize("further", ["two-node"], indirect=True)
LEFT = "ls -A /var/lib/minikube/build /var/lib/minikube/images 2>/dev/null | grep kubekit-"


@pytest.fixture
def there(further: dict[str, str], tmp_path: Path) -> Iterator[Project]:
    """A project on the further profile, which leaves nothing there."""
    project = small_project(tmp_path, further)
    yield project
    project.run("teardown", "--images", "--data")


def inside(project: Project, command: str, node: str = "") -> subprocess.CompletedProcess[str]:
    """What a command in a node of the profile says."""
    argv = ["minikube", "-p", project.context, "ssh", "-n", node or project.context, "--", command]
    return subprocess.run(
        argv,
        env=project.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def images(project: Project, node: str = "") -> dict[str, str]:
    """The project's images in a node, tag -> ID."""
    listed = json.loads(inside(project, "sudo crictl images -o json", node).stdout)["images"]
    names = {name: image["id"] for image in listed for name in image["repoTags"]}
    return {
        tag: id_
        for name, id_ in names.items()
        for path, _, tag in [name.rpartition(":")]
        if path.removeprefix("docker.io/library/") == project.name
    }


def running(project: Project) -> tuple[str, str]:
    """The tag and the imageID of the only pod that is not being deleted."""
    (pod,) = [one for one in project.objects("pods") if "deletionTimestamp" not in one["metadata"]]
    (status,) = pod["status"]["containerStatuses"]
    return status["image"].rpartition(":")[2], status["imageID"].removeprefix("docker://")


def store(project: Project) -> NodeStore:
    """The profile's images, as kubekit sees them."""
    profile = read_profile(project.context)
    assert profile is not None
    return NodeStore(profile, cancel=Cancel())


@containerd
def test_a_project_lives_on_containerd(there: Project) -> None:
    secret = 's3cret, $HOME "it\'s"; a=b'
    build = f"{{context: app, args: {{API_TOKEN: {json.dumps(secret)}}}}}"
    there.write("kubekit.yaml", f"name: {there.name}\nbuild: {build}\n")
    # The project's name makes the step one that no run before has left in the cache.
    run = f'RUN echo "<$API_TOKEN>" | wc -c # {there.name}'
    there.edit("app/Dockerfile", "COPY", f"ARG API_TOKEN\n{run}\nCOPY")
    first = there.apply()
    done = [event["step"] for event in first.of("build-step") if event["state"] == "done"]
    assert "[3/3] COPY server.py /app/server.py" in done
    assert [event["line"] for event in first.of("build-log")] == [str(len(secret) + 3)]
    assert "s3cret" not in first.out + first.err
    assert images(there) == dict([running(there)])
    unchanged = there.apply()
    assert not unchanged.of("build-step")
    assert not any(event["changed"] for event in unchanged.of("stage-done"))
    there.edit("app/server.py", "import", "import  ")
    edited = there.apply()
    assert any(event["state"] == "cached" for event in edited.of("build-step"))
    assert "server.py changed" in edited.out
    assert len(images(there)) == 2
    assert images(there).items() >= dict([running(there)]).items()
    assert inside(there, LEFT).stdout == ""
    assert there.run("teardown", "--images").code == 0
    assert images(there) == {}


@containerd
def test_a_failed_step_on_containerd_is_told_with_its_line(there: Project) -> None:
    there.edit("app/Dockerfile", "USER", "RUN seq 100 && exit 3\nUSER")
    failed = there.fail()
    assert failed["message"] == "`RUN seq 100 && exit 3` ended with exit code 3"
    assert failed["place"].endswith("Dockerfile:3")
    assert failed["details"] == [str(number) for number in range(1, 101)]
    assert inside(there, LEFT).stdout == ""
    there.edit("app/Dockerfile", "RUN seq 100 && exit 3", "RUNN seq")
    failed = there.fail()
    assert (failed["id"], failed["place"][-2:]) == ("dockerfile-syntax", ":3")
    assert images(there) == {}


@containerd
def test_ctrl_c_ends_the_build_in_the_node(there: Project) -> None:
    there.edit("app/Dockerfile", "USER", "RUN echo begun && sleep 83.7\nUSER")
    with subprocess.Popen(
        [KUBEKIT, "build-and-apply", "-o", "json"],
        cwd=there.folder,
        env=there.env,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        assert any('"begun"' in line for line in run.stdout)
        assert inside(there, "pgrep -f '[s]leep 83.7'").stdout
        run.send_signal(signal.SIGINT)
        rest = run.stdout.read()
        assert run.wait(90) == 130, rest
    end = time.monotonic() + 90
    while inside(there, "pgrep -f '[s]leep 83.7'").stdout:
        assert time.monotonic() < end, "the build goes on in the node"
    assert inside(there, LEFT).stdout == ""


@containerd
def test_a_node_that_cannot_build_is_no_silent_detour(there: Project) -> None:
    inside(there, "sudo mv /usr/local/bin/buildctl /usr/local/bin/buildctl.away")
    try:
        failed = there.fail()
    finally:
        inside(there, "sudo mv /usr/local/bin/buildctl.away /usr/local/bin/buildctl")
    assert failed["id"] == "builder-missing"
    assert "has no `buildctl`" in failed["message"]
    assert f"kubekit up --profile {there.context}-docker" in failed["hints"][0]


@containerd
def test_a_build_without_its_secret_names_no_image(there: Project) -> None:
    build = "{context: app, secrets: {token: {env: PATH}}}"
    there.write("kubekit.yaml", f"name: {there.name}\nbuild: {build}\n")
    there.edit("app/Dockerfile", "USER", "RUN --mount=type=secret,id=token true\nUSER")
    failed = there.fail()
    assert (failed["id"], failed["exit_code"]) == ("secret-not-given", 4)
    assert failed["place"].endswith("Dockerfile:3")
    assert images(there) == {}


@containerd
def test_a_builder_that_is_stopped_is_named(there: Project) -> None:
    units = "buildkit.socket buildkit.service"
    inside(there, f"sudo systemctl stop {units}")
    try:
        failed = there.fail()
    finally:
        inside(there, "sudo systemctl start buildkit.socket")
    assert failed["id"] == "builder-silent"


@two_nodes
def test_a_pod_on_the_second_node_runs_what_the_first_has_built(there: Project) -> None:
    second = f"{there.context}-m02"
    there.edit(
        "manifests/app.yaml.j2",
        "      containers:",
        f"      nodeSelector: {{kubernetes.io/hostname: {second}}}\n      containers:",
    )
    there.apply()
    (pod,) = there.objects("pods")
    assert pod["spec"]["nodeName"] == second
    assert there.answer() == "hello 1", "the first node reaches it by its Service"
    built = dict([running(there)])
    assert images(there) == images(there, second) == built
    assert not there.apply().of("build-step")
    # What is missing on one node is not there.
    reference = f"{there.name}:{next(iter(built))}"
    assert store(there).image_ids([reference]) == {reference: next(iter(built.values()))}
    assert inside(there, f"docker rmi -f {reference}").returncode == 0
    assert store(there).image_ids([reference]) == {}
    for node in (there.context, second):
        assert inside(there, LEFT, node).stdout == ""
    assert there.run("teardown", "--images").code == 0
    assert images(there) == images(there, second) == {}


@two_nodes
def test_a_node_that_is_down_is_named(there: Project) -> None:
    second = f"{there.context}-m02"
    subprocess.run(["docker", "pause", second], env=there.env, check=True, capture_output=True)
    try:
        failed = there.fail()
    finally:
        subprocess.run(["docker", "unpause", second], env=there.env, check=True)
    assert (failed["id"], failed["exit_code"]) == ("node-unreachable", 8)
    assert f"node `{second}`" in failed["message"]


@two_nodes
def test_no_docker_to_speak_to_is_said(there: Project) -> None:
    result = there.run("docker", "--", "ps")
    assert result.code == 8
    assert "has 2 nodes, each with a Docker of its own" in result.err
    assert there.context in result.err
