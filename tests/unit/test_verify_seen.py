"""What is made of what was seen of containers, and which of them are needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kubekit.verify.container import descendants
from kubekit.verify.judge import CHECKS, chosen, judge
from kubekit.verify.model import (
    Answer,
    Checked,
    Image,
    Kept,
    Known,
    Process,
    Reached,
    Seen,
    Start,
    Told,
    Usual,
)
from kubekit.verify.routes import database_away, says_well
from kubekit.verify.run import python_of
from tests.unit.images import image, subject

UP = Start(up=True, seconds=1.2)
DOWN = Start(up=False, text="it ended at once, with exit code 1", log=("boom",))
SERVER = Process(pid=1, parent=0, command=("python", "-m", "app"), user=10001)
USUAL = Usual(
    start=UP,
    port=8000,
    answers={
        "/health": Answer(status=200, body='{"status":"healthy"}'),
        "/health/live": Answer(status=200, body='{"status":"alive"}'),
        "/health/ready": Answer(status=200, body='{"status":"ready"}'),
    },
    listening=(("0.0.0.0", 8000),),
    processes=(SERVER,),
    health="healthy",
    memory=50_000_000,
    databases=("/app/data/tasks.db",),
    log=("started",),
    stopped=(1.0, 0),
)
TOLD = Told(
    start=UP,
    port=9000,
    host="127.0.0.1",
    workers=2,
    listening=(("127.0.0.1", 9000),),
    processes=(
        SERVER,
        Process(pid=7, parent=1, command=("python", "multiprocessing.resource_tracker"), user=1),
        Process(pid=8, parent=1, command=("python", "spawn_main"), user=10001),
        Process(pid=9, parent=1, command=("python", "spawn_main"), user=10001),
    ),
)
AWAY = Reached(
    start=UP,
    answers={"/health/live": Answer(status=200), "/health/ready": Answer(status=503)},
)
SEEN = Seen(
    usual=USUAL,
    told=TOLD,
    kept=Kept(folder="/app/data", kept=True),
    away=AWAY,
    locked=Reached(start=UP, answers=USUAL.answers),
)


def check(id_: str, seen: Seen = SEEN, known: Known | None = None) -> Checked:
    (found,) = judge(chosen(only=[id_]), subject(seen=seen, known=known))
    return found


def usual(**fields: Any) -> Seen:
    return replace(SEEN, usual=replace(USUAL, **fields))


@pytest.mark.parametrize("id_", [one.id for one in CHECKS if one.scene is not None])
def test_a_good_container_fails_nothing(id_: str) -> None:
    assert check(id_).status in ("passed", "told")


SHELL = replace(SERVER, command=("/bin/sh", "-c", "uvicorn app.main:app"))


@pytest.mark.parametrize(
    ("id_", "fields"),
    [
        ("starts", {"start": DOWN}),
        ("process-one", {"processes": (SHELL,)}),
        ("run-as", {"processes": (replace(SERVER, user=0),)}),
        ("listens-everywhere", {"listening": (("127.0.0.1", 8000),)}),
        ("health", {"answers": {}}),
        ("health", {"answers": {"/health": Answer(status=500)}}),
        ("health", {"answers": {"/health": Answer(status=200, body='{"status":"sick"}')}}),
        ("health-live", {"answers": {"/health/live": Answer(status=503)}}),
        ("health-ready", {"answers": {"/health/ready": Answer(status=503)}}),
        ("healthcheck-healthy", {"health": "unhealthy", "health_log": "No module named requests"}),
        ("log-clean", {"log": ("Traceback (most recent call last):",)}),
        ("stops", {"stopped": (10.1, 137)}),
        ("stops", {"stopped": (0.1, 143)}),
    ],
)
def test_a_container_that_breaks_one(id_: str, fields: dict[str, Any]) -> None:
    found = check(id_, usual(**fields))
    assert found.status == "failed"
    assert found.fix


def test_one_that_does_not_start_is_told_once_with_its_last_lines() -> None:
    seen = Seen(usual=replace(USUAL, start=DOWN), why="no container of it starts")
    found = {one.id: one for one in judge(CHECKS, subject(seen=seen))}
    assert found["starts"].details == ("boom",)
    others = [one for one in CHECKS if one.scene and one.id != "starts"]
    assert {found[one.id].status for one in others} == {"skipped"}


def test_an_image_that_cannot_be_run_has_its_reason_in_each() -> None:
    why = "it is made for arm64, this Docker is amd64"
    found = judge(chosen(only=["starts", "stops"]), subject(seen=Seen(why=why)))
    assert [(one.status, one.text) for one in found] == [("skipped", why)] * 2


@pytest.mark.parametrize(
    ("id_", "told"),
    [
        ("port-honoured", replace(TOLD, listening=(("127.0.0.1", 8000),))),
        ("host-honoured", replace(TOLD, listening=(("0.0.0.0", 9000),))),
        ("workers-honoured", replace(TOLD, processes=(SERVER,))),
        ("port-honoured", replace(TOLD, start=DOWN, listening=())),
    ],
)
def test_a_variable_that_is_ignored_counts_if_something_says_it_is_read(
    id_: str, told: Told
) -> None:
    seen = replace(SEEN, told=told)
    name = id_.partition("-")[0].upper()
    assert check(id_, seen).status == "skipped"
    assert check(id_, seen, Known(claims=frozenset({name}))).status == "failed"


@pytest.mark.parametrize(
    ("id_", "answer"), [("database-away-live", 503), ("database-away-ready", 200)]
)
def test_a_database_that_is_away(id_: str, answer: int) -> None:
    path = "/health/live" if id_.endswith("live") else "/health/ready"
    seen = replace(SEEN, away=Reached(start=UP, answers={path: Answer(status=answer)}))
    assert check(id_, seen).status == "skipped"
    claimed = Known(claims=frozenset({"DATABASE_URL"}))
    assert check(id_, seen, claimed).status == "failed"


def test_without_such_a_route_there_is_nothing_to_ask_without_a_database() -> None:
    seen = replace(usual(answers={"/health": Answer(status=200, body="ok")}), away=None)
    for id_ in ("database-away-live", "database-away-ready", "health-live", "health-ready"):
        assert check(id_, seen).status == "skipped"


def test_a_route_that_the_project_names_must_be_there() -> None:
    known = Known(paths={"live": "/alive"})
    found = check("health-live", SEEN, known)
    assert (found.status, found.text) == ("failed", "it has no /alive")


def test_whoever_names_a_route_of_its_own_needs_none_for_all() -> None:
    seen = usual(answers={"/alive": Answer(status=200)})
    assert check("health", seen, Known(paths={"live": "/alive"})).status == "skipped"
    assert check("health", seen).status == "failed"


def test_a_database_that_no_container_reaches_says_nothing_about_readiness() -> None:
    seen = usual(answers={"/health/ready": Answer(status=503)})
    known = Known(env={"DATABASE_URL": "postgresql://app@db/app"})
    assert check("health-ready", seen, known).status == "skipped"
    assert check("health-ready", seen, replace(known, network="host")).status == "failed"


def test_what_a_healthcheck_runs_is_none_of_its_processes() -> None:
    beside = Process(pid=20, parent=0, command=("python", "-c", "ask"), user=10001)
    its_child = replace(beside, pid=21, parent=20)
    assert descendants([its_child, beside, *TOLD.processes]) == TOLD.processes


def test_a_volume_that_does_not_keep_it() -> None:
    seen = replace(SEEN, kept=Kept(folder="/app/data", kept=False, text="permission denied"))
    assert check("sqlite-kept", seen).status == "failed"
    assert check("sqlite-kept", replace(SEEN, kept=None)).status == "skipped"


def test_a_read_only_root_it_does_not_bear() -> None:
    seen = replace(SEEN, locked=Reached(start=DOWN))
    assert check("read-only-root", seen).details == ("boom",)
    worse = {"/health": Answer(status=500)}
    seen = replace(SEEN, locked=Reached(start=UP, answers=worse))
    assert check("read-only-root", seen).text == "/health answers 500"


@pytest.mark.parametrize(
    ("body", "well"),
    [
        ('{"status":"healthy"}', True),
        ('{"status": "OK", "db": "down"}', True),
        ('{"status":"sick"}', False),
        ('{"ok":true}', True),
        ('{"healthy": false}', False),
        ('"ok"', True),
        ("OK\n", True),
        ("true", True),
        ("<html>", None),
        ('{"version": "1.2"}', None),
        ("{}", None),
        ("", None),
    ],
)
def test_dialects_of_being_well(body: str, well: bool | None) -> None:
    assert says_well(body) is well


@pytest.mark.parametrize(
    ("body", "named", "guessed"),
    [
        ('{"ok":true}', "passed", "passed"),
        ('{"version": "1.2"}', "passed", "failed"),
        ("<html>", "passed", "failed"),
        ('{"ok":false}', "failed", "failed"),
    ],
)
def test_what_the_project_itself_calls_its_health_need_not_say_that_it_is_well(
    body: str, named: str, guessed: str
) -> None:
    seen = usual(answers={"/healthz": Answer(status=200, body=body)})
    assert check("health", seen, Known(paths={"plain": "/healthz"})).status == named
    assert check("health", seen).status == guessed


@pytest.mark.parametrize(
    ("modules", "env", "url"),
    [
        ((), {}, "sqlite:////nonexistent/none.db"),
        (("psycopg",), {}, "postgresql://nobody@127.0.0.1:9/none"),
        (("asyncpg", "sqlalchemy"), {}, "postgresql+asyncpg://nobody@127.0.0.1:9/none"),
        ((), {"DATABASE_URL": "sqlite+aiosqlite:///x"}, "sqlite+aiosqlite:////nonexistent/none.db"),
        ((), {"DATABASE_URL": "mysql://a:b@c/d"}, "mysql://nobody@127.0.0.1:9/none"),
    ],
)
def test_a_database_of_the_same_kind_that_leads_nowhere(
    modules: tuple[str, ...], env: dict[str, str], url: str
) -> None:
    made = image(
        {f"opt/venv/lib/python3.13/site-packages/{one}/__init__.py": "" for one in modules}
    )
    assert database_away(made, Known(env=env)) == url


@pytest.mark.parametrize(
    ("files", "path", "python"),
    [
        (("usr/local/bin/python3",), "/usr/local/bin:/usr/bin", "/usr/local/bin/python3"),
        (("app/.venv/pyvenv.cfg", "app/.venv/bin/python"), "/usr/bin", "/app/.venv/bin/python"),
        (("opt/py/bin/python3.12",), "/usr/bin", "/opt/py/bin/python3.12"),
        (("usr/bin/node",), "/usr/bin", None),
    ],
)
def test_a_python_is_found_wherever_it_is(
    files: tuple[str, ...], path: str, python: str | None
) -> None:
    made: Image = image(dict.fromkeys(files, ""), config={"Env": [f"PATH={path}"]})
    assert python_of(made) == python


def test_a_secret_that_the_image_sets_is_in_no_line_that_is_told() -> None:
    seen = usual(
        log=("ERROR cannot reach postgresql://app:a4Kd0-x9@db/tasks",),
        health="unhealthy",
        health_log="refused: a4Kd0-x9",
    )
    config = {"Env": ["DATABASE_URL=postgresql://app:a4Kd0-x9@db/tasks", "LOG_LEVEL=info"]}
    ids = ["log-clean", "healthcheck-healthy"]
    found = judge(chosen(only=ids), subject(seen=seen, config=config))
    assert [one.status for one in found] == ["failed", "failed"]
    assert "a4Kd0" not in str(found)
