"""A Minikube profile of its own through its life, and what kubekit says at each station."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.cli.world import DEPLOYMENT, World
from tests.cli.world import PROFILE as LAB
from tests.conftest import KUBEKIT

PROFILE = "kubekit-lab-x"
FORMAT = ("--format", "{{.Repository}}:{{.Tag}}")
ANEW = f"  hint: make it anew: `minikube delete -p {PROFILE}`, then `kubekit up`"
# It ends when it is told to: each stop of the profile would wait for it.
SLEEP = 'command: [sh, -c, "trap exit TERM; sleep 600 & wait"]'
READY = DEPLOYMENT.replace('image: "{{ image }}"', f'image: "{{{{ image }}}}", {SLEEP}')


@pytest.fixture
def profile(lab_world: World) -> Iterator[World]:
    """A project for a profile that is not there yet; it is deleted afterwards."""
    lab_world.env |= {"KUBEKIT_PROFILE": PROFILE, "MINIKUBE_MEMORY": "2500"}
    lab_world.project("build: {context: app}\n", manifest=READY)
    lab_world.write("app/Dockerfile", "FROM python:3.13-slim\n")
    yield lab_world
    run(lab_world, "minikube", "delete", "-p", PROFILE)


def run(world: World, *argv: str | Path) -> str:
    """A program on the profile, behind kubekit's back; what it prints."""
    done = subprocess.run(
        argv, cwd=world.folder, env=world.env, capture_output=True, check=True, timeout=300
    )
    return done.stdout.decode()


def said(world: World, *arguments: str) -> list[str]:
    """What kubekit says of a cluster it cannot use."""
    result = world.run(*arguments)
    assert (result.code, result.out) == (8, ""), result.err
    return result.err.splitlines()


def rebuilt_nothing(world: World) -> None:
    """After a restart of Minikube: what was built is still there."""
    result = world.run("build-and-apply")
    assert result.code == 0, result.err
    assert "is there: nothing changed" in result.err


def built_here_though_led_to_another(world: World) -> None:
    """One authority signs for all profiles, so the wrong daemon is refused by its name alone."""
    (cached,) = (world.home / ".cache/kubekit/endpoints").glob(f"{PROFILE}-*.json")
    right = json.loads(cached.read_text())
    node = run(world, "minikube", "ip", "-p", LAB)
    cached.write_text(json.dumps({**right, "host": f"tcp://{node.strip()}:2376"}))
    world.write("app/Dockerfile", "FROM python:3.13-slim\nLABEL edited=yes\n")
    result = world.run("build-and-apply", "-o", "json")
    assert result.code == 0, result.err
    assert json.loads(cached.read_text()) == right
    (image,) = (event["text"] for event in result.of("stage-done") if event["stage"] == "image")
    reference = image.split("`")[1]
    for name, there in ((PROFILE, [reference]), (LAB, [])):
        listed = run(
            world, KUBEKIT, "docker", "--profile", name, "--", "images", *FORMAT, reference
        )
        assert listed.split() == there


@pytest.mark.cluster
@pytest.mark.timeout(1800)
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
    with ThreadPoolExecutor() as pool:  # Each waits a while for the API server to answer.
        commands = ("status", "build-and-apply")
        assert list(pool.map(partial(said, profile), commands)) == [paused, paused]
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
    rebuilt_nothing(profile)
    built_here_though_led_to_another(profile)

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
