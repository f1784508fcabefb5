"""BuildKit's account of a build, from messages recorded of a real daemon (Docker 20.10.24)."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.errors import BuildError, FilesError
from kubekit.events import BuildLog, BuildStep, Event
from kubekit.image.account.explain import explain
from kubekit.image.account.steps import Account
from kubekit.image.buildkit import trace as buildkit
from kubekit.image.files import dockerfile
from kubekit.image.files.located import locate
from kubekit.model import BuildPlan, BuildSettings

# What both were recorded of; the last command ends with `true` or with `exit 3`.
DOCKERFILE = """\
ARG BASE=python:3.13-slim
FROM $BASE AS builder
WORKDIR /srv
COPY app app
RUN echo one && \\
    printf 'no newline'

FROM $BASE
COPY --from=builder /srv /srv
RUN printf '10%%\\r100%%\\nlast words' && exit 3
"""
ONE = "[builder 4/4] RUN echo one &&     printf 'no newline'"


def replay(name: str) -> tuple[Account, list[Event]]:
    events: list[Event] = []
    account = Account(events.append, dockerfile.parse(DOCKERFILE))
    recorded = Path(__file__).with_name(f"build_{name}.jsonl")
    for line in recorded.read_text().splitlines():
        account.add(json.loads(line))
    return account, events


def plan(root: Path) -> BuildPlan:
    settings = BuildSettings(context=root, dockerfile=root / "Dockerfile")
    return BuildPlan(
        settings=settings,
        name="tasks",
        digest="1",
        dockerfile="Dockerfile",
        files=(),
        hashes={"Dockerfile": "file:644:1"},
    )


def failure(said: str, failed: str, root: Path, text: str = DOCKERFILE) -> BuildError | FilesError:
    parsed = dockerfile.parse(text)
    account = Account(lambda _: None, parsed)
    account.error, account.failed, account.instruction = said, failed, locate(parsed, failed)
    return explain(account, parsed, plan(root), room=("make room",))


def test_a_good_build() -> None:
    account, events = replay("good")
    assert account.error is None
    assert account.image_id is not None
    assert account.image_id.startswith("sha256:")
    ended = [e.step for e in events if isinstance(e, BuildStep) and e.state in {"done", "cached"}]
    assert ended[0] == "[builder 1/4] FROM docker.io/library/python:3.13-slim"
    assert ended[-1] == "exporting to image"
    assert len(ended) == len(set(ended)) == 7
    assert not [step for step in ended if step.startswith(("[internal]", "copy /context"))]


def test_each_step_begins_before_it_prints_and_ends_after() -> None:
    _, events = replay("good")
    about = [event for event in events if getattr(event, "step", "") == ONE]
    assert [getattr(event, "state", "log") for event in about] == ["started", "log", "log", "done"]
    assert [event.line for event in about if isinstance(event, BuildLog)] == ["one", "no newline"]
    assert isinstance(about[-1], BuildStep)
    assert 0 < about[-1].seconds < 60


def test_a_failed_build_names_step_line_and_last_output(tmp_path: Path) -> None:
    account, events = replay("bad")
    error = explain(account, dockerfile.parse(DOCKERFILE), plan(tmp_path))
    assert error.message.endswith("&& exit 3` ended with exit code 3")
    assert error.message.startswith("`RUN printf")
    assert error.place is not None
    assert (error.place.file, error.place.line) == (tmp_path / "Dockerfile", 10)
    assert error.details == ("100%", "last words")
    assert [event.state for event in events if isinstance(event, BuildStep)][-1] == "failed"


SOLVE = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: "


@pytest.mark.parametrize(
    ("said", "message", "line"),
    [
        (f"{SOLVE}dockerfile parse error line 2: unknown instruction: FOO", "unknown", 2),
        ("dockerfile parse error on line 7: FROM requires", "FROM requires", 7),
        ("Dockerfile parse error line 1: x", "the Dockerfile is wrong: x", 1),
    ],
)
def test_syntax_errors_have_a_line(tmp_path: Path, said: str, message: str, line: int) -> None:
    error = failure(said, "", tmp_path)
    assert message in error.message
    assert (type(error), error.id) == (FilesError, "dockerfile-syntax")
    assert error.place is not None
    assert error.place.line == line


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (f"{SOLVE}ENV must have two arguments", 2),
        ("failed to parse Dockerfile: ENV must have two arguments", 2),
        ("Invalid containerPort: abc", 3),
        (f"{SOLVE}failed to process \"${{A\": missing ':' in substitution", 4),
        ('unsupported mount type "foo"', 5),
        (
            'failed to parse platform no/odd/x/y: "no/odd/x/y": cannot parse platform specifier',
            1,
        ),
        ("no build stage in current context", None),
        ("the Dockerfile (Dockerfile) cannot be empty", None),
    ],
)
def test_what_builders_say_of_a_dockerfile_without_a_line(
    tmp_path: Path, said: str, line: int | None
) -> None:
    text = "FROM --platform=no/odd/x/y a\nENV A\nEXPOSE abc\nCOPY ${A /x\n"
    error = failure(said, "", tmp_path, f"{text}RUN --mount=type=foo true\n")
    assert (type(error), error.id) == (FilesError, "dockerfile-syntax")
    assert error.message.startswith("the Dockerfile is wrong: ")
    assert error.place is not None
    assert error.place.line == line


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (
            'failed to load cache key: Get "https://a.invalid/a.tgz": dial tcp: no such host',
            "`COPY` it",
        ),
        ("failed to load cache key: invalid response status 404", "look at the address"),
        (
            "ADD failed: failed to GET https://a.invalid/a.tgz with status 404 Not Found: ",
            "look at the address",
        ),
    ],
)
@pytest.mark.parametrize("step", ["https://a.invalid/a.tgz", "[2/2] ADD https://a.invalid/a.tgz /"])
def test_an_address_that_cannot_be_added(tmp_path: Path, said: str, hint: str, step: str) -> None:
    text = "FROM a\nADD https://a.invalid/a.tgz /\n"
    account = Account(lambda _: None, dockerfile.parse(text))
    vertex = block(1, b"sha256:1") + block(3, step.encode()) + block(7, b"it failed")
    traced(account, 1, vertex + block(5, number(1, 1)) + block(6, number(1, 2)))
    account.add({"error": said})
    error = explain(account, dockerfile.parse(text), plan(tmp_path))
    assert error.message.startswith("`ADD https://a.invalid/a.tgz /` failed: ")
    assert "cache key" not in error.message
    assert error.place is not None
    assert (error.place.line, hint in error.hints[0]) == (2, True)


def test_a_base_for_another_platform(tmp_path: Path) -> None:
    # Docker 26.1
    name = "docker.io/library/python:3.13-slim"
    said = (
        f"python:3.13-slim: failed to resolve source metadata for {name}: failed to do request:"
        ' Head "https://registry-1.docker.io/v2/library/python/manifests/3.13-slim": dial tcp:'
        " lookup registry-1.docker.io on 10.255.255.53:53: no such host"
    )
    text = "FROM a\nFROM --platform=linux/arm64 python:3.13-slim\n"
    error = failure(said, f"[internal] load metadata for {name}", tmp_path, text)
    assert error.message == (
        "the base image `python:3.13-slim` for `linux/arm64` is not there and cannot be pulled:"
        " the registry cannot be reached from there"
    )
    assert error.place is not None
    assert error.place.line == 2
    assert "--platform" in error.hints[0]


def test_newer_daemons_say_the_exit_code_in_other_words(tmp_path: Path) -> None:
    said = 'process "/bin/sh -c x" did not complete successfully: exit code: 127'
    assert failure(said, ONE, tmp_path).message.endswith("ended with exit code 127")


@pytest.mark.parametrize(
    "said",
    [
        'failed to compute cache key: "/app/nope" not found: not found',
        "failed to calculate checksum of ref 1::2: lstat app/nope: no such file or directory",
        'failed to calculate checksum of ref 1::2: "/app/nope": not found',
    ],
)
def test_a_missing_source_of_a_copy(tmp_path: Path, said: str) -> None:
    step = "[builder 3/4] COPY app/nope app"
    error = failure(said, step, tmp_path)
    assert error.message == "`COPY app/nope app` failed: `app/nope` is not in the build context"
    assert error.place is not None
    assert error.place.line == 4
    (tmp_path / "app").mkdir()
    (tmp_path / "app/nope").touch()
    assert failure(said, step, tmp_path).message.endswith("is excluded by `.dockerignore`")
    (tmp_path / "Dockerfile.dockerignore").touch()
    error = failure(said, step, tmp_path)
    assert error.message.endswith("is excluded by `Dockerfile.dockerignore`")
    assert error.hints == ("let it through with a line `!app/nope` there",)


def test_a_missing_source_in_another_stage_is_not_looked_for_in_the_context(
    tmp_path: Path,
) -> None:
    said = 'failed to compute cache key: "/srv/nope" not found: not found'
    step = "[stage-1 2/3] COPY --from=builder /srv/nope /srv"
    error = failure(said, step, tmp_path)
    assert error.message.endswith("failed: `/srv/nope` is not in `builder`")
    mounted = "lstat /var/lib/docker/overlay2/2987a68/merged/srv/nope: no such file or directory"
    assert failure(mounted, step, tmp_path).message == error.message


def test_a_full_disk_has_a_hint(tmp_path: Path) -> None:
    error = failure("write /x: no space left on device", ONE, tmp_path)
    assert error.id == "disk-full"
    assert error.hints == ("make room",)


def number(field: int, value: int) -> bytes:
    return bytes([field << 3, value])


def block(field: int, data: bytes) -> bytes:
    return bytes([field << 3 | 2, len(data)]) + data


def traced(account: Account, field: int, data: bytes) -> None:
    aux = base64.b64encode(block(field, data)).decode()
    account.add({"id": "moby.buildkit.trace", "aux": aux})


def test_a_step_that_ends_well_when_the_cache_is_asked_and_fails_later(tmp_path: Path) -> None:
    # As Docker 20.10 and 26.1 tell of `FROM scratch` and one `RUN`, in this order.
    text = "FROM scratch\nRUN echo hi\n"
    events: list[Event] = []
    account = Account(events.append, dockerfile.parse(text))
    step = block(1, b"sha256:1") + block(3, b"[1/1] RUN echo hi")
    start, end = block(5, number(1, 1)), block(6, number(1, 2))
    traced(account, 1, step + start)
    traced(account, 1, step + start + end)
    said = b'exec: "/bin/sh": stat /bin/sh: no such file or directory'
    traced(account, 3, block(1, b"sha256:1") + block(4, said + b"\n"))
    error = b'process "/bin/sh -c echo hi" failed: exit code: 1'
    traced(account, 1, step + start + end + block(7, error))
    account.add({"error": error.decode()})
    told = explain(account, dockerfile.parse(text), plan(tmp_path))
    assert told.message == "`RUN echo hi` ended with exit code 1"
    assert told.place is not None
    assert (told.place.line, told.details) == (2, (said.decode(),))
    assert "no shell `/bin/sh`" in told.hints[0]
    states = [event.state for event in events if isinstance(event, BuildStep)]
    assert states == ["started", "done", "failed"]


def test_what_a_step_runs_is_not_taken_for_the_builders_words(tmp_path: Path) -> None:
    said = 'executor failed running [/bin/sh -c x: failed to process "y"]: exit code: 3'
    assert failure(said, ONE, tmp_path).id == "build-step"


def test_a_failure_of_no_known_step_is_a_sentence(tmp_path: Path) -> None:
    error = failure("executor failed running [/bin/sh]: exit code: 1", "", tmp_path)
    assert error.message == "a step that the builder does not name ended with exit code 1"


def classic(texts: list[str], error: str) -> tuple[Account, list[Event]]:
    events: list[Event] = []
    account = Account(events.append, dockerfile.parse(DOCKERFILE))
    for text in texts:
        account.add({"stream": text})
    account.add({"error": error, "errorDetail": {"message": error}})
    return account, events


def test_a_step_that_fails_in_the_classic_builder(tmp_path: Path) -> None:
    step = "Step 8/8 : RUN printf '10%%\\r100%%\\nlast words' && exit 3"
    texts = ["Step 7/8 : COPY x", " ---> 1\n", step, "\n", " ---> Running in 0da1\n", "100%\nlast"]
    said = "The command '/bin/sh -c printf' returned a non-zero code: 3"
    account, events = classic(texts, said)
    error = explain(account, dockerfile.parse(DOCKERFILE), plan(tmp_path))
    assert error.message.startswith("`RUN printf")
    assert error.message.endswith("ended with exit code 3")
    assert error.place is not None
    assert error.place.line == 10
    assert error.details == ("100%", "last")
    states = [(e.step[:8], e.state) for e in events if isinstance(e, BuildStep)]
    assert states[-2:] == [("Step 8/8", "started"), ("Step 8/8", "failed")]


def test_the_classic_builders_words_for_a_missing_source(tmp_path: Path) -> None:
    where = "file not found in build context or excluded by .dockerignore"
    said = f"COPY failed: {where}: stat app/app: file does not exist"
    account, _ = classic(["Step 4/9 : COPY app app", "\n"], said)
    error = explain(account, dockerfile.parse(DOCKERFILE), plan(tmp_path))
    assert error.message == "`COPY app app` failed: `app/app` is not in the build context"
    assert error.place is not None
    assert error.place.line == 4


def test_all_of_the_output_is_kept_up_to_a_megabyte() -> None:
    lines = [f"line {number:>1000}\n" for number in range(2000)]
    account, _ = classic(["Step 5/9 : RUN x", " ---> Running in 1a\n", *lines], "odd")
    assert account.tail[-1] == f"line {1999:>1000}"
    assert re.fullmatch(r"\(1\.0 MB before this are left out; .*\)", account.tail[0])
    assert sum(len(line) + 1 for line in account.tail[1:]) <= 1_000_000
    account, _ = classic(["Step 5/9 : RUN x", " ---> Running in 1a\n", *lines[:900]], "odd")
    assert len(account.tail) == 900


def test_a_stage_that_is_not_there(tmp_path: Path) -> None:
    for said in ('target stage "buildr" could not be found', "failed to reach build target buildr"):
        account = Account(lambda _: None, dockerfile.parse(DOCKERFILE))
        account.error = said
        made = plan(tmp_path)
        made = replace(made, settings=replace(made.settings, target="buildr"))
        error = explain(account, dockerfile.parse(DOCKERFILE), made)
        assert (error.id, error.hints) == ("stage-missing", ("did you mean `builder`?",))
        assert error.place is None, "the Dockerfile is right"


def test_a_long_command_is_not_repeated_in_full(tmp_path: Path) -> None:
    error = failure("exit code: 1", f"[2/2] RUN {'make ' * 100}", tmp_path)
    assert len(error.message) < 260


def test_a_syntax_image_that_cannot_be_pulled(tmp_path: Path) -> None:
    text = "# escape=`\n# syntax=docker/dockerfile:1\nFROM a"
    step = "resolve image config for docker.io/docker/dockerfile:1"
    error = failure(f"{SOLVE}failed to do request: no such host", step, tmp_path, text)
    assert error.message.startswith("the syntax image `docker/dockerfile:1` cannot be pulled: ")
    assert error.place is not None
    assert error.place.line == 2


def test_other_failures_keep_the_daemons_words(tmp_path: Path) -> None:
    error = failure("failed to solve: rpc error: something odd\nand more", "", tmp_path)
    assert error.message == "the build failed: something odd"


@given(st.binary(max_size=60))
def test_bytes_that_are_no_message_are_refused_and_nothing_else(data: bytes) -> None:
    try:
        buildkit.decode(data)
    except ValueError:
        return


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\x05ab", b"\x80", b"\x0b", b"\x09\x01"])
def test_cut_messages_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"longer|cut off|unknown"):
        buildkit.decode(data)
