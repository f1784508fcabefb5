"""Backends of a few lines, one for each way in which their dependencies get into an image."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

FASTAPI = """\
import importlib.metadata

from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "healthy"}


@app.get("/hello")
async def hello() -> dict[str, str]:
    return {"message": "hello", "fastapi": importlib.metadata.version("fastapi")}
"""
INSTALLED = FASTAPI.replace('version("fastapi")', 'version("second-brain")')
PYPROJECT = """\
[project]
name = "second-brain"
version = "1.2.3"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["fastapi==0.165.0", "uvicorn==0.54.0"]

[dependency-groups]
dev = ["iniconfig"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""
FLASK = """\
import os
import sqlite3
from pathlib import Path

from flask import Flask

FILE = Path("data/count.db")


def create_app():
    app = Flask(__name__)

    @app.get("/health")
    def health():
        return {"status": "healthy"}

    @app.get("/hello")
    def hello():
        with sqlite3.connect(FILE) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS seen (at TEXT)")
            connection.execute("INSERT INTO seen VALUES ('now')")
        return {"message": "hello"}

    return app
"""
SETTINGS = """\
SECRET_KEY = "only for a test"
ALLOWED_HOSTS = ["localhost"]
ROOT_URLCONF = "site_.urls"
WSGI_APPLICATION = "site_.wsgi.application"
"""
URLS = """\
from django.http import JsonResponse
from django.urls import path


def health(request):
    return JsonResponse({"status": "healthy"})


def hello(request):
    return JsonResponse({"message": "hello"})


urlpatterns = [path("health", health), path("hello", hello)]
"""
WSGI = """\
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings")
application = get_wsgi_application()
"""
MANAGE = """\
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings")
from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
"""


def _write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def uv_sync(folder: Path) -> tuple[str, ...]:
    _write(folder, pyproject_dot_toml=PYPROJECT, README_dot_md="# A second brain\n")
    package = folder / "src/second_brain"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "main.py").write_text(INSTALLED)
    subprocess.run([Path(sys.executable).with_name("uv"), "lock", "-q"], cwd=folder, check=True)
    return ()


def uv_pip(folder: Path) -> tuple[str, ...]:
    _write(folder, requirements_dot_txt="fastapi==0.165.0\nuvicorn==0.54.0\n")
    _write(folder, src__app__main_dot_py=FASTAPI)
    return ("--packaging", "uv-pip", "--dialect", "buildkit")


def flask(folder: Path) -> tuple[str, ...]:
    _write(folder, requirements_dot_txt="flask\ngunicorn\n", web_dot_py=FLASK)
    return ("--database", "sqlite")


def django(folder: Path) -> tuple[str, ...]:
    _write(folder, requirements_dot_txt="django\ngunicorn\n", manage_dot_py=MANAGE)
    package = folder / "site_"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, text in (("settings", SETTINGS), ("urls", URLS), ("wsgi", WSGI)):
        (package / f"{name}.py").write_text(text)
    return ()


KINDS: dict[str, Callable[[Path], tuple[str, ...]]] = {
    "uv-sync": uv_sync,
    "uv-pip": uv_pip,
    "flask": flask,
    "django": django,
}
"""Each writes itself into a folder, and gives the arguments that `init` needs for it."""
