"""What a person and a program see of the same events."""

from __future__ import annotations

import io
import json

import pytest

from kubekit.console import JsonView, TextView
from kubekit.events import (
    BuildLog,
    BuildStep,
    ContextSent,
    Ended,
    Event,
    Failed,
    FilesChanged,
    Listening,
    LogLine,
    ObjectChanged,
    Output,
    Progress,
    Reported,
    StageDone,
    StageStarted,
    Synced,
    Warned,
    Watching,
)

EVENTS: tuple[Event, ...] = (
    StageStarted(stage="image", text="image `x`"),
    BuildStep(step="[1/2] FROM base", state="cached"),
    ContextSent(text="sent 29 bytes of 1 file", files=1, size=29),
    BuildLog(step="[2/2] RUN", line="installing"),
    BuildStep(step="[2/2] RUN", state="done", seconds=1.25),
    StageDone(stage="image", text="built", seconds=1.5),
    ObjectChanged(ref="Service/x", action="unchanged"),
    ObjectChanged(ref="Deployment/x", action="configured"),
    Progress(stage="rollout", text="waiting"),
    Warned(text="careful", hints=("do this",)),
    Output(text="data"),
    Ended(text="live", seconds=2.0, hints=("next",)),
)


URL = "http://127.0.0.1:8000"
LIVE = Watching(text="2 pods", well=True, url=URL)
LOOP: tuple[Event, ...] = (
    Listening(url=URL, text=f"{URL} leads to Service/x"),
    LIVE,
    LogLine(pod="x-1", container="app", at="", line="GET /\x1b[2J"),
    FilesChanged(action="sync", text="app/main.py changed: syncing", files=("app/main.py",)),
    Synced(text="live in 0.12 s (warm reload)", seconds=0.12, files=1, size=9, mode="warm"),
    LIVE,
    Reported(id="x", exit_code=3, message="a.py:1: SyntaxError", place="a.py:1", details=("^",)),
    Watching(text="the app stays on the old code", well=False, url=URL),
)


def show(*events: Event, verbosity: int = 0, encoding: str = "utf-8") -> tuple[str, str]:
    out, err = io.StringIO(), io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    view = TextView(out, err, verbosity=verbosity)
    for event in events:
        view(event)
    view.close()
    err.flush()
    raw = err.buffer.getvalue()  # type: ignore[attr-defined]
    return out.getvalue(), raw.decode(encoding)


def test_only_data_is_on_stdout() -> None:
    out, err = show(*EVENTS)
    assert out == "data\n"
    assert "data" not in err


def test_an_end_at_which_something_still_waits_has_no_mark_of_success() -> None:
    _, err = show(Ended(text="1 of 2 not ready yet", seconds=0.5, waits=True))
    assert err.startswith("… 1 of 2 not ready yet")


def test_the_usual_view() -> None:
    _, err = show(*EVENTS)
    assert err.splitlines() == [
        "  image `x`",
        "    [1/2] FROM base cached",
        "    sent 29 bytes of 1 file",
        "    [2/2] RUN (1.2 s)",
        "✓ image    built (1.5 s)",
        "    Deployment/x configured",
        "  waiting",
        "! careful",
        "  hint: do this",
        "✓ live (2.0 s)",
        "  hint: next",
    ]


def test_a_loop_outside_a_terminal_is_lines_and_none_twice() -> None:
    out, err = show(*LOOP, *LOOP[-1:])
    assert out == "GET /\n"
    assert err.splitlines() == [
        f"  {URL} leads to Service/x",
        f"  live at {URL}: 2 pods",
        "~ app/main.py changed: syncing",
        "✓ live in 0.12 s (warm reload)",
        "✗ a.py:1: SyntaxError",
        "  │ ^",
        "  the app stays on the old code",
    ]


def test_a_quiet_loop_tells_what_went_wrong() -> None:
    _, err = show(*LOOP, verbosity=-1)
    assert err.splitlines() == ["✗ a.py:1: SyntaxError", "  │ ^"]


def test_without_a_terminal_no_keys_are_read() -> None:
    with TextView(io.StringIO(), io.StringIO(), verbosity=0).keys(lambda _asked: None):
        pass
    with JsonView(io.StringIO()).keys(lambda _asked: None):
        pass


def test_verbose_shows_build_lines_and_what_stayed() -> None:
    _, err = show(*EVENTS, verbosity=1)
    assert "installing" in err
    assert "Service/x unchanged" in err


def test_a_rehearsal_shows_each_field_and_a_run_only_when_asked() -> None:
    fields = ("spec.replicas: 1 -> 2",)
    would = ObjectChanged(ref="Deployment/x", action="would be configured", changes=fields)
    done = ObjectChanged(ref="Deployment/x", action="configured", changes=fields)
    same = ObjectChanged(ref="Service/x", action="unchanged")
    assert fields[0] in show(would)[1]
    assert show(same, done)[1].strip() == "Deployment/x configured"
    assert fields[0] in show(done, verbosity=1)[1]


def test_quiet_shows_the_end() -> None:
    _, err = show(*EVENTS, verbosity=-1)
    assert err.splitlines()[-2:] == ["✓ live (2.0 s)", "  hint: next"]
    assert "image" not in err


def test_a_failure_has_cause_place_evidence_and_hint() -> None:
    failed = Failed(
        id="x", exit_code=6, message="it broke", hints=("mend it",), details=("log",), place="a:1"
    )
    assert show(failed)[1] == "✗ it broke\n  at a:1\n  │ log\n  hint: mend it\n"


def test_a_stream_without_unicode() -> None:
    assert show(Ended(text="live", seconds=0), encoding="ascii")[1] == "ok live (0.0 s)\n"
    empty = Ended(text="nothing", seconds=0, empty=True)
    assert show(empty, encoding="ascii")[1] == "warning: nothing (0.0 s)\n"


@pytest.mark.parametrize("event", [*EVENTS, *LOOP])
def test_json_lines_carry_version_type_and_fields(event: Event) -> None:
    out = io.StringIO()
    JsonView(out)(event)
    data = json.loads(out.getvalue())
    assert (data["v"], data["type"]) == (1, event.type)
    assert out.getvalue().count("\n") == 1


def test_what_a_log_holds_cannot_steer_the_terminal() -> None:
    log = ("\x1b[31mred\x1b[0m\x07", "\x1b]0;title\x07new\tline", "two\nlines\r")
    failed = Failed(id="x", exit_code=6, message="it broke", details=log)
    assert show(failed)[1].splitlines()[1:] == ["  │ red", "  │ new line", "  │ two", "  │ lines"]


def test_a_log_of_a_pull_does_not_fill_a_file() -> None:
    _, err = show(*(Progress(stage="image", text=f"pulling: {mb} of 90 MB") for mb in range(90)))
    assert err == "  pulling: 0 of 90 MB\n"


def test_a_long_output_stands_above_its_cause() -> None:
    log = tuple(f"line {number}" for number in range(100))
    failed = Failed(id="x", exit_code=4, message="it broke", hints=("mend it",), details=log)
    lines = show(failed)[1].splitlines()
    assert lines[:2] == ["  │ line 0", "  │ line 1"]
    assert lines[-3:] == ["  │ line 99", "✗ it broke", "  hint: mend it"]


def test_the_log_of_a_container_stands_below_the_cause_however_long_it_is() -> None:
    log = tuple(f"  line {number}" for number in range(100))
    details = ("3 s after the apply", "log of Pod/a, container `app`, attempt 2:", *log)
    failed = Failed(id="x", exit_code=6, message="it broke", hints=("mend it",), details=details)
    lines = show(failed)[1].splitlines()
    assert lines[:3] == ["✗ it broke", "  hint: mend it", "  │ 3 s after the apply"]
    assert lines[-1] == "  │   line 99"


def test_what_to_do_about_new_code_stands_before_what_shows_it() -> None:
    told = Reported(
        id="reload-failed", exit_code=6, message="crashes", details=("1 / 0",), hints=("mend it",)
    )
    assert show(told)[1] == "✗ crashes\n  hint: mend it\n  │ 1 / 0\n"


def test_a_traceback_that_was_just_logged_is_not_shown_again() -> None:
    said = ('  File "/app/a.py", line 1', "    1 / 0", "ZeroDivisionError: division by zero")
    log = [LogLine(pod="x-1", container="app", at="", line=line) for line in said]
    told = Reported(
        id="reload-failed", exit_code=6, message="crashes", place="a.py:1", details=said
    )
    out, err = show(*log, told)
    assert len(out.splitlines()) == 3
    assert "its traceback is in the log above" in err
    assert "1 / 0" not in err
    _, err = show(told)
    assert "1 / 0" in err
    assert "above" not in err


def test_of_a_crash_only_its_log_is_not_shown_again() -> None:
    said = ('  File "/app/a.py", line 1', "    1 / 0", "ZeroDivisionError: division by zero")
    log = [LogLine(pod="x-1", container="app", at="", line=line) for line in said]
    title, warnings = "log of Pod/x-1, container `app`:", ("warnings of Pod/x-1:", "  BackOff: x")
    details = ("9 s after", title, *(f"  {line}" for line in said), *warnings)
    told = Reported(id="crash-loop", exit_code=6, message="crashes", details=details)
    _, err = show(*log, told)
    assert "1 / 0" not in err
    assert title not in err
    assert all(one in err for one in ("9 s after", "in the log above", *warnings))
    _, err = show(log[1], told)
    assert "1 / 0" in err


def test_a_line_that_was_logged_by_chance_stays_in_another_failure() -> None:
    log = LogLine(pod="x-1", container="app", at="", line="}")
    told = Reported(id="syntax-error", exit_code=3, message="no", details=("    }", "    ^"))
    _, err = show(log, told)
    assert "}" in err
    assert "above" not in err
