"""`kubekit dev`: from a save to the new answer, by sync, beside what reloads on this machine.

The same edit of the same code, in turn: with kubekit in a pod of Minikube and asked through the
forwarded port, with the others on this machine and asked directly. Whoever asks does so every few
milliseconds, each time on a new connection. The app that cannot be forked imports a package that
starts a thread: there kubekit starts a new Python for each reload, as uvicorn does.

    python -m tests.bench.dev [--rounds N] [--write]
"""

from __future__ import annotations

import contextlib
import re
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.devrun import (
    EMPTY,
    FIRST,
    Dev,
    Side,
    dev,
    free_port,
    ratio,
    settle,
    small_project,
    told,
)
from tests.bench.plain import bench, where_and_when
from tests.bench.reloaders import reloader
from tests.docs import copy_project

NAME = "bench-dev"
OTHERS = ("uvicorn --reload", "uvicorn-hmr", "firehot")


@dataclass(frozen=True, kw_only=True)
class App:
    """A project that is edited; `make` makes it in a folder and gives the file to edit."""

    name: str
    make: Callable[[Path], Path]
    path: str = "/"
    env: dict[str, str] = field(default_factory=dict)


def empty(folder: Path) -> Path:
    """An app of FastAPI with one answer."""
    small_project(folder, NAME)
    return folder / "src/app/main.py"


def threaded(folder: Path) -> Path:
    """The same, and one of its packages starts a thread as soon as it is imported."""
    small_project(folder, NAME, f"import starts_a_thread\n{EMPTY}")
    return folder / "src/app/main.py"


def backend(folder: Path) -> Path:
    """The repository's own, with its sqlite; what is edited is answered after asking it."""
    copy_project(folder)
    settings = folder / "kubekit.yaml"
    text = settings.read_text().replace("dev: {port: 8000", f"dev: {{port: {free_port()}")
    text = re.sub("^(name|namespace): tasks$", rf"\1: {NAME}", text, flags=re.MULTILINE)
    settings.write_text(text)
    file = folder / "backend/src/app/health.py"
    file.write_text(file.read_text().replace('{"status": "ready"}', f'{{"status": "{FIRST}"}}'))
    return file


APPS = (
    App(name="empty app", make=empty),
    App(
        name="the backend with its database",
        make=backend,
        path="/health/ready",
        # As in the pod: with sqlite nobody else could take over what is drained.
        env={"APP_ENV": "dev", "DRAIN_SECONDS": "0"},
    ),
    App(name="empty app that cannot be forked", make=threaded),
)


@dataclass(kw_only=True)
class Found:
    """Seconds by side; of kubekit's also until it has seen the save, and how it reloaded."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    seen: list[float] = field(default_factory=list)
    synced: list[float] = field(default_factory=list)
    modes: set[str] = field(default_factory=set)

    def kubekit(self, run: Dev, side: Side, mark: str) -> None:
        """One edit that kubekit brings into its pod."""
        start, seconds = side.edit(mark)
        self.seconds.setdefault(side.name, []).append(seconds)
        self.seen.append(run.until("files-changed", start)[0] - start)
        at, event = run.until("synced", start)
        self.synced.append(at - start)
        self.modes.add(event["mode"])
        run.calm(start)


def measure(app: App, rounds: int, parent: Path) -> Found:
    """Edit the app on each side in turn, after one edit that does not count."""
    found = Found()
    file = app.make(parent / "kubekit")
    with contextlib.ExitStack() as stack:
        run = stack.enter_context(dev(parent / "kubekit"))
        ours = Side(name="kubekit", file=file, port=run.port, path=app.path)
        started = [
            stack.enter_context(reloader(tool, parent / tool, app.make, app.path, app.env))
            for tool in OTHERS
        ]
        others = [side for side in started if side is not None]
        Found().kubekit(run, ours, "mark-first")
        for side in others:
            side.edit("mark-first")
        for number in range(rounds):
            settle()
            found.kubekit(run, ours, f"mark-{number}-")
            for side in others:
                settle()
                found.seconds.setdefault(side.name, []).append(side.edit(f"mark-{number}-")[1])
    print(
        f"{app.name}: seen after {statistics.median(found.seen):.3f},"
        f" told as synced after {statistics.median(found.synced):.3f}",
        file=sys.stderr,
    )
    return found


def report(rounds: int, folder: Path) -> str:
    """A table of medians and worst, and of the medians of the ratios."""
    lines = [
        where_and_when(),
        "",
        f"| app | edits | reload | {' | worst | '.join(('kubekit', *OTHERS))} | worst | ratio |",
        f"|{'---|' * 12}",
    ]
    for number, app in enumerate(APPS):
        found = measure(app, rounds, folder / str(number))
        ours, uvicorn, hmr, firehot = (found.seconds.get(name, []) for name in ("kubekit", *OTHERS))
        lines.append(
            f"| {app.name} | {rounds} | {', '.join(sorted(found.modes))} "
            f"| {' | '.join(map(told, (ours, uvicorn, hmr, firehot)))} | {ratio(ours, uvicorn)} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    bench("dev", 20, report, __doc__)
