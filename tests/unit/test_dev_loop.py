"""The loop as a state machine: what it begins, cuts off and says, told events by hand.

Releases and containers are stand-ins here; tests/cluster/dev has the real ones.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kubekit.api.feed import Feed
from kubekit.api.follow import Found, Listed, Lost
from kubekit.dev import loop as loops
from kubekit.dev import sessions
from kubekit.dev.adapt import Adapted, Container
from kubekit.dev.answering import Answers, Started
from kubekit.dev.happening import Crashed, Pressed, Stop
from kubekit.dev.job import Accepted, Ended, Made
from kubekit.dev.loop import Loop
from kubekit.dev.pods import Pods
from kubekit.dev.podsync import Fault, SyncOutcome
from kubekit.dev.syncing import Saved
from kubekit.errors import (
    BuildError,
    KubekitError,
    Place,
    UnreachableError,
    UsageError,
    WorkloadError,
)
from kubekit.events import Event, FilesChanged, Reported, Synced, Warned, Watching
from kubekit.image.files import context
from kubekit.model import (
    BuildSettings,
    BuiltImage,
    ClusterTarget,
    DevSettings,
    Manifest,
    Manifests,
    Settings,
    SyncRule,
)
from kubekit.session import Run

IMAGE = "x:kk-0123456789ab"
DOCKERFILE = "FROM python:3.13-slim\nCOPY requirements.txt .\nCOPY src /app/src\n"


class Release:
    """A release that ends when the test says so."""

    begun: list[Release]

    def __init__(
        self, settings: Settings, *_: object, built: BuiltImage | None, **more: Any
    ) -> None:
        self.builds = built is None
        self.made = False
        self.cut = False
        self.hurried = False
        self.settings = settings
        self.deliver: Callable[[Made | Accepted | Ended], None] = more["deliver"]
        Release.begun.append(self)

    def cut_off(self) -> None:
        self.cut = True

    def hurry(self) -> None:
        self.hurried = True

    def join(self) -> None:
        pass

    def apply(self) -> None:
        """Get as far as applying."""
        adapted = self.make()
        self.made = True
        self.deliver(Accepted(job=self, adapted=adapted))  # type: ignore[arg-type]

    def make(self, containers: tuple[Container, ...] | None = None) -> Adapted:
        """Get as far as the trial."""
        assert self.settings.build is not None
        plan = context.plan(self.settings.build, name="x") if self.builds else None
        container = Container(ref="Deployment/x", name="c", python="python", probe=None, ports={})
        data = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "x"},
            "spec": {"selector": {"matchLabels": {"app": "x"}}},
        }
        items = (Manifest(data=data, origin=Place(file=Path("x"))),)
        found = (container,) if containers is None else containers
        adapted = Adapted(manifests=Manifests(items=items), containers=found)
        self.deliver(
            Made(
                job=self,  # type: ignore[arg-type]
                adapted=adapted,
                built=BuiltImage(reference=IMAGE, ids=frozenset(), built=True, reason=""),
                plan=plan,
            )
        )
        return adapted

    def end(self, error: KubekitError | None = None) -> None:
        """End."""
        self.deliver(Ended(job=self, error=error))  # type: ignore[arg-type]


class InPod:
    """A container's side of the sync: answers what the test wants."""

    outcomes: list[SyncOutcome | KubekitError]
    free: threading.Event

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def bring(self, *_: object, **__: object) -> SyncOutcome:
        assert InPod.free.wait(90)
        found = InPod.outcomes.pop(0) if InPod.outcomes else SyncOutcome(files=1, mode="warm")
        if isinstance(found, KubekitError):
            raise found
        return found

    def forget(self) -> None:
        pass

    def close(self) -> None:
        pass


class Cluster:
    """What is asked of the API."""

    def __init__(self) -> None:
        self.workload: dict[str, Any] | None = {"kind": "Deployment", "metadata": {}, "spec": {}}

    def get(self, path: str, *, patience: float) -> dict[str, Any] | None:
        if path == "/api/v1/namespaces/x":
            return {"metadata": {}}
        assert path == "/apis/apps/v1/namespaces/x/deployments/x"
        assert patience < 5
        return self.workload


class Stage:
    """A loop that takes one event after the other, and what it said and did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.watched: list[Mapping[Path, bool]] = []
        self.cluster = Cluster()
        self.asked: queue.SimpleQueue[tuple[str, int, socket.socket]] = queue.SimpleQueue()
        self.loop = Loop(
            self.load,
            ClusterTarget(context="x", profile="x"),
            self.cluster,  # type: ignore[arg-type]
            Run(emit=self.events.append),
            pods=Pods(),
            url="http://localhost:8000",
            watch=self.watched.append,
            changed=lambda: None,
            reach=self.reach,
            feed=Feed(None, "x"),  # type: ignore[arg-type]
            hide=lambda _: None,
        )

    def reach(self, pod: str, port: int) -> socket.socket:
        ours, theirs = socket.socketpair()
        self.asked.put((pod, port, theirs))
        return ours

    def load(self) -> Settings:
        build = BuildSettings(context=self.folder, dockerfile=self.folder / "Dockerfile")
        rule = SyncRule(src=self.folder / "src", dest="/app/src")
        return Settings(
            file=self.folder / "kubekit.yaml",
            name="x",
            namespace="x",
            profile="x",
            build=build,
            manifests=(self.folder / "manifests",),
            dev=DevSettings(sync=(rule,)),
        )

    def begin(self) -> Release:
        """The first release, not ended."""
        self.loop.queue.put(Stop())
        self.loop.run()
        return Release.begun[-1]

    def live(self, *, exact: bool | None = None) -> None:
        """Everything runs; whether the image by itself had all files."""
        InPod.outcomes = [SyncOutcome(exact=exact)] if exact is not None else []
        first = self.begin()
        first.apply()
        first.end()
        self.pods("a")
        self.take()
        self.settle()
        self.events.clear()

    def starts(self, name: str) -> None:
        """A pod is new: all that is known of it is that its container has been started."""
        items = [pod("a"), pod(name)]
        items[1]["status"] = {}
        self.loop.queue.put(Listed(kind="Pod", items=tuple(items)))
        self.loop.queue.put(Started(uid=name))
        self.take()

    def answers(self, status: str = "200 OK") -> tuple[str, int]:
        """The next pod that is asked answers; which, and at which port."""
        name, port, far = self.asked.get(timeout=90)
        with far:
            assert far.recv(4096).startswith(b"GET /ready HTTP/1.1\r\n")
            far.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        return name, port

    def answered(self, name: str) -> None:
        """All runs, and the app of a new pod has answered."""
        self.live(exact=True)
        self.starts(name)
        self.answers()
        self.loop._take(self.loop.queue.get(timeout=90))

    def pods(self, *names: str, restarts: int = 0) -> None:
        items = tuple(pod(name, restarts) for name in names)
        self.loop.queue.put(Listed(kind="Pod", items=items))

    def served_at_once(self, name: str, *, restarts: int = 0) -> bool:
        """Whether a pod is led to while its container has not told yet what it has."""
        InPod.free.clear()
        try:
            self.pods(name, restarts=restarts)
            self.take()
            return f"docker://{name}" in self.loop._files.current()
        finally:
            InPod.free.set()

    def save(self, name: str, text: str = "changed\n") -> None:
        (self.folder / name).write_text(text)
        self.touch(name)

    def touch(self, name: str) -> None:
        """Let it be known that something has become of this file."""
        paths = frozenset({self.folder / name})
        self.loop.queue.put(Saved(paths=paths, at=time.monotonic()))
        self.take()

    def take(self) -> None:
        """All events there are."""
        while not self.loop.queue.empty():
            self.loop._take(self.loop.queue.get())

    def settle(self, seconds: float = 90) -> None:
        """Take events until each container has told what became of the files."""
        end = time.monotonic() + seconds
        while not self.loop._files._sessions.settled or not self.loop.queue.empty():
            assert time.monotonic() < end, self.events
            self.take()
            time.sleep(0.002)

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def pod(name: str, restarts: int = 0) -> dict[str, Any]:
    mounts = [{"name": "kubekit-programs", "mountPath": "/.kubekit"}]
    status = {
        "name": "c",
        "state": {"running": {}},
        "containerID": f"docker://{name}",
        "ready": True,
        "restartCount": restarts,
    }
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "creationTimestamp": "2026-11-21T20:00:00Z",
            "labels": {"app": "x"},
        },
        "spec": {
            "containers": [
                {
                    "name": "c",
                    "image": IMAGE,
                    "volumeMounts": mounts,
                    "ports": [{"name": "http", "containerPort": 8000}],
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
                }
            ]
        },
        "status": {"containerStatuses": [status]},
    }


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    for name, text in {
        "Dockerfile": DOCKERFILE,
        "requirements.txt": "fastapi\n",
        "src/main.py": "1\n",
        "manifests/app.yaml": "",
        "kubekit.yaml": "",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    Release.begun, InPod.outcomes, InPod.free = [], [], threading.Event()
    InPod.free.set()
    monkeypatch.setattr(loops, "Job", Release)
    monkeypatch.setattr(sessions, "PodSync", InPod)
    stage = Stage(tmp_path)
    yield stage
    stage.loop.close()


def test_files_are_watched_before_the_first_build_and_after_it_failed(stage: Stage) -> None:
    first = stage.begin()
    assert stage.watched
    assert stage.watched[0][stage.folder / "src"]
    first.end(BuildError("broken", id="dockerfile"))
    stage.take()
    stage.save("Dockerfile", f"{DOCKERFILE}RUN true\n")
    assert len(Release.begun) == 2


def test_a_source_is_synced_and_told_live(stage: Stage) -> None:
    stage.live()
    stage.save("src/main.py")
    stage.settle()
    (changed,) = stage.of(FilesChanged)
    assert (changed.action, changed.files) == ("sync", ("src/main.py",))
    (synced,) = stage.of(Synced)
    assert (synced.files, synced.mode) == (1, "warm")
    assert stage.of(Watching)[-1].well
    assert len(Release.begun) == 1


def test_the_same_text_saved_again_is_nothing(stage: Stage) -> None:
    stage.live()
    stage.save("src/main.py", "1\n")
    stage.settle()
    assert stage.events == []


def test_a_refused_save_is_told_until_it_is_mended(stage: Stage) -> None:
    stage.live()
    fault = Fault(place=Place(file=Path("src/main.py"), line=1), text="(", message="SyntaxError: x")
    InPod.outcomes = [SyncOutcome(faults=(fault,))]
    stage.save("src/main.py", "(\n")
    stage.settle()
    assert [report.id for report in stage.of(Reported)] == ["syntax-error"]
    assert not stage.of(Watching)[-1].well
    stage.save("src/main.py", "2\n")
    stage.settle()
    assert stage.of(Watching)[-1].well


def test_what_tidies_after_a_release_gives_way_to_the_next(stage: Stage) -> None:
    stage.live()
    (first,) = Release.begun
    assert not first.hurried
    stage.save("Dockerfile", f"{DOCKERFILE}RUN true\n")
    assert first.hurried


def test_a_dependency_is_built_and_a_newer_one_cuts_that_off(stage: Stage) -> None:
    stage.live()
    stage.save("requirements.txt", "fastapi\nhttpx\n")
    stage.save("requirements.txt", "fastapi\nhttpx2\n")
    _, second = Release.begun
    assert second.builds
    assert second.cut
    second.end(KubekitError("cut off"))
    stage.take()
    assert len(Release.begun) == 3
    assert stage.of(Reported) == []


def test_a_manifest_is_applied_with_the_image_there_is(stage: Stage) -> None:
    stage.live()
    stage.save("manifests/app.yaml")
    assert not Release.begun[-1].builds


def test_a_source_waits_for_the_pods_of_a_rollout(stage: Stage) -> None:
    stage.live()
    stage.save("manifests/app.yaml")
    stage.pods()
    stage.save("src/main.py")
    assert stage.of(Synced) == []
    Release.begun[-1].apply()
    stage.pods("b")
    stage.take()
    stage.settle()
    assert len(stage.of(Synced)) == 1
    assert len(Release.begun) == 2


def test_what_one_pod_refused_is_well_when_another_has_taken_its_place(stage: Stage) -> None:
    stage.live()
    InPod.outcomes = [SyncOutcome(mode="", failed="ImportError: x")]
    stage.save("src/main.py")
    stage.settle()
    assert stage.loop._files.refused
    stage.pods("b")
    stage.take()
    end = time.monotonic() + 90
    while stage.loop._files.refused:
        assert time.monotonic() < end
        stage.take()
        time.sleep(0.002)


def test_a_pod_whose_image_is_known_to_hold_all_files_is_led_to_at_once(stage: Stage) -> None:
    stage.live(exact=True)
    assert stage.served_at_once("b")
    stage.save("assets.txt")
    stage.save("requirements.txt")  # another image, by the same Dockerfile
    Release.begun[-1].apply()
    assert stage.served_at_once("c")


def test_what_may_lack_a_file_is_not_led_to_before_it_was_asked(stage: Stage) -> None:
    stage.live(exact=True)
    assert not stage.served_at_once("b", restarts=1)
    stage.save("src/main.py")
    assert not stage.served_at_once("c")
    stage.settle()
    stage.save("src/main.py", "1\n")
    stage.settle()
    assert stage.served_at_once("d")
    stage.save("Dockerfile", f"{DOCKERFILE}RUN sed -i s/1/2/ /app/src/main.py\n")
    Release.begun[-1].apply()
    assert not stage.served_at_once("e")


@pytest.mark.parametrize("exact", [False, None])
def test_an_image_that_did_not_hold_all_files_is_not_trusted(
    stage: Stage, exact: bool | None
) -> None:
    stage.live(exact=exact)
    assert not stage.served_at_once("b")


def test_it_is_told_if_a_pod_that_was_led_to_lacked_files_and_none_is_trusted_again(
    stage: Stage,
) -> None:
    stage.live(exact=True)
    InPod.outcomes = [SyncOutcome(files=1, mode="warm", exact=False)]
    assert stage.served_at_once("b")
    stage.settle()
    (warned,) = stage.of(Warned)
    assert "Pod `b`" in warned.text
    assert not stage.served_at_once("c")


def test_a_save_is_settled_when_the_pod_that_had_not_told_is_gone(stage: Stage) -> None:
    stage.live()
    stage.pods("a", "b")
    stage.take()
    stage.settle()
    stage.events.clear()
    stuck = stage.loop._files._sessions._open["docker://b"]
    stuck.want = lambda *_: None  # type: ignore[method-assign]
    stage.save("src/main.py")
    end = time.monotonic() + 90
    while stage.loop._files._sessions._open["docker://a"].told < stage.loop._files._version:
        assert time.monotonic() < end
        time.sleep(0.002)
    stage.take()
    assert stage.of(Synced) == []
    stage.pods("a")
    stage.take()
    assert len(stage.of(Synced)) == 1


def test_after_a_rollout_that_failed_a_source_is_built(stage: Stage) -> None:
    stage.live()
    stage.save("requirements.txt", "fastapi\nhttpx\n")
    Release.begun[-1].apply()
    Release.begun[-1].end(KubekitError("crashes"))
    stage.take()
    stage.save("src/main.py")
    assert [one.builds for one in Release.begun] == [True, True, True]


def test_after_a_build_that_failed_a_source_is_synced(stage: Stage) -> None:
    stage.live()
    stage.save("requirements.txt", "nosuch\n")
    Release.begun[-1].end(BuildError("no such package", id="step"))
    stage.take()
    stage.save("src/main.py")
    stage.settle()
    assert len(Release.begun) == 2
    assert len(stage.of(Synced)) == 1


def test_what_broke_the_build_is_put_back_and_all_is_well(stage: Stage) -> None:
    stage.live()
    stage.save("requirements.txt", "nosuch\n")
    Release.begun[-1].end(BuildError("no such package", id="step"))
    stage.take()
    assert not stage.of(Watching)[-1].well
    stage.save("requirements.txt", "fastapi\n")
    Release.begun[-1].apply()
    Release.begun[-1].end()
    stage.take()
    assert stage.of(Watching)[-1].well


def test_broken_settings_are_told_and_the_old_ones_stay(stage: Stage) -> None:
    stage.live()
    before = stage.loop._settings

    def broken() -> Settings:
        raise UsageError("unknown key", place=Place(file=stage.folder / "kubekit.yaml", line=6))

    stage.loop._load = broken
    stage.save("kubekit.yaml", "nosuch: 1\n")
    (changed,) = stage.of(FilesChanged)
    assert changed.files == ("kubekit.yaml",)
    (told,) = stage.of(Reported)
    assert told.place.endswith("kubekit.yaml:6")
    assert stage.loop._settings is before
    assert len(Release.begun) == 1
    stage.save("src/main.py", "2\n")
    stage.settle()
    assert len(stage.of(Synced)) == 1


def test_what_an_editor_wrote_beside_a_file_is_not_told(stage: Stage) -> None:
    stage.live()
    there, gone = stage.folder / "requirements.txt", stage.folder / "src/sedAbC123"
    there.write_text("fastapi\nhttpx\n")
    stage.loop.queue.put(Saved(paths=frozenset({there, gone}), at=time.monotonic()))
    stage.take()
    (changed,) = stage.of(FilesChanged)
    assert changed.files == ("requirements.txt",)
    stage.save("src/main.py", "2\n")
    stage.settle()
    (stage.folder / "src/main.py").unlink()
    stage.loop.queue.put(Saved(paths=frozenset({stage.folder / "src/main.py"}), at=0.0))
    stage.take()
    assert stage.of(FilesChanged)[-1].text.startswith("src/main.py is gone")


def test_a_dependency_below_what_is_synced_is_only_built(stage: Stage) -> None:
    file, beside = stage.folder / "src/requirements.txt", stage.folder / "src/sedAbC123"
    file.write_text("fastapi\n")
    (stage.folder / "Dockerfile").write_text("FROM python:3.13-slim\nCOPY src /app/src\n")
    stage.live()
    file.write_text("fastapi\nhttpx\n")
    stage.loop.queue.put(Saved(paths=frozenset({file, beside}), at=time.monotonic()))
    stage.take()
    (changed,) = stage.of(FilesChanged)
    assert (changed.action, changed.files) == ("rebuild", ("src/requirements.txt",))
    assert Release.begun[-1].builds
    stage.settle()
    assert stage.of(Synced) == []


@pytest.mark.parametrize("lost_first", [True, False])
def test_a_cluster_that_comes_back_is_taken_up_again(stage: Stage, lost_first: bool) -> None:
    stage.live()
    stage.loop._kube = type("Kube", (), {"renew": lambda _: None})()
    lost = Lost(kind="Pod", error=UnreachableError("away"), fatal=False)
    stage.save("manifests/app.yaml")
    ended = Ended(job=Release.begun[-1], error=UnreachableError("away"))  # type: ignore[arg-type]
    for event in (lost, ended) if lost_first else (ended, lost):
        stage.loop.queue.put(event)
    stage.take()
    assert len(Release.begun) == 2
    stage.loop.queue.put(Found(kind="Pod"))
    stage.take()
    assert len(Release.begun) == 3


@pytest.mark.parametrize("ready_at_the_end", [True, False])
def test_pods_that_are_ready_after_all_are_looked_at_again(
    stage: Stage, ready_at_the_end: bool
) -> None:
    stage.live()
    stage.save("manifests/app.yaml")
    stage.take()
    release = Release.begun[-1]
    release.apply()
    ready = pod("b")
    ready["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    stage.loop.queue.put(Listed(kind="Pod", items=(ready if ready_at_the_end else pod("b"),)))
    release.end(WorkloadError("crashes"))
    stage.take()
    count = len(Release.begun)
    stage.loop.queue.put(Listed(kind="Pod", items=(ready,)))
    stage.take()
    # What failed although all were ready fails for another reason.
    assert len(Release.begun) - count == (0 if ready_at_the_end else 1)
    if not ready_at_the_end:
        Release.begun[-1].end()
        stage.take()
        assert stage.of(Watching)[-1].well


def test_pods_that_flap_are_looked_at_once_for_each_save(stage: Stage) -> None:
    stage.live()
    ready = pod("b")
    ready["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    for _ in range(2):
        stage.save("manifests/app.yaml")
        stage.take()
        count = len(Release.begun)
        for _ in range(3):
            Release.begun[-1].apply()
            stage.loop.queue.put(Listed(kind="Pod", items=(pod("b"),)))
            Release.begun[-1].end(WorkloadError("crashes"))
            stage.loop.queue.put(Listed(kind="Pod", items=(ready,)))
            stage.take()
        assert len(Release.begun) == count + 1


def test_what_cannot_be_followed_at_all_ends_it(stage: Stage) -> None:
    stage.live()
    forbidden = KubekitError("pods may not be listed")
    stage.loop.queue.put(Lost(kind="Pod", error=forbidden, fatal=True))
    with pytest.raises(KubekitError, match="may not be listed"):
        stage.take()


def test_a_defect_of_a_thread_is_not_waited_for(stage: Stage) -> None:
    stage.live()
    stage.loop.queue.put(Crashed(error=ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        stage.take()


def test_keys(stage: Stage) -> None:
    stage.live()
    stage.loop.queue.put(Pressed(key="s"))
    stage.take()
    stage.settle()
    assert len(stage.of(Synced)) == 1
    stage.loop.queue.put(Pressed(key="r"))
    stage.take()
    assert Release.begun[-1].builds


def test_a_pod_without_our_programs_is_nobody_to_sync_with(stage: Stage) -> None:
    first = stage.begin()
    first.apply()
    plain = pod("plain")
    del plain["spec"]["containers"][0]["volumeMounts"]
    stage.loop.queue.put(Listed(kind="Pod", items=(plain,)))
    stage.take()
    assert stage.loop._files.count == 0


def test_a_new_pod_is_led_to_once_its_app_answers_whatever_the_kubelet_says(stage: Stage) -> None:
    stage.live(exact=True)
    pods = stage.loop._pods
    stage.starts("b")
    assert pods.choose(0) is None
    assert stage.answers("503 Service Unavailable") == ("b", 8000)
    assert stage.answers() == ("b", 8000)
    stage.loop._take(stage.loop.queue.get(timeout=90))
    assert pods.choose(0) == ("b", 8000)


@pytest.mark.parametrize(
    "change",
    [{"restartCount": 1}, {"state": {"terminated": {"exitCode": 1}}}],
    ids=["restarted", "ended"],
)
def test_a_new_pod_that_has_answered_and_ended_is_led_to_no_more(
    stage: Stage, change: dict[str, Any]
) -> None:
    stage.answered("b")
    ended = pod("b")
    ended["status"]["containerStatuses"][0] |= change
    stage.loop.queue.put(Listed(kind="Pod", items=(ended,)))
    stage.take()
    assert stage.loop._pods.choose(0) is None


def test_another_pod_of_its_name_has_not_answered(stage: Stage) -> None:
    stage.answered("b")
    namesake = pod("b")
    namesake["status"] = {}
    namesake["metadata"]["uid"] = "another"
    stage.loop.queue.put(Listed(kind="Pod", items=(namesake,)))
    stage.take()
    assert stage.loop._pods.choose(0) is None


def test_an_answer_counts_for_as_long_as_the_kubelet_may_take_to_ask(stage: Stage) -> None:
    stage.live(exact=True)
    stage.starts("b")
    stage.answers()
    new = stage.loop._pods.new("b")
    assert new is not None
    assert new.seconds == 13
    stage.loop._take(stage.loop.queue.get(timeout=90))
    stage.loop._pods.answers("b", 0)
    assert stage.loop._pods.choose(0) is None


def test_a_pod_that_was_ready_and_is_not_any_more_is_led_to_no_more(stage: Stage) -> None:
    stage.answered("b")
    for ready in ("True", "False"):
        seen = pod("b")
        seen["status"] |= {"conditions": [{"type": "Ready", "status": ready}]}
        stage.loop.queue.put(Listed(kind="Pod", items=(seen,)))
        stage.take()
        assert (stage.loop._pods.choose(0) is not None) is (ready == "True")


def test_a_new_pod_that_may_not_have_the_files_of_now_is_not_led_to(stage: Stage) -> None:
    stage.answered("b")
    stage.save("src/main.py")
    assert stage.loop._pods.choose(0) is None
    stage.loop.queue.put(Answers(uid="b", version=1))  # which was on its way
    stage.take()
    assert stage.loop._pods.choose(0) is None
    stage.starts("c")
    assert stage.asked.empty()


SERVICES = [
    {
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": port}]},
    }
    for name, port in (("db", 5432), ("x", 8000))
]


@pytest.mark.parametrize(
    "services", [SERVICES, SERVICES[:1], []], ids=["both", "another's", "none"]
)
def test_the_port_leads_to_the_app_and_not_to_a_younger_database(
    services: list[dict[str, Any]],
) -> None:
    container = Container(ref="Deployment/x", name="c", python="python", probe=None, ports={})
    items: list[dict[str, Any]] = [*services]
    for kind, name in (("Deployment", "x"), ("StatefulSet", "db")):
        spec = {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}},
        }
        items.append({"kind": kind, "metadata": {"name": name}, "spec": spec})
    app, database = pod("x-1"), pod("db-0")
    database["metadata"] |= {"labels": {"app": "db"}, "creationTimestamp": "2026-11-21T21:00:00Z"}
    for one in (app, database):
        one["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    pods = Pods()
    origin = Place(file=Path("x"))
    manifests = Manifests(items=tuple(Manifest(data=one, origin=origin) for one in items))
    pods.expect(manifests, (container,))
    pods.take(Listed(kind="Pod", items=(app, database)))
    pods.serve({"docker://x-1", "docker://db-0"})
    assert pods.choose(0) == ("x-1", 8000)
    assert pods.newest() == "x-1"
    pods.take(Listed(kind="Pod", items=(database,)))
    assert pods.choose(0) is None


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [*pod("b")["spec"]["containers"], {"name": "proxy"}]},
        {**pod("b")["spec"], "readinessGates": [{"conditionType": "example.com/there"}]},
    ],
    ids=["two containers", "a gate"],
)
def test_whether_a_pod_is_ready_is_left_to_kubernetes_where_more_belongs_to_it(
    stage: Stage, spec: dict[str, Any]
) -> None:
    stage.live(exact=True)
    new = pod("b")
    new |= {"spec": spec, "status": {}}
    stage.loop.queue.put(Listed(kind="Pod", items=(new,)))
    stage.loop.queue.put(Started(uid="b"))
    stage.take()
    assert stage.asked.empty()
