"""Which programs are forked warm, which are not, and what is said of it; with real servers."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubekit.pod import program as programs
from tests.unit.supervised import NEWEST_TESTED, Container, container, environment, until
from tests.unit.test_supervisor import app

WSGI = """
import os
def app(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"VERSION"]
"""
FLASK = """
from flask import Flask
app = Flask(__name__)
@app.get("/")
def root():
    return "VERSION"
"""
DJANGO = """
import sys
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path
settings.configure(DEBUG=True, SECRET_KEY="x", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"])
urlpatterns = [path("", lambda request: HttpResponse("VERSION"))]
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
"""


@pytest.fixture(scope="module")
def venv(request: pytest.FixtureRequest) -> Path:
    return environment(NEWEST_TESTED, request.config)


@pytest.fixture
def box(venv: Path, tmp_path: Path) -> Iterator[Container]:
    with container(venv, tmp_path) as made:
        yield made


SERVERS = {
    "gunicorn": (WSGI, ("gunicorn", "main:app", "-b", ":PORT"), "own", "SIGHUP"),
    "gunicorn preload": (
        *(WSGI, ("gunicorn", "--preload", "main:app", "-b", ":PORT"), "restart", "preload_app"),
    ),
    "hypercorn": (
        *(app(0).replace("0", "VERSION"), ("hypercorn", "main:app", "-b", ":PORT")),
        *("restart", "hypercorn is not uvicorn"),
    ),
    "flask": (
        *(FLASK, ("flask", "--app", "main", "run", "--port", "PORT"), "restart"),
        "flask is not uvicorn",
    ),
    "flask debug": (
        *(FLASK, ("flask", "--app", "main", "--debug", "run", "--port", "PORT"), "own"),
        "flask watches the files itself",
    ),
    "django": (
        *(DJANGO, ("python", "src/manage.py", "runserver", "--noreload", "PORT"), "restart"),
        "is not uvicorn",
    ),
    "werkzeug": (
        *(FLASK + "app.run(port=PORT)\n", ("python", "src/main.py"), "restart"),
        "no server of uvicorn",
    ),
    "shell": (
        *(FLASK, ("sh", "-c", "sleep 0; flask --app main run --port PORT"), "restart"),
        "cannot tell",
    ),
}


@pytest.mark.parametrize("name", SERVERS)
def test_other_servers_reload_in_their_own_way(box: Container, name: str) -> None:
    text, command, mode, why = SERVERS[name]
    text = text.replace("PORT", str(box.port))
    file = "manage.py" if name == "django" else "main.py"
    box.write(file, text.replace("VERSION", "11"))
    box.start(*(one.replace("PORT", str(box.port)) for one in command))
    until(lambda: "11" in box.get())
    box.write(file, text.replace("VERSION", "22"))
    if name == "flask debug":
        os.utime(box.src / file, (time.time() + 9, time.time() + 9))
    answer = box.reload()
    assert (answer["state"], answer["mode"]) == ("ready", mode)
    assert why in answer["why"]
    assert until(lambda: "22" in box.get())
    box.signal(signal.SIGTERM)
    box.end()


def test_a_program_of_ones_own_that_runs_uvicorn_is_warm(box: Container) -> None:
    """As `backend/` does it: handlers of its own, and what runs when the server has ended."""
    box.write("package/__init__.py", "")
    box.write("package/main.py", app(1))
    box.write(
        "package/__main__.py",
        """
import signal, sys, uvicorn
def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run("package.main:app", host="127.0.0.1", port=PORT, reload=True)
    print("the end")
if __name__ == "__main__":
    sys.exit(main())
""".replace("PORT", str(box.port)),
    )
    box.start("python", "-m", "package")
    until(box.answers)
    for version in (2, 3):
        box.write("package/main.py", app(version))
        answer = box.reload()
        assert (answer["state"], answer["mode"]) == ("ready", "warm")
        assert json.loads(box.get())["version"] == version
    until(lambda: box.output().count("the end") == 2)
    assert box.stop() == 0
    assert "Traceback" not in box.output()


def test_templates_are_read_anew(box: Container) -> None:
    text = "from pathlib import Path\n" + app(1).replace(
        '"version": 1', '"version": Path(__file__).with_name("page.html").read_text()'
    )
    text = text.replace("async def root", "async def root")
    box.write("main.py", text.replace("@app", "PAGE = 1\n@app"))
    box.write("page.html", "one")
    box.serve()
    box.write("page.html", "two")
    assert box.reload()["state"] == "ready"
    assert json.loads(box.get())["version"] == "two"


THREAD = """
import time
from threading import Thread
Thread(target=time.sleep, args=(60,), daemon=True, name="beat").start()
"""
PACKAGES = {
    "thread": (THREAD, "import foreign\n", "a thread is started by an import: beat"),
    "plugin": ("import plugin\n", "import foreign\n", "`plugin` is the project's"),
    "environment": (
        "import os\nHOST = os.environ.get('FOREIGN_HOST')\n",
        (
            "import os\nos.environ['FOREIGN_HOST'] = 'x'\n"
            "import foreign\nassert foreign.HOST == 'x'\n"
        ),
        "the project sets `FOREIGN_HOST`, which `foreign` reads",
    ),
    "alias": (
        "x = 1\n",
        "import sys, foreign\nsys.modules['other_name'] = foreign\n",
        "the project puts `foreign` in the place of `other_name`",
    ),
    "known": ("x = 1\n", "import polars\nimport foreign\n", "`polars` does not survive a fork"),
}


@pytest.fixture
def foreign(venv: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Container]:
    """A box whose environment has a further package: of its own, so that no test sees another's."""
    import subprocess

    own = tmp_path / "venv"
    packages = next(venv.glob("lib/python*/site-packages"))
    subprocess.run([venv / "bin/python", "-m", "venv", "--without-pip", own], check=True)
    mine = next(own.glob("lib/python*/site-packages"))
    (mine / "shared.pth").write_text(f"{packages}\n")
    (own / "bin/uvicorn").write_text(
        f"#!{own}/bin/python\nimport sys\nfrom uvicorn.main import main\nsys.exit(main())\n"
    )
    (own / "bin/uvicorn").chmod(0o755)
    with container(own, tmp_path) as made:
        made.folder.joinpath("site-packages").symlink_to(mine)
        yield made


@pytest.mark.parametrize("name", PACKAGES)
def test_where_no_fork_is_safe_a_new_python_takes_over(foreign: Container, name: str) -> None:
    package, imports, why = PACKAGES[name]
    box = foreign
    site = box.folder / "site-packages"
    (site / "foreign.py").write_text(package)
    (site / "polars.py").write_text("")
    box.write("plugin.py", "x = 1\n")
    box.write("main.py", imports + app(1))
    box.serve()
    box.warmed()
    assert until(lambda: box.ask("state")["mode"] == "cold")
    for version in (2, 3):
        box.write("main.py", imports + app(version))
        answer = box.reload()
        assert (answer["state"], answer["mode"]) == ("ready", "cold")
        assert why in answer["why"]
        assert json.loads(box.get())["version"] == version
    box.write("main.py", "import nowhere\n")
    answer = box.reload()
    assert (answer["state"], answer["kept"]) == ("failed", True)
    assert "nowhere" in answer["text"]
    assert json.loads(box.get())["version"] == 3


def test_a_thread_of_the_project_is_no_reason_to_be_cold(box: Container) -> None:
    box.write("main.py", THREAD + app(1))
    box.serve()
    box.warmed()
    box.write("main.py", THREAD + app(2))
    assert box.reload()["mode"] == "warm"
    assert json.loads(box.get())["version"] == 2


def test_a_program_that_starts_wrongly_again_is_waited_for(box: Container) -> None:
    """Where no old program could be kept: the container stays, for the next save."""
    box.write("main.py", FLASK.replace("VERSION", "11"))
    box.start("python", "-m", "flask", "--app", "main", "run", "--port", str(box.port))
    until(lambda: "11" in box.get())
    box.write("main.py", "import nowhere\n")
    assert box.reload()["mode"] == "restart"
    failed = until(lambda: (said := box.ask("state"))["state"] == "failed" and said)
    assert failed["kept"] is False
    box.write("main.py", FLASK.replace("VERSION", "22"))
    assert box.reload()["state"] == "ready"
    assert until(lambda: "22" in box.get())
    box.stop()


def test_what_cannot_be_started_ends_as_in_a_shell(box: Container) -> None:
    assert box.start("no-such-program").end() == 127
    assert "no-such-program: No such file or directory" in box.output()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("exec uvicorn app:app --port $PORT", ["exec", "uvicorn", "app:app", "--port", "80"]),
        (
            "uvicorn a:b --port ${PORT} --host ${HOST:-::}",
            ["uvicorn", "a:b", "--port", "80", "--host", "::"],
        ),
        ("uvicorn 'a:b'", ["uvicorn", "a:b"]),
        ("uvicorn a:b $NONE", ["uvicorn", "a:b"]),
        ("uvicorn a:b && true", []),
        ("uvicorn a:b $(hostname)", []),
        ("uvicorn a:b `hostname`", []),
        ("uvicorn a:b > log", []),
        ("cd x; uvicorn a:b", []),
        ("uvicorn '$PORT'", []),
        ("uvicorn $BLANK", []),
        ("uvicorn ${PORT%0}", []),
        ("uvicorn *.py", []),
        ("uvicorn 'a", []),
    ],
)
def test_a_shell_line_is_read_as_far_as_it_is_plain(line: str, words: list[str]) -> None:
    assert programs.shell_words(line, {"PORT": "80", "BLANK": "a b"}) == words


@pytest.mark.parametrize(
    ("command", "kind", "name", "argv", "flags"),
    [
        ("python -m app x", "module", "app", ["-m", "x"], []),
        ("python -uB -X dev -m app", "module", "app", ["-m"], ["-uB", "-X", "dev"]),
        ("python -Werror -c pass", "code", "pass", ["-c"], ["-Werror"]),
        ("tini -g -- python -m app", "module", "app", ["-m"], []),
        ("dumb-init python -m app", "module", "app", ["-m"], []),
        ("env A=b python -m app", "module", "app", ["-m"], []),
        ("python -i -m app", "other", "python", ["python", "-i", "-m", "app"], []),
        ("python", "other", "python", ["python"], []),
        ("/no/such/file", "other", "/no/such/file", ["/no/such/file"], []),
        ("ls -l", "other", "ls", ["ls", "-l"], []),
    ],
)
def test_a_command_is_understood(
    command: str, kind: str, name: str, argv: list[str], flags: list[str], venv: Path
) -> None:
    path = {"PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
    found = programs.understand(command.split(), path)
    assert (found.kind, found.name, found.argv, found.flags) == (kind, name, argv, flags)
