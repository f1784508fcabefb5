"""Files brought into containers, on the real cluster, and what may happen to a pod meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kubekit.api.kube import ApiError, Kube, TransientError
from kubekit.api.resources import PODS
from kubekit.dev.podsync import PodSync, SyncOutcome
from kubekit.dev.probe import Probe
from kubekit.dev.syncerrors import FullError, NoPythonError, NotWritableError
from kubekit.dev.tree import Tree, read
from kubekit.errors import CancelledError
from kubekit.model import Cancel, SyncRule
from kubekit.streams.exec import EndedError, Exec, GoneError
from tests.cluster.conftest import PROFILE
from tests.cluster.faultproxy import in_front_of
from tests.cluster.scratch import Scratch, scratch
from tests.unit.agents import AGENT

pytestmark = pytest.mark.cluster

PROGRAM = """
import contextlib, glob, http.server, os, signal, socket, sys, threading
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server = http.server.ThreadingHTTPServer(("", 8000), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
line = socket.socket(socket.AF_UNIX)
own = os.stat("/proc/self/ns/mnt").st_ino
line.bind(f"\\0kubekit-dev-{os.environ['KUBEKIT_DEV']}-{own}")
line.listen()
kept = []
while True:
    client, _ = line.accept()
    client.makefile().readline()
    kept.append(client)
    if not glob.glob("/app/*/silent"):
        with contextlib.suppress(OSError):
            client.sendall(b'{"state": "ready", "mode": "warm", "seconds": 0.01, "why": ""}\\n')
"""
LOOK = """
import hashlib, os, sys
for base, folders, files in os.walk(sys.argv[1]):
    for name in folders + files:
        at = os.path.join(base, name)
        if os.path.islink(at):
            what = os.readlink(at)
        elif os.path.isdir(at):
            what = "folder"
        else:
            x = os.stat(at).st_mode & 0o100
            what = hashlib.sha256(open(at, "rb").read()).hexdigest() + " x" * bool(x)
        print(ascii(os.path.relpath(at, sys.argv[1])), what)
"""


def pod(made: Scratch, name: str, *, security: Any = None, volumes: Any = ()) -> None:
    """A pod of the lab's Python image with the agent in it; volumes: (name, source, mount)."""
    own = [("programs", {"configMap": {"name": "programs"}}, "/.kubekit"), *volumes]
    container = {
        "name": "app",
        "image": "python:3.13-slim",
        "imagePullPolicy": "Never",
        "command": ["python", "-c", PROGRAM],
        "env": [{"name": "KUBEKIT_DEV", "value": "t"}],
        "resources": {"limits": {"memory": "128Mi"}},
        "securityContext": security or {},
        "volumeMounts": [{"name": name, "mountPath": path} for name, _, path in own],
    }
    spec = {"containers": [container], "volumes": [{"name": n, **source} for n, source, _ in own]}
    made.pod(name, spec)


@pytest.fixture(scope="module")
def world(cluster: dict[str, str]) -> Iterator[Scratch]:
    with scratch() as made:
        made.make("v1", "ConfigMap", "programs", data={"agent.py": AGENT.read_text()})
        for name in ("one", "two"):
            pod(made, name)
        strict = {
            "runAsUser": 10001,
            "runAsNonRoot": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        small = {"emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}}
        mounts = [
            ("code", small, "/app/strict"),
            ("mounted", {"configMap": {"name": "programs"}}, "/app/strict/conf"),
        ]
        pod(made, "strict", security=strict, volumes=mounts)
        for name in ("one", "two", "strict"):
            made.until(lambda name=name: running(made, name))
        yield made


def running(made: Scratch, name: str) -> bool:
    states = made.get_pod(name)["status"].get("containerStatuses") or [{}]
    return "running" in states[0].get("state", {})


def dest_of(src: Path) -> str:
    """Where a test's files lie in pods that other tests use, too."""
    return f"/app/{src.parent.name}"


def restarts(made: Scratch, name: str) -> int:
    return int(made.get_pod(name)["status"]["containerStatuses"][0]["restartCount"])


def sync(made: Scratch, pod: str, src: Path, kube: Kube | None = None, **options: Any) -> PodSync:
    usual = {"python": "python", "rules": [SyncRule(src=src, dest=dest_of(src))], "patience": 20.0}
    return PodSync(kube or made.kube, made.name, pod, "app", **{**usual, **options})


def tree_of(src: Path, dest: str = "", before: Tree | None = None) -> Tree:
    return read([SyncRule(src=src, dest=dest or dest_of(src))], None, before)


def run(made: Scratch, pod: str, *command: str) -> str:
    """What a program in the container prints."""
    output = b""
    with (
        Exec(made.kube, made.name, pod, "app", command) as program,
        contextlib.suppress(EndedError),
    ):
        while True:
            output += program.receive()
    return output.decode()


def look(made: Scratch, pod: str, dest: str) -> set[str]:
    """What the container holds, by a program of its own."""
    return set(run(made, pod, "python", "-c", LOOK, dest).splitlines())


def expected(src: Path) -> set[str]:
    """The same of the working tree."""
    found = set()
    for path in src.rglob("*"):
        executable = " x" if path.stat().st_mode & 0o100 else ""
        if path.is_symlink():
            what = str(path.readlink())
        elif path.is_dir():
            what = "folder"
        else:
            what = hashlib.sha256(path.read_bytes()).hexdigest() + executable
        found.add(f"{str(path.relative_to(src))!a} {what}")
    return found


@pytest.fixture
def src(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg/main.py").write_text("x = 1\n")
    (folder / "pkg/data \udce9\n.bin").write_bytes(bytes(range(256)))
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    (folder / "here").symlink_to("pkg/main.py")
    return folder


def checkout(src: Path, generation: int, count: int = 300) -> None:
    """As `git checkout` leaves a tree."""
    for number in range(count):
        file = src / f"p{(number + generation) % 50}/m{number}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"def f():\n    return {number + generation}\n")


def test_two_replicas_follow_every_kind_of_change_to_the_letter(
    world: Scratch, src: Path, record_property: Callable[[str, object], None]
) -> None:
    probe = Probe(port=8000, path="/")
    pods = [sync(world, name, src, probe=probe) for name in ("one", "two")]
    before = None

    def bring() -> list[SyncOutcome]:
        nonlocal before
        before = tree_of(src, before=before)
        with ThreadPoolExecutor() as pool:
            outcomes = list(pool.map(lambda one: one.bring(before, reload=True), pods))
        assert all(outcome.well for outcome in outcomes), outcomes
        assert look(world, "one", dest_of(src)) == look(world, "two", dest_of(src)) == expected(src)
        return outcomes

    with contextlib.ExitStack() as stack:
        for one in pods:
            stack.callback(one.close)
        first = bring()[0]
        assert (first.mode, first.ready, first.met) == ("warm", True, "HTTP 200")
        assert bring()[0].files == 0

        (src / "pkg/main.py").rename(src / "pkg/renamed.py")
        (src / "run").chmod(0o644)
        (src / "here").unlink()
        (src / "here").mkdir()
        (src / "here/empty").write_text("")
        assert bring()[0].files == 6
        shutil.rmtree(src / "here")
        (src / "here").write_text("a file")
        bring()

        checkout(src, 0, 3000)
        record_property("3,000 files", bring()[0].seconds)
        shutil.rmtree(src / "p7")
        checkout(src, 1)
        assert bring()[0].files == 360
        (src / "large.bin").write_bytes(os.urandom(20 << 20))
        assert bring()[0].size == 20 << 20


def test_a_save_is_in_the_pod_and_answered_for_over_one_session(
    world: Scratch, src: Path, record_property: Callable[[str, object], None]
) -> None:
    took = []
    with contextlib.closing(sync(world, "one", src, probe=Probe(port=8000, path="/"))) as one:
        for number in range(20):
            (src / "pkg/main.py").write_text(f"x = {number}\n")
            took.append(one.bring(tree_of(src), reload=True).seconds)
        assert agents(world, "one") == 1
        broken = "def f(:\n    pass\n"
        (src / "pkg/main.py").write_text(broken)
        (src / "other.txt").write_text("not written either")
        outcome = one.bring(tree_of(src), reload=True)
        (fault,) = outcome.faults
        assert (fault.place.file, fault.place.line) == (src / "pkg/main.py", 1)
        assert (fault.text, outcome.well, outcome.files) == ("def f(:", False, 0)
        (src / "pkg/main.py").write_text("x = 19\n")
        (src / "other.txt").unlink()
        assert look(world, "one", dest_of(src)) == expected(src)
        assert one.bring(tree_of(src), reload=True).files == 0
    record_property("seconds of a save, median", sorted(took)[10])
    world.until(lambda: agents(world, "one") == 0)


def agents(made: Scratch, pod: str) -> int:
    """How many agents run in a container."""
    script = "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done"
    return run(made, pod, "sh", "-c", script).count("-S -W ignore")


def test_a_restarted_container_gets_everything_again(world: Scratch, src: Path) -> None:
    with contextlib.closing(sync(world, "two", src)) as two:
        two.bring(tree_of(src), reload=True)
        with contextlib.suppress(TransientError):
            run(world, "two", "sh", "-c", "kill 1")
        world.until(lambda: restarts(world, "two") and running(world, "two"))
        (src / "pkg/main.py").write_text("x = 2\n")

        def brought() -> SyncOutcome | None:
            with contextlib.suppress(GoneError, TransientError):
                return two.bring(tree_of(src), reload=True)
            return None

        outcome = world.until(brought)
        assert outcome.files == len(tree_of(src).entries)
        assert look(world, "two", dest_of(src)) == expected(src)


def test_of_the_image_only_what_it_was_built_from_is_deleted(world: Scratch, src: Path) -> None:
    dest = dest_of(src)
    made = f"mkdir -p {dest}/gone && cd {dest} && touch gone/a.py b.py made.txt && ln -s / link"
    run(world, "one", "sh", "-c", made)
    built = [f"{dest}/{path}" for path in ("gone", "gone/a.py", "b.py", "link")]
    with contextlib.closing(sync(world, "one", src, known=built)) as one:
        assert one.bring(tree_of(src), reload=True).well
    assert look(world, "one", dest) - expected(src) == {
        f"'made.txt' {hashlib.sha256().hexdigest()}"
    }


def test_what_somebody_else_changed_in_the_container_is_put_right(
    world: Scratch, src: Path
) -> None:
    with contextlib.closing(sync(world, "one", src)) as one:
        one.bring(tree_of(src), reload=True)
        run(world, "one", "rm", "-r", dest_of(src))
        (src / "pkg/main.py").write_text("x = 2\n")
        one.bring(tree_of(src), reload=True)
        assert look(world, "one", dest_of(src)) == expected(src)
        run(world, "one", "sh", "-c", f"echo x = 3 > {dest_of(src)}/pkg/main.py")
        assert one.bring(tree_of(src), reload=True).files == 0
        one.forget()
        assert one.bring(tree_of(src), reload=True).files == 1
        assert look(world, "one", dest_of(src)) == expected(src)


def test_a_pod_that_goes_is_reported_as_gone(world: Scratch, src: Path) -> None:
    pod(world, "short")
    world.until(lambda: running(world, "short"))
    checkout(src, 0)
    with contextlib.closing(sync(world, "short", src)) as short:
        short.bring(tree_of(src), reload=True)
        checkout(src, 1)
        uid = world.get_pod("short")["metadata"]["uid"]
        killer = threading.Timer(
            0.2, lambda: world.kube.delete(PODS.path(world.name, "short"), uid=uid)
        )
        killer.start()
        generations = iter(range(2, 1000))

        def bring() -> None:
            checkout(src, next(generations))
            short.bring(tree_of(src), reload=True)

        with pytest.raises(GoneError):
            list(iter(bring, "never"))
        killer.join()


def test_where_nothing_can_be_written_it_is_said(world: Scratch, src: Path) -> None:
    elsewhere = [SyncRule(src=src, dest="/usr/src")]
    strict = sync(world, "strict", src, rules=elsewhere)
    with pytest.raises(NotWritableError, match="read-only file system"):
        strict.bring(tree_of(src, "/usr/src"), reload=True)
    folder = src.parent / "strict"
    folder.mkdir()
    src = src.rename(folder / "src")
    with contextlib.closing(sync(world, "strict", src)) as strict:
        (src / "conf").mkdir()
        (src / "conf/agent.py").write_text("# what is mounted there stays\n")
        assert strict.bring(tree_of(src), reload=True).mode == "warm"
        (src / "large.bin").write_bytes(os.urandom(6 << 20))
        with pytest.raises(FullError, match="no space left"):
            strict.bring(tree_of(src), reload=True)
        (src / "large.bin").unlink()
        (src / "pkg/main.py").write_text("x = 3\n")
        assert strict.bring(tree_of(src), reload=True).files == 1
    shutil.rmtree(src / "conf")
    ours = {line for line in look(world, "strict", dest_of(src)) if not line.startswith("'conf")}
    assert ours == expected(src)


def test_without_python_or_a_container_there_is_no_session(world: Scratch, src: Path) -> None:
    for python in ("/no/such/python", "nosuchpython", "/etc/passwd"):
        with pytest.raises(NoPythonError) as caught:
            sync(world, "one", src, python=python).bring(tree_of(src), reload=True)
        assert caught.value.details
    with pytest.raises(GoneError):
        sync(world, "nosuch", src).bring(tree_of(src), reload=True)


def test_a_broken_connection_is_made_anew(
    world: Scratch, src: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_front_of(world.kube.host) as proxy:
        copy = proxy.kubeconfig(Path(os.environ["KUBECONFIG"]), tmp_path / "config", PROFILE)
        monkeypatch.setenv("KUBECONFIG", str(copy))
        kube = Kube(context=PROFILE, cancel=Cancel())
        with contextlib.closing(sync(world, "one", src, kube)) as one:
            one.bring(tree_of(src), reload=True)
            assert proxy.drop() == 1
            (src / "pkg/main.py").write_text("x = 4\n")
            assert one.bring(tree_of(src), reload=True).files == 1
            proxy.cut()
            (src / "pkg/main.py").write_text("x = 5\n")
            with pytest.raises(TransientError):
                one.bring(tree_of(src), reload=True)
            proxy.restore()
            assert one.bring(tree_of(src), reload=True).mode == "warm"
            for generation in range(3):
                checkout(src, generation)
                breaker = threading.Timer(0.15 * generation, proxy.drop)
                breaker.start()
                with contextlib.suppress(TransientError):
                    one.bring(tree_of(src), reload=True)
                breaker.join()
            assert one.bring(tree_of(src), reload=True).well
    assert look(world, "one", dest_of(src)) == expected(src)


def test_a_sync_can_be_given_up(world: Scratch, src: Path) -> None:
    cancel = Cancel()
    with contextlib.closing(sync(world, "one", src)) as one:
        (src / "silent").write_text("")
        timer = threading.Timer(0.5, cancel.set)
        timer.start()
        with pytest.raises(CancelledError):
            one.bring(tree_of(src), reload=True, cancel=cancel)
        timer.join()
        (src / "silent").unlink()
        # The reload of what was written then is still owed.
        assert one.bring(tree_of(src), reload=True).mode == "warm"
        assert look(world, "one", dest_of(src)) == expected(src)


def test_who_may_not_run_programs_in_pods_is_told(
    world: Scratch, src: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kube = world.as_account(tmp_path, monkeypatch)
    with pytest.raises(ApiError, match="pods/exec"):
        sync(world, "one", src, kube).bring(tree_of(src), reload=True)
