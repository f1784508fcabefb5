"""`kubekit dev` as a process of its own: what it tells, what it answers, and how it is ended."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.cluster.conftest import Project
from tests.cluster.dev.project import SYNCED
from tests.conftest import KUBEKIT
from tests.steady import attempt

Event = dict[str, Any]
PATIENCE = 100.0
"""Seconds for what takes a few on a machine that does nothing else."""

# Path -> what is there, by a program that shares nothing with the agent.
LOOK = """
import hashlib, json, os, sys
found = {}
for base, folders, files in os.walk(sys.argv[1]):
    folders[:] = [name for name in folders if name != "__pycache__"]
    for name in folders + files:
        at = os.path.join(base, name)
        what = "folder"
        if os.path.islink(at):
            what = os.readlink(at)
        elif os.path.isfile(at):
            what = hashlib.sha256(open(at, "rb").read()).hexdigest()
            what += " x" if os.stat(at).st_mode & 0o100 else ""
        found[os.path.relpath(at, sys.argv[1])] = what
print(json.dumps(found))
"""
KILL = """
import os, signal
for name in os.listdir("/proc"):
    if name.isdigit() and int(name) not in (1, os.getpid()):
        os.kill(int(name), signal.SIGKILL)
"""
_T = TypeVar("_T")


class Dev:
    """A run of `kubekit dev -o json`; what it told is looked for from the last save on."""

    def __init__(self, project: Project, *flags: str, kubeconfig: Path | None = None) -> None:
        self.project = project
        self._events: list[Event] = []
        self._from = 0
        self._arrived = threading.Condition()
        config = str(kubeconfig or project.env["KUBECONFIG"])
        self._err = (project.folder.parent / f"{project.name}.err").open("w+")
        self.process = subprocess.Popen(
            [KUBEKIT, "dev", "-o", "json", *flags],
            cwd=project.folder,
            env={**project.env, "KUBECONFIG": config},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._err,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = str(self.until("listening")["url"])

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._arrived:
                self._events.append(json.loads(line))
                self._arrived.notify_all()

    # ---- what it tells

    @property
    def events(self) -> list[Event]:
        """All it has told since the last save."""
        with self._arrived:
            return self._events[self._from :]

    def of(self, kind: str) -> list[Event]:
        """Those of this type."""
        return [event for event in self.events if event["type"] == kind]

    def past(self, kind: str) -> list[Event]:
        """Those of this type, from the start on."""
        with self._arrived:
            return [event for event in self._events if event["type"] == kind]

    def told(self, *kinds: str) -> str:
        """What a person would read of them, as it came."""
        lines = [event for event in self.events if not kinds or event["type"] in kinds]
        return "\n".join(str({k: v for k, v in one.items() if k != "v"})[:500] for one in lines)

    def mark(self) -> None:
        """Look at what comes from now on."""
        with self._arrived:
            self._from = len(self._events)

    def until(
        self,
        kind: str,
        when: Callable[[Event], bool] = lambda _: True,
        seconds: float = PATIENCE,
    ) -> Event:
        """The first such event since the last save, waited for."""
        end = time.monotonic() + seconds
        with self._arrived:
            looked = self._from
            while True:
                for event in self._events[looked:]:
                    if event["type"] == kind and when(event):
                        return event
                looked = len(self._events)
                over = self.process.poll() is not None and not self._reader.is_alive()
                if over or time.monotonic() > end:
                    break
                self._arrived.wait(0.5)
        raise AssertionError(f"no such `{kind}` was told:\n{self.told()[-6000:]}\n{self.err()}")

    def report(self, id_: str) -> Event:
        """What is told of a failure that does not end it."""
        return self.until("report", lambda event: event["id"] == id_)

    def calm(self) -> Event:
        """Wait until all is done that the last save asked for, and done well."""
        return self.until("watching", lambda event: bool(event["well"]))

    @property
    def is_well(self) -> bool:
        """Whether it runs, and the app with the last save."""
        with self._arrived:
            stands = [event for event in self._events if event["type"] == "watching"]
        return self.process.poll() is None and bool(stands) and bool(stands[-1]["well"])

    @property
    def is_quiet(self) -> bool:
        """Whether that was the last it said: nothing has begun since."""
        began = ("files-changed", "stage-started")
        with self._arrived:
            kinds = [one["type"] for one in self._events if one["type"] in (*began, "watching")]
        return self.is_well and kinds[-1] == "watching"

    def err(self) -> str:
        """What it wrote to stderr."""
        return Path(self._err.name).read_text()

    # ---- what a person does

    def save(self, path: str, text: str) -> None:
        """Save a file as most editors do: written beside it, then put in its place."""
        self.mark()
        file = self.project.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f".{file.name}.swp")
        new.write_text(text)
        new.chmod(file.stat().st_mode & 0o777 if file.exists() else 0o644)
        new.replace(file)

    def write(self, path: str, text: str) -> None:
        """Save a file in place."""
        self.mark()
        (self.project.folder / path).write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that must be there."""
        text = (self.project.folder / path).read_text()
        assert old in text, f"{old!r} is not in {path}"
        self.save(path, text.replace(old, new))

    def say(self, text: str) -> None:
        """Have the app answer this."""
        self.save("src/app/answer.py", f'TEXT = "{text}"\n')

    def stop(self) -> int:
        """Ctrl-C, and the code it ends with."""
        self.mark()
        self.process.send_signal(signal.SIGINT)
        return self._ended()

    def kill(self) -> None:
        """End it with no chance to do anything about it."""
        self.process.kill()
        self._ended()

    def _ended(self) -> int:
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._err.close()
        return code

    # ---- what the app answers

    def get(self, path: str = "/") -> str:
        """What the app answers through the forwarded port, on a connection of its own."""
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    def everywhere(self, **wanted: str) -> None:
        """Wait until every replica answers so."""

        def all_say_so() -> bool:
            pods = {pod["metadata"]["name"] for pod in self.pods()}
            answers: dict[str, Event] = {}
            for _ in range(2 * len(pods)):
                answer = json.loads(self.get())
                answers[answer["hostname"]] = answer
            return answers.keys() == pods and all(
                answer[key] == value for answer in answers.values() for key, value in wanted.items()
            )

        waited(all_say_so, f"every replica to answer {wanted}")

    # ---- what is in the containers

    def pods(self) -> list[Event]:
        """The project's pods that are not being deleted."""
        pods = self.project.objects("pods")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def inside(self, pod: str, program: str, *arguments: str, check: bool = True) -> str:
        """What a Python program prints in a pod."""
        command = ("exec", pod, "-c", "app", "--", "python", "-c", program, *arguments)
        return self.project.kubectl(*command, check=check)

    def differing(self, dest: str = SYNCED, src: str = "src", without: tuple[str, ...] = ()) -> Any:
        """By pod, what is not there as in the working tree: path -> (there, here)."""
        wanted = look(self.project.folder / src)
        for path in without:
            del wanted[path]
        found = {}
        for pod in self.pods():
            name = pod["metadata"]["name"]
            have = json.loads(self.inside(name, LOOK, dest))
            if have != wanted:
                paths = sorted(path for path, _ in have.items() ^ wanted.items())
                found[name] = {path: (have.get(path), wanted.get(path)) for path in paths[:20]}
        return found

    def same(self, **where: Any) -> None:
        """The containers have what is here."""
        found = self.differing(**where)
        assert not found, f"in the container, and here: {found}"


def look(src: Path) -> dict[str, str]:
    """What `LOOK` would print of a folder of this machine."""
    found = {}
    for base, folders, files in os.walk(src):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for at in (Path(base, name) for name in folders + files):
            what = "folder"
            if at.is_symlink():
                what = str(at.readlink())
            elif at.is_file():
                executable = " x" if at.stat().st_mode & 0o100 else ""
                what = hashlib.sha256(at.read_bytes()).hexdigest() + executable
            found[str(at.relative_to(src))] = what
    return found


def waited(ask: Callable[[], _T], what: str, seconds: float = PATIENCE) -> _T:
    """Wait for something to be there or true; what cannot be asked is not there yet."""
    end = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < end:
        try:
            if found := ask():
                return found
        except (
            OSError,
            urllib.error.HTTPError,
            http.client.HTTPException,
            AssertionError,
        ) as error:
            last = error
        time.sleep(0.2)
    raise AssertionError(f"waited in vain for {what}; {last!r}")


@contextlib.contextmanager
def dev(
    project: Project,
    *flags: str,
    kubeconfig: Path | None = None,
    begun: Callable[[Dev], object] = Dev.calm,
) -> Iterator[Dev]:
    """A run in a project, once `begun`; neither it nor its namespace is there afterwards."""
    try:
        run = Dev(project, *flags, kubeconfig=kubeconfig)
        try:
            begun(run)
            run.mark()
            yield run
        finally:
            if run.process.poll() is None:
                run.kill()
    finally:
        project.kubectl("delete", "namespace", project.name, "--wait=false", check=False)


class Shared:
    """One run for the tests of a module; a test that is run once more has one of its own.

    What it has saved is there already, and may be what it has failed by.
    """

    def __init__(self, start: Callable[[], contextlib.AbstractContextManager[Dev]]) -> None:
        self._start = start
        self._stack = contextlib.ExitStack()
        self._run: Dev | None = None

    def run(self, test: pytest.Item) -> Dev:
        """As long as it lives."""
        if self._run is None or attempt(test) > 1:
            self.close()
            self._run = self._stack.enter_context(self._start())
        assert self._run.process.poll() is None, self._run.told()[-3000:] + self._run.err()
        self._run.mark()
        return self._run

    def close(self) -> None:
        """End it."""
        self._stack.close()
