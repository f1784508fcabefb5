"""What of the project's own files is behind a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.blame import OwnFiles
from kubekit.model import BuildSettings, DevSettings, Object, Settings, SyncRule
from kubekit.rollout.verdict import Blame

TRACEBACK = """\
INFO: starting
Traceback (most recent call last):
  File "/usr/local/bin/gunicorn", line 8, in <module>
    sys.exit(run())
  File "/app/src/app/main.py", line 12, in <module>
    LIMITS = load()
  File "/app/src/app/limits.py", line 7, in load
    return json.loads(Path({path!r}).read_text())
  File "/usr/local/lib/python3.13/pathlib/_local.py", line 537, in read_text
    with self.open() as f:
  File "/app/.venv/lib/python3.13/site-packages/app/main.py", line 3, in open
    raise
{error}
[2026-01-01 00:00:00 +0000] [1] [ERROR] Reason: Worker failed to boot.
"""
VALUE = "ValueError: no JSON"
CONTAINER: Object = {"name": "app"}
CAUSE = "container `app` crashes with exit code 3: "


@pytest.fixture(autouse=True)
def _in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("src/app/main.py", "src/app/limits.py", "src/app/own.json", "data/limits.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")


def blamed(
    root: Path,
    error: str = VALUE,
    *,
    dockerfile: str = "FROM python\nWORKDIR /app\nCOPY src ./src\nUSER 1000\n",
    ignore: str = "",
    container: Object = CONTAINER,
    rules: tuple[SyncRule, ...] = (),
    log: str = TRACEBACK,
) -> Blame | None:
    """What is behind a crash with this exception in a project with these files."""
    (root / "Dockerfile").write_text(dockerfile)
    (root / ".dockerignore").write_text(ignore)
    settings = Settings(
        file=root / "kubekit.yaml",
        name="a",
        namespace="a",
        profile=None,
        build=BuildSettings(context=root, dockerfile=root / "Dockerfile"),
        dev=DevSettings(sync=rules),
    )
    text = log.format(path="x", error=error)
    return OwnFiles(settings).blame(f"{CAUSE}{error}", container, text)


def missing(path: str) -> str:
    """What Python says of a file that is not there."""
    return f"FileNotFoundError: [Errno 2] No such file or directory: '{path}'"


def test_the_innermost_line_of_the_projects_own_is_named(tmp_path: Path) -> None:
    found = blamed(tmp_path)
    assert found is not None
    assert str(found.place) == "src/app/limits.py:7"
    assert (found.cause, found.hints) == (None, ())


def test_a_file_that_is_not_here_is_not_named(tmp_path: Path) -> None:
    (tmp_path / "src/app/limits.py").unlink()
    found = blamed(tmp_path)
    assert found is not None
    assert str(found.place) == "src/app/main.py:12"


def test_what_no_copy_brings_there_is_named_by_the_rules_of_dev(tmp_path: Path) -> None:
    dockerfile = "FROM python\nRUN fetch /app\n"
    assert blamed(tmp_path, dockerfile=dockerfile) is None
    rules = (SyncRule(src=tmp_path / "src", dest="/app/src"),)
    found = blamed(tmp_path, dockerfile=dockerfile, rules=rules)
    assert found is not None
    assert str(found.place) == "src/app/limits.py:7"
    elsewhere = (SyncRule(src=tmp_path / "data", dest="/app/src"),)
    assert blamed(tmp_path, dockerfile=dockerfile, rules=elsewhere) is None


def test_without_a_traceback_or_a_dockerfile_nothing_is_blamed(tmp_path: Path) -> None:
    assert blamed(tmp_path, log="usage: app [-h]\n") is None
    settings = Settings(file=tmp_path / "k", name="a", namespace="a", profile=None)
    log = TRACEBACK.format(path="x", error=VALUE)
    assert OwnFiles(settings).blame(CAUSE, CONTAINER, log) is None
    gone = BuildSettings(context=tmp_path, dockerfile=tmp_path / "nowhere")
    settings = Settings(file=tmp_path / "k", name="a", namespace="a", profile=None, build=gone)
    assert OwnFiles(settings).blame(CAUSE, CONTAINER, log) is None


@pytest.mark.parametrize(
    "path", ["data/limits.json", "/app/data/limits.json", "./data/limits.json"]
)
def test_a_file_that_no_copy_brings_is_named_with_the_copy(tmp_path: Path, path: str) -> None:
    found = blamed(tmp_path, missing(path))
    assert found == Blame(
        place=found.place if found else None,  # type: ignore[arg-type]
        cause=f"{CAUSE}`data/limits.json` is in your project but not in the image: "
        "no `COPY` brings it to `/app/data/limits.json`",
        hints=("add `COPY data /app/data` to `Dockerfile`",),
    )
    assert str(found.place) == "Dockerfile:3"


def test_a_file_that_the_rules_leave_out_is_named_with_the_line(tmp_path: Path) -> None:
    ignore = "# what the image needs\n*\n!src\n**/*.json\n!data/other.json\n"
    found = blamed(tmp_path, missing("/app/src/app/own.json"), ignore=ignore)
    assert found is not None
    assert str(found.place) == ".dockerignore:4"
    assert found.cause is not None
    said = "in your project but not in the image: `.dockerignore:4` leaves it out"
    assert found.cause == f"{CAUSE}`src/app/own.json` is {said}"
    assert found.hints == ("add `!src/app/own.json` at the end of `.dockerignore`",)
    kept = ignore + "!src/app/own.json\n"
    found = blamed(tmp_path, missing("/app/src/app/own.json"), ignore=kept)
    assert found is not None
    assert str(found.place) == "src/app/limits.py:7"


def test_of_a_file_that_lacks_both_both_are_told(tmp_path: Path) -> None:
    found = blamed(tmp_path, missing("data/limits.json"), ignore="*\n!src\n")
    assert found is not None
    assert found.hints == (
        "add `COPY data /app/data` to `Dockerfile`",
        "add `!data/limits.json` at the end of `.dockerignore`: its line 1 leaves it out, too",
    )


def test_a_folder_counts_as_well_and_so_does_the_containers_own_folder(tmp_path: Path) -> None:
    error = "RuntimeError: Directory 'data' does not exist"
    found = blamed(tmp_path, error, container={"name": "app", "workingDir": "/srv"})
    assert found is not None
    assert found.hints == ("add `COPY data /srv/data` to `Dockerfile`",)


def test_what_is_not_in_the_project_or_lies_in_a_volume_is_the_apps_own_matter(
    tmp_path: Path,
) -> None:
    mounted = {"name": "app", "volumeMounts": [{"name": "data", "mountPath": "/app/data"}]}
    kept = ("data/app.log", "data/app.sqlite3", ".env", "data/tls.key", "data/Credentials.json")
    for path in kept:
        (tmp_path / path).write_text("")
    for path, container in (
        *((path, CONTAINER) for path in kept),  # nobody should copy these
        ("data/nowhere.json", CONTAINER),
        ("/data/limits.json", CONTAINER),
        ("data/" + 5000 * "x", CONTAINER),
        ("data/\0", CONTAINER),
        ("data/limits.json", mounted),
    ):
        found = blamed(tmp_path, missing(path), container=container)
        assert found is not None
        assert str(found.place) == "src/app/limits.py:7"
    filled = {"name": "app", "volumeMounts": [{"name": "x", "mountPath": "/app/data"}]}
    rules = (SyncRule(src=tmp_path / "elsewhere", dest="/app/data/"),)
    found = blamed(tmp_path, missing("data/limits.json"), container=filled, rules=rules)
    assert found is not None
    assert found.cause is not None
