"""The agent of `kubekit.pod`, run on this machine by a Python of choice."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from kubekit.dev.agent import Agent
from kubekit.dev.difference import difference
from kubekit.dev.entries import Entry
from kubekit.dev.tree import Tree
from kubekit.model import Cancel, Object
from kubekit.streams.exec import EndedError

AGENT = resources.files("kubekit.pod") / "agent.py"
FLAGS = ("-I", "-S", "-W", "ignore")


class Local:
    """A program of this machine, as `Exec` runs one in a container."""

    def __init__(self, *command: str, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            bufsize=0,
        )

    def send(self, data: bytes, _: Cancel | None = None, /) -> None:
        assert self.process.stdin
        rest = memoryview(data)
        while rest:
            rest = rest[self.process.stdin.write(rest) :]

    def receive(self, _: Cancel | None = None, /) -> bytes:
        assert self.process.stdout
        if not select.select([self.process.stdout], [], [], 0.05)[0]:
            return b""
        if data := self.process.stdout.read(1 << 16):
            return data
        raise EndedError("it ended", code=self.process.wait(90), text="")

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.wait(90)
        self.process.stdout.close()


@contextlib.contextmanager
def session(
    *dests: Path | str, python: str = sys.executable, env: dict[str, str] | None = None
) -> Iterator[Agent]:
    """A session with an agent of this machine."""
    with contextlib.closing(Local(python, *FLAGS, str(AGENT), env=env)) as program:
        yield Agent(program, dests=[str(dest) for dest in dests])


def bring(agent: Agent, tree: Tree, known: set[str], **options: object) -> list[Object]:
    """What `PodSync` does with an agent: list, tell the difference, sync; the answers."""
    have = agent.find(sorted(known | set(tree.entries)))
    return send(agent, have, tree, **options)


def send(agent: Agent, have: dict[str, Entry], tree: Tree, **options: object) -> list[Object]:
    """Sync from a given state."""
    told = {"reload": False, "patience": 90.0, "probe": None, **options}
    return list(agent.sync(difference(have, tree.entries), tree, **told))  # type: ignore[arg-type]
