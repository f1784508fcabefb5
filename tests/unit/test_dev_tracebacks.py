"""Tracebacks found in the lines of logs."""

from __future__ import annotations

import json
from pathlib import Path

from kubekit.dev.podsync import Fault, SyncOutcome
from kubekit.dev.told import after, crashed, failures, raised, remains, synced
from kubekit.dev.tracebacks import Tracebacks
from kubekit.errors import Place, WorkloadError
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
GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "/opt/venv/lib/python3.13/site-packages/anyio/_backends/_asyncio.py", line 799, in exit
  |     raise BaseExceptionGroup(
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/src/app/main.py", line 65, in answer
    |     return 1 / 0
    |            ~~^~~
    | ZeroDivisionError: division by zero
    +------------------------------------
"""
RULES = (SyncRule(src=Path("/p/src"), dest="/app/src"),)


def feed(found: Tracebacks, text: str, pod: str = "a") -> list[str]:
    """The exceptions that these lines end."""
    lines = (LogLine(pod=pod, container="c", at="", line=line) for line in text.splitlines())
    return [one.text.splitlines()[-1] for line in lines if (one := found.take(line))]


def taken(text: str) -> list[str]:
    """The tracebacks in these lines."""
    found = Tracebacks()
    lines = (LogLine(pod="a", container="c", at="", line=line) for line in text.splitlines())
    return [one.text for line in lines if (one := found.take(line))]


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


def test_of_a_group_the_exception_in_it_is_found() -> None:
    (found,) = taken(f"INFO: before\n{GROUP}INFO: after\n")
    assert found.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert raised(found, RULES) == "/p/src/app/main.py:65: ZeroDivisionError: division by zero"


def test_a_traceback_within_a_line_of_json_is_found() -> None:
    line = json.dumps({"level": "error", "event": {"exc_info": f"boom\n{TRACEBACK}"}})
    (found,) = taken(line)
    assert raised(found, RULES) == "/p/src/app/main.py:65: ZeroDivisionError: division by zero"
    assert taken('{"no json": "Traceback (most recent call last):') == []


def test_it_is_told_with_the_line_on_this_machine() -> None:
    what = raised(TRACEBACK, RULES)
    assert what == "/p/src/app/main.py:65: ZeroDivisionError: division by zero"
    told = after(what, ["src/app/main.py"], 2.4)
    assert told.text == f"{what}, 2 s after `src/app/main.py` changed"


def test_what_is_not_the_projects_own_is_not_told() -> None:
    assert raised(TRACEBACK.replace("/app/src", "/elsewhere"), RULES) is None


def test_a_save_of_many_files_is_told_in_one_line() -> None:
    told = after("it", [f"src/{number}.py" for number in range(3000)], 1.0)
    assert told.text.endswith("1 s after `src/0.py` and 2999 more changed")


def test_of_a_crash_of_a_release_only_the_projects_own_lines_are_told() -> None:
    details = ("18 s after the apply", "log of Pod/a, container `c`, attempt 3:")
    log = tuple(f"  {line}" for line in TRACEBACK.splitlines())
    warnings = ("warnings of Pod/a:", "  FailedMount: the disk is full")
    again = "  BackOff: Back-off restarting"
    place = Place(file=Path("/p/src/app/main.py"), line=65)
    error = WorkloadError(
        "crashes", details=(*details, *log, *warnings, again), place=place, id="crash-loop"
    )
    told = crashed(error, RULES)
    assert isinstance(told, WorkloadError)
    assert told.place == place
    assert told.details[0] == details[0]
    assert told.details[1] == details[1]
    own = [line.strip() for line in told.details[2:-2]]
    assert own[1:] == ["return 1 / 0", "~~^~~"]
    assert "main.py" in own[0]
    assert told.details[-2:] == warnings
    alone = WorkloadError("crashes", details=(*details, *log, warnings[0], again), id="crash-loop")
    assert crashed(alone, RULES).details == told.details[:-2]
    elsewhere = (SyncRule(src=Path("/p/src"), dest="/elsewhere"),)
    assert crashed(error, elsewhere) is error
    other = WorkloadError("no variable", details=error.details, place=place, id="variable-missing")
    assert crashed(other, RULES) is other
    bare = WorkloadError("crashes", place=place, id="crash-loop")
    assert crashed(bare, RULES) is bare


def test_what_failed_is_told_after_what_was_changed() -> None:
    text = "Traceback ...\nImportError: boom"
    for kept, said in ((True, "old code:"), (False, "not run:"), (None, "not known:")):
        outcome = SyncOutcome(mode="", failed=text, kept=kept)
        (told,) = failures([outcome], RULES, ["src/a.py"])
        (gone,) = failures([outcome], RULES, ["src/a.py"], {"src/a.py"})
        assert gone.message == told.message.replace("changed", "is gone", 1)
        assert told.message == "`src/a.py` changed: ImportError: boom"
        assert said in told.hints[0]
        fault = Fault(
            place=Place(file=Path("/p/src/a.py"), line=1), text="(", message="SyntaxError"
        )
        (broken,) = failures([SyncOutcome(faults=(fault,), kept=kept)], RULES, ["src/a.py"])
        assert said in broken.hints[0]


def test_of_several_containers_the_worst_is_told() -> None:
    stays, dead = (SyncOutcome(failed="Error", kept=kept) for kept in (True, False))
    unknown, silent = SyncOutcome(failed="Error"), SyncOutcome(ready=False)
    assert remains([SyncOutcome(), stays]) == "the app stays on the old code"
    assert remains([stays, unknown]) == "whether the old code still runs is not known"
    assert remains([stays, unknown, dead]) == "the app does not run"
    assert remains([stays, dead, silent]) == "the app does not answer"


def test_live_is_said_only_of_what_is_known_to_be() -> None:
    assert synced([SyncOutcome()], 0.0).text == "live: 1 pod has all files already"
    built = synced([SyncOutcome()], 6.0, saved=True)
    assert built.text == "live in 6.00 s (1 pod has the new files)"
    warm = SyncOutcome(files=2, mode="warm")
    assert synced([warm, warm], 0.1).text == "live in 0.10 s (warm reload, 2 files to 2 pods)"
    assert not synced([SyncOutcome(files=1, mode="own")], 0.1).text.startswith("live")
