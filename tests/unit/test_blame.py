"""What of the project's own files is behind a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.blame import OwnFiles
from kubekit.image.files import dockerignore
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
CAUSED = "The above exception was the direct cause of the following exception:"
HANDLED = "During handling of the above exception, another exception occurred:"
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


def write(root: Path, *names: str) -> None:
    """Put these files into the project."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")


def advised(found: Blame | None) -> tuple[str, ...]:
    """What to do about a file that the image lacks; nothing where none is told."""
    return () if found is None else found.hints


@pytest.mark.parametrize(
    ("joined", "told"),
    [
        ((CAUSED,), True),
        ((CAUSED, CAUSED), True),
        ((HANDLED,), False),
        ((CAUSED, HANDLED), False),
    ],
)
def test_a_miss_counts_if_it_caused_the_end_and_not_if_it_was_handled(
    tmp_path: Path, joined: tuple[str, ...], *, told: bool
) -> None:
    said = TRACEBACK.rpartition("\n[")[0]
    log = said.format(path="x", error=missing("data/limits.json"))
    for one in joined:
        log += f"\n\n{one}\n\n{said}"
    found = blamed(tmp_path, log=log)
    assert bool(advised(found)) is told
    assert found is not None
    assert (found.cause is not None) is told


def test_a_miss_that_the_program_told_of_and_went_on_is_not_why_it_ended(tmp_path: Path) -> None:
    told = f"WARNING no limits: {missing('data/limits.json')}\n"
    assert blamed(tmp_path, log=f"{told}ERROR: DATABASE_URL is not set\n") is None
    assert advised(blamed(tmp_path, log=told))


@pytest.mark.parametrize("function", ["_execute_child", "_execvpe"])
def test_a_program_that_is_missing_is_no_folder_of_its_name(tmp_path: Path, function: str) -> None:
    log = (
        "Traceback (most recent call last):\n"
        '  File "/app/src/app/main.py", line 3, in <module>\n    subprocess.run(["data"])\n'
        f'  File "/usr/local/lib/python3.13/subprocess.py", line 1953, in {function}\n'
        f"    raise\n{missing('data')}\n"
    )
    found = blamed(tmp_path, log=log)
    assert found is not None
    assert (str(found.place), found.cause) == ("src/app/main.py:3", None)
    assert advised(blamed(tmp_path, log=log.replace(function, "open")))


def test_nobody_is_told_to_copy_secrets(tmp_path: Path) -> None:
    write(tmp_path, "secrets/db.json", "conf/a.toml", "conf/sub/.env", "web/a.css", "web/tls.key")
    assert not advised(blamed(tmp_path, missing("secrets/db.json")))
    ignored = "FROM python\nWORKDIR /app\nCOPY . .\n"
    error = missing("secrets/db.json")
    assert not advised(blamed(tmp_path, error, dockerfile=ignored, ignore="secrets\n"))
    hint = "add `COPY conf/a.toml /app/conf/a.toml` to `Dockerfile`"
    assert advised(blamed(tmp_path, missing("conf/a.toml"))) == (hint,)
    assert not advised(blamed(tmp_path, "RuntimeError: Directory 'web' does not exist"))


def test_what_the_app_writes_itself_belongs_into_a_volume(tmp_path: Path) -> None:
    write(tmp_path, "uploads/1.png", "src/Media/1.png", "conf/a.toml", "conf/app.db")
    for path in ("uploads/1.png", "src/Media/1.png", "conf/app.db"):
        assert not advised(blamed(tmp_path, missing(path), ignore="**/*.png\n"))
    hint = "add `COPY conf/a.toml /app/conf/a.toml` to `Dockerfile`"
    assert advised(blamed(tmp_path, missing("conf/a.toml"))) == (hint,)


@pytest.mark.parametrize(
    ("copy", "error", "hint"),
    [
        ("src data", "RuntimeError: Directory '/app/data' does not exist", "data /app/data"),
        ("*.json", missing("/app/data/limits.json"), "data /app/data"),
        ("*", missing("/app/data/limits.json"), "data /app/data"),
    ],
)
def test_a_copy_that_lays_it_elsewhere_does_not_bring_it(
    tmp_path: Path, copy: str, error: str, hint: str
) -> None:
    found = blamed(tmp_path, error, dockerfile=f"FROM python\nWORKDIR /app\nCOPY {copy} ./\n")
    assert advised(found) == (f"add `COPY {hint}` to `Dockerfile`",)


@pytest.mark.parametrize(
    "dockerfile",
    [
        (
            "FROM node AS ui\nWORKDIR /ui\nCOPY src ./\nRUN build\n"
            "FROM python\nWORKDIR /app\nCOPY --from=ui /ui/app ./app\n"
        ),
        "FROM python\nWORKDIR /app\nCOPY --parents src/app ./\n",
        "FROM python\nWORKDIR /app\nCOPY --exclude=*.json src/app ./app\n",
    ],
)
def test_nothing_is_told_of_what_a_run_made_or_a_flag_changed(
    tmp_path: Path, dockerfile: str
) -> None:
    error = missing("/app/app/own.json")
    assert not advised(blamed(tmp_path, error, dockerfile=dockerfile, ignore="**/*.json\n"))
    plain = "FROM python\nWORKDIR /app\nCOPY src/app ./app\n"
    assert advised(blamed(tmp_path, error, dockerfile=plain, ignore="**/*.json\n"))


def test_the_context_itself_is_never_what_is_missing(tmp_path: Path) -> None:
    error = "RuntimeError: Directory '/app' does not exist"
    everything = "FROM python\nCOPY . /app\n"
    assert not advised(blamed(tmp_path, error, dockerfile=everything, ignore="*\n!src\n"))


def test_a_line_of_the_length_of_a_book_is_none(tmp_path: Path) -> None:
    log = f'Traceback (most recent call last):\n  File "/app/src/app/main.py", line {"9" * 5000}\n'
    assert blamed(tmp_path, log=f"{log}{VALUE}\n") is None


def test_what_is_advised_can_be_written_as_it_stands(tmp_path: Path) -> None:
    write(tmp_path, "my data/a b.csv", "pages/[id].html", "[id].html")
    found = blamed(tmp_path, missing("my data/a b.csv"))
    assert advised(found) == ('add `COPY ["my data", "/app/my data"]` to `Dockerfile`',)
    found = blamed(tmp_path, missing("[id].html"))
    assert advised(found) == ("add `COPY [[]id].html /app/[id].html` to `Dockerfile`",)
    everything = "FROM python\nWORKDIR /app\nCOPY . .\n"
    found = blamed(tmp_path, missing("pages/[id].html"), dockerfile=everything, ignore="pages\n")
    line = r"!pages/\[id\].html"
    assert advised(found) == (f"add `{line}` at the end of `.dockerignore`",)
    rules = dockerignore.parse(f"pages\n{line}\n", file=tmp_path / ".dockerignore")
    assert not rules.leaves_out("pages/[id].html")
