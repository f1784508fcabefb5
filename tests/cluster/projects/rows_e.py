"""What taskboard asks for: E, with its acceptance criteria AC1 to AC9."""

from __future__ import annotations

import json
import shutil

from tests.cluster.projects.facts import PLANTED, Facts
from tests.cluster.projects.rows import Row, own, says
from tests.cluster.projects.rows_cd import nothing_leaks
from tests.conftest import until
from tests.oracles.tools import hadolint

_LISTED = ("tests/", "__pycache__", ".git/", ".md", ".env", ".vscode", ".idea")


@own("E1", "AC1: stages builder and production, python:3.12-slim")
def e1(facts: Facts) -> str:
    assert facts.bases == ["python:3.12-slim"]
    assert [stage.name for stage in facts.dockerfile.stages] == ["builder", "production"]
    version = facts.inside("python", "-V").stdout.strip()
    assert facts.args or version.startswith("Python 3.12.")
    return f"built on {version}" + (" by argument" if facts.args else "")


@own("E2", "AC2: pytest and httpx in requirements-dev.txt alone")
def e2(facts: Facts) -> str:
    development = (facts.five.context / "requirements-dev.txt").read_text()
    says(development, "-r requirements.txt", "pytest", "httpx")
    lines = (facts.five.context / "requirements.txt").read_text().splitlines()
    names = {line.partition("==")[0] for line in lines if "==" in line}
    assert not {"pytest", "httpx"} & names
    assert not facts.imports("pytest")
    assert not facts.imports("httpx")
    return f"neither can be imported; {facts.report['no-dev-packages'].text}"


@own(
    "E3",
    "AC3: no tests, __pycache__, .git, *.md in the image",
    settled="X9: of the app's own; packages keep their bytecode",
)
def e3(facts: Facts) -> str:
    for check in ("no-tests", "no-app-bytecode", "no-git", "no-markdown"):
        assert facts.report[check].status == "passed", facts.report[check]
    planted = {path.rpartition("/")[2] for path in PLANTED}
    inside = facts.inside("find", "/app", "-type", "f").stdout.split()
    assert not planted & {path.rpartition("/")[2] for path in inside}
    return f"{len(inside)} files in /app; of {len(planted)} planted ones none"


@own(
    "E4", "AC4: what .dockerignore leaves out; builds without it, too", settled="X13: an allow-list"
)
def e4(facts: Facts) -> str:
    said = nothing_leaks(facts, _LISTED)
    ignore = facts.copy / ".dockerignore"
    aside = ignore.with_name("ignored-not")
    shutil.move(ignore, aside)
    try:
        facts.build(tag="taskboard:unignored")
    finally:
        shutil.move(aside, ignore)
        facts.run("image", "rm", "-f", "taskboard:unignored", check=False)
    return f"{said}; without the file it builds as well"


@own("E5", "AC5: appuser, uid other than 0", settled="X2: 10001, which linters want")
def e5(facts: Facts) -> str:
    with facts.running() as running:
        said = running.exec("id")
    says(said, "(appuser)")
    assert not said.startswith("uid=0")
    return f"`{said.partition(' ')[0]}`"


@own("E6", 'AC6: GET /health is 200 `{"status": "healthy"}`')
def e6(facts: Facts) -> str:
    with facts.running() as running:
        answer = running.ask("/health")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "healthy"})
    return f"200 {answer.body}"


@own(
    "E7",
    "AC7: HEALTHCHECK with start-period 5s",
    settled="X14: every 10 s, for the first try comes after one interval",
)
def e7(facts: Facts) -> str:
    check = facts.config["Healthcheck"]
    assert check["StartPeriod"] == 5_000_000_000
    with facts.running() as running:
        until(lambda: running.inspect()["State"]["Health"]["Status"] == "healthy", 180)
    return f"every {check['Interval'] // 1_000_000_000} s; it gets `healthy`"


@own("E8", "AC8: below 200 MB")
def e8(facts: Facts) -> str:
    size = facts.image["Size"]
    assert size <= 200_000_000
    return f"{size / 1e6:.0f} MB in all"


@own("E9", "AC9: DATABASE_URL, HOST and PORT can be set", settled="X6: the module reads them")
def e9(facts: Facts) -> str:
    for check in ("port-honoured", "host-honoured"):
        assert facts.report[check].status == "passed", facts.report[check]
    with facts.running(inner=9000, PORT="9000", DATABASE_URL="sqlite:////tmp/other.db") as running:
        running.ask("/api/tasks", {"title": "there"})
        running.exec("test", "-s", "/tmp/other.db")
    return f"{facts.report['port-honoured'].text}; the file that DATABASE_URL names is written"


@own("E10", "without DATABASE_URL: /app/data/tasks.db")
def e10(facts: Facts) -> str:
    assert "DATABASE_URL" not in {**facts.variables, **facts.five.example}
    with facts.running() as running:
        assert running.ask("/api/tasks", {"title": "write"}).status == 201
        running.exec("test", "-s", "/app/data/tasks.db")
    return "written there"


@own("E11", "a volume on /app/data keeps the tasks")
def e11(facts: Facts) -> str:
    volume = ("-v", "f-taskboard-data:/app/data")
    try:
        with facts.running(*volume) as running:
            running.ask("/api/tasks", {"title": "kept"})
        with facts.running(*volume) as running:
            found = json.loads(running.ask("/api/tasks").body)
    finally:
        facts.run("volume", "rm", "-f", "f-taskboard-data", check=False)
    assert [task["title"] for task in found] == ["kept"]
    return "a second container has them"


@own(
    "E12",
    "no lint errors; the schema is made at the start, without alembic; container tests in shell",
    settled="the container tests are the rows of this table, in Python; there are none in shell",
)
def e12(facts: Facts) -> str:
    assert not facts.imports("alembic")
    with facts.running() as running:
        assert json.loads(running.ask("/api/tasks").body) == []
    file = facts.five.context / "Dockerfile"
    # Off by default: it asks every stage, the builder too, for a HEALTHCHECK.
    findings = hadolint([file])[file] - {"DL3057"}
    assert not findings, findings
    return "an empty list at once; nothing from hadolint"


E: tuple[Row, ...] = (e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11, e12)
