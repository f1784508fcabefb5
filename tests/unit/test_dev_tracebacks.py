"""Tracebacks found in the lines of logs."""

from __future__ import annotations

from pathlib import Path

from kubekit.dev.podsync import SyncOutcome
from kubekit.dev.told import failures, raised, synced
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
    assert rest == "ZeroDivisionError: division by zero, 2 s after `src/app/main.py` changed"


def test_what_is_not_the_projects_own_is_not_told() -> None:
    assert raised(TRACEBACK.replace("/app/src", "/elsewhere"), RULES, ["a.py"], 1.0) is None


def test_a_save_of_many_files_is_told_in_one_line() -> None:
    told = raised(TRACEBACK, RULES, [f"src/{number}.py" for number in range(3000)], 1.0)
    assert told is not None
    assert told.text.endswith("1 s after `src/0.py` and 2999 more changed")


def test_what_failed_is_told_after_what_was_changed() -> None:
    text = "Traceback ...\nImportError: boom"
    for kept, said in ((True, "old code:"), (False, "not run:"), (None, "not known:")):
        outcome = SyncOutcome(mode="", failed=text, kept=kept)
        (told,) = failures([outcome], RULES, ["src/a.py"])
        assert told.message == "`src/a.py` changed: ImportError: boom"
        assert said in told.hints[0]


def test_live_is_said_only_of_what_is_known_to_be() -> None:
    assert synced([SyncOutcome()], 0.0).text == "live: 1 pod has all files already"
    warm = SyncOutcome(files=2, mode="warm")
    assert synced([warm, warm], 0.1).text == "live in 0.10 s (warm reload, 2 files to 2 pods)"
    assert not synced([SyncOutcome(files=1, mode="own")], 0.1).text.startswith("live")
