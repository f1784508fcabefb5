"""Tracebacks found in the lines of logs."""

from __future__ import annotations

from pathlib import Path

from kubekit.dev.told import raised
from kubekit.dev.tracebacks import Tracebacks
from kubekit.events import LogLine
from kubekit.model import SyncRule

TRACEBACK = """\
Traceback (most recent call last):
  File "/opt/venv/lib/python3.13/site-packages/fastapi/routing.py", line 212, in run
    return await dependant.call(**values)
  File "/app/src/app/main.py", line 65, in answer
    return 1 / 0
           ~~^~~
ZeroDivisionError: division by zero
"""
RULES = (SyncRule(src=Path("/p/src"), dest="/app/src"),)


def feed(found: Tracebacks, text: str, pod: str = "a") -> list[str]:
    """The exceptions that these lines end."""
    lines = (LogLine(pod=pod, container="c", at="", line=line) for line in text.splitlines())
    return [one.text.splitlines()[-1] for line in lines if (one := found.take(line))]


def test_an_exception_is_found_with_its_last_line() -> None:
    text = f"INFO: before\n{TRACEBACK}INFO: after\nValueError: not one\n"
    assert feed(Tracebacks(), text) == ["ZeroDivisionError: division by zero"]


def test_both_parts_of_a_chain_are_found() -> None:
    chain = f"{TRACEBACK}\nDuring handling of the above exception, another exception occurred:\n\n"
    other = TRACEBACK.replace("ZeroDivisionError: division by zero", "KeyError: 'x'")
    found = feed(Tracebacks(), chain + other)
    assert found == ["ZeroDivisionError: division by zero", "KeyError: 'x'"]


def test_lines_of_two_pods_are_kept_apart() -> None:
    found, ends = Tracebacks(), []
    for line in TRACEBACK.splitlines():
        for pod in ("a", "b"):
            ends += feed(found, line, pod)
    assert ends == ["ZeroDivisionError: division by zero"] * 2


def test_it_is_told_with_the_line_on_this_machine() -> None:
    told = raised(TRACEBACK, RULES, ["src/app/main.py"], 2.4)
    assert told is not None
    where, _, rest = told.text.partition(": ")
    assert where == "/p/src/app/main.py:65"
    assert rest == "ZeroDivisionError: division by zero, 2 s after src/app/main.py changed"


def test_what_is_not_the_projects_own_is_not_told() -> None:
    assert raised(TRACEBACK.replace("/app/src", "/elsewhere"), RULES, ["a.py"], 1.0) is None
