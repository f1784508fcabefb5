"""Routes that answer of an app's health, in each of their dialects. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from kubekit.verify.model import Answer, Image, Known

ROUTES: Mapping[str, tuple[str, ...]] = {
    "plain": ("/health", "/healthz", "/api/health"),
    "live": ("/health/live", "/livez", "/live", "/api/health/live"),
    "ready": ("/health/ready", "/readyz", "/ready", "/api/health/ready"),
}
WELL = frozenset({"healthy", "ok", "alive", "up", "pass"})
_KEYS = ("status", "ok", "healthy")
_NOT_THERE = frozenset({0, 404, 405})
_AWAY = "postgresql://nobody@127.0.0.1:9/none"
_NOWHERE = "/nonexistent/none.db"


def candidates(kind: str, known: Known) -> tuple[str, ...]:
    """The paths to try, the one the project names first."""
    if named := known.paths.get(kind):
        return (named,)
    return ROUTES[kind]


def none_of(kind: str, known: Known) -> str:
    """What is said where none of them is there."""
    paths = candidates(kind, known)
    return f"it has none of {', '.join(paths)}" if len(paths) > 1 else f"it has no {paths[0]}"


def first(kind: str, known: Known, answers: Mapping[str, Answer]) -> tuple[str, Answer] | None:
    """The route of this kind that is there, and what it answered."""
    for path in candidates(kind, known):
        answer = answers.get(path)
        if answer is not None and answer.status not in _NOT_THERE:
            return path, answer
    return None


def says_well(body: str) -> bool | None:
    """Whether a body says that all is well; None where it says nothing of it."""
    try:
        said = json.loads(body)
    except ValueError:
        return bool(set(body.lower().replace('"', " ").split()) & WELL) or None
    if isinstance(said, dict):
        told = (said[key] for key in _KEYS if isinstance(said.get(key), str | bool))
        said = next(told, None)
        if isinstance(said, str):
            return said.lower() in WELL
    if isinstance(said, str):
        return said.lower() in WELL or None
    return said if isinstance(said, bool) else None


def database_away(image: Image, known: Known) -> str:
    """A DATABASE_URL of the project's own kind that leads nowhere."""
    scheme, _, _ = known.env.get("DATABASE_URL", "").partition("://")
    if scheme.startswith("sqlite"):
        return f"{scheme}:///{_NOWHERE}"
    if scheme:
        return f"{scheme}://{_AWAY.partition('://')[2]}"
    there = _modules(image)
    for driver in ("psycopg", "asyncpg", "psycopg2", "pg8000"):
        if driver in there:
            named = f"postgresql+{driver}" if "sqlalchemy" in there else "postgresql"
            return f"{named}://{_AWAY.partition('://')[2]}"
    return f"sqlite:///{_NOWHERE}"


def _modules(image: Image) -> frozenset[str]:
    ending = "/__init__.py"
    paths = (path.removesuffix(ending) for path in image.tree.files if path.endswith(ending))
    return frozenset(path.rpartition("/")[2] for path in paths)
