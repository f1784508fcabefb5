"""What the benchmarks of `kubekit dev` share: projects, a run, saves, and asking the app."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.plain import run
from tests.docs import ROOT

KUBEKIT = Path(sys.executable).with_name("kubekit")
FIRST = "mark-0"
"""What an app answers before the first edit."""

PATIENCE = 180.0
_HANGS = 30.0
_ASK_SECONDS = 0.003
_SETTLE_SECONDS = 0.6
"""After an edit; then what is done beside serving, such as importing ahead, is over."""

DOCKERFILE = """\
FROM python:3.13-slim
COPY constraints.txt /tmp/constraints.txt
RUN pip install --no-cache-dir -c /tmp/constraints.txt fastapi uvicorn
COPY vendor /usr/local/lib/python3.13/site-packages
ENV PYTHONPATH=/app/src PYTHONUNBUFFERED=1
WORKDIR /app
COPY src /app/src
COPY assets /app/assets
CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--log-level", "warning"]
"""
EMPTY = f"""\
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def root() -> dict[str, str]:
    return {{"mark": "{FIRST}"}}
"""
THREAD = """\
import threading

threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: app
          image: "{{ image }}"
          ports: [{name: http, containerPort: 8000}]
          envFrom: [{secretRef: {name: "{{ secret }}"}}]
          readinessProbe:
            httpGet: {path: /docs, port: http}
            periodSeconds: 1
---
apiVersion: v1
kind: Secret
metadata: {name: "{{ secret }}"}
stringData: {MARK: "{{ env.MARK }}"}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"""

Event = dict[str, Any]


def small_project(folder: Path, name: str, main: str = EMPTY) -> None:
    """A project of one module, run as root by uvicorn's own command."""
    files = {
        "kubekit.yaml": f"name: {name}\nbuild: {{context: .}}\n"
        f"dev: {{port: {free_port()}, sync: [{{src: src, dest: /app/src}}]}}\n",
        "Dockerfile": DOCKERFILE,
        ".dockerignore": "node_modules\n**/__pycache__\n.env\n",
        "constraints.txt": (ROOT / "backend/requirements.txt").read_text(),
        "vendor/starts_a_thread.py": THREAD,
        "assets/mark.txt": FIRST,
        "src/app/__init__.py": "",
        "src/app/main.py": main,
        "manifests/app.yaml.j2": MANIFEST,
        ".env": f"MARK={FIRST}\n",
    }
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / ".env").chmod(0o600)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Dev:
    """A run of `kubekit dev -o json`, and when each of its events came.

    Attributes:
        hear: is given each of them as it comes, and when.
    """

    def __init__(self, folder: Path) -> None:
        self._err = (folder.parent / f"{folder.name}.err").open("w+")
        self.process = subprocess.Popen(
            [KUBEKIT, "dev", "-o", "json"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._err,
            text=True,
        )
        self.hear: Callable[[float, Event], None] = lambda _at, _event: None
        self._events: list[tuple[float, Event]] = []
        self._arrived = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self.port = int(str(self.until("listening")[1]["url"]).rpartition(":")[2].strip("/"))

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            now, event = time.perf_counter(), json.loads(line)
            self.hear(now, event)
            with self._arrived:
                self._events.append((now, event))
                self._arrived.notify_all()

    def until(
        self, kind: str, since: float = 0.0, when: Callable[[Event], bool] = lambda _: True
    ) -> tuple[float, Event]:
        """The first such event after a time, waited for, and its own time."""
        end = time.perf_counter() + PATIENCE
        with self._arrived:
            while time.perf_counter() < end and self.process.poll() is None:
                for at, event in self._events:
                    if at >= since and event["type"] == kind and when(event):
                        return at, event
                self._arrived.wait(1.0)
        told = "\n".join(str(event) for at, event in self._events if at >= since)
        sys.exit(f"no `{kind}` came:\n{told[-4000:]}\n{Path(self._err.name).read_text()}")

    def calm(self, since: float = 0.0) -> None:
        """Wait until all is done well that was saved."""
        self.until("watching", since, lambda event: bool(event["well"]))

    def end(self) -> None:
        """Ctrl-C, and its orderly end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(PATIENCE)
        self._err.close()


@contextlib.contextmanager
def dev(folder: Path) -> Iterator[Dev]:
    """A run in a project whose app runs; of neither is anything left afterwards."""
    try:
        begun = Dev(folder)
        try:
            begun.calm()
            yield begun
        finally:
            begun.end()
    finally:
        run([KUBEKIT, "teardown", "--images", "--data", "--yes", "-q"], cwd=folder)


def ask(port: int, path: str) -> str:
    """What is answered on a connection of its own; "" if nobody answers.

    Raises:
        TimeoutError: somebody took the connection, and did not answer.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_HANGS)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            return connection.getresponse().read().decode()
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException):
            return ""


def waited(asked: Callable[[], str], mark: str, pause: float = _ASK_SECONDS) -> float:
    """Ask until the mark is answered, with a pause after each answer; when that was."""
    end = time.perf_counter() + PATIENCE
    while time.perf_counter() < end:
        if f'"{mark}"' in asked():
            return time.perf_counter()
        time.sleep(pause)
    sys.exit(f"`{mark}` was never answered")


@dataclass(frozen=True, kw_only=True)
class Side:
    """An app that takes the edits of one file, and where it answers."""

    name: str
    file: Path
    port: int
    path: str = "/"

    def edit(self, mark: str) -> tuple[float, float]:
        """Save another mark; when, and the seconds until it is answered.

        Infinitely many where somebody else's tool takes a connection and leaves it at that.
        """
        text = self.file.read_text()
        old = text.partition('"mark-')[2].partition('"')[0]
        new = text.replace(f'"mark-{old}"', f'"{mark}"')
        start = time.perf_counter()
        self.file.write_text(new)
        try:
            return start, waited(lambda: ask(self.port, self.path), mark) - start
        except TimeoutError:
            if self.name == "kubekit":
                sys.exit(f"a connection was taken and not answered for {_HANGS} s")
            waited(lambda: ask(self.port, self.path), mark)
            return start, math.inf


def settle(seconds: float = _SETTLE_SECONDS) -> None:
    """Wait as a person would, and never just as long as something else's period."""
    time.sleep(seconds + time.perf_counter() % 0.37)


def told(values: Sequence[float]) -> str:
    """Median and worst, as a table has them."""
    return f"{statistics.median(values):.3f} | {max(values):.3f}" if values else "- | -"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The median of the ratios, round by round."""
    pairs = zip(ours, theirs, strict=True)
    return f"{statistics.median(one / other for one, other in pairs):.2f}x"
