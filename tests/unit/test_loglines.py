"""Lines of a log: cut out of chunks, and read again without loss or doubles."""

from __future__ import annotations

import datetime as dt
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubekit.redact import Redactor
from kubekit.streams import logtail
from kubekit.streams.loglines import LONGEST, OVERLAP, Cutter, Line, Seen
from kubekit.streams.logtail import Reader, Runs, Source

START = dt.datetime(2026, 11, 21, 20, 0, 0, tzinfo=dt.UTC)


def stamp(milliseconds: int) -> str:
    when = START + dt.timedelta(milliseconds=milliseconds)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03}000000Z"


def chunked(data: bytes, sizes: list[int]) -> list[bytes]:
    found = []
    for size in sizes:
        found.append(data[:size])
        data = data[size:]
    return [*found, data]


@given(
    texts=st.lists(st.binary(max_size=40).map(lambda text: text.replace(b"\n", b" "))),
    sizes=st.lists(st.integers(1, 60)),
    longest=st.integers(40, 80),
)
def test_lines_do_not_depend_on_the_chunks(
    texts: list[bytes], sizes: list[int], longest: int
) -> None:
    data = b"".join(stamp(7).encode() + b" " + text + b"\n" for text in texts)
    cutter = Cutter(longest=longest)
    lines = [line for chunk in chunked(data, sizes) for line in cutter.feed(chunk)]
    room = longest - len(stamp(7)) - 1
    assert lines == [Line(stamp(7), text[:room], max(0, len(text) - room)) for text in texts]
    assert cutter.rest() is None


def test_a_line_without_an_end_is_the_rest() -> None:
    cutter = Cutter()
    assert list(cutter.feed(b"2026-11-21T20:00:00.000000000Z no end")) == []
    assert cutter.rest() == Line("2026-11-21T20:00:00.000000000Z", b"no end")
    assert cutter.rest() is None


@pytest.mark.parametrize(
    "text", [b"", b"failed to open log file", b"unable to retrieve container logs for docker://1"]
)
def test_what_has_no_time_is_nobodys_line(text: bytes) -> None:
    assert list(Cutter().feed(text + b"\n")) == [Line("", text)]


@st.composite
def logs(draw: st.DrawFn) -> list[int]:
    """The times of a log's lines, in milliseconds, in the order of the file: nearly in theirs."""
    steps = draw(st.lists(st.sampled_from((0, 1, 400, 1000, 5000)), min_size=2, max_size=12))
    late = draw(st.lists(st.sampled_from((0, 1, 900)), min_size=len(steps), max_size=len(steps)))
    ends = accumulate(steps, initial=10_000)
    return [end - by for end, by in zip(ends, late, strict=False)]


def answer(log: list[tuple[str, int]], since: str) -> list[tuple[str, int]]:
    """What the API sends: all of it that is not older than a second."""
    return [line for line in log if line[0][:19] >= since[:19]]


@given(times=logs(), cuts=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=5))
@settings(max_examples=500)
def test_a_log_that_is_read_in_pieces_comes_whole_and_once(
    times: list[int], cuts: list[tuple[int, int]]
) -> None:
    log = [(stamp(time), number) for number, time in enumerate(times)]
    seen = Seen()
    got: list[int] = []
    for more, read in [*cuts, (len(log), len(log))]:
        known, sieve = len(got), seen.sieve()
        for at, number in answer(log[: known + more], seen.since):
            if len(got) == known + read:
                break  # the connection dropped
            if sieve.is_new(at):
                seen.take(at)
                got.append(number)
    assert got == [number for _, number in log]


@given(times=logs(), read=st.integers(1, 60), kept=st.integers(0, 60))
def test_after_a_rotation_nothing_comes_twice(times: list[int], read: int, kept: int) -> None:
    log = [(stamp(time), number) for number, time in enumerate(sorted(set(times)))]
    seen, got = Seen(), []
    for at, number in log[:read]:
        seen.take(at)
        got.append(number)
    sieve = seen.sieve()
    rotated = log[min(kept, len(got)) :]  # what is left of the file, and what was written since
    for at, number in answer(rotated, seen.since):
        if sieve.is_new(at):
            seen.take(at)
            got.append(number)
    assert got == [number for _, number in log]


def test_what_is_remembered_does_not_grow() -> None:
    seen = Seen()
    for time in range(0, 500_000, 7):
        seen.take(stamp(time))
    assert len(seen._seconds) == 2
    assert seen.since == stamp(498_000).replace(".000000000", "")


def reader(monkeypatch: pytest.MonkeyPatch, data: bytes, clean: Redactor) -> Reader:
    monkeypatch.setattr(logtail, "chunks", lambda _response: iter(chunked(data, [5] * 40)))
    source = Source(namespace="n", pod="p", uid="u", container="c")
    return Reader(None, source, clean=clean.clean)  # type: ignore[arg-type]


def texts(found: Reader) -> list[str]:
    return [line.line for line in found._fresh(logtail._lines(None, rest=True), short=False)]


def test_a_value_that_is_split_over_chunks_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    data = f"{stamp(0)} the value is hunter2-hunter2, twice hunter2-hunter2\n".encode()
    found = reader(monkeypatch, data, Redactor(["hunter2-hunter2"]))
    assert texts(found) == ["the value is ***, twice ***"]


@pytest.mark.parametrize("before", [LONGEST - 5, LONGEST + OVERLAP - 40, LONGEST + OVERLAP + 5])
def test_of_a_value_that_the_bound_cuts_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    data = f"{stamp(0)} {'x' * before}hunter2-hunter2{'y' * OVERLAP}\n".encode()
    (line,) = texts(reader(monkeypatch, data, Redactor(["hunter2-hunter2"])))
    assert "hunt" not in line
    assert line.endswith(" bytes more)")
    assert len(line) < LONGEST + 50


RUNNING = {"running": {"startedAt": "2026-11-21T20:00:00Z"}}
ENDED = {"terminated": {"containerID": "docker://1"}}


@pytest.mark.parametrize(
    ("status", "runs"),
    [
        ({"state": {"waiting": {"reason": "ContainerCreating"}}}, Runs(over=True)),
        ({"containerID": "docker://1", "state": RUNNING}, Runs(present="docker://1")),
        ({"containerID": "docker://1", "state": ENDED}, Runs(present="docker://1", over=True)),
        (
            {"containerID": "docker://1", "state": {"waiting": {}}, "lastState": ENDED},
            Runs(present="docker://1", over=True),
        ),
        (
            {"containerID": "docker://2", "state": RUNNING, "lastState": ENDED},
            Runs(present="docker://2", previous="docker://1"),
        ),
    ],
)
def test_what_a_status_says_of_the_runs(status: dict[str, object], runs: Runs) -> None:
    assert Runs.of(status) == runs
