"""What is shown with a failure."""

from __future__ import annotations

import pytest

from kubekit.rollout.evidence import evidence
from kubekit.rollout.judge import judge
from kubekit.rollout.verdict import FAILED, Finding
from kubekit.rollout.wants import LogOf
from tests.unit.rollouts import NOW, event, pod, running, snapshot, waiting

FINDING = Finding(
    id="x",
    exit_code=6,
    cause="",
    fix="",
    where="Pod/web-2-a",
    log=LogOf(pod="web-2-a", container="app", attempt=0),
)
TRACE = "Traceback (most recent call last):\n  File x\nValueError: no\n"


def test_the_log_and_the_warnings_are_shown() -> None:
    events = (event("BackOff", "restarting"), event("Failed", "another", uid="web-1-a"))
    assert evidence(FINDING, "one\ntwo\n", events, NOW) == (
        "log of Pod/web-2-a, container `app`, attempt 1:",
        "  one",
        "  two",
        "warnings of Pod/web-2-a:",
        "  BackOff: restarting",
    )


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (f"{TRACE}bye\n", " ValueError: no"),
        (f"{TRACE}" + "INFO: bye\n" * 30, " ValueError: no"),
        (TRACE, ""),
        ("node:x\nError: Cannot find module 'x'\n    at y\n", " Error: Cannot find module 'x'"),
        ("ERROR: it is not there\nbye\n", ""),
        (f"{TRACE}\n\n", ""),
        ("one\n", ""),
    ],
)
def test_an_exception_that_is_not_the_last_word_is_told_first(log: str, told: str) -> None:
    head, *lines = evidence(FINDING, log, (), NOW)
    assert head == f"log of Pod/web-2-a, container `app`, attempt 1:{told}"
    assert lines == [f"  {line}" for line in log.rstrip().splitlines()[-25:]]


def test_a_log_without_a_word_is_not_shown() -> None:
    assert evidence(FINDING, "\n", (), NOW) == ()


def test_events_may_lack_nearly_everything() -> None:
    bare = {"type": "Warning", "metadata": {"uid": "e"}}
    events = [event("A", "first"), event("B", "second", when=2), bare, {"type": "Warning"}]
    for item in events[:2]:
        item["involvedObject"].pop("fieldPath")
    del events[0]["reason"]
    events += [{key: value for key, value in event("C", "").items() if key != "message"}]
    events += [event("D", "x") | {"involvedObject": {"name": "web-2-a"}}]
    assert evidence(FINDING, None, events, NOW) == (
        "warnings of Pod/web-2-a:",
        "  Warning: first",
        "  B: second",
    )
    for state in (running(), waiting("InvalidImageName"), waiting("ContainerCreating")):
        judge(snapshot(pod(state=state), events=tuple(events)), NOW)
    late = judge(snapshot(pod(state=waiting("InvalidImageName")), events=tuple(events)), NOW + 9)
    assert late.state == FAILED
