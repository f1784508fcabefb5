"""Files that are broken, unreadable or too many: an error with its place, or a note."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kubekit.detect.look import look
from kubekit.detect.report import Report
from kubekit.detect.tree import Tree
from kubekit.errors import FilesError, UsageError
from tests.unit.detected import APP, PINNED, backend, looked, notes, write

BASE: dict[str, str | bytes] = {"requirements.txt": PINNED, "app/main.py": APP}
ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")


@pytest.mark.parametrize(
    ("name", "content", "place", "message"),
    [
        (
            "pyproject.toml",
            "[project]\nname = \n",
            "pyproject.toml:2:8",
            "is no TOML: invalid value",
        ),
        ("pyproject.toml", "a = 1\na = 2\n", "pyproject.toml:2", "is no TOML"),
        ("pyproject.toml", "a = '", "pyproject.toml:1", "is no TOML"),
        ("pyproject.toml", "a = " + "[" * 5_000, "pyproject.toml", "nested too deeply"),
        ("pyproject.toml", b"a = '\xff'", "pyproject.toml:1", "not UTF-8"),
        ("pyproject.toml", f"a = 1{'0' * 5_000}\n", "pyproject.toml", "is no TOML"),
        ("setup.cfg", "[metadata]\nname = x\nwhat\n", "setup.cfg:3", "neither a section nor"),
        ("setup.cfg", "[metadata]\n[metadata]\n", "setup.cfg:2", "stands twice"),
        ("setup.cfg", "name = x\n", "setup.cfg:1", "neither a section nor"),
        ("setup.py", "from setuptools import setup\nsetup(\n", "setup.py:2", "no Python"),
        ("setup.py", "x = '\0'\n", "setup.py", "no Python"),
        ("Pipfile", "[packages\n", "Pipfile:1", "is no TOML"),
        ("requirements.txt", b"fastapi\n\xff\n", "requirements.txt:2", "not UTF-8"),
    ],
)
def test_an_error_with_its_place(
    tmp_path: Path, name: str, content: str | bytes, place: str, message: str
) -> None:
    with pytest.raises(FilesError, match=message) as caught:
        looked(tmp_path, {**BASE, name: content})
    assert str(tmp_path / place) in str(caught.value.place)


@pytest.mark.parametrize(
    ("content", "text", "line"),
    [
        ("import os\nx = (FastAPI\n", "not read: '(' was never closed", ":2"),
        (b"# FastAPI \xff\xfe\nx = '\xff'\n", "not read: ", ""),
        (b"FastAPI = '\0'\n", "not read: ", ""),
        ("FastAPI = " + "(" * 500, "not read: too many nested parentheses", ":1"),
        ("FastAPI = " + "-" * 20_000 + "1", "not read: ", ""),
        ("FastAPI = 1\n#" + "x" * 1_100_000, "not read: larger than 1 MB", ""),
    ],
)
def test_a_module_is_left_out_with_a_note(
    tmp_path: Path, content: str | bytes, text: str, line: str
) -> None:
    found = looked(tmp_path, {**BASE, "app/broken.py": content})
    assert found.backend is not None
    assert found.backend.app == "app.main:app"
    said = [(one, where) for one, where in notes(found).items() if where.startswith("app/broken")]
    assert len(said) == 1
    assert said[0][0].startswith(text)
    assert said[0][1].startswith(f"app/broken.py{line}")


def test_a_broken_application_is_named(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match="no application was found") as caught:
        looked(tmp_path, {**BASE, "app/main.py": "from fastapi import FastAPI\napp = FastAPI(\n"})
    assert any("app/main.py:2: not read" in line for line in caught.value.details)


def test_a_source_in_another_encoding(tmp_path: Path) -> None:
    source = f"# -*- coding: latin-1 -*-\n{APP}name = 'é'\n".encode("latin-1")
    assert backend(tmp_path, {**BASE, "app/main.py": source}).app == "app.main:app"
    marked = b"\xef\xbb\xbf" + APP.encode()
    assert backend(tmp_path, {**BASE, "app/main.py": marked}).app == "app.main:app"


def test_links_that_lead_in_circles(tmp_path: Path) -> None:
    write(tmp_path, BASE)
    (tmp_path / "app" / "again").symlink_to(tmp_path)
    (tmp_path / "app" / "itself.py").symlink_to(tmp_path / "app" / "itself.py")
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere")
    (tmp_path / "static").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "app" / "pipe.py")
    found = look(tmp_path, root=tmp_path)
    assert found.backend is not None
    assert found.backend.packages == ("app",)
    assert found.backend.data == ()
    assert {where for text, where in notes(found).items() if "not read" in text} <= {
        "app/itself.py",
        "gone.py",
    }


def test_folders_that_are_not_the_apps(tmp_path: Path) -> None:
    write(tmp_path, BASE)
    for folder in (".venv/lib", "node_modules/x", ".tox/py", "env/lib", "build/lib", "x.egg-info"):
        write(tmp_path, {f"{folder}/m{number}.py": APP for number in range(50)})
    write(tmp_path, {"env/pyvenv.cfg": "", "tests/app.py": APP, "app/test_x.py": APP})
    tree = Tree(Report(tmp_path, tmp_path, {}))
    assert list(tree.files) == ["app/main.py"]
    assert look(tmp_path, root=tmp_path).questions == ()


@ROOT
def test_no_permission(tmp_path: Path) -> None:
    write(tmp_path, {**BASE, "app/closed.py": APP, "locked/x.py": ""})
    (tmp_path / "app/closed.py").chmod(0)
    (tmp_path / "locked").chmod(0)
    found = look(tmp_path, root=tmp_path)
    (tmp_path / "locked").chmod(0o700)
    assert found.backend is not None
    assert {"app/closed.py", "locked"} <= set(notes(found).values())


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match="does not exist"):
        look(tmp_path / "none", root=tmp_path)
    with pytest.raises(FilesError, match="is not a folder"):
        look(write(tmp_path, BASE) / "requirements.txt", root=tmp_path)
    with pytest.raises(UsageError, match="is not below"):
        look(tmp_path, root=tmp_path / "app")


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match="no application was found"):
        look(tmp_path, root=tmp_path)
