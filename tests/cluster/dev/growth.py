"""What a run of `kubekit dev` holds, on this machine and in the cluster: it must not grow."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.dev.harness import Dev

KINDS = "deployments,replicasets,pods,services,endpoints,secrets,configmaps,serviceaccounts"
PROCESSES = "import os; print(sum(name.isdigit() for name in os.listdir('/proc')))"
COUNTED_WITH = 1
"""Who counts."""


SLACK = {"memory": 15.0, "threads": 6, "files": 8, "processes": 0, "objects": 4, "images": 3}
"""What of each comes and goes."""


def held(dev: Dev) -> dict[str, float]:
    """What there is now: of kubekit itself, in the pod which has most, and of the project."""
    process = Path(f"/proc/{dev.process.pid}")
    lines = (process / "status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {
        "memory": round(int(status["VmRSS"].split()[0]) / 1000, 1),
        "threads": int(status["Threads"]),
        "files": len(list((process / "fd").iterdir())),
        "processes": max(_processes(dev, pod["metadata"]["name"]) for pod in dev.pods()),
        "objects": _objects(dev),
        "images": _images(dev),
    }


def grown(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """What is more than it was, and more than comes and goes: before and now."""
    return {key: (before[key], now[key]) for key in now if now[key] > before[key] + SLACK[key]}


def _processes(dev: Dev, pod: str) -> int:
    return int(dev.inside(pod, PROCESSES)) - COUNTED_WITH


def _objects(dev: Dev) -> int:
    return len(dev.project.objects(KINDS))


def _images(dev: Dev) -> int:
    argv = ["minikube", "-p", dev.project.context, "ssh", "--", "sudo crictl images -o json"]
    done = subprocess.run(
        argv, env=dev.project.env, stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    images = json.loads(done.stdout)["images"]
    tags = (tag for image in images for tag in image.get("repoTags") or ())
    return sum(f"/{dev.project.name}:" in f"/{tag}" for tag in tags)
