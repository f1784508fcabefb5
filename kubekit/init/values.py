"""What the templates are filled in with, told from a backend. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Literal

from kubekit.detect.backend import Backend, Stored, Variable
from kubekit.init import layout, serving
from kubekit.init.template import yaml_word

Dialect = Literal["plain", "buildkit"]
"""Of the Dockerfile: for every builder, or with the caches that BuildKit keeps."""

Mode = Literal["sqlite", "either", "stateless"]
"""Where data is: in a file, in a file unless DATABASE_URL names a server, or not in the pod."""

UV = "0.13.8"
"""The uv that builds images: a number, so that the same files give the same image."""

# The manifests and the image set these: they must fit the rest, and are nobody's secret.
_PLATFORM = frozenset(
    {
        *("HOST", "PORT", "WORKERS", "WEB_CONCURRENCY", "DRAIN_SECONDS", "GRACEFUL_SECONDS"),
        *("APP_VERSION", "APP_REVISION", "APP_IMAGE", "SECRETS_DIR", "PYTHONPATH", "HOME", "PATH"),
    }
)
_HEAVY = frozenset(
    {
        *("numpy", "scipy", "pandas", "polars", "sklearn", "matplotlib", "qiskit", "qiskit_aer"),
        *("torch", "tensorflow", "jax", "transformers", "cv2", "spacy", "pyarrow"),
    }
)
_PARSED = (
    (re.compile(r"DSN$"), ""),
    (
        re.compile(r"(?:CACHE|REDIS|BROKER|AMQP|RABBITMQ|CELERY|RESULT)\w*_UR[IL]$"),
        "redis://localhost",
    ),
    (re.compile(r"(?:DATABASE|DB|POSTGRES\w*|PG\w*|MYSQL|SQL\w*)_UR[IL]$"), "sqlite://"),
    (re.compile(r"_UR[IL]$"), "http://localhost"),
)
"""What settings take to pieces while they are imported, and what can be; the first that fits."""

_RELATIVE_FILE = re.compile(r"(sqlite(?:\+\w+)?):///(?!/)(?:\./)?(?P<path>[^?]+)")


def values(backend: Backend, *, dialect: Dialect) -> dict[str, Any]:
    """Everything that the templates name."""
    return {
        **_builder(backend, dialect),
        **_runtime(backend),
        **_manifests(backend),
        "dialect": dialect,
        "name": backend.name,
        "port": backend.port,
        "framework": backend.framework,
        "allowed": layout.allowed(backend),
        "documents": backend.documents,
        "readmes": layout.readmes(backend),
        "context": backend.folder,
        "dockerfile": "Dockerfile" if backend.folder == "." else f"{backend.folder}/Dockerfile",
        "syncs": _syncs(backend),
        "variables": variables(backend),
    }


def mode(backend: Backend) -> Mode:
    """Where this backend keeps its data."""
    if backend.database != "sqlite":
        return "stateless"
    return "either" if "DATABASE_URL" in _reads(backend) else "sqlite"


def variables(backend: Backend) -> list[Variable]:
    """What `.env` is for: all that the app reads and that is the person's to set."""
    name, value = stored(backend) or ("", "")
    own = [one for one in backend.env if one.name not in _PLATFORM]
    # What the image sets is what holds in a pod, whatever the source has.
    return [replace(one, default=value) if one.name == name else one for one in own]


def _builder(backend: Backend, dialect: Dialect) -> dict[str, Any]:
    cache = "pip" if backend.packaging == "pip-venv" else "uv"
    files = layout.dependencies(backend)
    further = [one for one in backend.manifests if one not in files]
    buildkit = dialect == "buildkit"
    return {
        "uv": UV,
        "packaging": backend.packaging,
        "native": backend.native,
        "dependencies": layout.by_folder(files),
        "requirements": next(iter(backend.requirements), ""),
        "cached": f"--mount=type=cache,target=/root/.cache/{cache} " if buildkit else "",
        "no_cache": "" if buildkit else "--no-cache-dir ",
        "installed": backend.installed,
        "project_files": layout.by_folder(further),
        "build_copies": layout.build_copies(backend),
    }


def _runtime(backend: Backend) -> dict[str, Any]:
    other = backend.other_python
    return {
        "image": _image(backend.python, backend.base),
        "other_image": _image(other, backend.base) if other else "",
        "libraries": backend.libraries,
        "copies": layout.copies(backend),
        "collecting": _collecting(backend),
        "python_path": layout.python_path(backend),
        "imports": _imports(backend),
        "sqlite": backend.database == "sqlite",
        "stored": stored(backend),
        "reads_version": bool({"APP_VERSION", "APP_REVISION"} & _reads(backend)),
        "server": backend.server,
        "command": serving.command(backend),
        "healthcheck": serving.healthcheck(backend),
    }


def _manifests(backend: Backend) -> dict[str, Any]:
    health = backend.health
    heavy = not _HEAVY.isdisjoint(one.partition(".")[0] for one in backend.imports)
    return {
        "mode": mode(backend),
        "migrate": list(backend.migrate),
        "settings": backend.settings,
        "reads": _reads(backend),
        # Whoever reads the variable stays ready to serve while it drains; others are held up.
        "drains": "DRAIN_SECONDS" in _reads(backend),
        "health": health,
        "ready": health.ready or health.plain or health.live,
        "live": health.live or health.plain,
        "memory": ("256Mi", "1Gi") if heavy else ("96Mi", "256Mi"),
    }


def _reads(backend: Backend) -> frozenset[str]:
    return frozenset(one.name for one in backend.env)


def _imports(backend: Backend) -> list[str]:
    """What can be imported without the app: a server that is not installed ends the build."""
    # Much of what belongs to Django wants the app's settings first.
    libraries = [] if backend.framework == "django" else list(backend.imports)
    server = [] if backend.server == "module" else [backend.server]
    return sorted({*libraries, *server})


def _collecting(backend: Backend) -> list[str]:
    """What Django's settings read when static files are collected, each with a value for that."""
    if backend.collected is None:
        return []
    needed = [one.name for one in variables(backend) if one.default is None]
    values = [f"{one}={_stand_in(one)}" for one in needed]
    return [f"DJANGO_SETTINGS_MODULE={backend.collected}", *values]


def _stand_in(name: str) -> str:
    """A value that no settings stumble over: 0 is a key, a number, a text and a false."""
    found = (value for pattern, value in _PARSED if pattern.search(name.upper()))
    return next(found, "0")


def _image(python: str, base: str) -> str:
    return f"python:{python}-{base}" if base else f"python:{python}"


def stored(backend: Backend) -> tuple[str, str] | None:
    """The variable by which a file of sqlite lies in the volume, with the value for that.

    By itself it would lie beside the code, which is read-only.
    """
    if backend.database != "sqlite":
        return None
    if (own := backend.stored) is not None and _leads(own):
        return own.variable, "/app/data" if own.below else f"/app/data/{_file(backend)}"
    default = next((one.default for one in backend.env if one.name == "DATABASE_URL"), None)
    found = _RELATIVE_FILE.fullmatch(default or "")
    if found is None or found["path"].startswith("data/"):
        return None
    return "DATABASE_URL", f"{found[1]}:////app/data/{found['path'].rpartition('/')[2]}"


def _leads(own: Stored) -> bool:
    """Whether its variable may be set: nobody else's, and no folder behind it that is not there."""
    return bool(own.variable) and own.variable not in _PLATFORM and own.below.count("/") <= 1


def _file(backend: Backend) -> str:
    """What the file of sqlite is called where nobody says otherwise."""
    variable = backend.stored.variable if backend.stored else ""
    default = next((one.default for one in backend.env if one.name == variable), None)
    return (default or "").rpartition("/")[2] or "db.sqlite3"


def _syncs(backend: Backend) -> str:
    rules = [
        f"{{src: {yaml_word(src)}, dest: {yaml_word(dest)}}}"
        for src, dest in layout.synced(backend)
    ]
    return f"[{', '.join(rules)}]"
