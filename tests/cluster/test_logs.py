"""Logs of real pods: every line once, over restarts, new pods and connections that drop."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import re
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kubekit import logs
from kubekit.api.follow import Changed, Follower, Listed, Update, stop
from kubekit.api.kube import Kube
from kubekit.api.ownership import MEMBER_LABEL, OwnedSet
from kubekit.api.resources import PODS
from kubekit.config.where import find_where
from kubekit.errors import UsageError
from kubekit.events import Ended, Event, LogLine
from kubekit.model import Cancel, Object
from kubekit.session import Run
from kubekit.streams.logs import Logs, moment
from tests.cluster.conftest import PROFILE
from tests.cluster.faultproxy import FaultProxy, in_front_of
from tests.cluster.scratch import Scratch, scratch
from tests.conftest import KUBEKIT, alive, kubekit, until

pytestmark = pytest.mark.cluster

PROJECT = "talk"
TOKEN = "s3cr3t-of-the-Secret"
IN_ENV = "s3cr3t-of-dot-env"
COUNT = 25_000
ALL = 2 * COUNT + 1
# Both streams, a burst of numbered lines on each, then one now and again, and a last word.
TALKER = f"""
import signal, sys, time, threading
signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), sys.exit(0)))
def talk(stream, name):
    for n in range({COUNT}):
        stream.write(f"{{name}} {{n}}\\n")
        if n % 500 == 499:
            stream.flush()
            time.sleep(0.02)
both = (sys.stdout, "out"), (sys.stderr, "err")
threads = [threading.Thread(target=talk, args=pair) for pair in both]
for t in threads: t.start()
for t in threads: t.join()
print("done", flush=True)
while True:
    time.sleep(0.2)
    print("idle", flush=True)
"""
CRASHER = """
import os, sys
sys.stdout.write("".join(f"{os.environ['TOKEN']} {n}\\n" for n in range(300)))
sys.stdout.write("no end")
sys.stdout.flush()
sys.exit(3)
"""
ODD = f"""
import sys, time
print("a" * 40_000 + "z")
print("b" * 300_000, flush=True)
sys.stdout.buffer.write(b"\\xff raw\\n")
sys.stdout.buffer.flush()
print("\\x1b[31mred {IN_ENV}")
print("c" * 16_375 + "{TOKEN}")
print("last", flush=True)
time.sleep(3600)
"""


def container(name: str, code: str, **fields: Any) -> Object:
    image = {"name": name, "image": "python:3.13-slim", "imagePullPolicy": "Never"}
    return {**image, "command": ["python", "-c", code], **fields}


def owned(world: Scratch) -> dict[str, str]:
    return {MEMBER_LABEL: OwnedSet(project=PROJECT, namespace=world.name).id}


def deploy(world: Scratch, name: str, spec: Object, *, replicas: int = 1) -> None:
    labels = {"app": name}
    pod = {"automountServiceAccountToken": False, "terminationGracePeriodSeconds": 30, **spec}
    template = {"metadata": {"labels": labels}, "spec": pod}
    fields = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    world.make("apps/v1", "Deployment", name, labels=owned(world), spec=fields)


@pytest.fixture(scope="module")
def world(cluster: dict[str, str]) -> Iterator[Scratch]:
    """A project of three workloads, and a pod that is not its."""
    with scratch() as made:
        made.make("v1", "Secret", "token", stringData={"token": TOKEN})
        reference = {"secretKeyRef": {"name": "token", "key": "token"}}
        env = [{"name": "TOKEN", "valueFrom": reference}]
        deploy(made, "crash", {"containers": [container("app", CRASHER, env=env)]})
        before = container("before", "print('prepared')")
        deploy(
            made,
            "odd",
            {"initContainers": [before], "containers": [container("app", ODD, env=env)]},
        )
        deploy(made, "web", {"containers": [container("app", TALKER)]}, replicas=2)
        made.pod("stranger", {"containers": [container("app", "print('not ours')")]})
        yield made


@pytest.fixture
def alone() -> Iterator[Scratch]:
    """A namespace of one test, which it finds empty each time that it is run."""
    with scratch() as made:
        yield made


@pytest.fixture
def folder(world: Scratch, tmp_path: Path) -> Path:
    """The project's folder."""
    text = f"name: {PROJECT}\nnamespace: {world.name}\nprofile: {PROFILE}\n"
    (tmp_path / "kubekit.yaml").write_text(text)
    (tmp_path / ".env").write_text(f"KEY={IN_ENV}\n")
    return tmp_path


class Heard:
    """What was delivered, by pod."""

    def __init__(self, kube: Kube, namespace: str, label: str) -> None:
        self.lines: dict[str, list[str]] = defaultdict(list)
        self.newest: dict[str, str] = {}
        self.logs = Logs(kube, namespace, deliver=self.hear)
        self._label = label
        self._pods = Follower(kube, kind="Pod", path=PODS.path(namespace), deliver=self.take)

    def hear(self, line: LogLine) -> None:
        self.lines[line.pod].append(line.line)
        self.newest[line.pod] = line.at

    @property
    def count(self) -> int:
        return sum(map(len, list(self.lines.values())))

    def since(self, at: str) -> int:
        """How many pods have said something after this time."""
        return sum(said > at for said in list(self.newest.values()))

    def ended(self, word: str) -> int:
        """How many pods have said this last."""
        return sum(lines[-1:] == [word] for lines in list(self.lines.values()))

    def whole(self, word: str, count: int) -> int:
        """How many pods have said so many lines, and this among them.

        A word on one stream may come before what was written on the other one earlier.
        """
        there = list(self.lines.values())
        return sum(len(lines) >= count and word in lines for lines in there)

    def take(self, update: Update) -> None:
        match update:
            case Listed(items=items):
                self.logs.listed([pod for pod in items if self.mine(pod)])
            case Changed(item=pod, gone=gone) if self.mine(pod):
                self.logs.changed(pod, gone=gone)

    def mine(self, pod: Object) -> bool:
        return bool((pod["metadata"].get("labels") or {}).get("app") == self._label)

    @contextlib.contextmanager
    def hearing(self) -> Iterator[None]:
        self._pods.start()
        try:
            yield
        finally:
            stop([self._pods])
            self.logs.close()


@pytest.fixture
def proxy(world: Scratch) -> Iterator[FaultProxy]:
    with in_front_of(world.kube.host) as proxy:
        yield proxy


@pytest.fixture
def far(world: Scratch, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kube:
    """The cluster behind the proxy."""
    original = Path(os.environ["KUBECONFIG"])
    monkeypatch.setenv("KUBECONFIG", str(proxy.kubeconfig(original, tmp_path / "far", PROFILE)))
    return Kube(context=PROFILE, cancel=Cancel())


def test_the_runs_of_a_container_follow_one_another(world: Scratch, far: Kube) -> None:
    heard = Heard(far, world.name, "crash")
    with heard.hearing():
        world.until(lambda: heard.ended("no end"))
        before = heard.count
        (pod,) = heard.lines
        world.until(lambda: heard.count > before)
        world.until(lambda: heard.ended("no end"))
    run = [f"{TOKEN} {number}" for number in range(300)] + ["no end"]
    assert heard.lines[pod] == run * (len(heard.lines[pod]) // len(run))


def test_no_line_is_lost_or_doubled_while_connections_drop_and_pods_are_replaced(
    alone: Scratch, far: Kube, proxy: FaultProxy, threads: list[threading.Thread]
) -> None:
    heard = Heard(far, alone.name, "web")
    with heard.hearing():
        deploy(alone, "web", {"containers": [container("app", TALKER)]}, replicas=2)
        for share in (0.05, 0.3, 0.5, 0.8):
            alone.until(lambda at=share * 4 * COUNT: heard.count > at)
            alone.until(proxy.drop)
        proxy.cut()
        time.sleep(1)
        restored = moment(time.time())
        proxy.restore()
        with contextlib.suppress(AssertionError):  # what is missing is shown below
            alone.until(lambda: heard.whole("done", ALL) == 2)
            # All may have come before the cut. A log is gone with its pod: both are read by now.
            alone.until(lambda: heard.since(restored) == 2)
            alone.kube.request("DELETE", PODS.path(alone.name, min(heard.lines)))
            alone.until(lambda: heard.whole("done", ALL) == 3 and heard.whole("bye", ALL + 1) == 1)
    own = [one for one in threads if one.name.startswith(("log-", "follow-"))]
    assert own
    until(lambda: not alive(own))
    for pod, lines in heard.lines.items():
        for name in ("out", "err"):
            numbers = [int(line.split()[1]) for line in lines if line.startswith(name)]
            assert numbers == list(range(COUNT)), f"{pod} {name}"
        assert lines.count("done") == 1, pod
    assert sorted(lines.count("bye") for lines in heard.lines.values()) == [0, 0, 1]


def test_a_slow_receiver_slows_the_reading_and_closing_does_not_wait_for_the_log(
    world: Scratch, far: Kube
) -> None:
    heard = Heard(far, world.name, "web")
    hear = heard.hear

    def slow(line: LogLine) -> None:
        hear(line)
        time.sleep(0.01)

    heard.logs = Logs(far, world.name, deliver=slow)
    with heard.hearing():
        world.until(lambda: heard.count > 100)
    count = heard.count
    assert count < 2 * COUNT
    time.sleep(0.1)
    assert heard.count == count


@pytest.fixture
def shown(folder: Path) -> Callable[..., tuple[list[str], list[Event]]]:
    """Reads logs as `kubekit logs` does, in this process: the lines, and the other events."""
    where = find_where(flags={}, environ={}, cwd=folder, active_profile=lambda: None)

    def show(
        name: str | None = None, *, namespace: str = where.namespace or "", **wanted: Any
    ) -> tuple[list[str], list[Event]]:
        events: list[Event] = []
        there = dataclasses.replace(where, namespace=namespace)
        logs.show(there, Run(emit=events.append), logs.Wanted(name=name, **wanted))
        lines = [event.line for event in events if isinstance(event, LogLine)]
        return lines, [event for event in events if not isinstance(event, LogLine)]

    return show


def test_what_there_is_of_the_project_is_shown_in_order_without_secrets(
    world: Scratch, folder: Path
) -> None:
    result = kubekit("logs", "-o", "json", "--tail", "5000", cwd=folder)
    (following,), lines = result.of("following"), result.of("log")
    assert result.code == 0
    # Two streams of one container may be out of order by themselves, by what its runtime waits.
    times = [dt.datetime.fromisoformat(line["at"]) for line in lines]
    assert all(later - earlier > -dt.timedelta(seconds=5) for earlier, later in pairwise(times))
    assert {pod.split("-")[0] for pod in following["pods"]} == {"web", "crash", "odd"}
    assert {line["pod"] for line in lines} == set(following["pods"])
    assert TOKEN not in result.out
    assert IN_ENV not in result.out
    assert [line for line in lines if line["line"] == "*** 299"]


Shown = Callable[..., tuple[list[str], list[Event]]]


def test_odd_lines(shown: Shown) -> None:
    prepared, joined, cut, raw, red, split, last = shown("deploy/odd")[0]
    assert prepared == "prepared"
    assert joined == "a" * 40_000 + "z"
    shorter = re.fullmatch(r"(b+)\.\.\. \((\d+) bytes more\)", cut)
    assert shorter is not None
    assert len(shorter[1]) + int(shorter[2]) == 300_000
    assert raw == "\ufffd raw"
    assert red == "\x1b[31mred ***"
    assert split == "c" * 16_375 + "***"  # the runtime cuts after 16,384 bytes
    assert last == "last"
    assert shown("odd", containers=("before",))[0] == ["prepared"]
    assert shown("odd", containers=("app",), tail=1)[0] == ["last"]


def test_from_when_on(shown: Shown) -> None:
    assert shown("deploy/odd", since="1h")[0][-1] == "last"
    assert shown("deploy/odd", since="2099-01-01")[0] == []
    with pytest.raises(UsageError, match="is no time"):
        shown(since="yesterday")


def test_the_run_before_the_last_restart(shown: Shown) -> None:
    whole = [f"*** {number}" for number in range(300)] + ["no end"]
    # It crashes on and on: at the moment of a restart the node may have deleted what it names.
    until(lambda: shown("crash", previous=True)[0] == whole)
    lines, (*_, ended) = shown("odd", previous=True)
    assert lines == []
    assert isinstance(ended, Ended)
    assert "has run before" in ended.text


@pytest.mark.parametrize(
    ("name", "wanted", "words"),
    [
        ("nosuch", {}, "there is no `nosuch` in namespace"),
        ("deploy/od", {}, "did you mean `odd`?"),
        ("odd", {"containers": ("nosuch",)}, "containers there: app, before"),
        (None, {"namespace": "nosuch"}, "there is no namespace `nosuch`"),
        (None, {"previous": True, "follow": True}, "nothing to follow"),
    ],
)
def test_what_is_not_there_is_told(
    shown: Shown, name: str | None, wanted: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        shown(name, **wanted)
    assert words in " ".join([caught.value.message, *caught.value.hints])


def test_where_nothing_of_the_project_is_it_is_said(shown: Shown) -> None:
    lines, (ended,) = shown(namespace="default")
    assert lines == []
    assert isinstance(ended, Ended)
    assert "there is no pod of `talk` in namespace `default`" in ended.text


def test_marks_tell_pods_apart(world: Scratch, folder: Path) -> None:
    result = kubekit("logs", "web", "--tail", "3", cwd=folder)
    assert (result.code, result.err) == (0, "")
    found = {line.split()[0] for line in result.out.splitlines()}
    assert len(found) == 2
    pods = [pod["metadata"]["name"] for pod in world.kube.list(PODS.path(world.name))]
    assert found == {pod.rpartition("-")[2] for pod in pods if pod.startswith("web-")}


def test_without_the_right_it_is_said(
    world: Scratch, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.as_account(tmp_path, monkeypatch)
    (folder / "kubekit.yaml").unlink()
    arguments = ("logs", "--context", PROFILE, "-n", world.name)
    result = kubekit(*arguments, cwd=folder)
    assert (result.code, result.out) == (5, "")
    assert "pods is forbidden" in result.err
    world.allow("pods", "list", "get")
    world.until(lambda: "pods/log" in kubekit(*arguments, cwd=folder).err)
    world.allow("pods/log", "get")
    world.until(lambda: kubekit(*arguments, "stranger", cwd=folder).out == "not ours\n")


def test_following_goes_on_until_it_is_interrupted(world: Scratch, folder: Path) -> None:
    command = [KUBEKIT, "logs", "-f", "--tail", "2", "web"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        first = [run.stdout.readline() for _ in range(4)]
        pod = next(p for p in world.kube.list(PODS.path(world.name)) if running(p, "web"))
        world.kube.request("DELETE", PODS.path(world.name, pod["metadata"]["name"]))
        while not run.stdout.readline().endswith(" bye\n"):
            pass
        while not run.stdout.readline().endswith(f" out {COUNT - 1}\n"):
            pass
        run.send_signal(signal.SIGINT)
        said = run.stderr.read()
    assert len({line.split()[0] for line in first}) == 2
    assert (run.returncode, said) == (130, "✗ interrupted\n")


def running(pod: Object, app: str) -> bool:
    metadata = pod["metadata"]
    return metadata["name"].startswith(f"{app}-") and "deletionTimestamp" not in metadata


def test_who_stops_reading_ends_it(world: Scratch, folder: Path) -> None:
    command = f"{KUBEKIT} logs -f web | head -n 5"
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert (len(done.stdout.splitlines()), done.stderr) == (5, "")
