"""What an image needs to know of Django's settings: its hosts, and what whitenoise serves."""

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
