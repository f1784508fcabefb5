"""Health routes, in every dialect, with all the prefixes before them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.detected import PINNED, backend, looked, notes

FASTAPI = "from fastapi import FastAPI, APIRouter\n"


HERE = """
@app.get("/health")
def health(): ...
"""
SLASH = """
@app.get("/healthz/")
async def health(): ...
"""
ADDED = """
app.add_api_route("/health", print)
"""
ANY = """
@app.api_route("/ping", methods=["GET"])
def ping(): ...
"""
POSTED = """
@app.post("/health")
def one(): ...
@app.api_route("/healthz", methods=["POST"])
def two(): ...
"""
ROUTER = """
router = APIRouter(prefix="/health")
app.include_router(router, prefix="/api")
@router.get("")
def plain(): ...
@router.get("/live")
def live(): ...
@router.get("/ready")
def ready(): ...
"""
NESTED = """
P = "/v1"
inner = APIRouter()
outer = APIRouter(prefix=P)
outer.include_router(inner, prefix=f"{P}x")
app.include_router(outer)
@inner.get("/livez")
def live(): ...
@inner.get("/readyz")
def ready(): ...
"""
LOOP = """
one, two = APIRouter(), 2
a = APIRouter()
b = APIRouter()
for router in (a, b):
    app.include_router(router, prefix="/x")
@b.get("/health")
def health(): ...
"""
UNKNOWN = """
router = APIRouter()
app.include_router(router, prefix=unknown())
@router.get("/health")
def health(): ...
"""
FORGOTTEN = """
router = APIRouter()
@router.get("/health")
def health(): ...
"""
OTHERS = """
@app.get("/orders/{id}/status")
def one(): ...
@app.get("/orders/status")
def two(): ...
@app.get("/tv/live")
def three(): ...
"""
CIRCLE = """
a = APIRouter()
b = APIRouter()
a.include_router(b)
b.include_router(a)
app.include_router(a)
@b.get("/health")
def health(): ...
"""


@pytest.mark.parametrize(
    ("source", "plain", "live", "ready"),
    [
        (HERE, "/health", None, None),
        (SLASH, "/healthz/", None, None),
        (ADDED, "/health", None, None),
        (ANY, "/ping", None, None),
        (POSTED, None, None, None),
        (ROUTER, "/api/health", "/api/health/live", "/api/health/ready"),
        (NESTED, None, "/v1/v1x/livez", "/v1/v1x/readyz"),
        (LOOP, "/x/health", None, None),
        (UNKNOWN, None, None, None),
        (FORGOTTEN, None, None, None),
        (OTHERS, None, None, None),
        (CIRCLE, "/health", None, None),
    ],
)
def test_fastapi(
    tmp_path: Path, source: str, plain: str | None, live: str | None, ready: str | None
) -> None:
    health = backend(
        tmp_path, {"requirements.txt": PINNED, "main.py": f"{FASTAPI}app = FastAPI()\n{source}"}
    ).health
    assert (health.plain, health.live, health.ready) == (plain, live, ready)


def test_routers_over_modules(tmp_path: Path) -> None:
    files = {
        "requirements.txt": PINNED,
        "app/main.py": (
            f"{FASTAPI}from app.api import router as api\nfrom app.core.config import settings\n"
            "from app import probes\nimport app.more.deep as deep\napp = FastAPI()\n"
            "app.include_router(api, prefix=settings.API_V1_STR)\n"
            "app.include_router(probes.router)\napp.include_router(deep.router)\n"
        ),
        "app/core/config.py": (
            "from pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n"
            "    API_V1_STR: str = '/api/v1'\nsettings = Settings()\n"
        ),
        "app/api/__init__.py": "from .routes import router\n",
        "app/api/routes.py": (
            f"{FASTAPI}router = APIRouter()\n@router.get('/utils/health-check/')\ndef h(): ...\n"
        ),
        "app/probes.py": f"{FASTAPI}router = APIRouter()\n@router.get('/ready')\ndef h(): ...\n",
        "app/more/deep.py": f"{FASTAPI}router = APIRouter()\n@router.get('/live')\ndef h(): ...\n",
    }
    found = looked(tmp_path, files)
    assert found.backend is not None
    health = found.backend.health
    assert health.plain == "/api/v1/utils/health-check/"
    assert (health.live, health.ready) == ("/live", "/ready")
    assert notes(found)["readiness at /ready"] == "app/probes.py:3"


def test_flask(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "flask==3.1\ngunicorn==23.0\n",
        "web/__init__.py": (
            "from flask import Flask\ndef create_app():\n    app = Flask(__name__)\n"
            "    from .health import bp\n    app.register_blueprint(bp, url_prefix='/internal')\n"
            "    app.add_url_rule('/readyz', view_func=print)\n"
            "    @app.route('/ping')\n    def ping(): ...\n    return app\n"
        ),
        "web/health.py": (
            "from flask import Blueprint\nbp = Blueprint('health', __name__)\n"
            "@bp.route('/health')\ndef h(): ...\n"
        ),
    }
    health = backend(tmp_path, files).health
    assert (health.plain, health.ready) == ("/internal/health", "/readyz")


def test_a_prefix_at_registration_replaces_the_blueprints_own(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "flask==3.1\ngunicorn==23.0\n",
        "web.py": (
            "from flask import Blueprint, Flask\napp = Flask(__name__)\n"
            "bp = Blueprint('h', __name__, url_prefix='/old')\n"
            "@bp.get('/health')\ndef h(): ...\napp.register_blueprint(bp, url_prefix='/new')\n"
        ),
    }
    assert backend(tmp_path, files).health.plain == "/new/health"


def test_starlette(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "starlette==1.0\nuvicorn==0.54\n",
        "main.py": (
            "from starlette.applications import Starlette\n"
            "from starlette.routing import Mount, Route\n"
            "inner = [Route('/live', f)]\n"
            "routes = [Route('/healthz', f), Mount('/health', routes=inner)]\n"
            "app = Starlette(debug=False, routes=routes)\n"
        ),
    }
    health = backend(tmp_path, files).health
    assert (health.plain, health.live) == ("/healthz", "/health/live")


def test_answers_win(tmp_path: Path) -> None:
    files = {
        "requirements.txt": PINNED,
        "main.py": f"{FASTAPI}app = FastAPI()\n@app.get('/health')\ndef h(): ...\n",
    }
    health = backend(tmp_path, files, health="/up", ready="/up?full=1", live="").health
    assert (health.plain, health.live, health.ready) == ("/up", None, "/up?full=1")


def test_no_route_is_said(tmp_path: Path) -> None:
    files = {"requirements.txt": PINNED, "main.py": f"{FASTAPI}app = FastAPI()\n"}
    assert "no health route" in notes(looked(tmp_path, files))
