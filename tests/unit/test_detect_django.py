"""What an image needs to know of Django: hosts, static files, its data and its migrations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.detected import looked, notes

REFUSED = "ALLOWED_HOSTS has no `localhost`, by which probes ask"
COLLECTED = "static files are collected in the build, for whitenoise"
WSGI = (
    "import os\nfrom django.core.wsgi import get_wsgi_application\n"
    "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
    "application = get_wsgi_application()\n"
)
BASE = {"requirements.txt": "django\ngunicorn\nwhitenoise\n", "shop/__init__.py": ""}


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ("\nALLOWED_HOSTS = ['shop.example']\n", 2),
        ("ALLOWED_HOSTS = ('shop.example', '10.0.0.1')\nDEBUG = True\n", 1),
        ("import os\nDEBUG = os.getenv('DEBUG') == '1'\nALLOWED_HOSTS = []\n", 3),
        ("DEBUG = True\nALLOWED_HOSTS = []\n", None),
        ("ALLOWED_HOSTS = ['shop.example', 'localhost']\n", None),
        ("ALLOWED_HOSTS = ['*']\n", None),
        ("ALLOWED_HOSTS = ['shop.example']\nALLOWED_HOSTS += ['localhost']\n", None),
        ("import os\nALLOWED_HOSTS = os.environ['HOSTS'].split()\n", None),
        ("HOST = 'shop.example'\nALLOWED_HOSTS = [HOST]\n", None),
        ("def f():\n    ALLOWED_HOSTS = ['shop.example']\n", None),
    ],
)
def test_hosts_that_refuse_every_probe(tmp_path: Path, settings: str, line: int | None) -> None:
    said = notes(looked(tmp_path, {**BASE, "shop/wsgi.py": WSGI, "shop/settings.py": settings}))
    assert said.get(REFUSED) == (f"shop/settings.py:{line}" if line else None)


@pytest.mark.parametrize(
    ("files", "collected"),
    [
        ({}, "shop.settings"),
        ({"requirements.txt": "django\ngunicorn\n"}, None),
        ({"shop/settings.py": "# STATIC_ROOT\n"}, None),
        ({"shop/wsgi.py": WSGI.replace("DJANGO_SETTINGS_MODULE", "OTHER")}, None),
        (
            {
                "shop/wsgi.py": WSGI.replace("DJANGO_SETTINGS_MODULE", "OTHER"),
                "manage.py": "os.environ.setdefault(\n    'DJANGO_SETTINGS_MODULE', 'shop.dev')\n",
            },
            "shop.dev",
        ),
    ],
)
def test_static_files_are_collected_where_whitenoise_serves_them(
    tmp_path: Path, files: dict[str, str], collected: str | None
) -> None:
    settings = {"shop/wsgi.py": WSGI, "shop/settings.py": "X = 1\nSTATIC_ROOT = BASE / 'static'\n"}
    found = looked(tmp_path, {**BASE, **settings, **files})
    assert found.backend is not None
    assert found.backend.collected == collected
    assert notes(found).get(COLLECTED) == ("shop/settings.py:2" if collected else None)


ONLY = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': %s}}\n"
DATABASES = """
import os
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent.parent
DATA = os.getenv("DATA_DIR", BASE_DIR)
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": %s}}
"""


@pytest.mark.parametrize(
    ("name", "text", "variable", "below"),
    [
        ("BASE_DIR / 'db.sqlite3'", "./db.sqlite3", "", ""),
        ("str(BASE_DIR / 'data' / 'db.sqlite3')", "./data/db.sqlite3", "", ""),
        ("os.path.join(BASE_DIR, 'db.sqlite3')", "./db.sqlite3", "", ""),
        ("os.path.join(os.path.dirname(__file__), 'a', 'b')", "shop/a/b", "", ""),
        ("'/app/data/x.db'", "/app/data/x.db", "", ""),
        ("BASE_DIR / unknown()", None, "", ""),
        ("os.environ.get('DB', BASE_DIR / 'x')", None, "DB", ""),
        ("os.environ['DB']", None, "DB", ""),
        ("Path(os.environ['DB'])", None, "DB", ""),
        ("Path(DATA) / 'a' / 'b.db'", None, "DATA_DIR", "/a/b.db"),
        ("os.path.join(DATA, 'b.db')", None, "DATA_DIR", "/b.db"),
        ("Path(DATA) / 'b.db', 'TEST': DATA", None, "", ""),
        ("Path(DATA) / 'b.db', 'OPTIONS': {'x': os.environ['DATA_DIR']}", None, "", ""),
        ("os.environ.get('DB') or BASE_DIR / 'x'", None, "", ""),
    ],
)
def test_where_the_file_of_sqlite_lies(
    tmp_path: Path, name: str, text: str | None, variable: str, below: str
) -> None:
    files = {**BASE, "shop/wsgi.py": WSGI, "shop/settings.py": DATABASES % name}
    found = looked(tmp_path, files).backend
    assert found is not None
    assert found.stored is not None
    told = found.stored
    assert (told.text, told.variable, told.below) == (text, variable, below)
    assert (told.path, told.line) == ("shop/settings.py", 6)


@pytest.mark.parametrize(
    ("base", "text"),
    [
        ("Path(__file__).resolve().parent.parent", "src/data/x"),
        ("Path(__file__).parent.parent.parent", "./data/x"),
        ("Path(__file__).resolve().parents[2]", "./data/x"),
        ("os.path.dirname(os.path.dirname(os.path.abspath(__file__)))", "src/data/x"),
        ("PROJECT.parent", "src/data/x"),
        ("Path(__file__).parents[3]", "../data/x"),
        ("Path(__file__).parents[-1]", None),
        ("Path(__file__).parents[999999999]", None),
        ("Path(unknown()).parent", None),
    ],
)
def test_folders_above_a_module_are_counted(tmp_path: Path, base: str, text: str | None) -> None:
    head = "import os\nfrom pathlib import Path\nPROJECT = Path(__file__).parent\n"
    settings = f"{head}BASE = {base}\n" + ONLY % "BASE / 'data' / 'x'"
    shop = {"shop/__init__.py": "", "shop/wsgi.py": WSGI, "shop/settings.py": settings}
    files = {f"src/{path}": source for path, source in shop.items()}
    found = looked(tmp_path, {"requirements.txt": BASE["requirements.txt"], **files}).backend
    assert found is not None
    assert found.stored is not None
    assert found.stored.text == text


PRODUCTION = {
    **BASE,
    "shop/settings/__init__.py": "",
    "shop/settings/base.py": "from pathlib import Path\nBASE = Path(__file__).parents[2]\n",
    "shop/wsgi.py": WSGI.replace("shop.settings", "shop.settings.prod"),
}


@pytest.mark.parametrize(
    ("settings", "path", "text"),
    [
        ({"ci.py": ONLY % "'ci.db'", "prod.py": ONLY % "'prod.db'"}, "prod.py", "prod.db"),
        ({"ci.py": ONLY % "':memory:'", "prod.py": ""}, None, None),
        ({"ci.py": ONLY % "'ci.db'", "prod.py": "DATABASES = read()\n"}, None, None),
        ({"ci.py": ONLY % "'ci.db'", "prod.py": ""}, "ci.py", "ci.db"),
        ({"ci.py": ONLY % "'ci.db'", "dev.py": ONLY % "'x'", "prod.py": ""}, None, None),
        ({"ci.py": ONLY % "'ci.db'", "prod.py": ONLY % "':memory:'"}, None, None),
        (
            {"ci.py": ONLY % "'ci.db'", "prod.py": "from .base import *\n" + ONLY % "BASE / 'x'"},
            "prod.py",
            "./x",
        ),
        (
            {
                "ci.py": ONLY % "'ci.db'",
                "more.py": "from .base import *\nfrom .prod import *\n" + ONLY % "BASE / 'x'",
                "prod.py": "from .more import *\n",
            },
            "more.py",
            "./x",
        ),
    ],
)
def test_the_settings_that_the_app_takes_tell_where_sqlite_is(
    tmp_path: Path, settings: dict[str, str], path: str | None, text: str | None
) -> None:
    files = {f"shop/settings/{name}": source for name, source in settings.items()}
    found = looked(tmp_path, {**PRODUCTION, **files}, database="sqlite").backend
    assert found is not None
    told = found.stored
    assert (told and told.path) == (path and f"shop/settings/{path}")
    assert (told and told.text) == text


@pytest.mark.parametrize("settings", ["prod", "dev"])
def test_the_settings_that_the_app_takes_tell_which_database_it_has(
    tmp_path: Path, settings: str
) -> None:
    server = "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': 'x'}}\n"
    files = {
        "shop/settings/dev.py": ONLY % "'x'",
        "shop/settings/prod.py": server,
        "shop/wsgi.py": WSGI.replace("shop.settings", f"shop.settings.{settings}"),
    }
    found = looked(tmp_path, {**PRODUCTION, **files})
    assert found.backend is not None
    kind = {"dev": "sqlite", "prod": "postgresql"}[settings]
    assert found.backend.database == kind
    assert (found.backend.stored is not None) == (kind == "sqlite")
    places = [where for text, where in notes(found).items() if text.startswith(kind)]
    assert places == [f"shop/settings/{settings}.py:1"]


@pytest.mark.parametrize(
    ("wsgi", "manage", "settings"),
    [
        ("shop.settings.prod", "shop.settings.local", "shop.settings.prod"),
        ("shop.settings.prod", "shop.settings.prod", None),
        ("shop.settings.prod", None, "shop.settings.prod"),
        (None, "shop.settings.local", None),
    ],
)
def test_migrations_take_the_settings_of_the_app(
    tmp_path: Path, wsgi: str | None, manage: str | None, settings: str | None
) -> None:
    comment = "# os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.no')\n"
    by = comment + "os.environ.setdefault('DJANGO_SETTINGS_MODULE', '%s')\n"
    lines = WSGI.splitlines(keepends=True)
    app = "".join([*lines[:2], by % wsgi if wsgi else comment, lines[3]])
    files = {
        "shop/wsgi.py": app,
        "manage.py": "import os\n" + (by % manage if manage else comment),
        "shop/migrations/0001_initial.py": "",
        "shop/settings/prod.py": ONLY % "'x'",
    }
    found = looked(tmp_path, {**PRODUCTION, **files}).backend
    assert found is not None
    assert found.migrate
    assert found.settings == settings


@pytest.mark.parametrize(
    "value",
    [
        "{}",
        "{'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': 'x'}}",
        "{'default': {'ENGINE': 'django.db.backends.sqlite3'}}",
        "{**others}",
        "read()",
    ],
)
def test_no_file_of_sqlite_is_known(tmp_path: Path, value: str) -> None:
    settings = f"X = 'django.db.backends.sqlite3'\nDATABASES = {value}\n"
    files = {**BASE, "shop/wsgi.py": WSGI, "shop/settings.py": settings}
    found = looked(tmp_path, files).backend
    assert found is not None
    assert found.stored is None


@pytest.mark.parametrize(
    "read",
    [
        "import dj_database_url\nDB = dj_database_url.config(default=%s)\n",
        "import environ\nenv = environ.Env()\nDB = env.db(default=%s)\n",
        "import environ\nenv = environ.Env()\nDB = env.db('DATABASE_URL', default=%s)\n",
    ],
)
def test_database_url_by_djangos_own_readers(tmp_path: Path, read: str) -> None:
    head = "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\n"
    settings = head + read % "f\"sqlite:///{BASE_DIR / 'db.sqlite3'}\""
    found = looked(tmp_path, {**BASE, "shop/wsgi.py": WSGI, "shop/settings.py": settings}).backend
    assert found is not None
    (one,) = found.env
    assert (one.name, one.default) == ("DATABASE_URL", "sqlite:///./db.sqlite3")
    assert found.database == "sqlite"


def test_another_name_for_database_url(tmp_path: Path) -> None:
    settings = "import dj_database_url\nDB = dj_database_url.config(env='PG', conn_max_age=9)\n"
    found = looked(tmp_path, {**BASE, "shop/wsgi.py": WSGI, "shop/settings.py": settings}).backend
    assert found is not None
    assert [one.name for one in found.env] == ["PG"]


MIGRATED = "migrations, which `manage.py migrate` runs before the app starts"
SQLITE = DATABASES % "BASE_DIR / 'x'"


@pytest.mark.parametrize(
    ("files", "script", "where"),
    [
        ({"manage.py": "", "shop/migrations/0001_initial.py": ""}, "manage.py", "shop/migrations"),
        (
            {
                "manage.py": "",
                "shop/settings.py": SQLITE + "INSTALLED_APPS = ['django.contrib.auth']",
            },
            "manage.py",
            "shop/settings.py",
        ),
        ({"manage.py": "", "shop/settings.py": SQLITE + "INSTALLED_APPS = ['shop']"}, None, None),
        ({"manage.py": "", "shop/migrations/__init__.py": ""}, None, None),
        ({"shop/migrations/0001_initial.py": ""}, None, None),
        (
            {"manage.py": "", "shop/migrations/0001_initial.py": "", "shop/settings.py": ""},
            None,
            None,
        ),
    ],
)
def test_what_is_migrated_before_the_app_starts(
    tmp_path: Path, files: dict[str, str], script: str | None, where: str | None
) -> None:
    settings = {"shop/wsgi.py": WSGI, "shop/settings.py": SQLITE}
    found = looked(tmp_path, {**BASE, **settings, **files})
    assert found.backend is not None
    assert found.backend.migrate == (("python", script, "migrate", "--noinput") if script else ())
    assert notes(found).get(MIGRATED) == where
