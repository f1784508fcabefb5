"""What a failed build tells of its cause, from the words of pip, apt, shells and daemons."""

from __future__ import annotations

import threading
import time

import pytest

from kubekit.errors import UnreachableError, UsageError
from kubekit.image.account import classic, failures
from kubekit.image.docker import apiversion
from kubekit.image.docker.heartbeat import Heartbeat
from kubekit.image.docker.store import shares
from tests.conftest import alive, until


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        (["/bin/sh: 1: nosuch: not found"], "`nosuch` is not in the image"),
        (["/bin/bash: line 1: nosuch: command not found"], "`nosuch` is not in the image"),
        (
            [
                (
                    'runc run failed: unable to start container process: exec: "/bin/sh": stat'
                    " /bin/sh: no such file or directory"
                )
            ],
            "there is no shell `/bin/sh` in the image, as in `FROM scratch`",
        ),
        (
            [
                (
                    'unable to start container process: exec: "/x": stat /x: no such file or'
                    " directory: unknown"
                )
            ],
            "there is no `/x` in the image",
        ),
        (["exec /f: exec format error"], "another kind of processor"),
        (["ERROR: No matching distribution found for x==9"], "no release of `x==9` fits"),
        (
            [
                (
                    "WARNING: Retrying after connection broken by 'NewConnectionError('Failed to"
                    " establish a new connection: [Errno 111] Connection refused')'"
                ),
                "ERROR: No matching distribution found for x",
            ],
            "cannot be reached from inside the build",
        ),
        (
            [
                (
                    "Could not fetch URL https://pypi.org/simple/x/: There was a problem confirming"
                    " the ssl certificate: certificate verify failed - skipping"
                ),
                "ERROR: No matching distribution found for x",
            ],
            "is not trusted inside the build",
        ),
        (["Temporary failure in name resolution"], "cannot be reached from inside the build"),
        (["error: command 'gcc' failed: No such file or directory"], "no compiler"),
        (["E: Unable to locate package nosuch"], "`nosuch` is not in this release"),
        (["touch: cannot touch '/etc/x': Permission denied"], "after `USER`"),
        (["head: write error: No space left on device"], "the disk of the builder"),
    ],
)
def test_the_output_leads_to_what_to_do(output: list[str], hint: str) -> None:
    assert hint in failures.clues(["Collecting x", *output, "[notice] a new release"], 1)[0]


def test_what_is_not_known_has_no_hint() -> None:
    assert failures.clues(["assert 1 == 2", "not found"], 1) == ()
    old = ["/bin/sh: 1: nosuch: not found", *["and on"] * 100]
    assert failures.clues(old, 1) == (), "what was printed long before was not the end"


@pytest.mark.parametrize(("code", "hint"), [(137, "memory ran out"), (126, "`chmod +x`")])
def test_exit_codes_that_say_why(code: int, hint: str) -> None:
    assert hint in failures.clues([], code)[0]


# As Docker 20.10.24 sent it, the second build of two; a container of the same name prints lines
# that look like the builder's own.
CLASSIC = [
    *("Step 1/7 : ARG B=python:3.13-slim", "\n", "Step 2/7 : FROM $B AS a", "\n"),
    *(" ---> 9d03f49b7b40\n", "Step 3/7 : WORKDIR /srv", "\n", " ---> Using cache\n"),
    *(" ---> 2462b8602021\n", "Step 4/7 : RUN echo one; printf three", "\n"),
    *(" ---> Running in 0da13677a336\n", "one\n", "\x1b[91mtwo\n\x1b[0m", "Step 1/2 : me\n"),
    *("Removing intermediate container 9f37b00e1118\n", "three"),
    *("Removing intermediate container 0da13677a336\n", " ---> facd5d9a759c\n"),
    *("Step 5/7 : LABEL dev.kubekit.digest=1", "\n", " ---> Running in f2127875c894\n"),
    *("Removing intermediate container f2127875c894\n", " ---> 4b551e4faff8\n"),
    *("Successfully built 4b551e4faff8\n", "Successfully tagged x:y\n"),
]


def test_the_classic_builders_text_is_read_as_steps() -> None:
    stream = classic.Stream()
    told = [told for text in CLASSIC for told in stream.add(text)]
    run = "Step 4/7 : RUN echo one; printf three"
    ends = [(one.step, one.kind) for one in told if one.kind in {"done", "cached"}]
    assert ends == [
        ("Step 1/7 : ARG B=python:3.13-slim", "done"),
        ("Step 2/7 : FROM $B AS a", "done"),
        ("Step 3/7 : WORKDIR /srv", "cached"),
        (run, "done"),
        ("[internal] Step 5/7 : LABEL dev.kubekit.digest=1", "done"),
    ]
    printed = [one.text for one in told if one.kind == "printed"]
    other = "Removing intermediate container 9f37b00e1118\n"
    assert printed == ["one\n", "two\n", "Step 1/2 : me\n", other, "three"]
    assert {one.step for one in told if one.kind == "printed"} == {run}
    assert stream.step == ""


def test_podmans_text_is_read_as_well() -> None:
    texts = ["STEP 1/2: FROM a", "STEP 2/2: RUN echo hi", "hi\n", "--> 4b551e4faff8"]
    stream = classic.Stream()
    told = [told for text in texts for told in stream.add(text)]
    assert [(one.kind, one.step[:8]) for one in told] == [
        ("started", "Step 1/2"),
        ("done", "Step 1/2"),
        ("started", "Step 2/2"),
        ("printed", "Step 2/2"),
    ]


@pytest.mark.parametrize(
    ("said", "needed"),
    [
        ("buildkit is only supported with experimental mode", True),
        ("BuildKit is not supported by this daemon", True),
        ("process did not complete: exit code: 1", False),
        (None, False),
    ],
)
def test_which_refusals_mean_the_classic_builder(said: str | None, needed: bool) -> None:
    assert classic.needed(said) is needed


@pytest.mark.parametrize(
    ("theirs", "least", "spoken"),
    [("1.41", "1.12", "1.41"), ("1.24", "1.12", "1.24"), ("1.52", "1.44", apiversion.NEWEST)],
)
def test_the_newest_version_of_both(theirs: str, least: str, spoken: str) -> None:
    assert apiversion.agreed(theirs, least, profile=None) == spoken


def test_versions_are_no_decimal_numbers() -> None:
    assert apiversion.agreed("1.100", "1.99", profile=None) == "1.99"
    with pytest.raises(UnreachableError):
        apiversion.agreed("1.9", "1.0", profile=None)


@pytest.mark.parametrize(("text", "asked"), [("1.41", "1.41"), ("v1.41", "1.41"), ("", None)])
def test_the_version_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, text: str, asked: str | None
) -> None:
    monkeypatch.setenv("DOCKER_API_VERSION", text)
    assert apiversion.asked_for() == asked


def test_a_version_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_API_VERSION", "latest")
    with pytest.raises(UsageError, match="no version"):
        apiversion.asked_for()


def test_only_a_refused_version_is_taken_for_one() -> None:
    assert apiversion.refused("it", "client version is fine", profile=None) is None


def test_what_takes_the_room_is_added_up() -> None:
    records = [{"Size": 2_000_000_000, "InUse": True}, {"Size": 500_000_000, "InUse": False}]
    usage = {"LayersSize": 8_100_000_000, "BuildCache": records}
    assert shares(usage) == (
        "images take 8.10 GB there, the build cache 2.50 GB, of which 0.50 GB are not in use"
    )
    assert "cache 0.00 GB" in shares({"LayersSize": 0, "BuildCache": None})


def watched(
    answers: bool, *, patience: float = 2.0, seconds: float = 3.0, speaks: bool = False
) -> tuple[Heartbeat, list[int]]:
    ended: list[int] = []
    heart = Heartbeat(ask=lambda _: answers, end=lambda: ended.append(1), patience=patience)
    over = time.monotonic() + seconds
    with heart:
        while time.monotonic() < over and not heart.lost:
            if speaks:
                heart.heard()
            time.sleep(0.01)
    return heart, ended


def test_a_silent_daemon_that_answers_is_waited_for() -> None:
    heart, ended = watched(True)
    assert (heart.lost, ended) == (False, [])


def test_a_call_that_brings_something_is_a_sign_of_life() -> None:
    heart, ended = watched(False, speaks=True)
    assert (heart.lost, ended) == (False, [])


def test_a_daemon_that_does_not_answer_is_given_up_once(threads: list[threading.Thread]) -> None:
    start = time.monotonic()
    heart, ended = watched(False, patience=0.2, seconds=90)
    assert (heart.lost, ended) == (True, [1])
    assert time.monotonic() - start >= 0.2, "it has had its time"
    until(lambda: not alive(threads))
    assert [one.name for one in threads] == ["heartbeat"]
