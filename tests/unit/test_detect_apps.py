"""Where the application is made, and what a server imports it by."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.detect.look import look
from kubekit.errors import FilesError, UsageError
from tests.unit.detected import APP, PINNED, backend, looked, notes, write

FILES = {"requirements.txt": f"{PINNED}flask==3.1\ngunicorn==23.0\nstarlette==1.0\ndjango==5.2\n"}


@pytest.mark.parametrize(
    ("source", "framework", "attribute"),
    [
        ("import fastapi\napi = fastapi.FastAPI()\n", "fastapi", "api"),
        ("import fastapi as f\napp: f.FastAPI = f.FastAPI(title='x')\n", "fastapi", "app"),
        ("from fastapi import FastAPI as F\napp = F()\n", "fastapi", "app"),
        ("from fastapi.applications import FastAPI\napp = FastAPI()\n", "fastapi", "app"),
        (
            "from fastapi import FastAPI\nclass A(FastAPI):\n    pass\napp = A()\n",
            "fastapi",
            "app",
        ),
        (
            "from starlette.applications import Starlette\nx = Starlette(routes=[])\n",
            "starlette",
            "x",
        ),
        ("from flask import Flask\napp = Flask(__name__)\n", "flask", "app"),
        (
            "try:\n    from flask import Flask\n    app = Flask('x')\nexcept OSError:\n    raise\n",
            "flask",
            "app",
        ),
        ("import os\nfrom fastapi import FastAPI\nif os:\n    app = FastAPI()\n", "fastapi", "app"),
        (
            "from fastapi import FastAPI\ninner = FastAPI()\napplication = Wrap(inner)\n",
            "fastapi",
            "application",
        ),
        (
            "from flask import Flask\ndef make():\n    a = Flask('x')\n    return a\nx = make()\n",
            "flask",
            "x",
        ),
        (
            "from fastapi import FastAPI\napp = FastAPI()\nclient = TestClient(app)\n",
            "fastapi",
            "app",
        ),
        ("from fastapi import FastAPI\napp = FastAPI()\napp = Sentry(app)\n", "fastapi", "app"),
    ],
)
def test_ways_to_make_one(tmp_path: Path, source: str, framework: str, attribute: str) -> None:
    found = backend(tmp_path, {**FILES, "main.py": source})
    assert (found.framework, found.app) == (framework, f"main:{attribute}")
    assert not found.factory


@pytest.mark.parametrize(
    "source",
    [
        "from fastapi import APIRouter\napp = APIRouter()\n",
        "from fastapi import FastAPI\ndef f(app: FastAPI):\n    return app\n",
        "from fastapi import FastAPI\nif __name__ == '__main__':\n    app = FastAPI()\n",
        "FastAPI = object\napp = FastAPI()\n",
        "# app = FastAPI()\n",
        "from mine import FastAPI\napp = FastAPI()\n",
        "app = app\napp: FastAPI = app\n",
        "from flask import Flask\ndef a():\n    return b()\ndef b():\n    return a()\napp = a()\n",
    ],
)
def test_what_is_none(tmp_path: Path, source: str) -> None:
    with pytest.raises(FilesError, match="no application was found"):
        looked(tmp_path, {**FILES, "main.py": source})


def test_a_function_that_makes_it_elsewhere(tmp_path: Path) -> None:
    files = {
        **FILES,
        "shop/__init__.py": "from shop.factory import create_app\n",
        "shop/factory.py": (
            "from fastapi import FastAPI\nfrom . import views\n"
            "def create_app(debug=False):\n    app = FastAPI()\n    views.register(app)\n"
            "    return app\n"
        ),
        "shop/views.py": (
            "def register(application):\n    @application.get('/healthz')\n"
            "    def healthz():\n        return 1\n"
        ),
        "asgi.py": "from shop import create_app\n\napp = create_app(debug=True)\n",
    }
    found = backend(tmp_path, files)
    assert (found.app, found.factory) == ("asgi:app", False)
    assert found.health.plain == "/healthz"
    assert found.packages == ("asgi.py", "shop")


def test_a_function_alone(tmp_path: Path) -> None:
    source = "from flask import Flask\ndef create_app(config=None):\n    return Flask('x')\n"
    found = backend(tmp_path, {**FILES, "shop/__init__.py": source})
    assert (found.app, found.factory, found.server) == ("shop:create_app", True, "gunicorn")


def test_a_function_that_needs_arguments(tmp_path: Path) -> None:
    source = "from flask import Flask\n\ndef create_app(config, *, debug):\n    return Flask('x')\n"
    with pytest.raises(FilesError, match="needs `config`, `debug`") as caught:
        looked(tmp_path, {**FILES, "shop/__init__.py": source})
    assert str(caught.value.place).endswith("shop/__init__.py:3")
    assert "`app = create_app(...)`" in caught.value.hints[0]


def test_mounted_applications_and_circles_of_imports(tmp_path: Path) -> None:
    files = {
        **FILES,
        "a/__init__.py": "",
        "a/main.py": (
            "from fastapi import FastAPI\nfrom a.v1 import api\nfrom a import other\n"
            "app = FastAPI()\napp.mount('/v1/', api)\n"
        ),
        "a/v1.py": "from fastapi import FastAPI\nimport a.main\napi = FastAPI()\n"
        "@api.get('/health')\ndef health(): ...\n",
        "a/other.py": "from a.main import app as application\nfrom a.other import application\n",
    }
    found = backend(tmp_path, files)
    assert found.app == "a.main:app"
    assert found.health.plain == "/v1/health"


def test_names_by_the_imports(tmp_path: Path) -> None:
    """Without `__init__.py`, only what is imported tells from where."""
    one = {**FILES, "src/main.py": f"from src.db import x\n{APP}", "src/db.py": "x = 1\n"}
    two = {**FILES, "src/main.py": f"from db import x\n{APP}", "src/db.py": "x = 1\n"}
    three = {**FILES, "backend/main.py": f"from db import x\n{APP}", "backend/db.py": "x = 1\n"}
    four = {**FILES, "api/main.py": APP}
    five = {**FILES, "src/shop/api/main.py": APP}
    for number, (files, app, source) in enumerate(
        [
            (one, "src.main:app", "."),
            (two, "main:app", "src"),
            (three, "main:app", "backend"),
            (four, "api.main:app", "."),
            (five, "shop.api.main:app", "src"),
        ]
    ):
        found = backend(tmp_path / str(number), files)
        assert (found.app, found.source) == (app, source)


def test_a_module_called_like_a_package_of_others(tmp_path: Path) -> None:
    files = {
        "requirements.txt": f"{PINNED}redis==7.0\n",
        "app/main.py": f"from redis import Redis\nimport logging\n{APP}",
        "app/redis.py": "from redis import Redis\n",
        "app/logging.py": "",
    }
    found = backend(tmp_path, files)
    assert found.app == "app.main:app"


def test_an_instance_beats_the_function_that_makes_it(tmp_path: Path) -> None:
    files = {
        **FILES,
        "app/main.py": "from fastapi import FastAPI\ndef get_app():\n    return FastAPI()\n"
        "app = get_app()\n",
        "app/wsgi.py": "from app.main import get_app\napplication = get_app()\n",
    }
    assert backend(tmp_path, files).app == "app.main:app"


def test_what_uvicorn_is_called_with(tmp_path: Path) -> None:
    files = {
        **FILES,
        "one.py": APP,
        "two.py": APP,
        "run.py": "import uvicorn\nif __name__ == '__main__':\n    uvicorn.run('two:app')\n",
    }
    found = looked(tmp_path, files)
    assert found.backend is not None
    assert found.backend.app == "two:app"
    assert notes(found)["served so far: two:app"] == "run.py:3"


DJANGO = {
    "requirements.txt": "django==5.2\ngunicorn==23.0\n",
    "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n",
    "site1/__init__.py": "",
    "site1/settings.py": (
        "import os\nROOT_URLCONF = 'site1.urls'\nSECRET_KEY = os.environ['SECRET_KEY']\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3'}}\n"
    ),
    "site1/wsgi.py": (
        "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
    ),
    "site1/asgi.py": (
        "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()\n"
    ),
    "site1/urls.py": (
        "from django.urls import include, path, re_path\nurlpatterns = [\n"
        "    path('api/', include('shop.urls')),\n    path('healthz/', lambda r: r),\n]\n"
        "urlpatterns += [re_path(r'^readyz$', lambda r: r)]\n"
    ),
    "shop/urls.py": "from django.urls import path\nurlpatterns = [path('livez', lambda r: r)]\n",
}


def test_django(tmp_path: Path) -> None:
    found = backend(tmp_path, DJANGO)
    assert (found.app, found.framework, found.server) == (
        "site1.wsgi:application",
        "django",
        "gunicorn",
    )
    assert found.packages == ("manage.py", "shop", "site1")
    assert found.health.plain == "/healthz/"
    assert (found.health.live, found.health.ready) == ("/api/livez", "/readyz")
    assert found.database == "sqlite"
    assert [one.name for one in found.env] == ["SECRET_KEY"]
    assert found.imports == ("django",)


def test_django_by_asgi_where_only_uvicorn_is_installed(tmp_path: Path) -> None:
    found = backend(tmp_path, {**DJANGO, "requirements.txt": "django==5.2\nuvicorn==0.54\n"})
    assert (found.app, found.server) == ("site1.asgi:application", "uvicorn")


def test_an_answer_must_be_there(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "app/main.py": APP, "app/empty.py": "app = 1\n"})
    with pytest.raises(UsageError, match="no module for") as caught:
        look(tmp_path, root=tmp_path, answers={"app": "app.mian:app"})
    assert (caught.value.hints, caught.value.place) == (("found: `app.main:app`",), None)
    with pytest.raises(UsageError, match="is seen to make"):
        look(tmp_path, root=tmp_path, answers={"app": "app.empty:app"})
    with pytest.raises(UsageError, match="no `module:attribute`"):
        look(tmp_path, root=tmp_path, answers={"app": "app.main"})


def test_an_answer_is_believed_where_the_source_does_not_tell(tmp_path: Path) -> None:
    files = {
        **FILES,
        "app/main.py": "from app.parts import Application\n\nserved = Application().asgi\n",
        "app/parts.py": "class Application:\n    def __init__(self):\n        self.asgi = 1\n",
        "app/new.py": "from fastapi import FastAPI\napp = FastAPI()\nx = t'{1}' except\n",
        "xapp/main.py": "served = 1\n",
    }
    found = looked(tmp_path, files, app="app.main:served")
    assert found.backend is not None
    assert (found.backend.app, found.backend.framework) == ("app.main:served", "fastapi")
    assert "app.main:served is an application of fastapi" in notes(found)
    # Its syntax may be newer than the Python that kubekit runs on.
    assert backend(tmp_path, {}, app="app.new:app").app == "app.new:app"


def test_two_ways_that_tutorials_teach(tmp_path: Path) -> None:
    flask = {
        **FILES,
        "run.py": "from app import create_app\n\napp = create_app()\n"
        "if __name__ == '__main__':\n    app.run(port=5000)\n",
        "app/__init__.py": "from flask import Flask\nfrom flask_sqlalchemy import SQLAlchemy\n"
        "db = SQLAlchemy()\ndef create_app():\n    app = Flask(__name__)\n    db.init_app(app)\n"
        "    return app\n",
    }
    assert backend(tmp_path / "flask", flask).app == "run:app"
    sockets = {
        **FILES,
        "main.py": "import socketio\nfrom fastapi import FastAPI\nfastapi_app = FastAPI()\n"
        "sio = socketio.AsyncServer()\n"
        "app = socketio.ASGIApp(sio, other_asgi_app=fastapi_app)\n",
    }
    assert backend(tmp_path / "sockets", sockets).app == "main:app"


def test_a_server_that_is_not_installed(tmp_path: Path) -> None:
    source = "from flask import Flask\napp = Flask('x')\n"
    compiled = "# This file was autogenerated by uv via the following command:\nflask==3.1\n"
    with pytest.raises(FilesError, match="`gunicorn` is to serve the app"):
        looked(tmp_path, {"requirements.txt": compiled, "main.py": source})
    # Flask does not depend on it, so a list of what is asked for is enough.
    with pytest.raises(FilesError, match="`gunicorn` is to serve the app") as caught:
        looked(tmp_path, {"requirements.txt": "flask==3.1\n"})
    assert caught.value.hints == ("add the line `gunicorn` to requirements.txt",)
    assumed = "gunicorn is installed"
    unnamed = looked(tmp_path, {"requirements.txt": "flask==3.1\ngit+https://x/y\n"})
    assert notes(unnamed)[assumed] == "no line of requirements.txt names it"
    files = {"requirements.txt": "flask==3.1\n", "Dockerfile": "FROM python:3.13\n"}
    assert assumed in notes(looked(tmp_path, files)), "that one may install it by itself"
    (tmp_path / "Dockerfile").unlink()
    asgi = {"requirements.txt": "fastapi\n", "main.py": APP}
    assert "uvicorn is installed" in notes(looked(tmp_path / "asgi", asgi))
