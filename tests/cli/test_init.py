"""`kubekit init` as a person meets it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kubekit.detect.look import look
from kubekit.init import fresh
from tests.cli.terminal import Terminal
from tests.cli.world import World
from tests.conftest import ROOT, kubekit

APP = "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/health')\ndef health(): ...\n"


def backend(world: World, folder: str = "") -> None:
    world.write(f"{folder}requirements.txt", "fastapi==0.165.0\nuvicorn==0.54.0\n")
    world.write(f"{folder}app/__init__.py", "")
    world.write(f"{folder}app/main.py", APP)


def test_the_backend_of_this_project(world: World) -> None:
    """What it writes for `backend/` is what this repository has; a person only did .env.example."""
    ignore = shutil.ignore_patterns(".venv", "__pycache__", ".*_cache", "Dockerfile", ".docker*")
    shutil.copytree(ROOT / "backend", world.folder / "backend", ignore=ignore)
    before = world.files()
    result = world.run("init", "backend", "--name", "tasks")
    assert result.code == 0, result.err
    written = {path: text for path, text in world.files().items() if path not in before}
    example = written.pop(".env.example").decode()
    assert written == {path: (ROOT / path).read_bytes() for path in written}
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "manifests").iterdir()} <= set(written)
    by_hand = (ROOT / ".env.example").read_text()
    assert {line.strip("# ").partition("=")[0] for line in example.splitlines() if "=" in line} == {
        line.strip("# ").partition("=")[0] for line in by_hand.splitlines() if "=" in line
    }


def test_it_says_what_it_found_and_what_it_assumed(world: World) -> None:
    backend(world, "api/")
    result = world.run("init", "api")
    assert result.code == 0, result.err
    assert result.out == ""
    assert "found    health at /health (api/app/main.py:6)" in result.err
    assert "assumed  Python 3.13" in result.err
    assert "created     api/Dockerfile" in result.err
    assert (world.folder / "kubekit.yaml").exists()
    assert not (world.folder / ".env").exists()


def test_a_second_run_changes_nothing_and_needs_no_arguments(world: World) -> None:
    backend(world, "api/")
    assert world.run("init", "api", "--name", "shop", "--dialect", "buildkit").code == 0
    before = {path: path.stat().st_mtime_ns for path in world.folder.rglob("*")}
    again = world.run("init", "-o", "json")
    assert again.code == 0, again.out
    assert {event["action"] for event in again.of("file")} == {"unchanged"}
    assert again.of("ended")[0]["text"] == "nothing changed"
    assert {path: path.stat().st_mtime_ns for path in world.folder.rglob("*")} == before


def test_what_a_later_run_is_told_holds_for_the_next(world: World) -> None:
    backend(world)
    assert world.run("init").code == 0
    assert world.run("init", "--python", "3.12", "--dialect", "buildkit").code == 0
    again = world.run("init", "-o", "json")
    assert {event["action"] for event in again.of("file")} == {"unchanged"}
    assert "python:3.12" in (world.folder / "Dockerfile").read_text()


def test_it_holds_also_where_kubekit_yaml_was_edited(world: World) -> None:
    backend(world)
    assert world.run("init").code == 0
    config = world.folder / "kubekit.yaml"
    edited = config.read_text().replace("replicas: 1", "replicas: 2")
    config.write_text(edited)
    told = world.run("init", "--python", "3.12")
    assert told.code == 0, told.err
    assert "but for the first line of `kubekit.yaml`" in " ".join(told.err.split())
    assert config.read_text().partition("\n")[2] == edited.partition("\n")[2]
    again = world.run("init", "-o", "json")
    assert again.of("ended")[0]["text"] == "nothing changed"
    assert "python:3.12" in (world.folder / "Dockerfile").read_text()
    assert {one["action"] for one in again.of("file")} == {"unchanged", "kept"}
    other = world.run("init", "--port", "9000", "-o", "json").of("warning")
    text = "`kubekit.yaml` says port `8000`, and a later run of `init` goes by it"
    assert text in [one["text"] for one in other]


def test_what_an_overwritten_dockerfile_said_is_kept(world: World) -> None:
    backend(world)
    world.write("Dockerfile", "FROM python:3.12-slim-bookworm\nEXPOSE 8080\n")
    assert world.run("init", "--force").code == 0
    assert "python:3.12-slim-bookworm" in (world.folder / "Dockerfile").read_text()
    again = world.run("init", "-o", "json")
    assert {event["action"] for event in again.of("file")} == {"unchanged"}


def test_another_folder_is_not_told_of_the_first_ones_application(world: World) -> None:
    for name in ("api", "web"):
        backend(world, f"{name}/")
        (world.folder / f"{name}/app/main.py").rename(world.folder / f"{name}/app/{name}.py")
    told = ("--app", "app.api:app", "--name", "shop")
    assert world.run("init", "api", *told).code == 0
    assert world.run("init", "api").code == 0, "the same one is"
    other = world.run("init", "web")
    assert other.code == 0, other.err
    assert "app.web:app" in (world.folder / "web/Dockerfile").read_text()
    assert "name: shop" in (world.folder / "kubekit.yaml").read_text()


def test_what_was_edited_is_kept_until_forced_and_then_shown(world: World) -> None:
    backend(world)
    assert world.run("init").code == 0
    dockerfile = world.folder / "Dockerfile"
    edited = dockerfile.read_text().replace("USER 10001:10001", "USER 0")
    dockerfile.write_text(edited)
    kept = world.run("init")
    assert (kept.code, dockerfile.read_text()) == (0, edited)
    assert "`Dockerfile` was written or edited by hand: left as it is" in kept.err
    forced = world.run("init", "--force")
    assert "-USER 0" in forced.err
    assert "+USER 10001:10001" in forced.err
    assert dockerfile.read_text() != edited


@pytest.mark.parametrize(("database", "told"), [("sqlite", True), ("other", False)])
def test_what_the_volume_hides_is_told(world: World, database: str, told: bool) -> None:
    backend(world)
    world.write("data/seed.json", "{}")
    result = world.run("init", "--database", database)
    assert result.code == 0, result.err
    said = "what is in data/ is hidden in a pod (the volume of sqlite lies over it)"
    assert (said in " ".join(result.err.split())) == told


def test_djangos_own_sqlite_would_lie_where_nothing_can_be_written(world: World) -> None:
    settings = 'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": %s}}\n'
    world.write("requirements.txt", "django==5.2\ngunicorn==23.0\n")
    world.write("shop/settings.py", "import os\n" + settings % '"db.sqlite3"')
    source = "from django.core.wsgi import get_wsgi_application\napplication = {}()\n"
    world.write("shop/wsgi.py", source.format("get_wsgi_application"))
    result = world.run("init", "-o", "json")
    assert result.code == 0, result.out
    mend, again, _ = result.of("ended")[0]["hints"]
    assert mend.startswith("shop/settings.py:2: `import os`, and let `NAME` be ")
    assert "`kubekit init` again: it sets SQLITE_PATH=/app/data/db.sqlite3" in again
    assert not world.run("init", "-o", "json").of("ended")[0].get("hints")
    world.write("shop/settings.py", "import os\n" + settings % mend.split("`")[-2])
    result = world.run("init", "-o", "json")
    told = [one["text"] for one in result.of("note")]
    said = "the file of sqlite lies in /app/data: the image sets SQLITE_PATH=/app/data/db.sqlite3"
    assert said in told
    assert "ENV SQLITE_PATH=/app/data/db.sqlite3" in (world.folder / "Dockerfile").read_text()


@pytest.mark.parametrize(
    ("read", "told"),
    [
        ("os.environ['DJANGO_ALLOWED_HOSTS'].split()", True),
        ("os.getenv('DJANGO_ALLOWED_HOSTS', 'shop.example').split()", True),
        ("os.getenv('DJANGO_ALLOWED_HOSTS', 'localhost').split()", False),
    ],
)
def test_djangos_hosts_have_to_let_the_probes_in(world: World, read: str, told: bool) -> None:
    world.write("requirements.txt", "django==5.2\ngunicorn==23.0\n")
    world.write("shop/settings.py", f"import os\nALLOWED_HOSTS = {read}\n")
    source = "from django.core.wsgi import get_wsgi_application\napplication = {}()\n"
    world.write("shop/wsgi.py", source.format("get_wsgi_application"))
    hints = world.run("init", "-o", "json").of("ended")[0]["hints"]
    assert any("`DJANGO_ALLOWED_HOSTS` in .env have `localhost`" in one for one in hints) == told


@pytest.mark.parametrize(
    ("config", "unread"),
    [
        ("manifests: [deploy]\nbuild: {context: ., dockerfile: docker/Dockerfile}\n", 2),
        ("manifests: [manifests]\n", 1),
        ("build: {context: .}\n", 0),
        ("manifests: [./manifests/]\nbuild: {context: ./}\n", 0),
    ],
)
def test_what_ones_own_kubekit_yaml_does_not_name_is_told(
    world: World, config: str, unread: int
) -> None:
    backend(world)
    world.write("kubekit.yaml", f"name: shop\n{config}")
    texts = [one["text"] for one in world.run("init", "-o", "json").of("warning")]
    found = [text for text in texts if "is not what `kubekit.yaml` names" in text]
    assert [text.split("`")[1] for text in found] == ["Dockerfile", "manifests"][:unread]


def test_a_dockerfile_of_ones_own_is_built_as_it_is(world: World) -> None:
    """kubekit.yaml names the stage `runtime` only where there is one."""
    backend(world)
    world.write("Dockerfile", "FROM python:3.13-slim\nCOPY . /app\n")
    first = world.run("init")
    assert first.code == 0, first.err
    assert "has no stage `runtime`, so its last one is built" in " ".join(first.err.split())
    config = world.folder / "kubekit.yaml"
    assert "target" not in config.read_text()
    again = world.run("init", "-o", "json")
    assert again.of("ended")[0]["text"] == "nothing changed"
    world.write("Dockerfile", "FROM python:3.13-slim as RunTime\nCOPY . /app\n")
    assert world.run("init").code == 0
    assert "target: runtime" in config.read_text()


def test_a_dockerfile_of_ones_own_copies_what_it_likes(world: World) -> None:
    backend(world)
    world.write("Dockerfile", "FROM python:3.13-slim\nCOPY docker/entrypoint.sh /\n")
    first = world.run("init", "-o", "json")
    ignore = world.folder / ".dockerignore"
    assert not ignore.exists()
    missing = "no `.dockerignore` is written: `Dockerfile` was not written by `init`"
    assert missing in [one["text"] for one in first.of("warning")]
    ignore.write_text(".env\n")
    again = world.run("init", "-o", "json")
    assert missing not in [one["text"] for one in again.of("warning")]
    assert ignore.read_text() == ".env\n"
    assert world.run("init", "--force").code == 0
    assert ignore.read_text().startswith("# kubekit init")


def test_a_change_of_the_backend_renews_only_what_it_concerns(world: World) -> None:
    backend(world)
    assert world.run("init").code == 0
    world.write("app/main.py", APP.replace("/health", "/health/live"))
    again = world.run("init", "-o", "json")
    actions = {Path(event["path"]).name: event["action"] for event in again.of("file")}
    changed = {name for name, action in actions.items() if action != "unchanged"}
    assert changed == {"Dockerfile", "deployment.yaml.j2"}
    assert actions["Dockerfile"] == "updated"


def test_manifests_that_lie_beside_are_told_of(world: World) -> None:
    backend(world)
    world.write("manifests/mine.yaml", "kind: ConfigMap\n")
    world.write("manifests/notes.txt", "")
    world.write("manifests/old.yaml", b"\xff\xfe\n")
    first = world.run("init", "-o", "json", "--database", "sqlite")
    assert [event["text"] for event in first.of("warning")] == [
        "`manifests/mine.yaml` is there, too: all in the folder is applied",
        "`manifests/old.yaml` is not UTF-8 text",
    ]
    (world.folder / "manifests/old.yaml").unlink()
    then = world.run("init", "-o", "json", "--database", "other")
    assert then.of("warning")[-1]["text"] == (
        "`manifests/pvc.yaml.j2` is of an earlier `init`, and not needed any more"
    )


def test_what_it_wrote_can_be_rendered(world: World) -> None:
    backend(world)
    assert world.run("init", "--name", "shop").code == 0
    rendered = world.run("render")
    assert rendered.code == 0, rendered.err
    assert "kind: Deployment" in rendered.out


def test_two_apps_are_a_question_that_names_its_flag(world: World) -> None:
    backend(world)
    world.write("other/__init__.py", "")
    world.write("other/main.py", APP)
    before = world.files()
    result = world.run("init", "--yes")
    assert result.code == 2
    assert "--app app.main:app" in " ".join(result.err.split())
    assert world.files() == before
    assert world.run("init", "--yes", "--app", "other.main:app").code == 0
    assert "other.main:app" in (world.folder / "Dockerfile").read_text()


def test_what_was_found_is_told_also_before_a_question_and_an_error(world: World) -> None:
    backend(world)
    world.write("other/__init__.py", "")
    world.write("other/main.py", APP)
    asked = world.run("init", "--yes", "-o", "json")
    assert asked.code == 2
    texts = [one["text"] for one in asked.of("note")]
    assert "dependencies from requirements.txt (pip-venv)" in texts
    assert len(texts) == len(set(texts))
    world.write("requirements.txt", "fastapi==0.165.0\nuvicorn==\n-r none.txt\n")
    broken = world.run("init", "--app", "app.main:app", "-o", "json")
    assert broken.code == 3
    assert "Python 3.13" in [one["text"] for one in broken.of("note")]


def test_in_a_terminal_the_person_is_asked(world: World) -> None:
    backend(world)
    world.write("other/__init__.py", "")
    world.write("other/main.py", APP)
    terminal = Terminal.run(world, "init")
    terminal.until(lambda t: "other.main:app" in t.text and t.text.rstrip().endswith(":"))
    number = next(
        line.split()[0] for line in terminal.lines if line.strip().endswith("other.main:app")
    )
    said = terminal.text
    assert said.index("which application is it?") < said.index("app.main:app")
    assert "?:" not in said
    terminal.type(f"{number}\n")
    assert terminal.end() == 0, terminal.text
    assert "other.main:app" in (world.folder / "Dockerfile").read_text()
    assert world.run("init").code == 0, "the answer was kept"


def asked_which_app(world: World) -> tuple[dict[str, bytes], Terminal]:
    """The files of a backend with two apps, and `init` at its question which of them it is."""
    backend(world)
    world.write("other/__init__.py", "")
    world.write("other/main.py", APP)
    before = world.files()
    terminal = Terminal.run(world, "init")
    terminal.until(lambda t: "other.main:app" in t.text and t.text.rstrip().endswith(":"))
    return before, terminal


def test_ctrl_c_instead_of_an_answer_writes_nothing(world: World) -> None:
    before, terminal = asked_which_app(world)
    terminal.type("\x03")
    assert terminal.end() == 130
    assert world.files() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "there is no folder `nowhere`"),
        ([".."], "lies outside"),
        (["--dialect", "latin"], "plain or buildkit"),
        (["--name", "Shop!"], "Shop!"),
        (["--name", "on"], "no text in YAML"),
        (["--name", "2nd"], "begin with a letter"),
        (["--new", "shop", "--port", "1"], "`--new` is alone"),
    ],
)
def test_what_cannot_be_is_said(world: World, arguments: list[str], said: str) -> None:
    backend(world)
    before = world.files()
    result = world.run("init", *arguments)
    assert result.code == 2, result.err
    assert said in " ".join(result.err.split())
    assert world.files() == before


def test_an_empty_folder_is_no_backend(world: World) -> None:
    result = world.run("init")
    assert result.code == 3
    assert "no application was found" in " ".join(result.err.split())


# --- a new project


def test_a_new_project_is_what_init_would_write_for_it(world: World) -> None:
    made = world.run("init", "--new", "shop")
    assert made.code == 0, made.err
    root = world.folder / "shop"
    found = look(root, root=root).backend
    assert found is not None
    mine = fresh.backend("shop")
    assert {**vars(found), "env": {one.name for one in found.env}} == {
        **vars(mine),
        "env": {one.name for one in mine.env},
    }
    before = world.files()
    again = kubekit("init", "-o", "json", cwd=root, env=world.env)
    assert {event["action"] for event in again.of("file")} == {"unchanged"}
    assert world.files() == before
    assert ".env" in (root / ".gitignore").read_text().splitlines()
    assert "[[" not in (root / "README.md").read_text()


def test_a_new_project_wants_an_empty_folder(world: World) -> None:
    world.write("shop/mine", "")
    result = world.run("init", "--new", "shop")
    assert (result.code, world.files()) == (2, {"shop/mine": b""})
    (world.folder / "shop/mine").unlink()
    assert world.run("init", "--new", "shop").code == 0


def test_the_tests_of_a_new_project_are_green(world: World) -> None:
    uv = str(Path(sys.executable).parent / "uv")
    assert world.run("init", "--new", "shop").code == 0
    root = world.folder / "shop"
    for argv in (
        ["venv", "--quiet", "--python", sys.executable, ".venv"],
        ["pip", "install", "--quiet", "--python", ".venv", "-r", "requirements-dev.txt"],
    ):
        subprocess.run([uv, *argv], cwd=root, check=True)
    done = subprocess.run(
        [root / ".venv/bin/python", "-m", "pytest", "-q"],
        cwd=root,
        env={key: text for key, text in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_json_is_events(world: World) -> None:
    backend(world)
    result = world.run("init", "-o", "json")
    kinds = [json.loads(line)["type"] for line in result.out.splitlines()]
    assert kinds[0] == "note"
    assert kinds[-1] == "ended"
    assert set(kinds) == {"note", "file", "ended"}


def test_sigterm_instead_of_an_answer_writes_nothing(world: World) -> None:
    before, terminal = asked_which_app(world)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 130
    assert world.files() == before


def test_sigterm_while_it_looks_and_writes(world: World) -> None:
    """The process may end either way, but never with half of the files."""
    backend(world)
    before = world.files()
    terminal = Terminal.run(world, "init")
    terminal.until(lambda t: "found" in t.text)
    terminal.process.send_signal(signal.SIGTERM)
    code = terminal.end()
    written = world.files().keys() - before.keys()
    assert len(written) in {0, 8}
    assert code != 130 or not written
