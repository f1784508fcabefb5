"""A cluster is not deleted under a run: `dev` is asked to end first, and any other one is told."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubekit import workflow
from kubekit.cluster import minikube
from kubekit.errors import UsageError
from kubekit.events import Event, Progress
from kubekit.model import Settings
from kubekit.session import Run

HOLD = """\
import signal, sys
from kubekit.api.ownership import OwnedSet
from kubekit.model import Cancel, ClusterTarget
from kubekit.turn import alone_here
target = ClusterTarget(context="p", profile="p")
owned = OwnedSet(project="x", namespace=sys.argv[2])
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
with alone_here(target, owned, command=sys.argv[1], emit=print, cancel=Cancel()):
    print("holds", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def at_work(command: str, namespace: str = "x") -> Iterator[subprocess.Popen[str]]:
    """Another process that is such a run."""
    argv, pipe = [sys.executable, "-c", HOLD, command, namespace], subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "holds\n"
        yield other
        other.kill()


@pytest.fixture
def deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The profiles that were deleted."""
    found: list[str] = []
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(workflow, "cluster_profile", lambda _: "p")
    monkeypatch.setattr(minikube, "delete", lambda name, **_: found.append(name))
    return found


def delete() -> list[Event]:
    said: list[Event] = []
    settings = Settings(file=Path("/x/kubekit.yaml"), name="x", namespace="x", profile="p")
    workflow.delete_cluster(settings, Run(emit=said.append))
    return said


def test_dev_has_ended_before_its_cluster_is_deleted(
    deleted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with at_work("dev") as other:
        over: list[int | None] = []
        monkeypatch.setattr(minikube, "delete", lambda *_, **__: over.append(other.wait(10)))
        said = delete()
        assert over == [0]
    assert any(isinstance(one, Progress) and f"(pid {other.pid})" in one.text for one in said)


def test_any_other_run_keeps_its_cluster(deleted: list[str]) -> None:
    with at_work("build-and-apply"), pytest.raises(UsageError, match="is at work"):
        delete()
    assert deleted == []


def test_a_dev_elsewhere_does_not_matter(deleted: list[str]) -> None:
    with at_work("dev", "another") as other:
        delete()
        assert other.poll() is None
    assert deleted == ["p"]
