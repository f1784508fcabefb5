"""Rows 1 to 10: images."""

from __future__ import annotations

import subprocess

from tests.cluster.conftest import PROFILE, Project
from tests.cluster.scenarios.actions import applied
from tests.cluster.scenarios.evidence import told, waits
from tests.cluster.scenarios.scenario import REGISTRY, Scenario, image, no_probe

PULL = ("ErrImagePull", "ImagePullBackOff")
MINE = f"{REGISTRY}/mine:1"


def on_the_host(project: Project) -> None:
    """An image of that name in the Docker that the person's shell leads to."""
    docker(project, "import", "-", MINE, given=bytes(10240))


def off_the_host(project: Project) -> None:
    docker(project, "rmi", MINE)


def docker(project: Project, *arguments: str, given: bytes = b"") -> None:
    command = ["docker", *arguments]
    done = subprocess.run(command, input=given, env=project.env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def retagged(project: Project) -> None:
    """The project runs; then its tag is given to another image, in the node itself.

    The image must be its own: the one of the other scenarios is not to be touched.
    """
    project.edit("app/server.py", "MODE = ", f"PROJECT = {project.name!r}\nMODE = ")
    applied(project)
    name = project.objects("deploy")[0]["spec"]["template"]["spec"]["containers"][0]["image"]
    retag = f"docker tag python:3.13-slim {name}"
    subprocess.run(
        ["minikube", "ssh", "-p", PROFILE, "--", retag],
        env=project.env,
        capture_output=True,
        check=True,
    )


SCENARIOS = {
    "image-never-pulled": Scenario(
        title="`imagePullPolicy: Never`, and no such image in the node.",
        rows=(1,),
        cause="image-never-pulled",
        says=("`shop:v7`", "minikube image load"),
        at="image:",
        edits=image("shop:v7\n          imagePullPolicy: Never"),
        tier="A",
        evidence=waits("ErrImageNeverPull"),
    ),
    "image-not-found": Scenario(
        title="A registry that answers, but has no such image.",
        rows=(3,),
        cause="image-not-found",
        says=(f"`{REGISTRY}/nothing:1`", "check name and tag"),
        at="image:",
        edits=image(f'"{REGISTRY}/nothing:1"'),
        tier="A",
        evidence=waits(*PULL),
    ),
    "image-denied": Scenario(
        title="A registry that wants to know who asks.",
        rows=(4,),
        cause="image-denied",
        says=(f"`{REGISTRY}/private/tasks:1`", "imagePullSecrets"),
        at="image:",
        edits=image(f'"{REGISTRY}/private/tasks:1"'),
        tier="A",
        evidence=waits(*PULL),
    ),
    "image-registry-unreachable": Scenario(
        title="An image of a registry that cannot be reached.",
        rows=(5,),
        cause="image-registry-unreachable",
        says=("registry.invalid", "network"),
        at="image:",
        edits=image("registry.invalid/tasks:1"),
        within=90,
        tier="B",
        evidence=waits(*PULL),
    ),
    "image-invalid-name": Scenario(
        title="A name that no image can have.",
        rows=(6,),
        cause="image-invalid-name",
        says=("`Tasks:V1`", "lower case"),
        at="image:",
        edits=image("Tasks:V1"),
        tier="A",
        evidence=waits("InvalidImageName"),
    ),
    "image-only-on-host": Scenario(
        title="An image that this machine's own Docker has, and the node has not.",
        rows=(2,),
        cause="image-only-on-host",
        says=(f"`{REGISTRY}/mine:1`", "minikube image load"),
        at="image:",
        edits=image(f'"{REGISTRY}/mine:1"'),
        prepare=on_the_host,
        cleanup=off_the_host,
        tier="A",
        evidence=waits(*PULL),
    ),
    "image-rate-limit": Scenario(
        title="A registry that has had too many requests.",
        rows=(5,),
        cause="image-registry-unreachable",
        says=("rate limit",),
        at="image:",
        edits=image(f'"{REGISTRY}/busy/tasks:1"'),
        within=90,
        tier="B",
        evidence=waits(*PULL),
    ),
    "image-wrong-platform": Scenario(
        title="An image that is built for another kind of processor only.",
        rows=(7,),
        cause="image-wrong-platform",
        says=(f"`{REGISTRY}/other/tasks:1`", "--platform"),
        at="image:",
        edits=image(f'"{REGISTRY}/other/tasks:1"'),
        tier="A",
        evidence=waits(*PULL),
    ),
    "image-outdated": Scenario(
        title="The tag was given to another image after the pod had started.",
        rows=(9,),
        cause="image-outdated",
        says=("older build", "delete the pod"),
        at="apiVersion:",
        prepare=retagged,
        tier="A",
    ),
    "image-pulling": Scenario(
        title="An image that takes longer to come than `--timeout`.",
        rows=(10,),
        code=7,
        cause="image-pulling",
        says=(f"{REGISTRY}/stuck/tasks:1",),
        at="image:",
        edits=(*image(f'"{REGISTRY}/stuck/tasks:1"'), *no_probe()),
        flags=("--timeout", "12s"),
        tier="C",
        evidence=told("Pulling"),
    ),
}
