"""A world of its own for each test: a project folder and a home, without and with the lab."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.world import PROFILE, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty folder and an empty home: no Minikube, no Docker, no kubeconfig."""
    world = World.make(tmp_path, "x")
    yield world
    world.end()


@pytest.fixture
def lab_world(cluster: dict[str, str], tmp_path: Path) -> Iterator[World]:
    """An empty folder, with the lab's Minikube; its namespace is gone afterwards."""
    world = World.make(tmp_path, uuid.uuid4().hex[:8], cluster)
    yield world
    world.end()
    subprocess.run(
        ["kubectl", "--context", PROFILE, "delete", "namespace", world.name, "--wait=false"],
        env=cluster,
        capture_output=True,
        check=False,
    )
