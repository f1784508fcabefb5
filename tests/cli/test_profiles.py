"""A Minikube profile of its own through its life, and what kubekit says at each station."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.cli.world import DEPLOYMENT, World

PROFILE = "kubekit-lab-x"
ANEW = f"  hint: make it anew: `minikube delete -p {PROFILE}`, then `kubekit up`"
READY = DEPLOYMENT.replace('image: "{{ image }}"', 'image: "{{ image }}", command: [sleep, "600"]')


@pytest.fixture
def profile(lab_world: World) -> Iterator[World]:
    """A project for a profile that is not there yet; it is deleted afterwards."""
    lab_world.env |= {"KUBEKIT_PROFILE": PROFILE, "MINIKUBE_MEMORY": "2500"}
    lab_world.project("build: {context: app}\n", manifest=READY)
    lab_world.write("app/Dockerfile", "FROM python:3.13-slim\n")
    yield lab_world
    run(lab_world, "minikube", "delete", "-p", PROFILE)


def run(world: World, *argv: str) -> None:
    """A program on the profile, behind kubekit's back."""
    subprocess.run(argv, env=world.env, capture_output=True, check=True, timeout=120)


def said(world: World, *arguments: str) -> list[str]:
    """What kubekit says of a cluster it cannot use."""
    result = world.run(*arguments)
    assert (result.code, result.out) == (8, ""), result.err
    return result.err.splitlines()


@pytest.mark.cluster
def test_from_its_start_to_its_end(profile: World) -> None:
    started = profile.run("up")
    assert started.code == 0, started.err
    assert f"✓ up       Minikube profile `{PROFILE}` started" in started.err
    again = profile.run("up")
    assert f"= up       Minikube profile `{PROFILE}` was running" in again.err
    assert profile.run("build-and-apply").code == 0

    run(profile, "minikube", "pause", "-p", PROFILE)
    paused = [
        f"✗ Minikube profile `{PROFILE}` is paused",
        f"  hint: `minikube unpause -p {PROFILE}`",
    ]
    assert said(profile, "status") == paused
    assert said(profile, "build-and-apply") == paused
    run(profile, "minikube", "unpause", "-p", PROFILE)

    # Docker in the node is away, and the API server with it; Minikube itself brings both back.
    run(profile, "docker", "exec", PROFILE, "systemctl", "stop", "docker.socket", "docker")
    assert said(profile, "build-and-apply") == [
        f"✗ Minikube profile `{PROFILE}` is stopped",
        "  hint: start it with `kubekit up`",
    ]
    assert profile.run("docker", "ps").code == 0

    run(profile, "minikube", "stop", "-p", PROFILE)
    for command in ("status", "build-and-apply", "docker", "teardown"):
        assert said(profile, command) == [
            f"✗ Minikube profile `{PROFILE}` is stopped: the kubeconfig has no context for it",
            "  hint: start it with `kubekit up`",
        ]
    assert profile.run("up").code == 0

    run(profile, "docker", "rm", "--force", PROFILE)
    gone = f"✗ Minikube profile `{PROFILE}` exists, but its node is gone"
    assert said(profile, "build-and-apply") == [gone, ANEW]
    lines = said(profile, "docker", "ps")
    assert (lines[0], lines[-1]) == (f"{gone} or cannot be read", ANEW)

    run(profile, "minikube", "delete", "-p", PROFILE)
    assert said(profile, "status") == [
        f"✗ there is no Minikube profile `{PROFILE}`",
        "  hint: did you mean `kubekit-lab`?",
        f"  hint: create it with `kubekit up --profile {PROFILE}`",
    ]
