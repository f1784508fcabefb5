"""How a backend was started so far: an existing Dockerfile, a Procfile, .flaskenv, CI's remains."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubekit.detect.report import Report
from kubekit.text.read import read_text

_OWN = "kubekit init"
"""In the header of what `kubekit init` wrote: no evidence of its own."""

_FILES = (
    *("Procfile", "Dockerfile", "fly.toml", "render.yaml", ".flaskenv", "start.sh", "run.sh"),
    *("entrypoint.sh", "docker-entrypoint.sh", "Makefile"),
)
_APP = re.compile(
    r"(?:uvicorn|gunicorn|hypercorn|granian|daphne|FLASK_APP\s*=)"
    r"[^\n]*?[\s\"',=\[]([A-Za-z_][\w.]*:[A-Za-z_][\w.]*)"
)
_BASE = re.compile(
    r"^[ \t]*(?:FROM[ \t]+(?:--platform=\S+[ \t]+)?|ARG[ \t]+\w+=)(?:\S+/)?"
    r"python:(\d+\.\d+)(?:\.\d+)?(?:-([\w.-]+))?",
    re.MULTILINE | re.IGNORECASE,
)
_PORT = re.compile(
    r"(?:--port[\s=\"',]+|(?:-b|--bind)[\s=\"',]+[\w.]*:|^\s*EXPOSE\s+)\"?(\d{2,5})\b",
    re.MULTILINE | re.IGNORECASE,
)
_LEFT = re.compile(r"\$\{?(PORT)\b")
_RUNTIME = re.compile(r"python-(\d+\.\d+)")
_LONGEST = 200_000


@dataclass(frozen=True)
class Hint:
    """Something that an older way to start the backend tells."""

    value: str
    path: str
    line: int


@dataclass(frozen=True)
class Hints:
    """Every app, port, and Python version with what follows it in the tag of its image.

    Attributes:
        left: where the port is left to the variable PORT, which the platform set.
        dockerfile: whether there is one that is a person's own.
    """

    apps: tuple[Hint, ...] = ()
    ports: tuple[Hint, ...] = ()
    pythons: tuple[Hint, ...] = ()
    bases: tuple[Hint, ...] = ()
    left: tuple[Hint, ...] = ()
    dockerfile: bool = False


def read_hints(report: Report) -> Hints:
    """Look into the files that are there; one that cannot be read tells nothing."""
    texts = {path: text for path in (*_FILES, "runtime.txt") if (text := _text(report, path))}
    return Hints(
        apps=_all(_APP, texts, _FILES),
        ports=_all(_PORT, texts, ("Procfile", "Dockerfile")),
        pythons=_all(_BASE, texts, ("Dockerfile",)) + _all(_RUNTIME, texts, ("runtime.txt",)),
        bases=_all(_BASE, texts, ("Dockerfile",), group=2),
        left=_all(_LEFT, texts, ("Procfile", "Dockerfile")),
        dockerfile="Dockerfile" in texts,
    )


def _text(report: Report, path: str) -> str | None:
    file = report.folder / path
    try:
        if not file.is_file() or file.stat().st_size > _LONGEST:
            return None
        text = read_text(file)
    except Exception:  # noqa: BLE001 - a hint is not worth an error
        return None
    return None if _OWN in text[:1_000] else text


def _all(
    pattern: re.Pattern[str], texts: dict[str, str], paths: tuple[str, ...], *, group: int = 1
) -> tuple[Hint, ...]:
    return tuple(
        Hint(found[group], path, text.count("\n", 0, found.start(group)) + 1)
        for path in paths
        if (text := texts.get(path))
        for found in pattern.finditer(text)
        if found[group]
    )
