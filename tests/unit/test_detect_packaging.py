"""How dependencies get into the image, and what is read of the files that list them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.detect.look import look
from kubekit.detect.report import Report
from kubekit.detect.requirements import lines, read_requirements
from kubekit.errors import FilesError, UsageError
from tests.unit.detected import APP, PINNED, backend, looked, notes, uv_lock, write

PROJECT = "[project]\nname = 'x'\nversion = '1'\ndependencies = ['fastapi', 'uvicorn']\n"


def test_three_ways(tmp_path: Path) -> None:
    base = {"main.py": APP, "requirements.txt": PINNED}
    lock = {"pyproject.toml": PROJECT, "uv.lock": uv_lock("x", "fastapi", "uvicorn")}
    assert backend(tmp_path / "pip", base).packaging == "pip-venv"
    settings = {"pyproject.toml": "[tool.uv]\nindex-strategy = 'first-index'\n"}
    assert backend(tmp_path / "uv", {**base, **settings}).packaging == "uv-pip"
    assert backend(tmp_path / "toml", {**base, "uv.toml": ""}).packaging == "uv-pip"
    both = looked(tmp_path / "sync", {**base, **lock})
    assert both.backend is not None
    assert (both.backend.packaging, both.backend.requirements) == ("uv-sync", ())
    assert notes(both)["not used, as there is uv.lock"] == "requirements.txt"
    chosen = backend(tmp_path / "chosen", {**base, **lock}, packaging="uv-pip")
    assert (chosen.packaging, chosen.requirements) == ("uv-pip", ("requirements.txt",))


def test_answers_that_cannot_be(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": APP, "requirements.txt": PINNED})
    for answers, text in (
        ({"packaging": "uv-sync"}, "needs pyproject.toml and uv.lock"),
        ({"packaging": "conda"}, "no way to install"),
        ({"python": "2.7"}, "no version of Python"),
        ({"port": "0"}, "no port"),
        ({"port": "99999"}, "no port"),
        ({"port": "1²"}, "no port"),
        ({"name": "Big_Name"}, "no DNS label .* beginning and ending with"),
        ({"database": "csv"}, "no kind of database"),
        ({"server": "apache"}, "no server"),
        ({"health": "health"}, "no path"),
        ({"colour": "red"}, "nothing that is asked"),
    ):
        with pytest.raises(UsageError, match=text):
            look(tmp_path, root=tmp_path, answers=answers)


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"pyproject.toml": PROJECT}, "`uv lock`"),
        ({"requirements.in": "fastapi"}, "`uv pip compile requirements.in --output-file"),
        ({"Pipfile": "[packages]\nfastapi = '*'\n"}, "`pipenv requirements > requirements.txt`"),
        (
            {"setup.py": "import setuptools\nsetuptools.setup(install_requires=['fastapi'])\n"},
            "`uv pip compile setup.py --output-file",
        ),
        ({}, "requirements.txt, or run `uv init"),
    ],
)
def test_nothing_to_install_from(tmp_path: Path, files: dict[str, str], command: str) -> None:
    with pytest.raises(FilesError) as caught:
        looked(tmp_path, {"main.py": APP, **files})
    assert command in caught.value.hints[0]
    assert any("uv.lock" in line for line in caught.value.details)


POETRY = '[tool.poetry]\nname = "x"\n[tool.poetry.dependencies]\nfastapi = "*"\n'


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"pyproject.toml": PROJECT}, "run `uv lock`{}"),
        # `--without dev` is an error where there is no such group.
        ({"pyproject.toml": POETRY}, "run `poetry export --only main --output requirements.txt`{}"),
        ({"pyproject.toml": PROJECT, "pdm.lock": ""}, "--output requirements.txt`{}, and again"),
        ({"Pipfile": "[packages]\nfastapi = '*'\n"}, "> requirements.txt`{}, and again"),
    ],
)
def test_a_command_is_said_with_its_folder(
    tmp_path: Path, files: dict[str, str], command: str
) -> None:
    write(tmp_path / "api", {"main.py": APP, **files})
    for folder, where in ((tmp_path, " in api/"), (tmp_path / "api", "")):
        with pytest.raises(FilesError) as caught:
            look(tmp_path / "api", root=folder)
        hint = caught.value.hints[0]
        assert command.format(where) in hint
        assert (" in " in hint) == bool(where)


def test_a_member_of_a_workspace(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": "[tool.uv.workspace]\nmembers = ['api']\n", "uv.lock": ""})
    write(tmp_path / "api", {"pyproject.toml": PROJECT, "main.py": APP})
    with pytest.raises(FilesError, match="workspace") as caught:
        look(tmp_path / "api", root=tmp_path)
    # `--no-dev` leaves out `dev` alone, whatever `default-groups` of uv names.
    assert "`uv export --package x --no-default-groups " in caught.value.hints[0]
    assert "--output-file api/requirements.txt`" in caught.value.hints[0]


def test_a_lock_that_needs_a_project_beside(tmp_path: Path) -> None:
    other = '\n[[package]]\nname = "lib"\nsource = { editable = "../lib" }\n'
    lock = uv_lock("x", "fastapi", extra=other).replace(
        '[{ name = "fastapi" }', '[{ name = "lib" }, { name = "fastapi" }'
    )
    with pytest.raises(FilesError, match=r"`lib` is installed from `\.\./lib`"):
        looked(tmp_path, {"pyproject.toml": PROJECT, "uv.lock": lock, "main.py": APP})


def test_a_lock_that_is_older_than_its_project(tmp_path: Path) -> None:
    files = {"pyproject.toml": PROJECT, "uv.lock": uv_lock("x", "fastapi"), "main.py": APP}
    with pytest.raises(FilesError, match="`uvicorn` stands in") as caught:
        looked(tmp_path, files)
    assert caught.value.hints == ("run `uv lock`",)
    assert str(caught.value.place).endswith("pyproject.toml:4")


def test_what_others_need_is_of_production_too(tmp_path: Path) -> None:
    """httpx of the group dev is in the image all the same where a dependency needs it."""
    extra = (
        '\n[[package]]\nname = "sdk"\nversion = "1"\nsource = { registry = "r" }\nwheels = [{}]\n'
        'dependencies = [{ name = "httpx", extra = ["http2"] }]\n'
        '\n[[package]]\nname = "httpx"\nversion = "1"\nsource = { registry = "r" }\nwheels = [{}]\n'
        '[package.optional-dependencies]\nhttp2 = [{ name = "h2" }]\n'
        '\n[[package]]\nname = "h2"\nversion = "1"\nsource = { registry = "r" }\nwheels = [{}]\n'
    )
    lock = uv_lock("x", "fastapi", "uvicorn", extra=extra).replace(
        '[{ name = "fastapi" }', '[{ name = "sdk" }, { name = "fastapi" }'
    )
    pyproject = f"{PROJECT}[dependency-groups]\ndev = ['httpx', 'h2', 'pytest']\n"
    files = {"pyproject.toml": pyproject, "uv.lock": lock, "main.py": APP}
    assert backend(tmp_path, files).development == ("pytest",)


REQUIREMENTS = r"""
# a comment
--index-url https://example.invalid/simple
-r base.txt   # with a comment
-c constraints.txt
Flask_Login [async] == 1.0 ; python_version < "4"
pkg @ https://example.invalid/pkg.whl
tool @ git+https://example.invalid/tool.git@v1#egg=tool
./wheels/local.whl
uvicorn [standard] \
  >= 0.30
gunicorn~=23.0 # why
"""


def test_a_requirements_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "requirements.txt": REQUIREMENTS,
            "base.txt": "fastapi\n-r requirements.txt\n",
            "constraints.txt": "starlette==1.0\n",
        },
    )
    read = read_requirements(Report(tmp_path, tmp_path, {}), "requirements.txt")
    assert read.paths == ["requirements.txt", "base.txt", "constraints.txt"]
    assert {one.name: (one.path, one.line) for one in read.entries} == {
        "fastapi": ("base.txt", 1),
        "flask-login": ("requirements.txt", 6),
        "pkg": ("requirements.txt", 7),
        "tool": ("requirements.txt", 8),
        "uvicorn": ("requirements.txt", 10),
        "gunicorn": ("requirements.txt", 12),
    }
    assert read.unnamed == [("requirements.txt", 9)]
    assert [one.name for one in read.entries if one.pinned] == ["flask-login", "pkg", "tool"]
    assert read.cloned
    assert read.names()["uvicorn"].extras == {"standard"}


@pytest.mark.parametrize(
    ("line", "cloned"),
    [
        ("tool @ git+https://example.invalid/tool.git@v1", True),
        ("tool[extra] @ git+ssh://git@example.invalid/tool.git", True),
        ("git+https://example.invalid/tool.git@main", True),
        ("-e git+https://example.invalid/tool.git#egg=tool", True),
        ("pkg @ https://example.invalid/git+x.whl", False),
        ("gitpython==3.1", False),
    ],
)
def test_what_git_clones_needs_git(tmp_path: Path, line: str, cloned: bool) -> None:
    found = backend(tmp_path, {"requirements.txt": f"{PINNED}{line}\n", "main.py": APP})
    assert found.native == (("ca-certificates", "git") if cloned else ())


def test_lines_are_counted_over_every_kind_of_end() -> None:
    assert list(lines("a\r\n\r\nb \\\r\n  c # d\r\ne\rf\\")) == [
        (1, "a"),
        (3, "b    c"),
        (5, "e"),
        (6, "f"),
    ]


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("fastapi\n-r missing.txt\n", "`missing.txt` does not exist", 2),
        ("-r ../common.txt\n", "outside of the backend's folder", 1),
        ("fastapi\n\n<<<<<<< HEAD\n", "no requirement that pip can read", 3),
        ("fastapi\n-e .\n", "installs the project itself", 2),
        (".[prod]\n", "installs the project itself", 1),
    ],
)
def test_requirements_that_cannot_be(tmp_path: Path, text: str, message: str, line: int) -> None:
    with pytest.raises(FilesError, match=message) as caught:
        looked(tmp_path, {"requirements.txt": text, "main.py": APP})
    assert str(caught.value.place).endswith(f"requirements.txt:{line}")


def test_requirements_in_utf_16(tmp_path: Path) -> None:
    """What PowerShell's `>` writes."""
    with pytest.raises(FilesError, match="not UTF-8") as caught:
        looked(tmp_path, {"requirements.txt": PINNED.encode("utf-16"), "main.py": APP})
    assert "UTF-8" in caught.value.hints[0]


def test_what_should_not_be_in_the_image_is_said(tmp_path: Path) -> None:
    text = f"{PINNED}pytest==8.0\nrequests>=2\ngit-thing @ git+https://x/y\n"
    found = looked(tmp_path, {"requirements.txt": text, "main.py": APP})
    said = notes(found)
    assert said["pytest is for development, but goes into the image"] == "requirements.txt:3"
    assert found.backend is not None
    assert found.backend.native == ("ca-certificates", "git")
    (loose,) = (text for text in said if "without a single version" in text)
    assert loose.startswith("1 of 5 requirements")
    assert said[loose] == "requirements.txt:4"


def test_requirements_for_development(tmp_path: Path) -> None:
    files = {
        "main.py": APP,
        "requirements/base.txt": PINNED,
        "requirements/production.txt": "-r base.txt\ngunicorn==23.0\n",
        "requirements/dev.txt": "-r base.txt\npytest\n",
        "dev-requirements.txt": "ruff\n",
        "requirements_test.txt": "hypothesis\n",
    }
    found = backend(tmp_path, files)
    assert found.requirements == ("requirements/production.txt", "requirements/base.txt")
    assert found.development == ("hypothesis", "pytest", "ruff")


def test_groups_and_extras_for_development(tmp_path: Path) -> None:
    extras = "[project.optional-dependencies]\ndev = ['ruff']\npostgres = ['psycopg']\n"
    groups = "[dependency-groups]\ntest = ['Pytest>=9', 'fastapi', {include-group = 'lint'}]\n"
    groups += "lint = ['mypy']\n"
    files = {"main.py": APP, "requirements.txt": PINNED}
    pyproject = f"[project]\nname = 'x'\n{extras}{groups}"
    found = backend(tmp_path, {**files, "pyproject.toml": pyproject})
    assert found.development == ("mypy", "pytest", "ruff")


def test_data_beside_the_source(tmp_path: Path) -> None:
    files = {
        "requirements.txt": PINNED,
        "app/main.py": APP,
        "data/model.json": "{}",
        "static/.gitkeep": "",
        "templates/index.html": "",
        "alembic/env.py": "",
        "alembic.ini": "",
    }
    found = backend(tmp_path, files)
    assert found.data == ("data", "templates", "alembic", "alembic.ini")
    assert found.packages == ("app",)


@pytest.mark.parametrize(
    ("database", "rest", "copied"),
    [
        ("tasks.db", "model.json", True),  # .dockerignore keeps the file out
        ("tasks.sqlite3", "model.json", True),
        ("tasks.db", ".gitkeep", False),
        ("tasks.sqlite3", ".gitkeep", False),
    ],
)
def test_a_database_of_a_laptop(tmp_path: Path, database: str, rest: str, copied: bool) -> None:
    files = {"requirements.txt": PINNED, "app/main.py": APP}
    found = looked(tmp_path, {**files, f"data/{database}": "x", f"data/{rest}": "{}"})
    said = notes(found)
    assert said["a database of a laptop, which no image should have"] == f"data/{database}"
    assert found.backend is not None
    assert ("data" in found.backend.data) == copied


def test_markdown_that_the_app_may_read(tmp_path: Path) -> None:
    files = {
        "requirements.txt": PINNED,
        "README.md": "",
        "app/main.py": APP,
        "app/README.md": "",
        "app/prompts/system.md": "You are",
        "app/prompts/more/user.md": "",
        "app/tests/cases.md": "",
        "notes/mine.md": "",
        "templates/mail.md": "",
    }
    found = backend(tmp_path, files)
    assert found.documents == ("app/prompts", "app/prompts/more", "templates")


def test_what_copy_would_not_take_as_one_name_is_not_copied(tmp_path: Path) -> None:
    names = ("main.py", "copy of main.py", "$x.py", "old stuff/x.py", "some-script.py", "lib/x.py")
    files = {"requirements.txt": PINNED, **dict.fromkeys(names, "x = 1\n"), "main.py": APP}
    assert backend(tmp_path, files).packages == ("lib", "main.py", "some-script.py")
