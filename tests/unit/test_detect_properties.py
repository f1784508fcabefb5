"""No text, however strange, surprises a reader; a look is the same twice; answers win."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kubekit.detect.legacy import read_setup_cfg, read_setup_py
from kubekit.detect.locks import read_lock
from kubekit.detect.look import look
from kubekit.detect.naming import label_of
from kubekit.detect.project import read_project
from kubekit.detect.report import Report
from kubekit.detect.requirements import read_requirements
from kubekit.detect.versions import allows
from kubekit.errors import FilesError, KubekitError
from tests.unit.detected import APP, HEALTH, PINNED, uv_lock, write

WORDS = st.sampled_from(
    [
        *(
            "fastapi",
            "==",
            ">=3.11",
            "[project]",
            "name",
            "=",
            "'x'",
            '"',
            "[",
            "]",
            "{",
            "}",
            "\n",
        ),
        *(
            "\r\n",
            "\\\n",
            "-r",
            "-c",
            "-e",
            ".",
            "..",
            "/",
            "requirements.txt",
            "git+https://",
            "@",
        ),
        *("[tool.poetry]", "[tool.uv]", "[[package]]", "source", "dependencies", "wheels", "sdist"),
        *("[metadata]", "[options]", "install_requires", "setup(", ")", "import setuptools", "def"),
        *(
            "from fastapi import FastAPI",
            "app = FastAPI()",
            "app",
            "(",
            "class",
            ":",
            "    ",
            "import",
        ),
        *(
            "from . import x",
            "from .. import y",
            "os.environ['X']",
            "BaseSettings",
            "@app.get('/x')",
        ),
        *(
            "app.include_router(app)",
            "return app",
            "FastAPI",
            "Flask",
            "lambda",
            "*",
            "#",
            ";",
            ",",
        ),
        *("urlpatterns = [", "path('', include('x'))", "\0", "\ufeff", "é", "3.14", "0" * 50, " "),
    ]
)
TEXT = st.one_of(
    st.lists(WORDS, max_size=25).map(" ".join),
    st.lists(WORDS, max_size=25).map("\n".join),
    st.text(max_size=120),
)
NAMES = st.sampled_from(
    [
        *("pyproject.toml", "uv.lock", "requirements.txt", "setup.cfg", "setup.py", "Pipfile"),
        *(".python-version", "Procfile", "Dockerfile", "requirements-dev.txt", "runtime.txt"),
        *("main.py", "app/main.py", "app/__init__.py", "src/app/main.py", "app/__main__.py"),
        *("asgi.py", "app/settings.py", "manage.py", "alembic.ini", "poetry.lock"),
    ]
)


def refused(work: Callable[[], object]) -> KubekitError | None:
    """The error that a person would be shown; any other is the test's failure."""
    try:
        work()
    except KubekitError as error:
        return error
    return None


def has_place(error: KubekitError | None) -> bool:
    return error is None or error.place is not None


@given(text=TEXT)
def test_every_reader_takes_any_text(text: str) -> None:
    readers = {
        "pyproject.toml": read_project,
        "setup.cfg": read_setup_cfg,
        "setup.py": read_setup_py,
        "uv.lock": read_lock,
        "Pipfile": read_project,
    }
    with tempfile.TemporaryDirectory() as folder:
        report = Report(Path(folder), Path(folder), {})
        for name, read in readers.items():
            write(Path(folder), {name: text.encode("utf-8", "replace")})
            assert has_place(refused(functools.partial(read, report)))
            (Path(folder) / name).unlink()
        write(Path(folder), {"requirements.txt": text.encode("utf-8", "replace")})
        assert has_place(refused(lambda: read_requirements(report, "requirements.txt")))


@given(data=st.binary(max_size=200))
def test_requirements_of_any_bytes(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {"requirements.txt": data})
        report = Report(Path(folder), Path(folder), {})
        assert has_place(refused(lambda: read_requirements(report, "requirements.txt")))


@settings(max_examples=200)
@given(files=st.dictionaries(NAMES, TEXT, max_size=6), good=st.booleans())
def test_a_look_at_anything(files: dict[str, str], good: bool) -> None:
    base = {"requirements.txt": PINNED, "main.py": APP + HEALTH} if good else {}
    data = {name: text.encode("utf-8", "replace") for name, text in (base | files).items()}
    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder), data)
        first, second = (refused(lambda: look(root, root=root)) for _ in range(2))
        if first is None:
            assert second is None
            assert look(root, root=root) == look(root, root=root)
        else:
            assert second is not None
            assert vars(first) == vars(second)
            assert first.exit_code in {2, 3}


ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "python": st.sampled_from(["3.11", "3.14"]),
        "port": st.integers(1, 65535).map(str),
        "name": st.sampled_from(["a", "my-shop"]),
        "app": st.sampled_from(["other:app", "main:app"]),
        "server": st.sampled_from(["uvicorn", "gunicorn"]),
        "health": st.sampled_from(["/up", "/a/b"]),
        "live": st.sampled_from(["/l"]),
        "ready": st.sampled_from(["/r"]),
        "base": st.sampled_from(["slim-bookworm"]),
        "database": st.sampled_from(["sqlite", "postgresql", "other"]),
        "packaging": st.sampled_from(["uv-pip", "pip-venv", "uv-sync"]),
    },
)


@given(answers=ANSWERS, files=st.dictionaries(NAMES, TEXT, max_size=2))
def test_answers_win(answers: dict[str, str], files: dict[str, str]) -> None:
    whole = {
        "main.py": APP + HEALTH,
        "other.py": APP,
        "requirements.txt": f"{PINNED}gunicorn==23\n",
        "pyproject.toml": "[project]\nname = 'x'\n",
        "uv.lock": uv_lock("x", "fastapi", "uvicorn", "gunicorn"),
    }
    data = {name: text.encode("utf-8", "replace") for name, text in (files | whole).items()}
    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder), data)
        try:
            found = look(root, root=root, answers=answers)
        except FilesError:
            return  # another file is broken
        assert not {question.key for question in found.questions} & set(answers)
        backend = found.backend
        if backend is None:
            assert "app" not in answers
            return
        health = backend.health
        said = {
            "python": backend.python,
            "port": str(backend.port),
            "name": backend.name,
            "app": backend.app,
            "server": backend.server,
            "health": health.plain,
            "live": health.live,
            "ready": health.ready,
            "base": backend.base,
            "database": backend.database,
            "packaging": backend.packaging,
        }
        assert {key: said[key] for key in answers} == answers


@given(text=st.text(max_size=80), minor=st.integers(6, 20))
def test_a_specifier_of_any_text(text: str, minor: int) -> None:
    assert allows(text, minor) in {True, False, None}


@given(name=st.text(max_size=100))
def test_a_label_of_any_name(name: str) -> None:
    label = label_of(name)
    assert len(label) <= 63
    assert label == label_of(label)
    assert set(label) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert label[:1] != "-" != label[-1:]
