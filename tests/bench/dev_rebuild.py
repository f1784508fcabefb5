"""`kubekit dev`: from a save to a new pod that answers, beside the plain tools.

A file that is copied into the image and not synced is saved: kubekit builds and applies, and is
asked through its forwarded port. The plain tools are ``docker build`` with BuildKit in the same
daemon, ``kubectl set image`` and ``kubectl rollout status``; after them the app is asked by way of
the API server, which is asked beside them, too: "beside the first answer" is when that came,
whatever the tools still wait for. On both sides the asking begins when a watch shows the new pod
ready, or kubekit has told that it answers its readiness probe: each question by way of a forwarded
port costs the node two processes, and would slow down the start that is measured. The build is
kubekit's stage `image` and the whole command of the plain tools; a pod's start is from its first
sight in a watch until it is ready or said to answer; "own" is what is left of the whole without the
two. Saved is when kubekit has done what it does a second after a release, as a person does.

Then `.env` is saved, which nothing has to be built for.

    python -m tests.bench.dev_rebuild [--rounds N] [--write]
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kubekit.api.follow import Changed, Follower, Listed, Update, stop
from kubekit.api.kube import Kube
from kubekit.api.resources import PODS
from kubekit.config import load as config
from kubekit.errors import KubekitError
from kubekit.manifests import render as manifests
from kubekit.model import Cancel, Object
from kubekit.rollout.reading import is_ready
from kubekit.text import envfile, strictyaml
from tests.bench.devrun import Dev, Event, ask, dev, ratio, settle, small_project, told, waited
from tests.bench.plain import (
    PROFILE,
    bench,
    docker_env,
    docker_with_buildkit,
    run,
    where_and_when,
)

OURS, PLAIN = "bench-dev", "bench-dev-plain"
ASSET = "assets/mark.txt"
TIDIED = 2.0
"""Seconds after which nothing of the release before goes on."""

PAUSE = 0.02
"""Seconds between an answer and the next question, on both sides."""
MAIN = """\
import os
import pathlib

from fastapi import FastAPI

app = FastAPI()
MARK = pathlib.Path("assets/mark.txt").read_text().strip()


@app.get("/")
def root() -> dict[str, str]:
    return {"mark": MARK, "env": os.environ["MARK"]}
"""


class Starts:
    """How long the pods of a namespace took to start, from a watch."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._seen: dict[str, float] = {}
        self._ready: dict[str, float] = {}
        self._names: dict[str, str] = {}
        self._arrived = threading.Condition()
        path = PODS.path(namespace)
        self.follower = Follower(kube, kind="Pod", path=path, deliver=self._take)
        self.follower.start()

    def _take(self, update: Update) -> None:
        if isinstance(update, Changed):
            self._look(update.item)
        elif isinstance(update, Listed):  # these have started long ago
            with self._arrived:
                self._seen |= {str(pod["metadata"]["uid"]): 0.0 for pod in update.items}

    def _look(self, pod: Object) -> None:
        now, uid = time.perf_counter(), str(pod["metadata"]["uid"])
        with self._arrived:
            self._seen.setdefault(uid, now)
            self._names[uid] = str(pod["metadata"]["name"])
            if is_ready(pod):
                self._ready.setdefault(uid, now)
            self._arrived.notify_all()

    def hear(self, at: float, event: Event) -> None:
        """One of kubekit's events: it may tell that a pod answers before Kubernetes does."""
        with self._arrived:
            for uid, name in self._names.items():
                if str(event.get("text")).startswith(f"Pod `{name}` answers"):
                    self._ready.setdefault(uid, at)
            self._arrived.notify_all()

    def since(self, start: float) -> float:
        """Seconds that the first pod of after this took."""

        def found() -> list[float]:
            new = (uid for uid, seen in self._seen.items() if seen >= start)
            return [self._ready[uid] - self._seen[uid] for uid in new if uid in self._ready]

        with self._arrived:
            assert self._arrived.wait_for(found, timeout=60), "no new pod was ready"
            return found()[0]


@dataclass(kw_only=True)
class Costs:
    """Seconds of each round: until the new answer, of the build, of the pod's start."""

    whole: list[float] = field(default_factory=list)
    build: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)

    @property
    def own(self) -> list[float]:
        """What is left without the build and the pod's start."""
        return self._beyond(self.whole)

    @property
    def own_first(self) -> list[float]:
        """The same, until the first answer."""
        return self._beyond(self.first)

    def _beyond(self, until: list[float]) -> list[float]:
        rows = zip(until, self.build or [0.0] * len(until), self.start, strict=True)
        return [end - build - start for end, build, start in rows]


@dataclass(frozen=True, kw_only=True)
class Plain:
    """The plain tools on a copy of the project, in a namespace of their own."""

    folder: Path
    docker: str
    env: dict[str, str]
    kube: Kube
    starts: Starts

    def answer(self) -> str:
        """What the app answers by way of the API server."""
        path = f"/api/v1/namespaces/{PLAIN}/services/web:http/proxy/"
        with contextlib.suppress(KubekitError):
            data = self.kube.request("GET", path, patience=0).data
            return f'"{data.get("mark")}"'
        return ""

    def build(self, tag: str) -> None:
        """Build the image, in Minikube's daemon."""
        command = [self.docker, "build", "-q", "-t", f"{PLAIN}:{tag}", str(self.folder)]
        run([*command], env={**self.env, "DOCKER_BUILDKIT": "1"})

    def rebuild(self, mark: str, costs: Costs) -> None:
        """Save, and do all that it takes."""
        firsts: list[float] = []

        def ask_beside() -> None:
            self.starts.since(start)
            firsts.append(waited(self.answer, mark, PAUSE))

        asking = threading.Thread(target=ask_beside)
        start = time.perf_counter()
        (self.folder / ASSET).write_text(mark)
        asking.start()
        self.build(mark)
        built = time.perf_counter()
        kubectl("set", "image", "deployment/web", f"app={PLAIN}:{mark}")
        kubectl("rollout", "status", "deployment/web")
        costs.whole.append(waited(self.answer, mark, PAUSE) - start)
        asking.join()
        costs.build.append(built - start)
        costs.start.append(self.starts.since(start))
        costs.first.append(firsts[0] - start)


def kubectl(*arguments: str) -> str:
    """In the namespace of the plain tools."""
    return run(["kubectl", "--context", PROFILE, "-n", PLAIN, *arguments])


@contextlib.contextmanager
def plain(folder: Path, kube: Kube) -> Iterator[Plain]:
    """The project, deployed with the plain tools; nothing of it is left afterwards."""
    small_project(folder, PLAIN, MAIN)
    settings = config.load(flags={}, environ={}, cwd=folder, active_profile=lambda: None)
    env = envfile.load(folder / ".env")
    objects = manifests.render(settings, image=f"{PLAIN}:first", env=env).items
    (folder / "rendered.yaml").write_text(strictyaml.dump_all([one.data for one in objects]))
    namespace = ["kubectl", "--context", PROFILE]
    run([*namespace, "create", "namespace", PLAIN])
    starts = Starts(kube, PLAIN)
    side = Plain(
        folder=folder,
        docker=docker_with_buildkit(),
        env=docker_env(),
        kube=kube,
        starts=starts,
    )
    try:
        side.build("first")
        kubectl("apply", "-f", str(folder / "rendered.yaml"))
        kubectl("rollout", "status", "deployment/web")
        yield side
    finally:
        stop([starts.follower])
        run([*namespace, "delete", "namespace", PLAIN])
        images = run([side.docker, "images", "-q", PLAIN], env=side.env).split()
        run([side.docker, "image", "rm", "-f", *images], env=side.env)


@dataclass(frozen=True, kw_only=True)
class Kubekit:
    """A run of `kubekit dev`, and its pods."""

    folder: Path
    run: Dev
    starts: Starts

    def save(self, path: str, text: str, mark: str, costs: Costs) -> float:
        """Save a file that a new pod is started for; when that was."""
        start = time.perf_counter()
        (self.folder / path).write_text(text)
        costs.start.append(self.starts.since(start))
        answered = waited(lambda: ask(self.run.port, "/"), mark, PAUSE)
        costs.whole.append(answered - start)
        self.run.calm(start)
        return start

    def rebuild(self, mark: str, costs: Costs) -> None:
        """Save what only another image can bring."""
        start = self.save(ASSET, mark, mark, costs)
        begun, _ = self.run.until("stage-started", start, lambda event: event["stage"] == "image")
        done, _ = self.run.until("stage-done", start, lambda event: event["stage"] == "image")
        costs.build.append(done - begun)


def measure(rounds: int, parent: Path) -> tuple[Costs, Costs, Costs]:
    """What rebuilds cost with kubekit and with the plain tools, and an edit of `.env`."""
    kube = Kube(context=PROFILE, cancel=Cancel())
    ours, theirs, env = Costs(), Costs(), Costs()
    folder = parent / "kubekit"
    small_project(folder, OURS, MAIN)
    with dev(folder) as begun, plain(parent / "plain", kube) as other:
        starts = Starts(kube, OURS)
        kubekit = Kubekit(folder=folder, run=begun, starts=starts)
        begun.hear = starts.hear
        both: list[Callable[[str], None]] = [
            lambda mark: kubekit.rebuild(mark, ours),
            lambda mark: other.rebuild(mark, theirs),
        ]
        for number in range(rounds):
            for side in both if number % 2 == 0 else both[::-1]:
                settle(TIDIED)
                side(f"made-{number}")
        for number in range(rounds):
            settle(TIDIED)
            kubekit.save(".env", f"MARK=env-{number}\n", f"env-{number}", env)
        stop([starts.follower])
    return ours, theirs, env


def report(rounds: int, folder: Path) -> str:
    """A table of medians and worst, and of the medians of the ratios."""
    ours, theirs, env = measure(rounds, folder)
    rows = {
        "rebuild, until the new pod answers": (ours.whole, theirs.whole),
        "the same, beside the first answer": (ours.whole, theirs.first),
        "of it the build": (ours.build, theirs.build),
        "of it the pod's start": (ours.start, theirs.start),
        "of it their own": (ours.own, theirs.own),
        "the same, beside the first answer ": (ours.own, theirs.own_first),
        "`.env`, until the new pod answers": (env.whole, []),
        "of it the pod's start ": (env.start, []),
        "of it its own": (env.own, []),
    }
    lines = [
        where_and_when(),
        "",
        "| what | edits | kubekit | worst | plain tools | worst | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for what, (mine, other) in rows.items():
        both = ratio(mine, other) if other else "-"
        lines.append(f"| {what.strip()} | {rounds} | {told(mine)} | {told(other)} | {both} |")
    return "\n".join(lines)


if __name__ == "__main__":
    bench("dev rebuild", 20, report, __doc__)
