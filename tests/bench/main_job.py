"""kubekit beside the plain tools on the same files, in turn, in one run: figures as ratios.

The plain tools: ``docker build`` with BuildKit in Minikube's daemon, ``kubectl apply`` and
``kubectl rollout status``. `minikube docker-env` is counted on both sides: they must ask it each
time, kubekit proves that its last answer still holds. A second table leaves it out for them alone.

    python -m tests.bench.main_job [--rounds N] [--write]
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

from kubekit.config import load as config
from kubekit.manifests import render as manifests
from kubekit.text import envfile, strictyaml
from tests.bench.plain import (
    PROFILE,
    bench,
    docker_env,
    docker_with_buildkit,
    run,
    timed,
    where_and_when,
)
from tests.docs import copy_project

KUBEKIT = Path(sys.executable).with_name("kubekit")
OURS, PLAIN = "bench-kubekit", "bench-plain"
IMAGE = f"{PLAIN}:1"


@dataclass(frozen=True, kw_only=True)
class Plain:
    """The plain tools on the same project, rendered once beforehand."""

    docker: str
    rendered: Path
    context: Path

    def deploy(self, env: dict[str, str]) -> None:
        """Build, apply, wait."""
        build = [self.docker, "build", "-q", "-t", IMAGE, "--target", "runtime", str(self.context)]
        run(build, env={**env, "DOCKER_BUILDKIT": "1"})
        kubectl("apply", "-f", str(self.rendered))
        kubectl("rollout", "status", "deployment/tasks")


def kubectl(*arguments: str) -> str:
    """In the namespace of the plain tools."""
    return run(["kubectl", "--context", PROFILE, "-n", PLAIN, *arguments])


def prepare(folder: Path) -> Plain:
    """A copy of the repository's own project, and its manifests with the plain tools' image."""
    copy_project(folder)
    settings = config.load(
        flags={"namespace": PLAIN}, environ={}, cwd=folder, active_profile=lambda: None
    )
    env = envfile.load(folder / ".env")
    objects = manifests.render(settings, image=IMAGE, env=env).items
    rendered = folder / "rendered.yaml"
    rendered.write_text(strictyaml.dump_all([item.data for item in objects]))
    return Plain(docker=docker_with_buildkit(), rendered=rendered, context=folder / "backend")


def forget(plain: Plain, env: dict[str, str], folder: Path) -> None:
    """Back to nothing on both sides: no namespace and no image."""
    teardown = [KUBEKIT, "teardown", "--images", "--data", "--yes", "-q", "-n", OURS]
    run(teardown, cwd=folder)
    context = ["kubectl", "--context", PROFILE]
    run([*context, "delete", "namespace", PLAIN, "--ignore-not-found"])
    run([*context, "create", "namespace", PLAIN])
    subprocess.run(
        [plain.docker, "image", "rm", "-f", IMAGE], env=env, capture_output=True, check=False
    )


def make_new(dockerfile: Path) -> None:
    """Let no layer of any earlier build serve: pruning leaves those that images still hold."""
    mark = f"ENV ROUND={uuid.uuid4().hex}"
    text = re.sub(r"^ENV ROUND=.*\n", "", dockerfile.read_text(), flags=re.MULTILINE)
    dockerfile.write_text(re.sub(r"^(FROM .*)$", rf"\1\n{mark}", text, flags=re.MULTILINE))


def measure(rounds: int, folder: Path) -> dict[str, list[tuple[float, float, float]]]:
    """For each case, rounds of (kubekit, plain with docker-env, plain without)."""
    plain = prepare(folder)
    env = docker_env()
    command = [KUBEKIT, "build-and-apply", "-q", "-n", OURS]
    found: dict[str, list[tuple[float, float, float]]] = {"cold deploy": [], "unchanged": []}
    for number in range(rounds):
        forget(plain, env, folder)
        sides = [
            lambda: timed(lambda: run(command, cwd=folder)),
            lambda: timed(lambda: plain.deploy(docker_env())),
        ]
        order = (0, 1) if number % 2 == 0 else (1, 0)
        cold = {}
        for side in order:
            make_new(folder / "backend" / "Dockerfile")
            cold[side] = sides[side]()
        for settle in sides:
            settle()
        asked = timed(docker_env)
        found["cold deploy"].append((cold[0], cold[1], cold[1] - asked))
        for _ in range(3):
            ours, theirs, bare = sides[0](), sides[1](), timed(lambda: plain.deploy(env))
            found["unchanged"].append((ours, theirs, bare))
    forget(plain, env, folder)
    run(["kubectl", "--context", PROFILE, "delete", "namespace", PLAIN, "--ignore-not-found"])
    return found


def report(found: dict[str, list[tuple[float, float, float]]]) -> str:
    """A table of medians and ratios."""
    lines = [
        where_and_when(),
        "",
        "| case | runs | kubekit | plain, docker-env counted | ratio | plain, without it | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for case, rows in found.items():
        ours, theirs, bare = (statistics.median(column) for column in zip(*rows, strict=True))
        with_env = statistics.median(row[0] / row[1] for row in rows)
        without = statistics.median(row[0] / row[2] for row in rows)
        lines.append(
            f"| {case} | {len(rows)} | {ours:.2f} | {theirs:.2f} | {with_env:.2f}x "
            f"| {bare:.2f} | {without:.2f}x |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    bench("main job", 3, lambda rounds, folder: report(measure(rounds, folder)), __doc__)
