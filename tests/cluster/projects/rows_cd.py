"""What second-brain and todo-backend ask for: C and D."""

from __future__ import annotations

import json
import re

from tests.cluster.projects.facts import PLANTED, Facts
from tests.cluster.projects.pushing import push_version
from tests.cluster.projects.rows import Row, own, says
from tests.conftest import until

_AWAY = "postgresql://nobody@127.0.0.1:9/none"
_C_LISTED = (
    *(".venv/", "__pycache__", ".pyc", ".env", "tests/", ".pytest_cache", ".coverage", "htmlcov"),
    *(".ruff_cache", ".git/", ".gitignore", ".vscode", ".idea", ".DS_Store", ".md"),
)
_D_LISTED = (
    *(".git/", ".env", "__pycache__", ".pyc", ".pytest_cache", ".coverage", "htmlcov", "dist/"),
    *("build/", ".egg-info", "tests/", "docs/", ".vscode", ".idea", ".md", ".gitignore"),
)


def nothing_leaks(facts: Facts, listed: tuple[str, ...]) -> str:
    """None of what was planted, and is meant by this list, is sent."""
    meant = [path for path in PLANTED if any(part in path for part in listed)]
    assert len({part for part in listed if any(part in path for path in meant)}) == len(listed)
    leaked = set(facts.sent()) & set(meant)
    assert not leaked
    return f"{len(meant)} such files planted, also in folders below: none is sent"


def context_size(facts: Facts) -> str:
    """The files that are sent, and what they weigh."""
    sent = facts.sent()
    size = sum(sent.values())
    assert size < 10_000_000
    return f"{len(sent)} files, {size / 1000:.0f} kB"


def cached(facts: Facts, step: str) -> str:
    """After an edit of the source the step is not run again, and the seconds that it took."""
    log, seconds = facts.edited
    (number,) = set(re.findall(rf"^#(\d+) \[[^\]]*\] RUN {re.escape(step)}", log, re.MULTILINE))
    assert f"#{number} CACHED" in log, log
    return f"after an edit `{step[:44]}` is cached; rebuilt in {seconds:.1f} s"


@own("C1", "`python:3.12-slim-bookworm` for builder and runtime")
def c1(facts: Facts) -> str:
    assert facts.bases == ["ghcr.io/astral-sh/uv:0.5.4", "python:3.12-slim-bookworm"]
    version = facts.inside("python", "-V").stdout.strip()
    assert facts.args or version.startswith("Python 3.12.")
    return f"both from its default; built on {version}" + (" by argument" if facts.args else "")


@own("C2", "uv out of its image, pinned to 0.5.4")
def c2(facts: Facts) -> str:
    (line,) = facts.lines("COPY", "dependencies")[:1]
    assert line.startswith("--from=uv /uv ")
    assert facts.stage("uv").base == "ghcr.io/astral-sh/uv:0.5.4"
    assert facts.inside("uv", "--version", check=False).returncode != 0
    return "pinned; it is not in the image"


@own("C3", "UV_COMPILE_BYTECODE, UV_LINK_MODE, UV_PYTHON_DOWNLOADS, UV_PROJECT_ENVIRONMENT")
def c3(facts: Facts) -> str:
    wanted = ("UV_COMPILE_BYTECODE=1", "UV_LINK_MODE=copy", "UV_PYTHON_DOWNLOADS=never")
    says(" ".join(facts.lines("ENV", "dependencies")), *wanted, "UV_PROJECT_ENVIRONMENT=/app/.venv")
    count = facts.inside("sh", "-c", "find /app/.venv -name '*.pyc' | wc -l").stdout.strip()
    assert int(count) > 100
    return f"all four; {count} files of bytecode"


@own(
    "C4",
    "lock files first, `uv sync --frozen --no-install-project --no-dev`",
    settled="X12: .python-version is there; X11: `uv lock --check` on the host",
)
def c4(facts: Facts) -> str:
    says(" ".join(facts.lines("COPY", "dependencies")), "pyproject.toml uv.lock .python-version")
    return cached(facts, "uv sync --frozen --no-install-project --no-dev")


@own("C5", "then src/ and `uv sync --frozen --no-dev --no-editable`")
def c5(facts: Facts) -> str:
    assert facts.lines("COPY", "builder")[-1] == "src/ src/"
    assert facts.lines("RUN", "builder")[-1] == "uv sync --frozen --no-dev --no-editable"
    code = "import second_brain; print(second_brain.__file__)"
    file = facts.inside("python", "-c", code).stdout.strip()
    says(file, "/app/.venv/", "/site-packages/second_brain/")
    return f"`{file}`"


@own(
    "C6",
    "app:app, 1001:1001, owner of .venv and src",
    settled="X2: numeric USER; X15: the code is root's; X16: no second copy in /app/src",
)
def c6(facts: Facts) -> str:
    who = facts.inside("sh", "-c", "id -u; id -g; whoami; stat -c %u /app/.venv").stdout.split()
    assert who == ["1001", "1001", "app", "0"]
    assert facts.inside("ls", "/app/src", check=False).returncode != 0
    history = facts.run("history", "--human=false", "--format={{.Size}}", facts.tag).stdout.split()
    layer = next(int(size) for size in history if int(size))
    assert layer < 100_000
    return f"1001:1001, {who[2]}; the project's own layer has {layer / 1000:.0f} kB"


@own("C7", "PATH, no bytecode at run time, unbuffered, WORKDIR /app, EXPOSE 8000")
def c7(facts: Facts) -> str:
    for check in ("env-path", "env-no-bytecode", "env-unbuffered", "port-exposed"):
        assert facts.report[check].status == "passed", facts.report[check]
    assert facts.variables["PATH"].startswith("/app/.venv/bin:")
    assert facts.config["WorkingDir"] == "/app"
    return "as asked for"


@own("C8", "CMD: uvicorn second_brain.main:app on 0.0.0.0:8000")
def c8(facts: Facts) -> str:
    command = " ".join(facts.config["Cmd"])
    assert re.search(r"uvicorn.*second_brain\.main:app", command)
    says(command, "--host 0.0.0.0", "--port 8000")
    return f"`{command[:60]}`"


@own(
    "C9", "two variables suffice; what is away is a warning", settled="X8: `ok` is this one's word"
)
def c9(facts: Facts) -> str:
    assert set(facts.five.example) == {"AZURE_OPENAI_ENDPOINT", "KEY_VAULT_URL"}
    with facts.running() as running:
        answer = running.ask("/health")
        assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})
        until(lambda: running.log().count("cannot be reached") == 2)
        assert running.log().count("WARNING") == 2
        assert running.inspect()["State"]["Running"]
    return f"{answer.body}; 2 warnings, and it runs on"


@own("C10", "no development packages, tests, .env or the host's .venv in the image")
def c10(facts: Facts) -> str:
    assert not facts.imports("pytest")
    found = "find /app -name '.env*' -o -name tests -not -path '*/site-packages/*'"
    assert facts.inside("sh", "-c", found).stdout == ""
    for check in ("no-dev-packages", "no-tests", "no-env-files"):
        assert facts.report[check].status == "passed", facts.report[check]
    return "none of them, of the image or of what was planted"


@own(
    "C11",
    "a list of what is not sent",
    settled="X13: each with `**/`; X10: `!README.md`, which pyproject.toml names",
)
def c11(facts: Facts) -> str:
    assert "README.md" in facts.sent()
    return nothing_leaks(facts, _C_LISTED)


@own("C12", "a context well under 10 MB")
def c12(facts: Facts) -> str:
    return context_size(facts)


@own("C13", "edits of the source leave the layer of dependencies as it is")
def c13(facts: Facts) -> str:
    return cached(facts, "uv sync --frozen --no-install-project --no-dev")


C: tuple[Row, ...] = (c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13)


@own("D1", "python:3.13-slim, stages builder and runtime")
def d1(facts: Facts) -> str:
    assert facts.bases == ["python:3.13-slim"]
    assert [stage.name for stage in facts.dockerfile.stages] == ["builder", "runtime"]
    return facts.inside("python", "-V").stdout.strip()


@own(
    "D2",
    "uv from PyPI, `uv venv /app/.venv`, `uv pip install`",
    settled="X3: `uv venv` puts no uv there: VIRTUAL_ENV leads the one outside",
)
def d2(facts: Facts) -> str:
    ran = " ".join(facts.lines("RUN", "builder"))
    says(ran, "pip install --no-cache-dir uv==", "uv venv /app/.venv", "uv pip install --no-cache ")
    prefix = facts.inside("python", "-c", "import sys, fastapi; print(sys.prefix)").stdout.strip()
    assert prefix == "/app/.venv"
    return "fastapi is imported from /app/.venv"


@own(
    "D3",
    "appuser, uid 1000, owner of /app/src",
    settled="X2: numeric USER; X15: the code is root's, data/ is theirs",
)
def d3(facts: Facts) -> str:
    who = facts.inside("sh", "-c", "id -u; whoami; stat -c %u /app/src /app/data").stdout.split()
    assert who == ["1000", "appuser", "0", "1000"]
    return "1000, appuser; /app/src is root's, /app/data theirs"


@own(
    "D4",
    "environment, EXPOSE 8000, uvicorn app.main:app",
    settled="X4: PYTHONPATH=/app/src; X6: `python -m app` runs it",
)
def d4(facts: Facts) -> str:
    for check in ("env-path", "env-no-bytecode", "env-unbuffered", "port-exposed"):
        assert facts.report[check].status == "passed", facts.report[check]
    assert facts.imports("app.main")
    return f"`{' '.join(facts.config['Cmd'])}`; `app.main` is found"


@own(
    "D5",
    "HEALTHCHECK 30s/3s/40s/3 against /health/live",
    settled="X5: of the standard library, by address, with PORT",
)
def d5(facts: Facts) -> str:
    check = facts.config["Healthcheck"]
    second = 1_000_000_000
    assert [check["Interval"], check["Timeout"], check["StartPeriod"], check["Retries"]] == [
        *(30 * second, 3 * second, 40 * second),
        3,
    ]
    assert facts.report["healthcheck-healthy"].status == "passed"
    return facts.report["healthcheck-healthy"].text


@own(
    "D6", "a list of what is not sent", settled="X13: each with `**/`, or it holds at the top alone"
)
def d6(facts: Facts) -> str:
    assert not {"Dockerfile", ".dockerignore"} & facts.sent().keys()
    return nothing_leaks(facts, _D_LISTED)


@own("D7", "`todo-backend:local` built by docker in Minikube's daemon")
def d7(facts: Facts) -> str:
    assert facts.tag == "todo-backend:local"
    listed = facts.run("image", "ls", "--format={{.Tag}} {{.Size}}", "todo-backend").stdout
    (size,) = (line.split()[1] for line in listed.splitlines() if line.startswith("local "))
    manifest = (facts.five.folder / "manifests/deployment.yaml.j2").read_text()
    says(manifest, "imagePullPolicy: IfNotPresent")
    return f"listed with {size}; IfNotPresent"


@own("D8", "tagged v1.0.0 and pushed; a version stays what it is")
def d8(facts: Facts) -> str:
    return push_version(facts)


@own(
    "D9",
    "DATABASE_URL, OPENAI_API_KEY, BETTER_AUTH_SECRET out of a Secret",
    settled="X19: as variables, as asked for",
)
def d9(facts: Facts) -> str:
    names = {"DATABASE_URL", "OPENAI_API_KEY", "BETTER_AUTH_SECRET"}
    assert names == set(facts.five.example)
    assert not names & facts.variables.keys()
    texts = [path.read_text() for path in (facts.five.folder / "manifests").iterdir()]
    says("".join(texts), "secretRef:")
    for check in ("secrets-env", "secrets-history", "secrets-layers"):
        assert facts.report[check].status == "passed", facts.report[check]
    assert not [value for value in facts.five.example.values() if value in "".join(texts)]
    return "by secretRef alone; in no manifest, layer or history"


@own("D10", "PORT=8000, LOG_LEVEL=info, WORKERS=1 unless set", settled="X6: the module reads them")
def d10(facts: Facts) -> str:
    for check in ("port-honoured", "workers-honoured"):
        assert facts.report[check].status == "passed", facts.report[check]
    with facts.running(inner=9000, PORT="9000", LOG_LEVEL="warning") as running:
        assert running.ask("/health/live").status == 200
        assert "INFO" not in running.log()
    with facts.running() as running:
        running.ask("/health/live")
        says(running.log(), "INFO", ":8000")
    return f"PORT=9000 is listened on; {facts.report['workers-honoured'].text}"


@own("D11", "/health/ready: 200 with the database, 503 without")
def d11(facts: Facts) -> str:
    with facts.running() as running:
        good = running.ask("/health/ready").status
    with facts.running(DATABASE_URL=_AWAY) as running:
        answer = running.ask("/health/ready")
    assert (good, answer.status) == (200, 503)
    assert "nobody" not in answer.body
    return f"200; without it {answer.status} {answer.body}"


@own(
    "D12",
    "/health/live: 200 while the process runs",
    settled="X8: `500 if crashed` cannot be: nobody answers then",
)
def d12(facts: Facts) -> str:
    with facts.running(DATABASE_URL=_AWAY) as running:
        answer = running.ask("/health/live")
        assert answer.status == 200
        assert running.inspect()["State"]["Running"]
    return f"200 {answer.body} with the database away"


@own("D13", "below 200 MB", settled="X7: the strict reading, all layers together, decimal")
def d13(facts: Facts) -> str:
    size = facts.image["Size"]
    base = json.loads(facts.run("image", "inspect", *facts.bases).stdout)[0]["Size"]
    assert size <= 200_000_000
    return f"{size / 1e6:.0f} MB; without the base {(size - base) / 1e6:.0f} MB"


@own("D14", "built in 2-3 min, again in less than 1 min")
def d14(facts: Facts) -> str:
    _, again = facts.build()
    assert facts.first < 180
    assert again < 60
    return f"without a cache {facts.first:.0f} s, again {again:.1f} s"


@own("D15", "8 to 10 layers", settled="counted are those with files; fewer is no fault")
def d15(facts: Facts) -> str:
    layers = len(facts.image["RootFS"]["Layers"])
    steps = len(facts.run("history", "-q", facts.tag).stdout.split())
    assert layers <= 10
    return f"{layers} layers with files, {steps} steps in the history"


D: tuple[Row, ...] = (
    *(d1, d2, d3, d4, d5, d6, d7, d8, d9, d10, d11, d12, d13, d14, d15),
    Row(
        id="D16",
        asked="no critical vulnerabilities",
        check="",
        settled="X20: needs a database from outside",
    ),
)
