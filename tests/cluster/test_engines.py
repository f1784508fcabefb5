"""Docker daemons older, newer, poorer and in worse shape than the lab's own: all of them real."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kubekit.errors import BuildError, FilesError, KubekitError, UnreachableError, UsageError
from kubekit.events import BuildLog, BuildStep, Event, Warned
from kubekit.image import build
from kubekit.image.changes import Memory
from kubekit.image.docker.engine import Engine
from kubekit.image.docker.store import DockerStore
from kubekit.image.files import context
from kubekit.model import BuildSettings, BuiltImage, Cancel, DockerEndpoint
from tests.cluster.engineproxy import EngineProxy, proxied
from tests.cluster.spare import Spare, newer_image, node_image, spare
from tests.conftest import alive, until

pytestmark = pytest.mark.cluster

FROM = "FROM python:3.13-slim"
TWO_STAGES = f"""\
ARG BASE=python:3.13-slim
FROM $BASE AS builder
# The argument makes each test's build its own.
ARG MARK
RUN echo one $MARK && \\
    echo two >&2

{FROM} AS runtime
COPY --from=builder /etc/hostname /from
COPY app.py /app.py
RUN cat /app.py
FROM nowhere.invalid/never:1
"""


@dataclass(kw_only=True)
class Builder:
    """A small project that is built in one daemon."""

    root: Path
    endpoint: DockerEndpoint
    target: str | None = None
    patience: float = 45.0
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    events: list[Event] = field(default_factory=list)
    on_log: Callable[[], object] | None = None

    def build(self, dockerfile: str = TWO_STAGES) -> BuiltImage:
        """Make sure that the image is there, as kubekit does it."""
        (self.root / "Dockerfile").write_text(dockerfile)
        self.events.clear()
        settings = BuildSettings(
            context=self.root,
            dockerfile=self.root / "Dockerfile",
            target=self.target,
            args={"MARK": self.mark},
        )
        engine = Engine(self.endpoint)
        engine.patience = self.patience
        try:
            return build.ensure(
                context.plan(settings, name="spare"),
                DockerStore(engine),
                name=self.mark,
                memory=Memory(self.root.parent / "memory.json"),
                emit=self._emit,
                cancel=Cancel(),
            )
        finally:
            engine.close()

    def fail(self, dockerfile: str = TWO_STAGES) -> KubekitError:
        """Build what cannot be built."""
        with pytest.raises(KubekitError) as caught:
            self.build(dockerfile)
        assert "\n" not in caught.value.message
        return caught.value

    def steps(self, state: str) -> list[str]:
        """The steps that were told to be in this state."""
        told = [event for event in self.events if isinstance(event, BuildStep)]
        return [step.step for step in told if step.state == state]

    def _emit(self, event: Event, /) -> None:
        self.events.append(event)
        if isinstance(event, BuildLog) and self.on_log is not None:
            hook, self.on_log = self.on_log, None
            hook()


@pytest.fixture(scope="module")
def older(cluster: dict[str, str]) -> Iterator[Spare]:
    """Docker 20.10."""
    with spare(node_image(), disk="700m", name="older") as made:
        yield made


@pytest.fixture(scope="module")
def newer(cluster: dict[str, str]) -> Iterator[Spare]:
    """Docker 26.1."""
    with spare(newer_image(), disk="700m", name="newer") as made:
        yield made


@pytest.fixture
def without_buildkit(older: Spare) -> Iterator[DockerEndpoint]:
    """Docker 20.10 that says it is 17.12."""
    with proxied(EngineProxy(behind=older.address, newest="1.35")) as endpoint:
        yield endpoint


@pytest.fixture
def builder(tmp_path: Path, older: Spare) -> Builder:
    """A project to build in the older daemon."""
    return project(tmp_path, older.endpoint)


def project(parent: Path, endpoint: DockerEndpoint) -> Builder:
    root = parent / "backend"
    root.mkdir()
    (root / "app.py").write_text("print('hello')\n")
    return Builder(root=root, endpoint=endpoint)


@pytest.fixture(params=["older", "newer", "without_buildkit"])
def each(request: pytest.FixtureRequest, tmp_path: Path) -> Builder:
    """A project to build in each kind of daemon in turn."""
    found = request.getfixturevalue(request.param)
    return project(tmp_path, found.endpoint if isinstance(found, Spare) else found)


def test_built_once_then_only_what_changed(each: Builder) -> None:
    each.target = "runtime"
    first = each.build()
    assert first.built
    said = [event.line for event in each.events if isinstance(event, BuildLog)]
    assert {f"one {each.mark}", "two", "print('hello')"} == set(said)
    assert not each.build().built
    (each.root / "app.py").write_text("print('changed')\n")
    assert each.build().built
    assert "print('changed')" in [e.line for e in each.events if isinstance(e, BuildLog)]
    assert any("echo one" in step for step in each.steps("cached"))
    assert any("cat /app.py" in step for step in each.steps("done"))
    assert not any("dev.kubekit" in step for step in each.steps("done"))
    engine = Engine(each.endpoint)
    assert len(engine.images(each.mark)) == 2, "the labels are there"
    engine.close()


def test_what_fails_is_told_by_file_line_and_what_to_do(each: Builder) -> None:
    (each.root / "wrong").write_bytes(b"\x7fELF no program of this machine")
    (each.root / "hidden").write_text("")
    (each.root / ".dockerignore").write_text("hidden\n")
    for text, line, message, hint in FAILURES:
        error = each.fail(text.replace("MARK", each.mark))
        kind = FilesError if error.id == "dockerfile-syntax" else BuildError
        assert isinstance(error, kind), text
        assert error.place is not None, text
        assert (error.place.line, message in error.message) == (line, True), (text, error.message)
        assert any(hint in one for one in error.hints) or not hint, (text, error.hints)


FAILURES = [
    (f"{FROM}\nFOO bar\n", 2, "the Dockerfile is wrong: unknown instruction: FOO", ""),
    (f"{FROM}\nWORKDIR /a\nCOPY nope /\n", 3, "`nope` is not in the build context", ""),
    (f"{FROM}\nCOPY hidden /\n", 2, "`hidden` is excluded by `.dockerignore`", "!hidden"),
    (f"{FROM}\nRUN echo MARK; nosuch -x\n", 2, "exit code 127", "`nosuch` is not in the image"),
    (
        f'{FROM}\nCOPY wrong /x\nRUN chmod +x /x\nRUN ["/x"]\n',
        4,
        '`RUN ["/x"]` ended with exit code 1',
        "another kind of processor",
    ),
    (
        (
            f"{FROM} AS a\nWORKDIR /a\n\nRUN true\n\n{FROM}\nCOPY --from=a /a /a\nENV X=1\n"
            "RUN echo $X; \\\n  # why\n\n  exit 5\nRUN true\n"
        ),
        9,
        "ended with exit code 5",
        "",
    ),
]
TOOLS = [
    (
        f"{FROM}\nRUN pip install --index-url http://127.0.0.1:1/ --retries 1 httpx\n",
        2,
        "ended with exit code 1",
        "cannot be reached from inside the build",
    ),
    (f"{FROM}\nRUN apt-get install -y nosuch\n", 2, "exit code 100", "`apt-get update`"),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), TOOLS)
def test_what_pip_and_apt_say_leads_to_what_to_do(
    builder: Builder, newer: Spare, text: str, line: int, message: str, hint: str
) -> None:
    builder.endpoint = newer.endpoint
    error = builder.fail(text)
    assert error.place is not None
    assert (error.place.line, message in error.message) == (line, True)
    assert hint in error.hints[0]
    assert error.details[-1].startswith(("ERROR: ", "E: "))


def test_a_stage_that_is_not_there(each: Builder) -> None:
    each.target = "runtme"
    error = each.fail(TWO_STAGES.replace("FROM nowhere.invalid/never:1\n", ""))
    assert error.id == "stage-missing"
    assert error.hints == ("did you mean `runtime`?",)


@pytest.mark.parametrize(
    "instruction", ["RUN --mount=type=cache,target=/c true", "RUN <<EOF\ntrue\nEOF"]
)
def test_what_only_buildkit_can_is_refused_without_it(
    builder: Builder, newer: Spare, without_buildkit: DockerEndpoint, instruction: str
) -> None:
    text = f"{FROM}\nENV X=1\n{instruction}\n"
    builder.endpoint = newer.endpoint
    assert builder.build(text).built
    builder.endpoint = without_buildkit
    error = builder.fail(text)
    assert error.id == "buildkit-missing"
    assert str(error.place).endswith("Dockerfile:3")


def test_a_step_in_a_heredoc_has_its_line(builder: Builder, newer: Spare) -> None:
    builder.endpoint = newer.endpoint
    error = builder.fail(f"{FROM}\nRUN <<EOF\necho hi\nEOF\nRUN echo $((1<<2)); exit 3\n")
    assert str(error.place).endswith("Dockerfile:5")
    assert error.details == ("4",)


def test_that_the_classic_builder_is_used_is_said_once(
    builder: Builder, without_buildkit: DockerEndpoint
) -> None:
    builder.endpoint = without_buildkit
    builder.target = "runtime"
    builder.build()
    warned = [event.text for event in builder.events if isinstance(event, Warned)]
    assert warned == ["this Docker has no BuildKit: building with its classic builder"]


def test_a_daemon_that_refuses_buildkit_builds_without(builder: Builder, older: Spare) -> None:
    # In the words of Docker 18.06 without `experimental`.
    refused = {b"version=2": "buildkit is only supported with experimental mode"}
    builder.target = "runtime"
    with proxied(
        EngineProxy(behind=older.address, newest="1.41", refused=refused)
    ) as builder.endpoint:
        assert builder.build().built
    assert [event for event in builder.events if isinstance(event, Warned)]


def test_a_daemon_with_buildkit_switched_off(builder: Builder, newer: Spare) -> None:
    # As Docker 26 with `"features": {"buildkit": false}` says it, and Docker on Windows.
    builder.target = "runtime"
    proxy = EngineProxy(behind=newer.address, newest="1.45", builder="1")
    with proxied(proxy) as builder.endpoint:
        assert builder.build().built
    assert [event for event in builder.events if isinstance(event, Warned)]
    assert not any(b"version=2" in line for line in proxy.requests)


def test_a_daemon_newer_than_any_known_builds_with_buildkit(builder: Builder, newer: Spare) -> None:
    # The versions of Docker 29.
    proxy = EngineProxy(behind=newer.address, oldest="1.44", newest="1.52")
    builder.target = "runtime"
    with proxied(proxy) as builder.endpoint:
        assert builder.build().built
    assert not [event for event in builder.events if isinstance(event, Warned)]
    assert any(b"/v1.45/build?version=2" in line for line in proxy.requests)


@pytest.mark.parametrize(
    ("oldest", "newest", "asked", "spoken"),
    [
        ("1.12", "1.41", "", "1.41"),
        ("1.12", "1.30", "", "1.30"),
        ("1.44", "1.52", "", "1.45"),
        ("1.60", "1.70", "", "1.60"),
        ("1.12", "1.41", "1.30", "1.30"),
    ],
)
def test_a_version_both_speak_is_spoken(
    older: Spare,
    monkeypatch: pytest.MonkeyPatch,
    oldest: str,
    newest: str,
    asked: str,
    spoken: str,
) -> None:
    monkeypatch.setenv("DOCKER_API_VERSION", asked)
    proxy = EngineProxy(behind=older.address, oldest=oldest, newest=newest)
    with proxied(proxy) as endpoint:
        engine = Engine(endpoint)
        assert engine.image_id("python:3.13-slim") is not None
        engine.close()
    assert f"/v{spoken}/images/".encode() in proxy.requests[-1]


@pytest.mark.parametrize(
    ("oldest", "newest", "asked", "id_", "message"),
    [
        ("1.12", "1.22", "", "docker-too-old", "it speaks API 1.22, kubekit needs 1.24"),
        ("1.44", "1.52", "1.43", "docker-api-refused", "from 1.44, and was asked for 1.43"),
        ("1.12", "1.41", "1.99", "docker-api-refused", "up to 1.41, and was asked for 1.99"),
        ("1.12", "1.41", "new", "docker-api-version", "is `new`, which is no version"),
    ],
)
def test_no_version_that_both_speak(
    older: Spare,
    monkeypatch: pytest.MonkeyPatch,
    oldest: str,
    newest: str,
    asked: str,
    id_: str,
    message: str,
) -> None:
    monkeypatch.setenv("DOCKER_API_VERSION", asked)
    proxy = EngineProxy(behind=older.address, oldest=oldest, newest=newest)
    with proxied(proxy) as endpoint:
        engine = Engine(endpoint)
        with pytest.raises((UnreachableError, UsageError)) as caught:
            engine.info()
    assert caught.value.id == id_
    assert message in caught.value.message
    assert caught.value.hints
    assert ("unset" in caught.value.hints[0]) == bool(asked)


def test_a_full_disk_and_room_again(builder: Builder, older: Spare) -> None:
    (builder.root / "app.py").write_bytes(uuid.uuid4().bytes * 500_000)
    builder.target = "runtime"
    with older.full_disk(leave=2_000_000):
        error = builder.fail()
        assert error.id == "disk-full"
        assert "the disk of the Docker daemon, at `/var/lib/docker`, is full" in error.message
        assert "df -h /var/lib/docker" in error.hints[0]
        assert "system df" in error.hints[1]
    assert builder.build().built


def test_a_step_that_fills_the_disk(builder: Builder, older: Spare) -> None:
    text = f"{FROM}\nRUN head -c 40M /dev/zero >/big\n"
    with older.full_disk(leave=20_000_000):
        error = builder.fail(text)
        assert str(error.place).endswith("Dockerfile:2")
        assert "`RUN head -c 40M /dev/zero >/big` ended with exit code 1" in error.message
        assert "No space left on device" in error.details[-1]
        assert error.hints[0].endswith("that is the disk of the builder")
    assert builder.build(text).built


def test_a_step_that_needs_more_memory_than_there_is(builder: Builder, older: Spare) -> None:
    text = f"{FROM}\nRUN echo {builder.mark}; python -c 'print(len(bytearray(10**9)))'\n"
    with older.small_memory("800m"):
        error = builder.fail(text)
    assert error.message.endswith("ended with exit code 137 (killed)")
    assert error.details == (builder.mark, "Killed")
    assert "memory ran out" in error.hints[0]
    assert builder.build(text).built


@pytest.mark.parametrize("signal", ["TERM", "KILL"])
def test_a_daemon_that_ends_in_the_middle(builder: Builder, older: Spare, signal: str) -> None:
    text = f"{FROM}\nRUN echo {builder.mark}; sleep 3\n"
    builder.on_log = lambda: older.signal(signal)
    error = builder.fail(text)
    assert isinstance(error, UnreachableError)
    assert error.message.endswith("closed the connection")
    older.restart()
    assert builder.build(text).built


def test_a_daemon_that_hangs_in_the_middle(builder: Builder, older: Spare) -> None:
    text = f"{FROM}\nRUN echo {builder.mark}; sleep 3\n"
    builder.patience = 2.0
    builder.on_log = lambda: older.signal("STOP")
    start = time.monotonic()
    error = builder.fail(text)
    took = time.monotonic() - start
    older.signal("CONT")
    assert error.id == "docker-hung"
    assert took >= 2.0, "it has had its time"
    assert builder.build(text).built


def test_a_daemon_that_hangs_before_its_first_word(builder: Builder, older: Spare) -> None:
    engine = Engine(older.endpoint)
    engine.patience = 2.0
    engine.info()
    older.signal("STOP")
    start = time.monotonic()
    with pytest.raises(UnreachableError) as caught:
        engine.pull("nowhere.invalid/never:1", emit=builder.events.append, cancel=Cancel())
    took = time.monotonic() - start
    older.signal("CONT")
    engine.close()
    assert caught.value.id == "docker-hung"
    assert took >= 2.0, "it has had its time"


def test_a_step_that_is_silent_is_waited_for(
    builder: Builder, threads: list[threading.Thread]
) -> None:
    builder.patience = 4.0
    assert builder.build(f"{FROM}\nRUN echo {builder.mark}; sleep 6\n").built
    assert "heartbeat" in [thread.name for thread in threads]
    until(lambda: not [thread for thread in alive(threads) if thread.name == "heartbeat"])
