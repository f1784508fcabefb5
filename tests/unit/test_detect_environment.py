"""Variables, the database, the port and the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.detect.backend import Variable
from kubekit.detect.environment import is_secret
from tests.unit.detected import APP, PINNED, backend, looked, notes

SETTINGS = """
from typing import ClassVar
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Base(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="shop_", env_file=".env")
    port: int = 9000
    stripe: SecretStr
    kind: ClassVar[str] = "x"
    _hidden: int = 1


class Settings(Base):
    dsn: str = Field("postgresql://db/shop", validation_alias="DATABASE_URL")
    other: str = Field(default="x", alias="OTHER_NAME")
"""

PLAIN = """
import os
from os import environ as env, getenv
from starlette.config import Config

config = Config(".env")
A = os.environ["A"]
B = os.environ.get("B", "b")
C = getenv("C", default="c")
D = env["D"]
E = env.get("E")
F = config("F", cast=bool, default=False)
G = config.get("G", default="g")
TOKEN = os.environ.get("API_TOKEN", "changethis")
PW = os.getenv("DATABASE_URL", "postgresql://me:secret@host/db")
HOME = os.environ["HOME"]
NOT = {"os": 1}["os"]
x = os.environ[A]
"""


def of(tmp_path: Path, source: str, **answers: str) -> dict[str, Variable]:
    files = {
        "requirements.txt": PINNED,
        "main.py": f"import settings\n{APP}",
        "settings.py": source,
        "unused.py": "import os\nos.environ['UNUSED']\n",
    }
    return {one.name: one for one in backend(tmp_path, files, **answers).env}


def test_settings_of_pydantic(tmp_path: Path) -> None:
    found = of(tmp_path, SETTINGS)
    assert found == {
        "SHOP_PORT": Variable(name="SHOP_PORT", secret=False, default="9000"),
        "SHOP_STRIPE": Variable(name="SHOP_STRIPE", secret=True),
        "DATABASE_URL": Variable(name="DATABASE_URL", secret=True, default="postgresql://db/shop"),
        "OTHER_NAME": Variable(name="OTHER_NAME", secret=False, default="x"),
    }


OPTIONAL = """
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    needed: int
    given: int = Field(...)
    debug: bool = False
    limit: int | None = None
    window: int | None = Field(default=None)
    api_key: SecretStr | None = None
"""


def test_what_need_not_be_set_is_no_gap_to_fill(tmp_path: Path) -> None:
    """`LIMIT=` in .env would be an empty text, which pydantic takes for no number."""
    found = of(tmp_path, OPTIONAL)
    assert {name: one.default for name, one in found.items()} == {
        "NEEDED": None,
        "GIVEN": None,
        "DEBUG": "false",
        "LIMIT": "",
        "WINDOW": "",
        "API_KEY": None,  # a secret is shown as a gap: most want it
    }


def test_the_environment_itself(tmp_path: Path) -> None:
    found = of(tmp_path, PLAIN)
    assert {name: one.default for name, one in found.items()} == {
        "A": None,
        "B": "b",
        "C": "c",
        "D": None,
        "E": None,
        "F": None,
        "G": "g",
        "API_TOKEN": None,
        "DATABASE_URL": None,
    }
    assert [name for name, one in found.items() if one.secret] == ["API_TOKEN", "DATABASE_URL"]


SECRETS = """
SECRET_KEY OPENAI_API_KEY db_password JWT DATABASE_URL REDIS_URL SENTRY_DSN BETTER_AUTH_SECRET
AZURE_STORAGE_CONNECTION_STRING STRIPE_WEBHOOK_SECRET
"""
OPEN = """
PORT MAX_TOKENS JWT_ALGORITHM ACCESS_TOKEN_EXPIRE_MINUTES SECRETS_DIR KEYBOARD API_URL
KEY_VAULT_URL AZURE_OPENAI_ENDPOINT PASSENGERS
"""


def test_secret_by_name() -> None:
    assert [name for name in SECRETS.split() if not is_secret(name)] == []
    assert [name for name in OPEN.split() if is_secret(name)] == []


@pytest.mark.parametrize(
    ("requirement", "source", "database"),
    [
        ("", "x = 1\n", None),
        ("", "import os\nU = os.getenv('DATABASE_URL', 'sqlite:///./x.db')\n", "sqlite"),
        ("psycopg", "import os\nU = os.getenv('DATABASE_URL', 'sqlite:///./x.db')\n", "sqlite"),
        ("psycopg[binary]==3", "import os\nU = os.environ['DATABASE_URL']\n", "postgresql"),
        ("", "import sqlite3\nc = sqlite3.connect('x')\n", "sqlite"),
        ("", "engine = create_engine('sqlite:///x.db')\n", "sqlite"),
        ("pymongo", "x = 1\n", "other"),
        ("asyncpg\naiosqlite", "x = 1\n", "postgresql"),
    ],
)
def test_database(tmp_path: Path, requirement: str, source: str, database: str | None) -> None:
    files = {
        "requirements.txt": f"{PINNED}{requirement}\n",
        "main.py": f"import db\n{APP}",
        "db.py": source,
    }
    assert backend(tmp_path, files).database == database
    assert backend(tmp_path, files, database="none").database is None


RUN = "\nif __name__ == '__main__':\n    import uvicorn\n    uvicorn.run(app, port=8003)\n"


def test_the_port_of_a_laptop_is_not_the_containers(tmp_path: Path) -> None:
    found = looked(tmp_path, {"requirements.txt": PINNED, "main.py": APP + RUN})
    assert found.backend is not None
    assert found.backend.port == 8000
    assert notes(found)["port 8000"] == "8003 in main.py:7 is how it runs on a laptop"


def test_ports(tmp_path: Path) -> None:
    base = {"requirements.txt": PINNED, "main.py": APP}
    read = {"main.py": f"import os\nP = int(os.environ.get('PORT', 8080))\n{APP}"}
    assert backend(tmp_path / "a", base).port == 8000
    assert backend(tmp_path / "b", {**base, **read}).port == 8080
    docker = {"Dockerfile": "FROM python:3.12-slim-bookworm\nEXPOSE 5000/tcp\n"}
    found = backend(tmp_path / "c", {**base, **docker})
    assert (found.port, found.python, found.base) == (5000, "3.12", "slim-bookworm")
    assert backend(tmp_path / "d", {**base, **docker, **read}).port == 8080
    assert backend(tmp_path / "e", {**base, **docker}, port="81").port == 81
    ours = {"Dockerfile": f"# kubekit init 0.1.0 000000000000\n{docker['Dockerfile']}"}
    assert backend(tmp_path / "f", {**base, **ours}).port == 8000


def test_a_package_that_serves_itself(tmp_path: Path) -> None:
    files = {
        "requirements.txt": PINNED,
        "app/__init__.py": "",
        "app/main.py": APP,
        "app/__main__.py": (
            "import uvicorn\nfrom app.settings import PORT\n"
            "uvicorn.run('app.main:app', host='0.0.0.0', port=PORT)\n"
        ),
        "app/settings.py": "PORT = 8080\n",
    }
    found = backend(tmp_path, files)
    assert (found.server, found.app, found.port) == ("module", "app.main:app", 8080)
    assert backend(tmp_path, files, server="uvicorn").server == "uvicorn"


def test_imports_are_those_of_the_start(tmp_path: Path) -> None:
    source = (
        '"""words\nfrom nowhere import this\n"""\nimport jwt, os.path as p\n'
        "from sqlalchemy.orm import Session\nimport sqlalchemy\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pandas\ntry:\n    import uvloop\nexcept ImportError:\n"
        "    uvloop = None\ndef f():\n    import boto3\nfrom . import near\n"
    )
    files = {
        "requirements.txt": PINNED,
        "app/main.py": f"from app.x import y\n{APP}",
        "app/x.py": source,
        "app/near.py": "import httpx\n",
        "app/far.py": "import torch\n",
    }
    assert backend(tmp_path, files).imports == ("fastapi", "httpx", "jwt", "sqlalchemy.orm")
