"""Backends of every shape, for what `init` makes of them."""

from __future__ import annotations

from dataclasses import replace

from kubekit.detect.backend import Backend, Health, Stored, Variable

PLAIN, LIVE_AND_READY = Health(plain="/health"), Health(live="/health/live", ready="/health/ready")


def variable(name: str, default: str | None = None, *, secret: bool = False) -> Variable:
    return Variable(name=name, secret=secret, default=default)


SHAPES = {
    "pip": Backend(
        name="pip",
        packaging="pip-venv",
        requirements=("requirements.txt",),
        framework="fastapi",
        app="app.main:app",
        packages=("app",),
        data=("data",),
        health=PLAIN,
        imports=("fastapi", "numpy"),
    ),
    "nested requirements": Backend(
        name="nested",
        packaging="pip-venv",
        requirements=("requirements/prod.txt", "requirements/base.txt", "constraints.txt"),
        framework="starlette",
        server="module",
        app="svc.main:app",
        packages=("svc",),
    ),
    "uv": Backend(
        name="uv",
        packaging="uv-sync",
        manifests=("pyproject.toml", "uv.lock", ".python-version", "README.md"),
        framework="fastapi",
        app="second_brain.main:app",
        source="src",
        packages=("second_brain",),
        installed=True,
        health=PLAIN,
        env=(variable("AZURE_OPENAI_ENDPOINT"), variable("KEY_VAULT_URL")),
    ),
    "uv, not installed": Backend(
        name="uv-flat",
        packaging="uv-sync",
        manifests=("pyproject.toml", "uv.lock", "README.md"),
        framework="fastapi",
        app="main:create_app",
        factory=True,
        packages=("main.py", "shop"),
        native=("gcc", "libpq-dev"),
        libraries=("libpq5",),
    ),
    "uv pip": Backend(
        name="todo",
        packaging="uv-pip",
        requirements=("requirements.txt",),
        framework="fastapi",
        app="app.main:app",
        source="src",
        packages=("app",),
        health=LIVE_AND_READY,
        database="postgresql",
        env=(variable("DATABASE_URL", secret=True), variable("LOG_LEVEL", "info")),
    ),
    "sqlite or more": Backend(
        name="board",
        folder="services/board",
        python="3.12",
        base="slim-bookworm",
        packaging="pip-venv",
        requirements=("requirements.txt",),
        framework="fastapi",
        app="app.main:app",
        packages=("app",),
        port=9000,
        health=PLAIN,
        database="sqlite",
        env=(variable("DATABASE_URL", "sqlite:///./board.db", secret=True),),
    ),
    "flask": Backend(
        name="flask",
        packaging="pip-venv",
        requirements=("requirements.txt",),
        framework="flask",
        server="gunicorn",
        app="web:create_app",
        factory=True,
        packages=("web",),
        database="sqlite",
    ),
    "django": Backend(
        name="django",
        python="3.14",
        packaging="pip-venv",
        requirements=("requirements.txt",),
        framework="django",
        server="gunicorn",
        app="site.wsgi:application",
        packages=("site", "manage.py"),
        collected="site.settings",
        health=PLAIN,
        env=(variable("SECRET_KEY", "insecure", secret=True),),
    ),
    "gunicorn and asgi": Backend(
        name="asgi",
        packaging="uv-pip",
        requirements=("requirements.txt",),
        framework="fastapi",
        server="gunicorn",
        app="app.main:app",
        packages=("app",),
        env=(variable("DRAIN_SECONDS", "3"),),
    ),
}

_DJANGO = replace(
    SHAPES["django"], migrate=("python", "manage.py", "migrate", "--noinput"), database="postgresql"
)
_SQLITE = replace(
    _DJANGO,
    database="sqlite",
    stored=Stored(path="site/settings.py", line=9, written="DB", variable="SQLITE_PATH"),
    env=(variable("SQLITE_PATH", "./shop.sqlite3"),),
)
_EITHER = replace(_DJANGO, database="sqlite", env=(variable("DATABASE_URL", "sqlite:///db.x"),))
SHAPES |= {
    "django, migrated": _DJANGO,
    "django, sqlite": _SQLITE,
    "django, sqlite or more": _EITHER,
}
